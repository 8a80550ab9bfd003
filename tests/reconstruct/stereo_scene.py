"""Textured planes in front of posed cameras, rendered exactly: depth and pictures for the tests of stereo matching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView

CAMERA = PinholeCamera(200, 150, 180.0, 180.0, 100.0, 75.0)


def pose(position: Sequence[float], turn_deg: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """Camera at `position` in the axes of the first camera, turned about x, y, z."""
    T = np.eye(4)
    for axis, angle in enumerate(np.radians(turn_deg)):
        a, b = (k for k in range(3) if k != axis)
        R = np.eye(3)
        R[a, a] = R[b, b] = np.cos(angle)
        R[a, b], R[b, a] = (-np.sin(angle), np.sin(angle)) if axis != 1 else (np.sin(angle), -np.sin(angle))
        T[:3, :3] = T[:3, :3] @ R
    T[:3, 3] = position
    return T


def _texture(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise over the plane, 0 to 255: waves of random direction and length."""
    rng = np.random.default_rng(seed)
    value = np.zeros_like(x)
    for _ in range(40):
        angle, phase, per_m = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(4, 45)
        value += np.sin((np.cos(angle) * x + np.sin(angle) * y) * per_m + phase)
    return np.clip(127 + 18 * value, 0, 255)


def render(
    T_world_cam: np.ndarray, camera: PinholeCamera = CAMERA, front: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(colour, depth): a slanted wall at z = 3 and (if `front`) a board before it at z = 1.5, |x|, |y| < 0.25."""
    rays = camera.pixel_rays() @ T_world_cam[:3, :3].T
    origin = T_world_cam[:3, 3]
    # Wall: z = 3 + 0.3 x. Rays have z = 1 in the camera, so the distance along them is depth.
    t = (3 + 0.3 * origin[0] - origin[2]) / (rays[..., 2] - 0.3 * rays[..., 0])
    hit = origin + rays * t[..., None]
    gray, depth = _texture(hit[..., 0], hit[..., 1], 1), t
    if front:
        t = (1.5 - origin[2]) / rays[..., 2]
        hit = origin + rays * t[..., None]
        board = (np.abs(hit[..., :2]) < 0.25).all(-1)
        gray = np.where(board, _texture(hit[..., 0], hit[..., 1], 2), gray)
        depth = np.where(board, t, depth)
    return np.repeat(gray.astype(np.uint8)[..., None], 3, -1), depth


def capture(
    poses: Sequence[np.ndarray], metric: bool = True, front: bool = True
) -> tuple[Estimate, list[CaptureImage]]:
    """An estimate with these exact poses and no points, and its pictures."""
    views, images = [], []
    for k, T in enumerate(poses):
        color, _ = render(T, front=front)
        views.append(EstimatedView(str(k), CAMERA, T))
        images.append(CaptureImage(str(k), k, CAMERA.width, CAMERA.height, lambda color=color: color))
    return Estimate(tuple(views), None, metric, "exact"), images
