"""Dense depth without rectifying: try many depths, and keep the one at which the pictures look alike.

For pairs that cannot be rectified (walking straight ahead puts the epipole inside the picture). Planes facing the
keyframe are swept from near to far in equal steps of inverse depth; each neighbour is warped onto the keyframe through
each plane, and the difference of the locally normalised pictures, averaged over a window and the neighbours, is the
cost. The lowest cost wins if it is clearly lower than any that is not next to it; a parabola through it and its
two neighbours refines the depth. There is no smoothness term, so this fills less than semi-global matching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import require
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid
from spaceland.reconstruct.stereo_match import in_opencv

_UNSEEN_COST = 1.5  # of a pixel that the neighbour does not show; that of two unrelated pixels is about 1.1


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Planes between near and far, window of the comparison, and how clearly the best plane must win."""

    num_planes: int = 64
    window_px: int = 9
    max_cost: float = 0.7
    uniqueness: float = 0.85


def sweep_planes(
    key_gray: UInt8[np.ndarray, "h w"],
    key: PinholeCamera,
    T_world_key: Float[np.ndarray, "4 4"],
    others: Sequence[tuple[UInt8[np.ndarray, "ho wo"], PinholeCamera, Float[np.ndarray, "4 4"]]],
    near: float,
    far: float,
    config: SweepConfig | None = None,
) -> Float[np.ndarray, "h w"]:
    """Depth of the keyframe's pixels between `near` and `far` along its axis, 0 where no plane clearly wins."""
    require("cv2", "recon")
    import cv2

    config = config or SweepConfig()
    window = (config.window_px, config.window_px)
    inverse_depths = np.linspace(1 / far, 1 / near, config.num_planes)
    wanted = _normalised(key_gray, window)
    sources = [(_normalised(gray, window), camera, invert_rigid(pose) @ T_world_key) for gray, camera, pose in others]
    cost = np.empty((config.num_planes, *key_gray.shape), np.float32)
    for k, inverse_depth in enumerate(inverse_depths):
        total = np.zeros(key_gray.shape, np.float32)
        for picture, camera, T_other_key in sources:
            # Points of the plane z = d have X_other = (R + t [0 0 1] / d) X_key.
            through = T_other_key[:3, :3] + np.outer(T_other_key[:3, 3], [0, 0, 1]) * inverse_depth
            H = in_opencv(camera.K @ through @ np.linalg.inv(key.K))
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            seen = cv2.warpPerspective(
                picture, H, (key.width, key.height), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf
            )
            total += np.minimum(np.abs(np.nan_to_num(seen, nan=np.inf) - wanted), _UNSEEN_COST)
        cost[k] = cv2.boxFilter(total / len(sources), -1, window)
    return _winning_depth(cost, inverse_depths, config)


def _winning_depth(cost: np.ndarray, inverse_depths: np.ndarray, config: SweepConfig) -> np.ndarray:
    best = cost.argmin(0)
    rows, columns = np.indices(best.shape)
    lowest = cost[best, rows, columns]
    planes = np.arange(len(cost))[:, None, None]
    second = np.where(np.abs(planes - best) > 2, cost, np.inf).min(0)
    inner = best.clip(1, len(cost) - 2)
    before, here, after = (cost[inner + k, rows, columns] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.where(bend > 1e-6, 0.5 * (before - after) / np.maximum(bend, 1e-6), 0.0).clip(-0.5, 0.5)
    step = inverse_depths[1] - inverse_depths[0]
    inverse_depth = inverse_depths[inner] + offset * step
    # At either end the true minimum may lie outside the range.
    sure = (best == inner) & (lowest <= config.max_cost) & (lowest <= config.uniqueness * second)
    return np.where(sure, 1 / inverse_depth, 0.0)


def _normalised(gray: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    """Minus the mean of the window, over its spread; flat areas stay near 0 instead of amplifying their noise."""
    import cv2

    picture = gray.astype(np.float32)
    mean = cv2.boxFilter(picture, -1, window)
    variance = np.maximum(cv2.boxFilter(picture * picture, -1, window) - mean * mean, 0)
    return (picture - mean) / (np.sqrt(variance) + 4.0)
