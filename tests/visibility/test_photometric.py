"""Pictures that contradict their surface are seen; other light, small shifts and noise are forgiven."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spaceland.visibility.photometric import contradicted_pixels


@pytest.fixture(scope="module")
def rendered() -> np.ndarray:
    """A colourful surface of patches about 30 px wide."""
    rng = np.random.default_rng(3)
    patches = rng.integers(40, 220, (8, 11, 3)).astype(float)
    return ndimage.zoom(patches, (30, 29, 1), order=0)[:240, :319].astype(np.uint8)


def test_other_exposure_and_noise_are_forgiven(rendered: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 8, rendered.shape)
    picture = np.clip(rendered * [0.8, 0.9, 1.1] + [12, -6, 3] + noise, 0, 255).astype(np.uint8)
    bad = contradicted_pixels(picture, rendered, np.ones(rendered.shape[:2], bool))
    assert bad.mean() < 0.01


def test_small_shift_is_forgiven(rendered: np.ndarray) -> None:
    bad = contradicted_pixels(np.roll(rendered, (3, -3), (0, 1)), rendered, np.ones(rendered.shape[:2], bool))
    assert bad.mean() < 0.01


def test_something_that_the_surface_lacks_is_seen(rendered: np.ndarray) -> None:
    picture = rendered.copy()
    picture[60:160, 100:200] = (0, 0, 0)
    bad = contradicted_pixels(picture, rendered, np.ones(rendered.shape[:2], bool))
    inside = np.zeros(bad.shape, bool)
    inside[70:150, 110:190] = True
    assert bad[inside].mean() > 0.8
    assert bad[~ndimage.binary_dilation(inside, iterations=16)].mean() < 0.01


def test_pixels_without_surface_are_never_judged(rendered: np.ndarray) -> None:
    covered = np.zeros(rendered.shape[:2], bool)
    covered[:120] = True
    bad = contradicted_pixels(255 - rendered, rendered, covered)
    assert not bad[~covered].any()
    assert not contradicted_pixels(rendered, rendered, np.zeros_like(covered)).any()
