"""Laying one set of points over another: the similarity that fits best.

Poses estimated from pictures live in a world of their own. Before they are compared with true ones, that world is
turned, moved and scaled onto the true one; what is left is the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.geometry.transforms import from_rotation_translation

_FLAT = 1e-9
"""A spread of points below this share of the largest counts as none."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """Points p go to `scale * rotation @ p + translation`."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def apply(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Map points [..., 3]."""
        return self.scale * (points @ self.rotation.T) + self.translation

    def apply_pose(self, T_from_cam: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """Map a camera: its centre as a point, its axes by the rotation alone, so that the result stays rigid."""
        rotation = self.rotation @ T_from_cam[:3, :3]
        return from_rotation_translation(rotation, self.apply(T_from_cam[:3, 3]))


def similarity_alignment(source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]) -> Similarity:
    """The similarity that brings `source` closest to `target`: least sum of squared distances.

    Closed form after Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE PAMI 13(4), 1991. Never a mirror image.

    Raises:
        ValueError: fewer than 3 points, NaN, or points on one line, which leave the turn about it open.
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        raise ValueError(f"need two arrays [n, 3] with n >= 3 of the same points, found {source.shape}, {target.shape}")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("points must be finite")
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    for spread in (np.linalg.svd(a, compute_uv=False), np.linalg.svd(b, compute_uv=False)):
        if spread[1] <= _FLAT * spread[0]:
            raise ValueError("the points lie on one line (or are one point): the rotation is not determined")
    left, singular, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    rotation = left @ np.diag(signs) @ right
    scale = float((singular * signs).sum() / (a**2).sum())
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)
