"""Painted things do not look like the marks of a question."""

from __future__ import annotations

import numpy as np

from spaceland.questions.marks import COLORS
from spaceland.scenes.rooms import paint, shell

MARKS = np.array(list(COLORS.values()), float)


def nearest_mark(colors: np.ndarray) -> float:
    """Least distance (RGB, 0..255) of any of the colours to a mark's."""
    return float(np.linalg.norm(colors.reshape(-1, 1, 3).astype(float) - MARKS, axis=-1).min())


def test_palettes_are_far_from_marks() -> None:
    assert nearest_mark(paint._palettes()) > 85
    rooms = (shell._WALLS, shell._ACCENTS, shell._CARPETS, shell._TILE_FLOORS, shell._WOOD_FLOORS, shell._RUGS)
    assert min(nearest_mark(np.array(colors)) for colors in rooms) > 85


def test_pictures_and_screens_are_far_from_marks() -> None:
    for seed in range(12):
        painted = [paint.artwork(np.random.default_rng(seed), kind) for kind in range(4)]
        painted += [paint.screen(np.random.default_rng(seed)), paint.outdoors(np.random.default_rng(seed))]
        assert min(nearest_mark(picture[::4, ::4]) for picture in painted) > 60
