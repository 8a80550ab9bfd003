"""Straight ways over the free floor of a room, between its things.

Seen from above every thing that stands in the way is a convex footprint. A walker stops in front of a thing where it
enters the footprint grown by `route_stop_m`; a way is free where it stays out of all footprints grown by `route_body_m`
and as far away from the outline of the floor.

Worked example. From (0, 0) towards a cupboard of 1 m x 1 m around (3, 0) a walker who stops 0.4 m in front of it comes
to (2.1, 0). A chair of 0.5 m x 0.5 m around (1, 0.3) is in the way: grown by 0.2 m it reaches from y = -0.15 on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.geometry import polygons
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.footprints import footprint_sides
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import Room, SceneObject

IN_THE_WAY_M = (0.1, 1.8)
"""Things between these heights above the floor are in the way: no carpets, no lamps on the ceiling."""
Point = Float[np.ndarray, "2"]


@dataclass(frozen=True, eq=False)
class Ground:
    """Footprints of the things in the way (see `footprint_sides`); `index` has their places by object id."""

    index: dict[int, int]
    normals: Float[np.ndarray, "n m 2"]
    offsets: Float[np.ndarray, "n m"]
    outline: Float[np.ndarray, "k 2"]
    lifts_m: dict[int, float]
    """How high the lowest point of each thing is above the floor."""

    @classmethod
    def of(cls, room: Room, things: tuple[SceneObject, ...]) -> Ground:
        """The floor of a room and what stands on it or hangs low over it."""
        blocking, lifts = [], {}
        for thing in things:
            heights = np.round(thing.box.corners()[:, 2] - room.floor_z_m, 6)
            low, high = float(heights.min()), float(heights.max())
            if high > IN_THE_WAY_M[0] and low < IN_THE_WAY_M[1]:
                blocking.append(thing)
                lifts[thing.id] = low
        index = {thing.id: k for k, thing in enumerate(blocking)}
        normals, offsets = footprint_sides(Boxes.stack([thing.box for thing in blocking]))
        return cls(index, normals, offsets, np.asarray(room.floor_polygon, dtype=float), lifts)

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
        enter, leave = self._crossing(start, stop, self.normals, self.offsets + body_m)
        # Rounded, so that the noise of a moved world does not decide what just touches.
        enter, leave = np.round(enter, 6), np.round(leave, 6)
        if ((enter < leave) & (leave > 0) & (enter < 1)).any():
            return False
        if not polygons.contains(self.outline, start[None])[0]:
            return False
        return bool((np.round(_segment_distances(start, stop, self.outline), 6) >= body_m).all())

    @staticmethod
    def _crossing(
        start: Point, stop: Point, normals: Float[np.ndarray, "n m 2"], offsets: Float[np.ndarray, "n m"]
    ) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """From and to which share of the way from start to stop it is inside of each footprint; from > to: never."""
        ahead, room = normals @ (stop - start), offsets - normals @ start
        ahead = np.where(np.abs(ahead) < 1e-9, 0.0, ahead)
        share = room / np.where(ahead == 0, 1, ahead)
        outside = ((ahead == 0) & (room < 0)).any(1)
        enter = np.where(ahead < 0, share, -np.inf).max(1)
        leave = np.where(ahead > 0, share, np.inf).min(1)
        return np.where(outside, np.inf, enter), leave


def _segment_distances(start: Point, stop: Point, outline: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k"]:
    """Distance of a segment to each side of a polygon; 0 where they cross."""
    a, b = outline, np.roll(outline, -1, axis=0)
    ends = np.stack([start, stop])
    nearest = np.minimum(_to_segments(ends, a, b).min(0), _to_segments(a, start, stop))
    nearest = np.minimum(nearest, _to_segments(b, start, stop))
    crosses = (_side(start, stop, a) != _side(start, stop, b)) & (_side(a, b, start) != _side(a, b, stop))
    return np.where(crosses, 0.0, nearest)


def _to_segments(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of points to segments: [p, 2] against [k, 2] gives [p, k], [p, 2] against one segment gives [p]."""
    if a.ndim == 2:
        points = points[:, None]
    along = b - a
    share = ((points - a) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-18)
    return np.linalg.norm(points - a - np.clip(share, 0, 1)[..., None] * along, axis=-1)


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    return (b - a)[..., 0] * (point - a)[..., 1] - (b - a)[..., 1] * (point - a)[..., 0] > 0


@dataclass(frozen=True, eq=False)
class Walker:
    """Walks from thing to thing over the ground within a policy."""

    ground: Ground
    policy: AmbiguityPolicy

    def first_place(self, start: SceneObject, facing: SceneObject) -> Point | None:
        """Beside a thing, on the side of the one that is faced."""
        return self.ground.step_away(
            start.center[:2], facing.center[:2], start.id, self.policy.route_stop_m + self.policy.route_body_m
        )

    def leg(self, place: Point, thing: SceneObject) -> Point | None:
        """Straight from a place up to a thing: where one stops, or None when the way is short or not free."""
        stop = self.ground.stop_before(place, thing.center[:2], thing.id, self.policy.route_stop_m)
        if stop is None or round(float(np.hypot(*(stop - place))), 6) < self.policy.min_route_leg_m:
            return None
        return stop if self.ground.is_free(place, stop, self.policy.route_body_m) else None
