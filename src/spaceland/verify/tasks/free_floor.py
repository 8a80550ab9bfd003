"""The free floor of a room: what stands in the way, and whether somebody can walk there.

Ways are tried out step by step, a centimetre at a time, against the footprints of all things that stand in the way.
Whether a way is a detour is tried on a grid: where one gets sooner from square to square, there is a shorter way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from spaceland.geometry import polygons
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import footprint_sides
from spaceland.scenes.scene import Room, Scene
from spaceland.verify import solvers
from spaceland.verify.rows import Row, Wrong, real, shown
from spaceland.verify.tasks.video import known_room

NEAR_M = 1e-3
"""Stored places are rounded to a tenth of a millimetre."""
IN_THE_WAY_M = (0.1, 1.8)
_STEP_M = 0.01
_SQUARE_M = 0.1
_MAX_SQUARES = 200_000


@dataclass(frozen=True, eq=False)
class FreeFloor:
    """The floor of a scene, and the footprints of what stands in the way by object id."""

    scene: Scene
    room: Room
    prints: dict[int, Float[np.ndarray, "m 3"]]

    @classmethod
    def of(cls, row: Row, scene: Scene) -> FreeFloor:
        """The floor as the row names it."""
        room = known_room(row, scene)
        if row.params.get("in_the_way_m") != list(IN_THE_WAY_M):
            raise Wrong(f"facts.params.in_the_way_m is not {shown(list(IN_THE_WAY_M))}")
        if len(room.floor_polygon) < 3:
            raise Wrong("the scene has no floor outline")
        prints = {thing.id: _footprint(thing.box, room.floor_z_m) for thing in scene.objects}
        return cls(scene, room, {object_id: sides for object_id, sides in prints.items() if sides is not None})

    def check_standing(self, row: Row, object_id: int, name: str) -> None:
        """Whether a thing stands on the floor."""
        highest = real(row.params.get("max_route_lift_m"), "facts.params.max_route_lift_m")
        lift = float(self.scene.objects_by_id[object_id].box.corners()[:, 2].min()) - self.room.floor_z_m
        if lift > highest + NEAR_M or object_id not in self.prints:
            raise Wrong(f"{name} does not stand on the floor")

    def check_place(
        self, place: np.ndarray, start: np.ndarray, end: np.ndarray, object_id: int, gap_m: float, name: str
    ) -> None:
        """Whether a place lies on the straight way from start to end, and at the edge of the grown footprint."""
        along, sides = end - start, self.prints[object_id]
        share = float((place - start) @ along / max(float(along @ along), 1e-12))
        if solvers.distance_m(place, start + share * along) > NEAR_M or not 0 < share < 1:
            raise Wrong(f"{name} is not on the straight way")
        if abs(float((sides[:, :2] @ place + sides[:, 2]).max()) - gap_m) > NEAR_M:
            raise Wrong(f"{name} is not {gap_m:g} m away from its thing")

    def check_free(self, start: np.ndarray, stop: np.ndarray, body_m: float, where: str) -> None:
        """Whether a straight way keeps away from everything."""
        count = max(2, math.ceil(solvers.distance_m(start, stop) / _STEP_M) + 1)
        steps = start + np.linspace(0, 1, count)[:, None] * (stop - start)
        if self._blocked(steps, body_m - NEAR_M).any():
            raise Wrong(f"something is in the way to {where}")
        if not polygons.contains(np.asarray(self.room.floor_polygon, dtype=np.float64), steps).all():
            raise Wrong(f"something is in the way to {where}: the floor ends")
        if (self._wall_gaps(steps) < body_m - NEAR_M).any():
            raise Wrong(f"something is in the way to {where}: a wall")

    def _blocked(self, points: Float[np.ndarray, "n 2"], body_m: float) -> Bool[np.ndarray, "n"]:
        blocked = np.zeros(len(points), dtype=bool)
        for sides in self.prints.values():
            blocked |= (points @ sides[:, :2].T + sides[:, 2]).max(1) < body_m
        return blocked

    def _wall_gaps(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
        outline = np.asarray(self.room.floor_polygon, dtype=np.float64)
        nearest = np.full(len(points), np.inf)
        for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            along = b - a
            share = ((points - a) @ along) / max(float(along @ along), 1e-12)
            gaps = np.linalg.norm(points - a - np.clip(share, 0, 1)[:, None] * along, axis=1)
            nearest = np.minimum(nearest, gaps)
        return nearest

    def check_no_detour(self, places: list[np.ndarray], body_m: float) -> None:
        """Whether no way from square to square between the ends is shorter than the one over all places."""
        told = sum(solvers.distance_m(a, b) for a, b in pairwise(places))
        found = self._grid_way_m(places[0], places[-1], body_m)
        if found < told - _SQUARE_M:
            raise Wrong(f"the way is {told:.2f} m long, but nothing is in the way of one of {found:.2f} m")

    def _grid_way_m(self, start: np.ndarray, stop: np.ndarray, body_m: float) -> float:
        outline = np.asarray(self.room.floor_polygon, dtype=np.float64)
        low, high = outline.min(0), outline.max(0)
        shape = np.ceil((high - low) / _SQUARE_M).astype(int) + 1
        if shape.prod() > _MAX_SQUARES:
            return math.inf
        key = (body_m, *shape.tolist())
        known = _GRIDS.setdefault(self.scene, {})
        if key not in known:
            known[key] = self._grid(low, shape, outline, body_m)
        points, graph = known[key]
        ends = []
        for place in (start, stop):
            gaps = np.linalg.norm(points - place, axis=1)
            if not len(gaps) or gaps.min() > _SQUARE_M:
                return math.inf
            ends.append((int(gaps.argmin()), float(gaps.min())))
        found = dijkstra(graph, directed=False, indices=ends[0][0])[ends[1][0]]
        return float(found) + ends[0][1] + ends[1][1]

    def _grid(
        self, low: np.ndarray, shape: np.ndarray, outline: np.ndarray, body_m: float
    ) -> tuple[np.ndarray, coo_array]:
        """Free squares and the steps between neighbours."""
        cells = np.indices(tuple(shape)).reshape(2, -1).T
        points = low + cells * _SQUARE_M
        free = polygons.contains(outline, points)
        free[free] = ~self._blocked(points[free], body_m)
        free[free] = self._wall_gaps(points[free]) >= body_m
        number = np.full(tuple(shape + 2), -1)
        kept = cells[free]
        number[kept[:, 0] + 1, kept[:, 1] + 1] = np.arange(len(kept))
        rows, columns, lengths = [], [], []
        for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
            to = number[kept[:, 0] + 1 + step[0], kept[:, 1] + 1 + step[1]]
            rows.append(np.flatnonzero(to >= 0))
            columns.append(to[to >= 0])
            lengths.append(np.full(int((to >= 0).sum()), _SQUARE_M * math.hypot(*step)))
        graph = (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns)))
        return points[free], coo_array(graph, shape=(len(kept), len(kept))).tocsr()


_GRIDS: WeakKeyDictionary[Scene, dict[tuple[float, ...], tuple[np.ndarray, coo_array]]] = WeakKeyDictionary()


def _footprint(box: OrientedBox, floor_z: float) -> Float[np.ndarray, "m 3"] | None:
    """Half-planes n @ p + d <= 0 of a box seen from above; None for what is not in the way."""
    heights = np.round(box.corners()[:, 2] - floor_z, 6)
    if heights.max() <= IN_THE_WAY_M[0] or heights.min() >= IN_THE_WAY_M[1]:
        return None
    normals, offsets = footprint_sides(Boxes.stack([box]))
    sides = np.column_stack([normals[0], -offsets[0]])
    return sides[np.isfinite(offsets[0])]
