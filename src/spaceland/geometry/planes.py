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
from jaxtyping import Bool, Float, Int
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
    return points[thin_index(points, cell_m)]


def thin_index(points: Float[np.ndarray, "n 3"], cell_m: float) -> Int[np.ndarray, "k"]:
    """Which points `thin` keeps, in order: the first of each cell."""
    cells = np.floor((points - points.min(0)) / cell_m).astype(np.int64)
    size = cells.max(0) + 1
    _, first = np.unique((cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2], return_index=True)
    return np.sort(first)


def find_floor(
    points: Float[np.ndarray, "n 3"],
    up: Float[np.ndarray, "3"],
    *,
    normals: Float[np.ndarray, "n 3"] | None = None,
    max_tilt_deg: float = 50.0,
    tolerance_m: float = 0.04,
    min_support: float = 0.03,
    seed: int = 0,
) -> Plane | None:
    """The floor among world points (metres), or None when there is no plane like one.

    Args:
        points: Any number of points in any density.
        up: Rough up direction; the floor's normal is searched within `max_tilt_deg` of it.
        normals: Outward unit normals of the points where they are known, as of a mesh: ceilings and undersides then
            cannot be taken for a floor. Without them the neighbours tell how a point lies, but not which way it faces.
        tolerance_m: Points this close to a plane lie on it.
        min_support: Least share of (evenly thinned) points on the floor.
        seed: Of the random triples; the same input gives the same plane.
    """
    points = np.asarray(points, dtype=float)
    finite = np.isfinite(points).all(1)
    points, normals = points[finite], None if normals is None else np.asarray(normals, dtype=float)[finite]
    if len(points) < 3:
        return None
    rng = np.random.default_rng(seed)
    extent_m = float(np.linalg.norm(np.ptp(points, axis=0)))
    kept = thin_index(points, max(0.05, extent_m / 500))
    if len(kept) < _NEIGHBOURS:
        return None
    if len(kept) > _MAX_POINTS:
        kept = kept[np.sort(rng.choice(len(kept), _MAX_POINTS, replace=False))]
    points, normals = points[kept], None if normals is None else normals[kept]
    up = up / np.linalg.norm(up)
    cosine = np.cos(np.radians(max_tilt_deg))
    facing = points[_facing(points, up, cosine) if normals is None else normals @ up > cosine]
    if len(facing) < 10:
        return None
    a, b, c = facing[rng.integers(0, len(facing), (3, _TRIPLES))]
    tried = np.cross(b - a, c - a)
    lengths = np.linalg.norm(tried, axis=1)
    good = lengths > 1e-3
    tried, a = tried[good] / lengths[good, None], a[good]
    tried *= np.where(tried @ up < 0, -1.0, 1.0)[:, None]
    near = tried @ up > cosine
    if not near.any():
        return None
    tried, offsets = tried[near], np.einsum("ij,ij->i", tried, a)[near]
    scores = _scores(facing, points, tried, offsets, tolerance_m)
    best = int(np.argmax(scores))
    plane = Plane(tried[best], float(offsets[best]))
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
