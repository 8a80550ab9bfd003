"""Level surfaces of a room at their heights: floor, seats, table tops, work tops, shelves.

Worked example. A table of 1.2 m x 0.8 m and 0.73 m high on a floor of 12 m2:

    horizontal_layers(patches, up)  ->  [Layer(height=0.0, area=11.0), Layer(height=0.73, area=0.96)]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from spaceland.geometry.planes import thin_index
from spaceland.scenes.scene import Surface

_MAX_PATCHES = 200_000
_NEIGHBOURS = 12
_MAX_CLOUD_CELLS = 250


@dataclass(frozen=True, eq=False)
class Patches:
    """Small flat pieces of a surface: middles [n, 3], outward unit normals [n, 3] and areas [n]."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    areas: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.areas)

    def where(self, mask: Bool[np.ndarray, "n"]) -> Patches:
        """Some of the patches."""
        return Patches(self.points[mask], self.normals[mask], self.areas[mask])

    def scaled(self, factor: float) -> Patches:
        """The same patches in another unit."""
        return Patches(self.points * factor, self.normals, self.areas * factor**2)


@dataclass(frozen=True)
class Layer:
    """Level surface that faces up: its height along up and its area, both in the unit of the patches."""

    height: float
    area: float


def patches_of(surface: Surface, eyes: Float[np.ndarray, "k 3"]) -> Patches:
    """The triangles of a mesh, or of a cloud one patch for each occupied cell.

    Args:
        surface: Triangles must face where they were seen from.
        eyes: Camera centres: the patches of a cloud, which has no outside, are turned towards the nearest one.
    """
    vertices = np.asarray(surface.vertices, dtype=float)
    if surface.faces is None or len(surface.faces) == 0:
        return _cloud(vertices[np.isfinite(vertices).all(1)], eyes)
    corners = vertices[surface.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(cross, axis=1)
    good = np.isfinite(length) & (length > 0)
    patches = Patches(corners[good].mean(1), cross[good] / length[good, None], length[good] / 2)
    if len(patches) <= _MAX_PATCHES:
        return patches
    # Every so many-th stands for its neighbours in the list.
    step = -(-len(patches) // _MAX_PATCHES)
    kept = Patches(patches.points[::step], patches.normals[::step], patches.areas[::step])
    return Patches(kept.points, kept.normals, kept.areas * (patches.areas.sum() / kept.areas.sum()))


def horizontal_layers(
    patches: Patches,
    up: Float[np.ndarray, "3"],
    *,
    bin_size: float = 0.01,
    max_tilt_deg: float = 25.0,
    min_area: float = 0.02,
) -> list[Layer]:
    """Heights at which much surface faces up, from low to high.

    Args:
        patches: In any unit.
        up: Unit vector; heights are measured along it, from the origin.
        bin_size: Layers closer than four of these count as one; what lies within 2 of them belongs to a layer.
        max_tilt_deg: How far a patch may lean.
        min_area: Layers with less are left out.
    """
    level = patches.normals @ up > np.cos(np.radians(max_tilt_deg))
    if not level.any():
        return []
    height, area = patches.points[level] @ up, patches.areas[level]
    low = float(height.min()) - 5 * bin_size
    # Far strays must not make an endless histogram.
    index = np.floor((height - low) / bin_size).astype(np.int64)
    inside = index < 20_000
    height, area, index = height[inside], area[inside], index[inside]
    histogram = np.bincount(index, area, minlength=int(index.max()) + 6)
    smooth = ndimage.gaussian_filter1d(histogram, 1.0)
    peaks = np.flatnonzero((smooth == ndimage.maximum_filter1d(smooth, 9)) & (smooth > 0))
    layers = []
    for peak in peaks.tolist():
        middle = low + (peak + 0.5) * bin_size
        near = np.abs(height - middle) <= 2.5 * bin_size
        if area[near].sum() >= min_area:
            layers.append(Layer(weighted_median(height[near], area[near]), float(area[near].sum())))
    return layers


def weighted_median(values: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"]) -> float:
    """The value with half of the weight below it.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 5.0]))
    2.0
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _cloud(points: Float[np.ndarray, "n 3"], eyes: Float[np.ndarray, "k 3"]) -> Patches:
    """Patches of a cloud: the plane through the neighbours of each occupied cell, where they lie on one."""
    if len(points) < _NEIGHBOURS:
        return Patches(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    low, high = np.percentile(points, [2, 98], axis=0)
    cell = max(float(np.linalg.norm(high - low)) / _MAX_CLOUD_CELLS, 1e-12)
    slack = 0.5 * (high - low) + cell
    points = points[((points >= low - slack) & (points <= high + slack)).all(1)]
    points = points[thin_index(points, cell)]
    _, near = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))
    patch = points[near] - points[near].mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", patch, patch))
    flat = values[:, 0] < 0.1 * values[:, 1]
    normals = vectors[:, :, 0]
    if len(eyes):
        _, nearest = cKDTree(eyes).query(points)
        away = np.einsum("ij,ij->i", normals, eyes[nearest] - points) < 0
        normals = np.where(away[:, None], -normals, normals)
    return Patches(points[flat], normals[flat], np.full(int(flat.sum()), cell * cell))
