"""The room without its ceiling: what a bird's-eye view may look at.

The ceiling is found without labels, as a height above which everything that belongs to no object goes. The lowest of
these heights counts:

- given:   `ceiling_height_m` above the floor, if set; the other rules are then not asked;
- cameras: 0.1 m above the 98th percentile of the camera heights, but at least 1.9 m above the floor. What lies above
           every camera was only ever seen from below, so its top is not known anyway;
- layer:   0.05 m below the lowest horizontal layer, 0.15 m thick and at least 1.9 m above the floor, that covers 8 % of
           the room and has 0.5 m of free space under it (a wall has not);
- room:    0.1 m below the room's known height, when nothing else speaks.

Walls are cut at that height too, which from above does not show: they are thin lines at any height. An annotated object
stays whole (a wardrobe may be taller than the cut) unless it hangs above the cut (a ceiling lamp).

    cameras at 1.3 to 1.7 m, ceiling at 2.5 m -> max(1.7 + 0.1, 1.9) = 1.9 m by cameras, 2.4 m by layer: cut at 1.9 m
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from spaceland.errors import SceneError
from spaceland.prompts.clip import clip_below
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface
from spaceland.visibility.samples import densify

ROOM_LABELS = ("wall", "floor", "ceiling", "ceil", "room", "remove", "split", "unlabeled", "unannotated")
"""Labels that are the room itself (or say that there is nothing): never marked, and cut like everything unnamed."""

_HEAD_ROOM_M = 1.9
_CELL_M = 0.1
_MAX_CELLS = 150
_LEVEL_M = 0.05
_THICK_LEVELS, _CLEAR_LEVELS, _MAX_LEVELS = 3, 10, 200
_LAYER_SHARE = 0.08
_EXACT_M = 1e-3
_NEAR_M = 0.03


@dataclass(frozen=True)
class CeilingCut:
    """World height in metres above which unnamed surface is left out (None: nowhere), and which rule chose it."""

    z_m: float | None
    rule: str
    floor_z_m: float

    @property
    def limit_m(self) -> float:
        """The height as a number to compare with; infinite where nothing is cut."""
        return np.inf if self.z_m is None else self.z_m


@dataclass(frozen=True, eq=False)
class OpenRoom:
    """The surface that is left: vertices [n, 3] in world metres, colours [n, 3], triangles or None, owner [n].

    `structure` [n] tells which vertices belong to the room and not to an object. `cut_xy` [k, 2, 2] are the lines
    (world x, y) along which a plane just below the cut crosses the structure: the walls of a floor plan.
    `hanging` names the objects left out because they hang above the cut.
    """

    surface: Surface
    structure: Bool[np.ndarray, "n"]
    cut: CeilingCut
    cut_xy: Float[np.ndarray, "k 2 2"]
    hanging: tuple[int, ...]


def open_room(
    scene: Scene,
    surface: Surface,
    *,
    ceiling_height_m: float | None = None,
    room_labels: Collection[str] = ROOM_LABELS,
    straight_cut: bool = False,
) -> OpenRoom:
    """Take the ceiling off a surface.

    With `straight_cut` walls end exactly at the cut, and `cut_xy` is that edge: for a view in which it can be seen.

    Raises:
        SceneError: nothing is left below the cut.
    """
    owner = surface_owners(scene, surface)
    room_ids = [thing.id for thing in scene.objects if thing.label in room_labels]
    structure = (owner == NO_OBJECT) | np.isin(owner, room_ids)
    cut = ceiling_cut(scene, surface, structure, ceiling_height_m)
    bottoms = {thing.id: float(thing.aabb.minimum[2]) for thing in scene.objects if thing.label not in room_labels}
    hanging = tuple(sorted(k for k, bottom_m in bottoms.items() if bottom_m >= cut.limit_m - 0.05))
    ceilings = [thing.id for thing in scene.objects if thing.label in ("ceiling", "ceil")]
    gone = np.isin(owner, [*hanging, *ceilings])
    z = surface.vertices[:, 2]
    if surface.faces is None or len(surface.faces) == 0:
        keep = ~gone & ~(structure & (z > cut.limit_m))
        vertices, faces, cut_xy = surface.vertices[keep], None, np.zeros((0, 2, 2))
    else:
        keep = np.ones(len(z), dtype=bool)
        if straight_cut and cut.z_m is not None:
            surface, origin = clip_below(surface, structure[surface.faces].all(1), cut.z_m)
            structure, gone, owner, keep = structure[origin], gone[origin], owner[origin], keep[origin]
            z = surface.vertices[:, 2]
        corners = surface.faces
        assert corners is not None
        high = structure[corners].all(1) & (z[corners].mean(1) > cut.limit_m)
        faces = corners[~high & ~gone[corners].all(1)]
        vertices = surface.vertices
        walls = corners[structure[corners].all(1) & ~gone[corners].any(1)]
        level = cut.limit_m if straight_cut else min(cut.limit_m, cut.floor_z_m + _HEAD_ROOM_M)
        level -= 0.0137  # off round heights, where edges lie
        cut_xy = join_segments(slice_triangles(vertices[walls], level))
    if len(vertices) == 0 or (faces is not None and len(faces) == 0):
        raise SceneError(
            f"scene {scene.id}: nothing is left below the ceiling cut at z = {cut.z_m} m ({cut.rule}); "
            "give a larger --ceiling-height-m"
        )
    colors = None if surface.colors is None else surface.colors[keep]
    return OpenRoom(Surface(vertices, colors, faces, owner[keep]), structure[keep], cut, cut_xy, hanging)


def surface_owners(scene: Scene, surface: Surface) -> Int[np.ndarray, "n"]:
    """Object id of each vertex; a surface that does not say asks the nearest object point, at most 3 cm away."""
    if surface.object_ids is not None:
        known = np.isin(surface.object_ids, list(scene.objects_by_id))
        return np.where(known, surface.object_ids, NO_OBJECT).astype(np.int32)
    owner = np.full(len(surface.vertices), NO_OBJECT, dtype=np.int32)
    if not scene.objects or len(owner) == 0:
        return owner
    # Objects whose points are vertices of this very surface are taken exactly, so that they grow no fringe.
    tree = cKDTree(surface.vertices)
    exact = [thing.id for thing in scene.objects if np.median(tree.query(thing.points)[0]) <= _EXACT_M]
    parts = [densify(thing.points, thing.faces, _NEAR_M)[0] for thing in scene.objects]
    points, ids = np.concatenate(parts), np.repeat([thing.id for thing in scene.objects], list(map(len, parts)))
    distance, index = cKDTree(points).query(surface.vertices, distance_upper_bound=_NEAR_M)
    found = ids[np.minimum(index, len(ids) - 1)]
    owned = distance <= np.where(np.isin(found, exact), _EXACT_M, _NEAR_M)
    owner[owned] = found[owned]
    return owner


def ceiling_cut(
    scene: Scene, surface: Surface, structure: Bool[np.ndarray, "n"], ceiling_height_m: float | None = None
) -> CeilingCut:
    """The height of the cut by the rules at the top of this file."""
    floor_z = scene.room.floor_z_m if scene.room else float(np.percentile(surface.vertices[:, 2], 2))
    if ceiling_height_m is not None:
        return CeilingCut(floor_z + ceiling_height_m, "given", floor_z)
    candidates: list[tuple[float, str]] = []
    if scene.frames:
        heights = [frame.T_world_cam[2, 3] for frame in scene.frames]
        candidates.append((max(float(np.percentile(heights, 98)) + 0.1, floor_z + _HEAD_ROOM_M), "cameras"))
    layer = _lowest_layer(surface, structure, floor_z + _HEAD_ROOM_M)
    if layer is not None:
        candidates.append((layer - 0.05, "layer"))
    if not candidates and scene.room and scene.room.height_m:
        candidates.append((floor_z + scene.room.height_m - 0.1, "room"))
    z_m, rule = min(candidates, default=(np.inf, "none"))
    if float(surface.vertices[:, 2].max()) <= z_m:
        return CeilingCut(None, "none", floor_z)
    return CeilingCut(float(z_m), rule, floor_z)


def _lowest_layer(surface: Surface, structure: Bool[np.ndarray, "n"], above_m: float) -> float | None:
    """Bottom of the lowest horizontal layer above a height that covers 8 % of the room, or None."""
    faces = surface.faces
    cell_m = max(_CELL_M, float(np.ptp(surface.vertices[:, :2], axis=0).max()) / _MAX_CELLS)  # halls need no finer
    if faces is not None and len(faces):
        points, _ = densify(surface.vertices, faces[structure[faces].all(1)], cell_m)
    else:
        points = surface.vertices[structure]
    if len(points) == 0:
        return None
    x, y = np.floor(points[:, :2] / cell_m).astype(np.int64).T
    _, column = np.unique((x - x.min()) * (int(np.ptp(y)) + 1) + (y - y.min()), return_inverse=True)
    num_columns = int(column.max()) + 1
    level = np.floor((points[:, 2] - above_m) / _LEVEL_M).astype(np.int64) + _CLEAR_LEVELS
    use = (level >= 0) & (level < _MAX_LEVELS)
    occupied = np.zeros((num_columns, _MAX_LEVELS), dtype=bool)
    occupied[column[use], level[use]] = True
    sums = np.pad(np.cumsum(occupied, axis=1, dtype=np.int16), ((0, 0), (1, 0)))
    first = np.arange(_CLEAR_LEVELS, _MAX_LEVELS - _THICK_LEVELS)
    layer = sums[:, first + _THICK_LEVELS] > sums[:, first]
    # Walls fill their column from below; a ceiling has free space under it.
    free_below = sums[:, first] == sums[:, first - _CLEAR_LEVELS]
    found = np.flatnonzero((layer & free_below).sum(0) >= _LAYER_SHARE * num_columns)
    return None if len(found) == 0 else above_m + _LEVEL_M * float(found[0])


def slice_triangles(triangles: Float[np.ndarray, "m 3 3"], z_m: float) -> Float[np.ndarray, "k 2 2"]:
    """Where triangles (corners in metres) cross the plane at height `z_m`: line segments in world x, y."""
    above = triangles[:, :, 2] > z_m
    crossing = above.any(1) & ~above.all(1)
    triangles, above = triangles[crossing], above[crossing]
    # One corner is alone on its side; both segment ends lie on the edges that leave it.
    lonely = np.where(above.sum(1) == 1, np.argmax(above, 1), np.argmin(above, 1))
    rows = np.arange(len(triangles))
    apex = triangles[rows, lonely]
    ends = []
    for step in (1, 2):
        other = triangles[rows, (lonely + step) % 3]
        share = (z_m - apex[:, 2]) / (other[:, 2] - apex[:, 2])
        ends.append(apex[:, :2] + share[:, None] * (other[:, :2] - apex[:, :2]))
    return np.stack(ends, 1) if len(triangles) else np.zeros((0, 2, 2))


def join_segments(segments: Float[np.ndarray, "k 2 2"], gap_m: float = 0.002) -> Float[np.ndarray, "j 2 2"]:
    """Join touching pieces of one straight line: a wall of many triangles becomes one segment, drawn without seams."""
    step = segments[:, 1] - segments[:, 0]
    length = np.linalg.norm(step, axis=1)
    segments, step = segments[length > 1e-6], step[length > 1e-6] / length[length > 1e-6, None]
    if len(segments) == 0:
        return segments
    turn = (step[:, 0] < -1e-9) | ((np.abs(step[:, 0]) <= 1e-9) & (step[:, 1] < 0))
    step = np.where(turn[:, None], -step, step)
    angle = np.round(np.arctan2(step[:, 1], step[:, 0]) / 1e-3).astype(np.int64)
    direction = np.stack([np.cos(angle * 1e-3), np.sin(angle * 1e-3)], -1)
    along = np.einsum("kej,kj->ke", segments, direction)
    backwards = along[:, 0] > along[:, 1]
    segments = np.where(backwards[:, None, None], segments[:, ::-1], segments)
    along = np.sort(along, axis=1)
    middle = segments.mean(1)
    line = np.round((middle[:, 1] * direction[:, 0] - middle[:, 0] * direction[:, 1]) / gap_m).astype(np.int64)
    order = np.lexsort((along[:, 0], line, angle))
    firsts, lasts = [order[0]], [order[0]]
    for k in order[1:]:
        same_line = angle[k] == angle[firsts[-1]] and line[k] == line[firsts[-1]]
        if same_line and along[k, 0] <= along[lasts[-1], 1] + gap_m:
            if along[k, 1] > along[lasts[-1], 1]:
                lasts[-1] = k
        else:
            firsts.append(k)
            lasts.append(k)
    return np.stack([segments[firsts, 0], segments[lasts, 1]], 1)
