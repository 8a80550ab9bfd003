"""Points spread over surfaces, dense enough to stand for them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from spaceland.scenes.scene import Scene, SceneObject


def densify(
    points: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"] | None, spacing_m: float
) -> Float[np.ndarray, "k 3"]:
    """The points, plus lattice points on every triangle with an edge longer than `spacing_m`."""
    if faces is None or len(faces) == 0:
        return points
    corners = points[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    steps = np.minimum(np.ceil(longest / spacing_m), 200).astype(int)
    parts = [points]
    for n in np.unique(steps[steps > 1]):
        i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        inside = i + j <= n
        weights = np.stack([i[inside], j[inside], n - i[inside] - j[inside]], -1) / n
        parts.append(np.einsum("wc,mcd->mwd", weights, corners[steps == n]).reshape(-1, 3))
    return np.concatenate(parts)


def object_samples(thing: SceneObject) -> tuple[Float[np.ndarray, "k 3"], float]:
    """Points all over an object and their spacing in metres (the wider of mesh lattice and point distance)."""
    diagonal = float(np.linalg.norm(thing.box.size))
    spacing = float(np.clip(diagonal / 60, 0.01, 0.05))
    points = densify(thing.points, thing.faces, spacing)
    if thing.faces is None and len(points) > 1:
        probe = points[:: max(1, len(points) // 500)]
        distance, _ = cKDTree(points).query(probe, k=2)
        spacing = max(spacing, float(np.percentile(distance[:, 1], 90)))
    return thin(points, spacing / 2), spacing


def thin(points: Float[np.ndarray, "n 3"], cell_m: float) -> Float[np.ndarray, "k 3"]:
    """One point for each occupied cell of a grid: the first in order."""
    cells = np.floor((points - points.min(0)) / cell_m).astype(np.int64)
    extent = cells.max(0) + 1
    _, first = np.unique((cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2], return_index=True)
    return points[np.sort(first)]


def point_radii(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Radius in metres that lets the discs of neighbouring points of a point-only surface touch and close gaps.

    Three quarters of the distance to the fourth neighbour (which spans the diagonal of a square lattice cell), at most
    three times the median so that stray points stay small.
    """
    k = min(5, len(points))
    distance, _ = cKDTree(points).query(points, k=k)
    radius = 0.75 * np.asarray(distance).reshape(len(points), -1)[:, -1]
    return np.minimum(radius, 3 * np.median(radius))


def surface_samples(scene: Scene, count: int) -> Float[np.ndarray, "k 3"]:
    """About `count` points spread evenly over the scene's surface, or over its depth frames where it has none.

    The choice is fixed (no random numbers): every area gets its share, at a low-discrepancy place.
    """
    surface = scene.surface
    if surface is not None and surface.faces is not None and len(surface.faces):
        corners = surface.vertices[surface.faces]
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        total = np.cumsum(areas)
        index = np.arange(count)
        face = np.minimum(np.searchsorted(total, (index + 0.5) / count * total[-1]), len(areas) - 1)
        a, b = index * 0.7548776662466927 % 1, index * 0.5698402909980532 % 1
        flip = a + b > 1
        a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)
        c = corners[face]
        return c[:, 0] + a[:, None] * (c[:, 1] - c[:, 0]) + b[:, None] * (c[:, 2] - c[:, 0])
    if surface is not None and len(surface.vertices):
        return surface.vertices[np.linspace(0, len(surface.vertices) - 1, count).astype(int)].astype(float)
    parts = []
    with_depth = [f for f in scene.frames if f.depth is not None]
    for frame in with_depth:
        assert frame.depth is not None
        depth = frame.depth()
        camera = (frame.depth_camera or frame.camera).scaled(depth.shape[1], depth.shape[0])
        rows, columns = np.nonzero(depth > 0)
        keep = (
            np.linspace(0, len(rows) - 1, max(1, count // len(with_depth))).astype(int) if len(rows) else []
        )
        v, u = rows[keep], columns[keep]
        local = camera.unproject(np.stack([u + 0.5, v + 0.5], -1), depth[v, u].astype(float))
        parts.append(local @ frame.T_world_cam[:3, :3].T + frame.T_world_cam[:3, 3])
    return np.concatenate(parts) if parts else np.zeros((0, 3))
