"""The triangles that a camera looking straight down sees, and their colours: one ray from the camera for each pixel.

A bird's-eye view in perspective shows what the orthographic one cannot, the inner faces of walls and the fronts of
things that stand away from the middle of the room.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spaceland.geometry.raycast import RayCaster
from spaceland.prompts.bevmap import PerspectiveMap
from spaceland.scenes.scene import Surface

NEAR_M = 0.05
"""Points nearer to the camera than this (or above it) are not drawn."""


def mean_of_three(values: Float[np.ndarray, "n 3 c"]) -> Float[np.ndarray, "n c"]:
    """Mean over the three corners of triangles; as a sum of arrays it is much faster than as a mean along an axis."""
    return (values[:, 0] + values[:, 1] + values[:, 2]) / 3


def range_of_three(values: Float[np.ndarray, "n 3 c"]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest of the three corners of triangles, each [n, c]."""
    low = np.minimum(np.minimum(values[:, 0], values[:, 1]), values[:, 2])
    return low, np.maximum(np.maximum(values[:, 0], values[:, 1]), values[:, 2])


class CameraPainter:
    """Shoots rays from one place; inside a triangle colour is linear, so its slope in space is worked out once."""

    def __init__(self, surface: Surface, colors: np.ndarray, view: PerspectiveMap) -> None:
        assert surface.faces is not None
        self._view = view
        self._caster = RayCaster(surface.vertices, surface.faces)
        # Counted from the camera, room coordinates are small enough for single precision.
        corners = (surface.vertices - np.array(view.camera_m)).astype(np.float32)[surface.faces]
        values = np.asarray(colors, dtype=np.float32)[surface.faces]
        self._middle, self._mean = mean_of_three(corners), mean_of_three(values)
        self._low, self._high = range_of_three(values)
        first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        pairs = ((first, first), (second, second), (first, second))
        a, b, c = (np.einsum("nd,nd->n", p, q)[:, None] for p, q in pairs)
        square = a * b - c * c
        square = np.where(square > 1e-5 * a * b, square, np.inf)  # a sliver of a triangle keeps its mean colour
        # The two directions in the triangle's plane along which one corner's share grows and the other's stays.
        to_first, to_second = (b * first - c * second) / square, (a * second - c * first) / square
        steps = values[:, 1:] - values[:, :1]
        self._slopes = to_first[:, :, None] * steps[:, 0, None] + to_second[:, :, None] * steps[:, 1, None]

    def paint(self, pixels: Float[np.ndarray, "n 2"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour [n, 3] (white: nothing), height [n] in metres (NaN: nothing) and face [n] (-1) at pixel places."""
        rays = np.full((len(pixels), 3), -1.0, dtype=np.float32)
        rays[:, :2] = self._view.rays(pixels)[:, :2]
        eye = np.array(self._view.camera_m)
        hits = self._caster.cast(eye, rays)
        color = np.full((len(pixels), 3), 255.0, dtype=np.float32)
        z = np.full(len(pixels), np.nan, dtype=np.float32)
        hit = np.flatnonzero(hits.face >= 0)
        face, depth = hits.face[hit], hits.distance[hit]
        z[hit] = eye[2] - depth
        offset = rays[hit] * depth[:, None] - self._middle[face]
        painted = self._mean[face] + np.einsum("nd,ndc->nc", offset, self._slopes[face])
        color[hit] = np.clip(painted, self._low[face], self._high[face])
        return color, z, hits.face
