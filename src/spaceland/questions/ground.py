"""The floor of a room and what stands in the way on it: which straight ways are free.

Seen from above every thing that stands in the way is a convex footprint. A walker stops in front of a thing where it
enters the footprint grown by `route_stop_m`; a way is free where it stays out of all footprints grown by `route_body_m`
and as far away from the outline of the floor.

Worked example. From (0, 0) towards a cupboard of 1 m x 1 m around (3, 0) a walker who stops 0.4 m in front of it comes
to (2.1, 0). A chair of 0.5 m x 0.5 m around (1, 0.3) is in the way: grown by 0.2 m it reaches from y = -0.15 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry import polygons
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.footprints import footprint_sides
from spaceland.scenes.scene import Room, SceneObject

IN_THE_WAY_M = (0.1, 1.8)
"""Things between these heights above the floor are in the way: no carpets, no lamps on the ceiling."""
Point = Float[np.ndarray, "2"]
_CHUNK = 500
"""So many ways are tried in one go."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Footprints of the things in the way (see `footprint_sides`); `index` has their places by object id."""

    index: dict[int, int]
    normals: Float[np.ndarray, "n m 2"]
    offsets: Float[np.ndarray, "n m"]
    outline: Float[np.ndarray, "k 2"]
    lifts_m: dict[int, float]
    """How high the lowest point of each thing is above the floor."""
    tops_m: Float[np.ndarray, "n"]

    @classmethod
    def of(cls, room: Room, things: tuple[SceneObject, ...]) -> Ground:
        """The floor of a room and what stands on it or hangs low over it."""
        blocking, lifts, tops = [], {}, []
        for thing in things:
            heights = np.round(thing.box.corners()[:, 2] - room.floor_z_m, 6)
            low, high = float(heights.min()), float(heights.max())
            if high > IN_THE_WAY_M[0] and low < IN_THE_WAY_M[1]:
                blocking.append(thing)
                lifts[thing.id] = low
                tops.append(high)
        index = {thing.id: k for k, thing in enumerate(blocking)}
        normals, offsets = footprint_sides(Boxes.stack([thing.box for thing in blocking]))
        return cls(index, normals, offsets, np.asarray(room.floor_polygon, dtype=float), lifts, np.array(tops))

    def stop_before(self, start: Point, center: Point, object_id: int, stop_m: float) -> Point | None:
        """Where a straight way from `start` to the middle of a thing comes within `stop_m` of it."""
        k = self.index[object_id]
        enter, leave = self._crossing(start, center, self.normals[k : k + 1], self.offsets[k : k + 1] + stop_m)
        if not 0 < round(enter[0], 6) < leave[0]:
            return None
        return start + enter[0] * (center - start)

    def step_away(self, center: Point, target: Point, object_id: int, stop_m: float) -> Point | None:
        """Where a straight way from the middle of a thing to `target` is `stop_m` away from it; None when it is not."""
        k = self.index[object_id]
        _, leave = self._crossing(center, target, self.normals[k : k + 1], self.offsets[k : k + 1] + stop_m)
        return center + leave[0] * (target - center) if 0 < leave[0] < 0.999999 else None

    def is_free(self, start: Point, stop: Point, body_m: float) -> bool:
        """Whether a straight way keeps `body_m` away from all footprints and from the outline, inside of it."""
        return bool(self.are_free(start[None], stop[None], body_m)[0])

    def are_free(
        self, starts: Float[np.ndarray, "s 2"], stops: Float[np.ndarray, "s 2"], body_m: float
    ) -> Bool[np.ndarray, "s"]:
        """`is_free` for many straight ways at once."""
        free = np.ones(len(starts), dtype=bool)
        for at in range(0, len(starts), _CHUNK):
            a, b = starts[at : at + _CHUNK], stops[at : at + _CHUNK]
            enter, leave = self._crossing(a[:, None], b[:, None], self.normals, self.offsets + body_m)
            # Rounded, so that the noise of a moved world does not decide what just touches.
            enter, leave = np.round(enter, 6), np.round(leave, 6)
            clear = np.asarray(~((enter < leave) & (leave > 0) & (enter < 1)).any(1))
            clear[clear] = polygons.contains(self.outline, a[clear])
            gaps = _segment_distances(a[clear, None], b[clear, None], self.outline)
            clear[clear] = (np.round(gaps, 6) >= body_m).all(1)
            free[at : at + _CHUNK] = clear
        return free

    def is_hidden(self, eye: Point, target: Point, height_m: float, but: Sequence[int] = ()) -> bool:
        """Whether a wall, or something that is as high as `height_m`, stands between two places.

        Walls and things at the last tenth of the way do not count: what is looked at may hang there.
        """
        kept = self.tops_m >= height_m
        kept[[self.index[object_id] for object_id in but if object_id in self.index]] = False
        end = eye + 0.9 * (target - eye)
        enter, leave = self._crossing(eye, end, self.normals[kept], self.offsets[kept])
        enter, leave = np.round(enter, 6), np.round(leave, 6)
        if ((enter < leave) & (leave > 0) & (enter < 1)).any():
            return True
        return bool((_segment_distances(eye[None, None], end[None, None], self.outline) == 0).any())

    def near_any(
        self, points: Float[np.ndarray, "p 2"], reach_m: float, but: Sequence[int] = ()
    ) -> Bool[np.ndarray, "p"]:
        """Which points are within `reach_m` of a footprint or of the outline, some things (object ids) left out."""
        kept = np.ones(len(self.offsets), dtype=bool)
        kept[[self.index[object_id] for object_id in but]] = False
        above = np.einsum("nmi,pi->pnm", self.normals[kept], points) - self.offsets[kept]
        close = (np.round(above, 6) < reach_m).all(2).any(1)
        walls = _segment_distances(points[:, None], points[:, None], self.outline)
        return close | (np.round(walls, 6) < reach_m).any(1)

    @staticmethod
    def _crossing(
        start: Float[np.ndarray, "*s 2"],
        stop: Float[np.ndarray, "*s 2"],
        normals: Float[np.ndarray, "n m 2"],
        offsets: Float[np.ndarray, "n m"],
    ) -> tuple[Float[np.ndarray, "*s n"], Float[np.ndarray, "*s n"]]:
        """From and to which share of the way from start to stop it is inside of each footprint; from > to: never."""
        ahead = (normals * (stop - start)[..., None, :]).sum(-1)
        room = offsets - (normals * start[..., None, :]).sum(-1)
        ahead = np.where(np.abs(ahead) < 1e-9, 0.0, ahead)
        share = room / np.where(ahead == 0, 1, ahead)
        outside = ((ahead == 0) & (room < 0)).any(-1)
        enter = np.where(ahead < 0, share, -np.inf).max(-1)
        leave = np.where(ahead > 0, share, np.inf).min(-1)
        return np.where(outside, np.inf, enter), leave


def _segment_distances(
    start: Float[np.ndarray, "s 1 2"], stop: Float[np.ndarray, "s 1 2"], outline: Float[np.ndarray, "k 2"]
) -> Float[np.ndarray, "s k"]:
    """Distance of segments to each side of a polygon; 0 where they cross."""
    a, b = outline, np.roll(outline, -1, axis=0)
    nearest = np.minimum(_to_segment(start, a, b), _to_segment(stop, a, b))
    nearest = np.minimum(nearest, _to_segment(a, start, stop))
    nearest = np.minimum(nearest, _to_segment(b, start, stop))
    crosses = (_side(start, stop, a) != _side(start, stop, b)) & (_side(a, b, start) != _side(a, b, stop))
    return np.where(crosses, 0.0, nearest)


def _to_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of points to segments, element by element."""
    along = b - a
    share = ((points - a) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-18)
    return np.linalg.norm(points - a - np.clip(share, 0, 1)[..., None] * along, axis=-1)


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    return (b - a)[..., 0] * (point - a)[..., 1] - (b - a)[..., 1] * (point - a)[..., 0] > 0
