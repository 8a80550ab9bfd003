"""COLMAP's text models: cameras.txt and images.txt.

    cameras.txt   CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]
    images.txt    IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME      (world to camera; every second line holds points)

Poses become camera to world. Names keep their last part only, since some exports put a folder before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, rotation_from_quaternion
from spaceland.scenes.lens import MODELS, Lens


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """A registered image: file name, its lens, and `T_world_cam`."""

    name: str
    lens: Lens
    T_world_cam: Float[np.ndarray, "4 4"]


def read_colmap(folder: Path) -> dict[str, ColmapImage]:
    """The registered images of a model by file name, in the order of the names.

    Raises:
        SceneError: a file is missing or damaged, or a camera has an unknown model.
    """
    lenses = _cameras(folder / "cameras.txt")
    path = folder / "images.txt"
    images = {}
    # The second line of an image lists its points. It may be empty, so lines are counted before empty ones are dropped.
    for number, line in _lines(path)[::2]:
        words = line.split(maxsplit=9)
        if not words:
            continue
        try:
            values = np.array([float(word) for word in words[1:8]])
            lens, name = lenses[int(words[8])], Path(words[9].strip()).name
            if values.shape != (7,):
                raise ValueError(f"{len(values)} numbers")
        except (IndexError, KeyError, ValueError) as error:
            raise SceneError(
                f"{path}, line {number}: expected an image with pose, camera and name, found '{line[:60]}' "
                f"({type(error).__name__}: {error}); is the file truncated?"
            ) from None
        images[name] = ColmapImage(name, lens, _pose(values))
    return dict(sorted(images.items()))


def _pose(values: Float[np.ndarray, "7"]) -> Float[np.ndarray, "4 4"]:
    """`T_world_cam` from a world-to-camera quaternion and translation; NaN when the quaternion is none."""
    if not np.isfinite(values).all() or np.linalg.norm(values[:4]) < 1e-6:
        return np.full((4, 4), np.nan)
    return invert_rigid(from_rotation_translation(rotation_from_quaternion(values[:4]), values[4:]))


def _cameras(path: Path) -> dict[int, Lens]:
    lenses = {}
    for number, line in _lines(path):
        words = line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words[4:]]
            expected = 4 + MODELS.get(words[1], 0)
            if words[1] in MODELS and len(values) != expected:
                raise ValueError(f"{len(values)} parameters, expected {expected}")
            lenses[int(words[0])] = Lens.from_numbers(words[1], (int(words[2]), int(words[3])), values[:4], values[4:])
        except (IndexError, TypeError, ValueError) as error:
            raise SceneError(f"{path}, line {number}: not a camera that can be used ({error})") from None
    return lenses


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbered lines without the comments."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read {path}: {error}") from error
    return [(k, line) for k, line in enumerate(lines, 1) if not line.startswith("#")]
