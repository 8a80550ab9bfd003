"""The floor plane of a point cloud.

A floor is the plane that many upward-facing points lie on while next to nothing lies below it: tables lose because the
floor is below them, ceilings because everything is. Planes are tried through random triples of upward-facing points
(wide triples, so the direction is accurate) and the best one is refined by least squares.

>>> import numpy as np
>>> x, y = np.meshgrid(np.arange(0, 4, 0.05), np.arange(0, 5, 0.05))
>>> floor = np.stack([x, y, np.full_like(x, 0.3)], -1).reshape(-1, 3)
>>> plane = find_floor(floor, np.array([0.0, 0.0, 1.0]))
>>> plane.normal.round(3) + 0.0, round(plane.offset_m, 3)
(array([0., 0., 1.]), 0.3)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

_MAX_POINTS = 8000
_NEIGHBOURS = 12
_TRIPLES = 1500


@dataclass(frozen=True, eq=False)
class Plane:
    """Points p with `normal @ p == offset_m`; `normal` is a unit vector. `support` is the share of points on it."""

    normal: Float[np.ndarray, "3"]
    offset_m: float
    support: float = 0.0

    def height(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
        """Signed distance in metres, positive on the side that the normal points to."""
        return points @ self.normal - self.offset_m


def fit_plane(points: Float[np.ndarray, "n 3"], up: Float[np.ndarray, "3"]) -> Plane:
    """Least-squares plane through at least three points; the normal is turned towards `up`."""
    center = points.mean(0)
    _, vectors = np.linalg.eigh(np.cov((points - center).T, bias=True))
    normal = vectors[:, 0] if vectors[:, 0] @ up >= 0 else -vectors[:, 0]
    return Plane(normal, float(normal @ center))


def thin(points: Float[np.ndarray, "n 3"], cell_m: float) -> Float[np.ndarray, "k 3"]:
    """One point of each cell of a grid, so that counting points measures area."""
    cells = np.floor((points - points.min(0)) / cell_m).astype(np.int64)
    size = cells.max(0) + 1
    _, first = np.unique((cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2], return_index=True)
    return points[np.sort(first)]


def find_floor(
    points: Float[np.ndarray, "n 3"],
    up: Float[np.ndarray, "3"],
    *,
    max_tilt_deg: float = 50.0,
    tolerance_m: float = 0.04,
    min_support: float = 0.03,
    seed: int = 0,
) -> Plane | None:
    """The floor among world points (metres), or None when there is no plane like one.

    Args:
        points: Any number of points in any density.
        up: Rough up direction; the floor's normal is searched within `max_tilt_deg` of it.
        tolerance_m: Points this close to a plane lie on it.
        min_support: Least share of (evenly thinned) points on the floor.
        seed: Of the random triples; the same input gives the same plane.
    """
    points = np.asarray(points, dtype=float)
    points = points[np.isfinite(points).all(1)]
    if len(points) < 3:
        return None
    rng = np.random.default_rng(seed)
    extent_m = float(np.linalg.norm(np.ptp(points, axis=0)))
    points = thin(points, max(0.05, extent_m / 500))
    if len(points) < _NEIGHBOURS:
        return None
    if len(points) > _MAX_POINTS:
        points = points[np.sort(rng.choice(len(points), _MAX_POINTS, replace=False))]
    up = up / np.linalg.norm(up)
    cosine = np.cos(np.radians(max_tilt_deg))
    facing = points[_facing(points, up, cosine)]
    if len(facing) < 10:
        return None
    a, b, c = facing[rng.integers(0, len(facing), (3, _TRIPLES))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    good = lengths > 1e-3
    normals, a = normals[good] / lengths[good, None], a[good]
    normals *= np.where(normals @ up < 0, -1.0, 1.0)[:, None]
    near = normals @ up > cosine
    if not near.any():
        return None
    normals, offsets = normals[near], np.einsum("ij,ij->i", normals, a)[near]
    scores = _scores(facing, points, normals, offsets, tolerance_m)
    best = int(np.argmax(scores))
    plane = Plane(normals[best], float(offsets[best]))
    for _ in range(5):
        on_plane = np.abs(plane.height(facing)) < tolerance_m
        if on_plane.sum() < 3:
            return None
        plane = fit_plane(facing[on_plane], up)
    support = float((np.abs(plane.height(points)) < tolerance_m).mean())
    below = float((plane.height(points) < -5 * tolerance_m).mean())
    if support < min_support or below > 0.25 or plane.normal @ up < cosine:
        return None
    return Plane(plane.normal, plane.offset_m, support)


def _facing(points: np.ndarray, up: np.ndarray, cosine: float) -> Bool[np.ndarray, "n"]:
    """Points whose neighbourhood is flat and faces up (or down: the sign of a local normal is unknown)."""
    _, near = cKDTree(points).query(points, k=_NEIGHBOURS)
    patch = points[near] - points[near].mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", patch, patch))
    flat = values[:, 0] < 0.1 * values[:, 1] + 1e-12
    return flat & (np.abs(vectors[:, :, 0] @ up) > cosine)


def _scores(
    facing: np.ndarray, points: np.ndarray, normals: np.ndarray, offsets: np.ndarray, tolerance_m: float
) -> Float[np.ndarray, "k"]:
    """Points on each plane less twice the points below it; blockwise, so memory stays small."""
    scores = np.empty(len(normals))
    for start in range(0, len(normals), 100):
        part = slice(start, start + 100)
        on_plane = (np.abs(facing @ normals[part].T - offsets[part]) < tolerance_m).sum(0)
        below = (points @ normals[part].T - offsets[part] < -3 * tolerance_m).sum(0)
        scores[part] = on_plane - 2.0 * below
    return scores
