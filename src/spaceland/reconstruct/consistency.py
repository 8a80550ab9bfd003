"""Depth that several views agree on: joining the depths of one pixel, and asking the other keyframes.

Wrong matches rarely repeat: two neighbours that put a pixel at the same depth to a few per cent are nearly always
right, one alone is often wrong. The same holds between keyframes: a point is lifted from one, projected into another,
and supported if that one's own depth there is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points


def join_depths(
    depths: Float[np.ndarray, "k h w"], tolerance: float
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Per pixel, the median of the largest group of depths that agree, and its size (0 and 0 where no depth).

    A group is what lies within `tolerance` (relative) of one of the depths; on a tie the earlier depth decides.

    >>> joined, size = join_depths(np.array([2.0, 3.0, 2.02]).reshape(3, 1, 1), 0.03)
    >>> float(joined[0, 0]), int(size[0, 0])
    (2.01, 2)
    """
    known = depths > 0
    logs = np.log(np.where(known, depths, 1.0))
    width = np.log1p(tolerance)
    best_size = np.zeros(depths.shape[1:], int)
    best_group = np.zeros(depths.shape, bool)
    for k in range(len(depths)):
        group = (np.abs(logs - logs[k]) <= width) & known & known[k]
        size = group.sum(0)
        better = size > best_size
        best_group = np.where(better, group, best_group)
        best_size = np.where(better, size, best_size)
    ordered = np.sort(np.where(best_group, depths, np.inf), axis=0)
    low = np.take_along_axis(ordered, np.maximum(best_size - 1, 0)[None] // 2, 0)[0]
    high = np.take_along_axis(ordered, (best_size // 2).clip(0, len(depths) - 1)[None], 0)[0]
    return np.where(best_size > 0, (low + np.where(best_size > 0, high, low)) / 2, 0.0), best_size


def supporting_views(
    depth: Float[np.ndarray, "h w"],
    camera: PinholeCamera,
    T_world_cam: Float[np.ndarray, "4 4"],
    others: Sequence[tuple[Float[np.ndarray, "ho wo"], PinholeCamera, Float[np.ndarray, "4 4"]]],
    tolerance: float,
) -> Int[np.ndarray, "h w"]:
    """How many of `others` (depth, camera, pose) have the same depth (to `tolerance`, relative) where a pixel lands."""
    support = np.zeros(depth.shape, int)
    has = depth > 0
    world = transform_points(T_world_cam, camera.pixel_rays()[has] * depth[has][:, None])
    for other_depth, other_camera, T_world_other in others:
        pixels, z = other_camera.project(transform_points(invert_rigid(T_world_other), world))
        inside = other_camera.contains(pixels)
        column, row = np.where(inside[:, None], pixels, 0.0).astype(int).T
        there = np.where(inside, other_depth[row, column], 0.0)
        support[has] += (there > 0) & (np.abs(there - z) <= tolerance * z)
    return support
