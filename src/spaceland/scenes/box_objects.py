"""Objects that a dataset describes by an oriented box and a label, with or without points of their own."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.scene import SceneObject, normalise_label

MAX_SKEW = 0.02
# Two triangles for each side, normals outward, corners numbered as in `OrientedBox.corners`.
_SIDES = np.array([[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]])
BOX_FACES = np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]]).astype(np.int32)


def box_from_axes(
    center: Float[np.ndarray, "3"], axes: Float[np.ndarray, "3 3"], size: Float[np.ndarray, "3"]
) -> OrientedBox | None:
    """The box with these axes as columns and these full lengths.

    Axes become exactly orthonormal and right-handed (turning an axis round leaves a box as it is). None when a number
    is not finite, a length is negative, or the axes are off by more than `MAX_SKEW`.
    """
    if not (np.isfinite(center).all() and np.isfinite(axes).all() and np.isfinite(size).all()) or (size < 0).any():
        return None
    if np.abs(axes.T @ axes - np.eye(3)).max() > MAX_SKEW:
        return None
    u, _, vt = np.linalg.svd(axes)
    rotation = u @ vt
    if np.linalg.det(rotation) < 0:
        rotation[:, 2] *= -1
    return OrientedBox(np.asarray(center, float), np.asarray(size, float), rotation)


def box_object(
    object_id: int,
    raw_label: str,
    box: OrientedBox,
    points: Float[np.ndarray, "n 3"],
    skipped: Counter[str],
    faces: Int[np.ndarray, "m 3"] | None = None,
) -> SceneObject:
    """An object with the dataset's own box; where it has no points, the box itself stands for its shape (counted)."""
    if len(points) == 0:
        skipped["object: no points of its own, its box stands for its shape"] += 1
        points, faces = box.corners(), BOX_FACES
    return SceneObject(object_id, normalise_label(raw_label), raw_label, points, box, faces)
