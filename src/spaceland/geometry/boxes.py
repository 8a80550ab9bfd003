"""Boxes in world coordinates: axis-aligned and oriented.

Sizes are full lengths in metres. An oriented box has `rotation` R_world_box: its columns are the box axes in world
coordinates, so `p_world = center + rotation @ p_box`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull, QhullError

# Corner k takes the upper bound on axis a where bit a of k is set.
_CORNER_SIGNS = np.array([[(k >> axis & 1) * 2 - 1 for axis in range(3)] for k in range(8)], dtype=float)


@dataclass(frozen=True, eq=False)
class AxisAlignedBox:
    """A box along the world axes, from `minimum` to `maximum` (both [3], metres)."""

    minimum: Float[np.ndarray, "3"]
    maximum: Float[np.ndarray, "3"]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.minimum).all() and np.isfinite(self.maximum).all()):
            raise ValueError(f"box has NaN or infinite bounds: {self.minimum} .. {self.maximum}")
        if (self.maximum < self.minimum).any():
            raise ValueError(f"box maximum {self.maximum} lies below its minimum {self.minimum}")

    @classmethod
    def from_points(cls, points: Float[np.ndarray, "n 3"]) -> AxisAlignedBox:
        """The smallest box around at least one point."""
        return cls(points.min(0).astype(float), points.max(0).astype(float))

    @property
    def center(self) -> Float[np.ndarray, "3"]:
        return (self.minimum + self.maximum) / 2

    @property
    def size(self) -> Float[np.ndarray, "3"]:
        return self.maximum - self.minimum

    def oriented(self) -> OrientedBox:
        """The same box as an `OrientedBox` with identity rotation."""
        return OrientedBox(self.center, self.size, np.eye(3))


@dataclass(frozen=True, eq=False)
class OrientedBox:
    """A box of any orientation: `center` [3], full `size` [3] along its own axes, `rotation` R_world_box [3, 3]."""

    center: Float[np.ndarray, "3"]
    size: Float[np.ndarray, "3"]
    rotation: Float[np.ndarray, "3 3"]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center).all() and np.isfinite(self.size).all() and np.isfinite(self.rotation).all()):
            raise ValueError(f"box has NaN or infinite values: center {self.center}, size {self.size}")
        if (self.size < 0).any():
            raise ValueError(f"box size {self.size} must not be negative")
        if np.abs(self.rotation @ self.rotation.T - np.eye(3)).max() > 1e-4:
            raise ValueError("box rotation is not orthonormal")

    @classmethod
    def upright_from_points(cls, points: Float[np.ndarray, "n 3"]) -> OrientedBox:
        """The upright box (third axis = world z) with the least floor area around the points.

        The best rectangle has a side along an edge of the footprint's convex hull, so trying all edges is exact.
        Its first axis is the longer horizontal one. Degenerate footprints (a line, one point) give a thin box.
        """
        xy = points[:, :2].astype(float)
        z_low, z_high = float(points[:, 2].min()), float(points[:, 2].max())
        try:
            hull = xy[ConvexHull(xy).vertices]
            edges = np.roll(hull, -1, axis=0) - hull
        except (QhullError, ValueError):  # fewer than three points, or all on one line
            hull = xy
            edges = (xy[np.argmax(np.linalg.norm(xy - xy[0], axis=1))] - xy[0])[None]
        lengths = np.linalg.norm(edges, axis=1, keepdims=True)
        edges = edges[lengths[:, 0] > 1e-9] / lengths[lengths[:, 0] > 1e-9]
        if len(edges) == 0:
            edges = np.array([[1.0, 0.0]])
        normals = np.stack([-edges[:, 1], edges[:, 0]], -1)
        along, across = hull @ edges.T, hull @ normals.T  # [hull point, edge]
        sizes = np.stack([np.ptp(along, axis=0), np.ptp(across, axis=0)], -1)
        best = int(np.argmin(sizes.prod(-1)))
        x_axis, y_axis, size_xy = edges[best], normals[best], sizes[best]
        middle = np.array([along[:, best].min() + size_xy[0] / 2, across[:, best].min() + size_xy[1] / 2])
        center_xy = middle[0] * x_axis + middle[1] * y_axis
        if size_xy[1] > size_xy[0]:
            x_axis, y_axis, size_xy = y_axis, -x_axis, size_xy[::-1]
        rotation = np.eye(3)
        rotation[:2, 0], rotation[:2, 1] = x_axis, y_axis
        center = np.array([*center_xy, (z_low + z_high) / 2])
        return cls(center, np.array([*size_xy, z_high - z_low]), rotation)

    def corners(self) -> Float[np.ndarray, "8 3"]:
        """World corners; corner k takes the upper bound on box axis a where bit a of k is set."""
        return self.center + (_CORNER_SIGNS * self.size / 2) @ self.rotation.T

    def to_box_frame(self, points: Float[np.ndarray, "*n 3"]) -> np.ndarray:
        """World points in coordinates along the box axes, origin at the centre."""
        return (points - self.center) @ self.rotation

    def contains(self, points: Float[np.ndarray, "*n 3"], margin_m: float = 0.0) -> Bool[np.ndarray, "*n"]:
        """Whether world points lie in the box grown by `margin_m` on every side."""
        return np.all(np.abs(self.to_box_frame(points)) <= self.size / 2 + margin_m, axis=-1)

    def axis_aligned(self) -> AxisAlignedBox:
        """The smallest axis-aligned box around this one."""
        return AxisAlignedBox.from_points(self.corners())

    @property
    def volume_m3(self) -> float:
        return float(np.prod(self.size))
