"""Turning two posed pictures so that the same point lies on the same row of both.

Both cameras are rotated about their centres (a homography of each picture, no depth needed) until their x axes run
along the line between the centres. A point at depth Z of the turned frame then differs between the pictures only along
the row, by the disparity f * baseline / Z, always positive because x points from the keyframe to its neighbour.

    keyframe o--baseline-->o neighbour        focal 400 px, baseline 0.1, Z = 2  ->  disparity 20 px

Any direction of motion across the view works alike: sideways keeps the picture upright, upwards turns it by 90 degrees.
Motion along the view does not: rays close to the baseline would be stretched without bound. Such rays are left out, and
a pair that keeps too few rays is not rectified at all (`rectify` returns None). OpenCV's `stereoRectify` computes the
same two rotations, but decides alone which of two axes to keep and fails near the epipole without saying so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.geometry.camera import PinholeCamera

# A ray closer than this to the baseline is not matched: along a row, its pixel is over 1 / sin^2 = 4 times as wide.
_MIN_RAY_TO_BASELINE_DEG = 30.0
_MIN_SHARE_OF_RAYS = 0.7
_MAX_GROWTH = 1.5  # of the picture's diagonal; beyond, the rectified focal length shrinks
_GRID = 24


@dataclass(frozen=True, eq=False)
class RectifiedPair:
    """Two turned cameras with one `camera`; `R_rect_key` maps directions of the keyframe's camera frame to theirs.

    Disparities between `min_disparity_px` and that plus `num_disparities_px` (a multiple of 16) cover the depths asked
    for. The window's left margin is as wide as the largest disparity, so that every pixel of the keyframe has room.
    """

    camera: PinholeCamera
    R_rect_key: Float[np.ndarray, "3 3"]
    R_rect_other: Float[np.ndarray, "3 3"]
    baseline: float
    min_disparity_px: int
    num_disparities_px: int

    def homography(self, source: PinholeCamera, other: bool = False) -> Float[np.ndarray, "3 3"]:
        """Maps pixels (centres at +0.5) of the keyframe's (or the neighbour's) picture to rectified pixels."""
        R = self.R_rect_other if other else self.R_rect_key
        return self.camera.K @ R @ np.linalg.inv(source.K)

    def depth_of(self, disparity_px: np.ndarray) -> np.ndarray:
        """Depth Z of the rectified frame, 0 where the disparity is not positive."""
        safe = np.where(disparity_px > 0, disparity_px, np.inf)
        return self.camera.fx * self.baseline / safe


def rectify(
    key: PinholeCamera,
    T_world_key: Float[np.ndarray, "4 4"],
    other: PinholeCamera,
    T_world_other: Float[np.ndarray, "4 4"],
    near: float,
    far: float,
    max_disparities_px: int = 192,
) -> RectifiedPair | None:
    """The turned pair for depths `near` to `far` of the keyframe, or None where the motion runs along the view."""
    step = T_world_other[:3, 3] - T_world_key[:3, 3]
    baseline = float(np.linalg.norm(step))
    if baseline <= 0:
        return None
    x = step / baseline
    forward = T_world_key[:3, 2] + T_world_other[:3, 2]
    z = forward - (forward @ x) * x
    if np.linalg.norm(z) < np.sin(np.radians(_MIN_RAY_TO_BASELINE_DEG)) * np.linalg.norm(forward) or (
        np.linalg.norm(forward) < 1.0  # the two look apart by over 120 degrees
    ):
        return None
    z /= np.linalg.norm(z)
    R_rect_world = np.stack([x, np.cross(z, x), z])
    R_rect_key = R_rect_world @ T_world_key[:3, :3]
    R_rect_other = R_rect_world @ T_world_other[:3, :3]
    key_rays, key_ok = _usable_rays(key, R_rect_key)
    other_ok = _usable_rays(other, R_rect_other)[1]
    if key_ok.mean() < _MIN_SHARE_OF_RAYS or other_ok.mean() < _MIN_SHARE_OF_RAYS:
        return None

    rays = key_rays[key_ok]
    slope = rays[:, :2] / rays[:, 2:]
    low, high = slope.min(0), slope.max(0)
    # A pixel at depth z of the keyframe lies at z * ray_z of the rectified frame (rays have z = 1 in the keyframe).
    nearest, farthest = near * np.quantile(rays[:, 2], 0.05), far * np.quantile(rays[:, 2], 0.95)
    f = (key.fx + key.fy) / 2
    f = min(f, _MAX_GROWTH * float(np.hypot(key.width, key.height)) / float((high - low).max()))
    f = min(f, (max_disparities_px - 16) / (baseline / nearest - baseline / farthest))
    first = int(np.floor(f * baseline / farthest))
    count = int(np.ceil((f * baseline / nearest - first + 1) / 16) * 16)
    left = int(np.floor(f * low[0])) - first - count
    top = int(np.floor(f * low[1]))
    width, height = int(np.ceil(f * high[0])) - left, int(np.ceil(f * high[1])) - top
    camera = PinholeCamera(width, height, f, f, -float(left), -float(top))
    return RectifiedPair(camera, R_rect_key, R_rect_other, baseline, first, count)


def _usable_rays(camera: PinholeCamera, R_rect_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.meshgrid(np.linspace(0, camera.width, _GRID), np.linspace(0, camera.height, _GRID))
    rays = camera.unproject(np.stack([u, v], -1).reshape(-1, 2), np.ones(_GRID * _GRID)) @ R_rect_cam.T
    to_baseline = np.abs(rays[:, 0]) / np.linalg.norm(rays, axis=1)
    return rays, (to_baseline < np.cos(np.radians(_MIN_RAY_TO_BASELINE_DEG))) & (rays[:, 2] > 0.2)
