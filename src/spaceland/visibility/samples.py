"""Points spread over surfaces, dense enough to stand for them, and who owns which part of the scene's surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from spaceland.scenes.scene import NO_OBJECT, Scene, SceneObject

NUM_LEVELS = 3
_MATCH_M = 1e-4
_EVEN_M = 0.05
_TRIANGLES_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Patch:
    """Part of a surface: vertices [n, 3] and triangles [m, 3] (None: points only)."""

    vertices: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"] | None

    def points(self, spacing_m: float) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "k"]]:
        """The vertices, and lattice points on all triangles that are wider than the spacing, with their areas."""
        return densify(self.vertices, self.faces, spacing_m)


@dataclass(frozen=True, eq=False)
class SurfaceParts:
    """The scene's surface taken apart: `structure` belongs to no object of the scene, `owned[id]` to object `id`.

    `owned` leaves out objects that bring triangles of their own. `owners_known` is false when the surface does not say
    what belongs to objects; `structure` then is all of it.
    """

    structure: Patch
    owned: dict[int, Patch]
    owners_known: bool


def split_surface(scene: Scene) -> SurfaceParts:
    """Take the surface apart by owner. Triangles whose corners have different owners are in no part.

    Where the surface does not name its owners, a vertex belongs to the object that has a point at the same place.
    """
    surface = scene.surface
    if surface is None or len(surface.vertices) == 0:
        return SurfaceParts(Patch(np.zeros((0, 3)), None), {}, True)
    owner = surface.object_ids if surface.object_ids is not None else _owner_by_place(scene)
    owner = np.where(np.isin(owner, [thing.id for thing in scene.objects]), owner, NO_OBJECT)
    known = surface.object_ids is not None or bool((owner != NO_OBJECT).any())
    faces = surface.faces if surface.faces is not None and len(surface.faces) else None
    if faces is None:
        return SurfaceParts(Patch(surface.vertices[owner == NO_OBJECT], None), {}, known)
    corners = owner[faces]
    pure = (corners == corners[:, :1]).all(1)
    structure = _patch(surface.vertices, faces[pure & (corners[:, 0] == NO_OBJECT)])
    owned = {}
    for thing in scene.objects:
        if thing.faces is None:
            own = faces[pure & (corners[:, 0] == thing.id)]
            if len(own):
                owned[thing.id] = _patch(surface.vertices, own)
    return SurfaceParts(structure, owned, known)


def _patch(vertices: np.ndarray, faces: np.ndarray) -> Patch:
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    return Patch(vertices[used], (np.cumsum(used) - 1)[faces])


def _owner_by_place(scene: Scene) -> Int[np.ndarray, "n"]:
    assert scene.surface is not None
    owner = np.full(len(scene.surface.vertices), NO_OBJECT, dtype=np.int64)
    if scene.objects:
        points = np.concatenate([thing.points for thing in scene.objects])
        ids = np.repeat([thing.id for thing in scene.objects], [len(thing.points) for thing in scene.objects])
        keys, first = np.unique(_place_keys(points), return_index=True)
        wanted = _place_keys(scene.surface.vertices)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        owner = np.where(keys[at] == wanted, ids[first][at], NO_OBJECT)
    return owner


def _place_keys(points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
    """One number for each place, its own within a hundred metres of the origin."""
    steps = np.round(np.asarray(points, dtype=np.float64) / _MATCH_M).astype(np.int64)
    return steps @ np.array([1, 2_097_169, 4_398_046_511_111], dtype=np.int64)


def densify(
    points: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"] | None, spacing_m: float
) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "k"]]:
    """The points, plus lattice points on every triangle with an edge longer than `spacing_m` (without its corners).

    Returns:
        Points and the area in square metres that each stands for; without triangles a quarter of the spacing squared.
    """
    if faces is None or len(faces) == 0:
        return points, np.full(len(points), spacing_m**2 / 4)
    longest, area = _triangle_sizes(points, faces)
    steps = np.clip(np.ceil(longest / spacing_m), 1, 200).astype(int)
    # A lattice of n steps has (n + 1) (n + 2) / 2 points; its corners are among the points already.
    share = area / ((steps + 1) * (steps + 2) // 2)
    parts: list[np.ndarray] = [points]
    areas: list[np.ndarray] = [np.bincount(faces.ravel(), weights=np.repeat(share, 3), minlength=len(points))]
    for n in np.unique(steps[steps > 1]):
        i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        weights = np.stack([i, j, n - i - j], -1)[i + j <= n]
        weights = weights[weights.max(1) < n] / n
        of_size = np.flatnonzero(steps == n)
        parts.append((weights @ points[faces[of_size]]).reshape(-1, 3))
        areas.append(np.repeat(share[of_size], len(weights)))
    return np.concatenate(parts), np.concatenate(areas)


def _triangle_sizes(
    points: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"]
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Longest edge in metres and area in square metres of each triangle."""
    axes = np.ascontiguousarray(points.T, dtype=np.float64)
    longest, area = np.empty(len(faces)), np.empty(len(faces))
    # By axis and corner, some thousands at a time: long rows that stay in the processor's cache.
    for start in range(0, len(faces), _TRIANGLES_AT_ONCE):
        part = slice(start, start + _TRIANGLES_AT_ONCE)
        corners = axes[:, faces[part].T]
        edges = corners - corners[:, [2, 0, 1]]
        longest[part] = np.sqrt((edges * edges).sum(0).max(0))
        normal = np.cross(edges[:, 0], edges[:, 1], axis=0)
        area[part] = np.sqrt((normal * normal).sum(0)) / 2
    return longest, area


def object_samples(
    thing: SceneObject, owned: Patch | None = None
) -> tuple[Float[np.ndarray, "k 3"], Int[np.ndarray, "l"], float]:
    """Points all over an object, in levels, each level in front of the next finer one.

    Args:
        thing: The object.
        owned: Its part of the scene's surface, for objects that come without triangles.

    Returns:
        The points; how many of them each of `NUM_LEVELS` levels has (finest first: all, then about every fourth, then
        every sixteenth); and the spacing of the finest level in metres (a level up doubles it).
    """
    diagonal = float(np.linalg.norm(thing.box.size))
    spacing = float(np.clip(diagonal / 60, 0.01, 0.05))
    points, _ = densify(thing.points, thing.faces, spacing)
    if owned is not None:
        points = np.concatenate([points, owned.points(spacing)[0]])
    elif thing.faces is None and len(points) > 1:
        probe = points[:: max(1, len(points) // 500)]
        distance, _ = cKDTree(points).query(probe, k=2)
        spacing = max(spacing, float(np.percentile(distance[:, 1], 90)))
    points = points[thin(points, spacing)]
    # The first point of a wide cell is also the first of its narrow cell, so every level contains the coarser ones.
    level = np.zeros(len(points), dtype=np.int64)
    for k in range(1, NUM_LEVELS):
        level[thin(points, spacing * 2**k)] = k
    counts = np.array([(level >= k).sum() for k in range(NUM_LEVELS)])
    return points[np.argsort(-level, kind="stable")], counts, spacing


def thin(points: Float[np.ndarray, "n 3"], cell_m: float) -> Int[np.ndarray, "k"]:
    """Indices of one point for each occupied cell of a grid: the first in order."""
    key = np.zeros(len(points), dtype=np.int64)
    for values in points.T:  # one axis after the other: minima over short rows are slow
        cell = np.floor((values - values.min()) / cell_m).astype(np.int64)
        key = key * (cell.max() + 1) + cell
    _, first = np.unique(key, return_index=True)
    return np.sort(first)


def point_radii(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Radius in metres that lets the discs of neighbouring points of a point-only surface touch and close gaps.

    Three quarters of the distance to the fourth neighbour (the side of a square lattice cell, whose half diagonal is
    0.71 sides), at most three times the median so that stray points stay small.
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
        total = np.cumsum(_triangle_sizes(surface.vertices, surface.faces)[1])
        index = np.arange(count)
        face = np.minimum(np.searchsorted(total, (index + 0.5) / count * total[-1]), len(total) - 1)
        a, b = index * 0.7548776662466927 % 1, index * 0.5698402909980532 % 1
        flip = a + b > 1
        a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)
        c = surface.vertices[surface.faces[face]]
        return c[:, 0] + a[:, None] * (c[:, 1] - c[:, 0]) + b[:, None] * (c[:, 2] - c[:, 0])
    points = surface.vertices if surface is not None and len(surface.vertices) else _depth_points(scene, 20 * count)
    if len(points) == 0:
        return points
    even = points[thin(points, _EVEN_M)]
    return even[np.linspace(0, len(even) - 1, min(count, len(even))).astype(int)].astype(np.float64)


def _depth_points(scene: Scene, count: int) -> Float[np.ndarray, "k 3"]:
    """The same number of depth pixels of every frame, as world points."""
    parts = [np.zeros((0, 3))]
    with_depth = [f for f in scene.frames if f.depth is not None]
    for frame in with_depth:
        assert frame.depth is not None
        depth = np.asarray(frame.depth())
        camera = (frame.depth_camera or frame.camera).scaled(depth.shape[1], depth.shape[0])
        rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
        if len(rows):
            keep = np.linspace(0, len(rows) - 1, max(1, count // len(with_depth))).astype(int)
            v, u = rows[keep], columns[keep]
            local = camera.unproject(np.stack([u + 0.5, v + 0.5], -1), depth[v, u].astype(float))
            parts.append(local @ frame.T_world_cam[:3, :3].T + frame.T_world_cam[:3, 3])
    return np.concatenate(parts)
