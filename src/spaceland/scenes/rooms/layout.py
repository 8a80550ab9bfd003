"""Putting things into a room so that nothing overlaps, floats or blocks the door.

A `Layout` grows by trial: each method tries places at random, takes the first that fits, and returns the index of the
new placement or None. Two things collide when their footprints (turned rectangles) and their heights both overlap.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from spaceland.geometry.transforms import rotation_z
from spaceland.scenes.rooms.furniture import Model
from spaceland.scenes.rooms.placement import Placement, Rest, Zone
from spaceland.scenes.rooms.plan import Plan, Rug, Wall, rectangle, rectangles_overlap

WALL_GAP_M = 0.02
"""Between furniture and wall: the skirting board fits in."""
SPACING_M = 0.03
"""Least distance between two things."""


@dataclass(eq=False)
class Layout:
    """What stands in the room so far."""

    plan: Plan
    rng: np.random.Generator
    placements: list[Placement] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    rugs: list[Rug] = field(default_factory=list)

    # What fits

    def fits(self, new: Placement, guests_of: Collection[int] = (), spacing_m: float = SPACING_M) -> bool:
        """Whether there is room. `guests_of`: things whose free zone it may use."""
        low, high = new.z_range
        if high > self.plan.height_m + 1e-6 or not self.plan.holds(new.footprint):
            return False
        x, y, reach = new.circle
        for index, other in enumerate(self.placements):
            other_low, other_high = other.z_range
            if index != new.support and low < other_high - 1e-3 and other_low < high - 1e-3:
                other_x, other_y, other_reach = other.circle
                if math.hypot(x - other_x, y - other_y) > reach + other_reach + spacing_m:
                    continue
                touching = new.rest in ("wall", "object") or other.rest == "wall"
                if rectangles_overlap(new.footprint, other.footprint, 0.005 if touching else spacing_m):
                    return False
        return not any(
            zone.owner not in guests_of
            and low < zone.high_m
            and zone.low_m < high
            and rectangles_overlap(new.footprint, zone.corners)
            for zone in self.zones
        )

    def add(self, new: Placement) -> int:
        """Put it there without asking."""
        self.placements.append(new)
        return len(self.placements) - 1

    def keep_free(self, owner: int, depth_m: float, low_m: float = 0.0, high_m: float = 2.2) -> None:
        """Keep the floor in front of a placement free."""
        thing = self.placements[owner]
        width = thing.model.size[0]
        middle = thing.center[:2] + thing.front * (thing.model.size[1] / 2 + depth_m / 2)
        corners = rectangle(middle, np.array([width, depth_m]), thing.yaw)
        self.zones.append(Zone(corners, low_m, high_m, owner))

    # Along walls

    def walls(self, min_length_m: float = 0.0) -> list[Wall]:
        """Walls that are long enough, in random order, long ones more likely first."""
        walls = [wall for wall in self.plan.walls if wall.length_m >= min_length_m]
        keys = [float(self.rng.random()) ** (1.0 / wall.length_m) for wall in walls]
        return [wall for _, wall in sorted(zip(keys, walls, strict=True), key=lambda pair: -pair[0])]

    def against_wall(
        self,
        model: Model,
        *,
        walls: Collection[Wall] | None = None,
        at: float | None = None,
        free_m: float = 0.0,
        tries: int = 14,
        z_m: float = 0.0,
        gap_m: float = WALL_GAP_M,
        margin_m: float = 0.05,
        guests_of: Collection[int] = (),
    ) -> int | None:
        """With its back to a wall; `at` is the share of the wall's length (None: anywhere).

        `free_m` metres before it are kept free. A thing above the floor hangs on the wall; `gap_m` then is how far its
        back is from it.
        """
        width, depth = model.size[0], model.size[1]
        for wall in self.walls(width + 2 * margin_m) if walls is None else walls:
            low, high = width / 2 + margin_m, wall.length_m - width / 2 - margin_m
            if high < low:
                continue
            for _ in range(tries if at is None else 1):
                along = float(self.rng.uniform(low, high)) if at is None else np.clip(at * wall.length_m, low, high)
                new = self._at_wall(model, wall, float(along), gap_m + depth / 2, z_m)
                if self.fits(new, guests_of) and (not free_m or self._is_free_before(new, free_m)):
                    index = self.add(new)
                    if free_m:
                        self.keep_free(index, free_m)
                    return index
        return None

    def in_corner(
        self, model: Model, *, gap_m: float = 0.06, yaw: float | None = None, ends: tuple[int, ...] = (0, 1)
    ) -> int | None:
        """In a corner of the room with its back to a wall, or turned by `yaw`.

        `ends`: 0 for corners at the right of the model (its +x side), 1 for those at its left.
        """
        reach = max(model.size[:2]) if yaw is not None else None
        for wall in self.walls():
            for end in ends:
                width, depth = (reach, reach) if reach is not None else model.size[:2]
                along = gap_m + width / 2 if end == 0 else wall.length_m - gap_m - width / 2
                new = self._at_wall(model, wall, along, gap_m + depth / 2, 0.0)
                if yaw is not None:
                    new = self._placed(model, new.center[:2], yaw, 0.0, "floor")
                if self.fits(new):
                    return self.add(new)
        return None

    def hung(
        self,
        model: Model,
        z_m: float,
        *,
        walls: Collection[Wall] | None = None,
        at: float | None = None,
        above: int | None = None,
    ) -> int | None:
        """On a wall with its lower edge at `z_m`; `above` centres it over something that stands at a wall."""
        if above is not None:
            thing = self.placements[above]
            wall = min(
                self.plan.walls, key=lambda w: abs(np.sin((w.yaw - thing.yaw) / 2)) * 100 + self._behind(w, thing)
            )
            along = float((thing.center[:2] - wall.start) @ wall.along)
            new = self._at_wall(model, wall, along, model.size[1] / 2, z_m, "wall")
            return self.add(new) if self.fits(new) else None
        for wall in self.walls(model.size[0] + 0.2) if walls is None else walls:
            for _ in range(10):
                low, high = model.size[0] / 2 + 0.1, wall.length_m - model.size[0] / 2 - 0.1
                if high < low:
                    break
                share = float(self.rng.uniform(0, 1)) if at is None else at + float(self.rng.uniform(-0.12, 0.12))
                along = float(np.clip(share * wall.length_m, low, high))
                new = self._at_wall(model, wall, along, model.size[1] / 2, z_m, "wall")
                if self.fits(new):
                    return self.add(new)
        return None

    # Relative to other things

    def beside(
        self, model: Model, of: int, side: int, *, gap_m: float = 0.05, guests_of: Collection[int] = ()
    ) -> int | None:
        """Left (-1) or right (+1) of something at a wall, seen from its front; backs in one line."""
        thing = self.placements[of]
        x_axis = thing.rotation[:2, 0]
        across = side * (thing.model.size[0] / 2 + gap_m + model.size[0] / 2)
        back = (thing.model.size[1] - model.size[1]) / 2
        center = thing.center[:2] + across * x_axis - back * thing.front
        new = self._placed(model, center, thing.yaw, 0.0, "floor")
        return self.add(new) if self.fits(new, guests_of, min(gap_m * 0.9, SPACING_M)) else None

    def before(
        self,
        model: Model,
        of: int,
        distance_m: float,
        *,
        across_m: float = 0.0,
        facing: bool = True,
        turn_deg: float = 0.0,
        guests_of: Collection[int] | None = None,
    ) -> int | None:
        """In front of something, `distance_m` between the two; faces it, or the same way."""
        thing = self.placements[of]
        away = distance_m + (thing.model.size[1] + model.size[1]) / 2
        center = thing.center[:2] + thing.front * away + across_m * thing.rotation[:2, 0]
        yaw = thing.yaw + (np.pi if facing else 0.0) + np.radians(turn_deg)
        new = self._placed(model, center, yaw, 0.0, "floor")
        return self.add(new) if self.fits(new, (of,) if guests_of is None else guests_of) else None

    def around(self, model: Model, of: int, angle: float, gap_m: float, across_m: float = 0.0) -> int | None:
        """At a table, on the side at `angle` (radians from its x axis), facing it."""
        thing = self.placements[of]
        outward = rotation_z(thing.yaw + angle)[:2, 0]
        half = thing.model.size[:2] / 2
        local = np.abs([np.cos(angle), np.sin(angle)])
        reach = float(np.min(half / np.maximum(local, 1e-9)))
        sideways = np.array([-outward[1], outward[0]])
        center = thing.center[:2] + outward * (reach + gap_m + model.size[1] / 2) + across_m * sideways
        yaw = float(np.arctan2(-outward[0], outward[1])) + float(np.radians(self.rng.uniform(-7, 7)))
        new = self._placed(model, center, yaw, 0.0, "floor")
        return self.add(new) if self.fits(new, guests_of=(of,)) else None

    def on_top(
        self,
        model: Model,
        of: int,
        *,
        turn_deg: float = 0.0,
        spread: float = 1.0,
        toward: tuple[float, float] = (0.0, 0.0),
        tries: int = 40,
        low_m: float = 0.0,
    ) -> int | None:
        """Standing on something, where its surface is flat; `toward` is the wished place, -1..1 across and along it.

        `spread` is how far from there it may be, as a share of half the size; `low_m` the least height.
        """
        thing = self.placements[of]
        half = thing.model.size[:2] / 2
        middle = (thing.model.low[:2] + thing.model.high[:2]) / 2
        for _ in range(tries):
            place = middle + half * (np.asarray(toward) + spread * self.rng.uniform(-1, 1, 2))
            turn = np.radians(turn_deg)
            corners = rectangle(place, model.size[:2] + 0.02, turn)
            height = thing.model.flat_height(corners)
            if height is None or height < low_m:
                continue
            center = thing.position[:2] + thing.rotation[:2, :2] @ place
            new = self._placed(model, center, thing.yaw + turn, float(thing.position[2] + height), "object", of)
            if self.fits(new):
                return self.add(new)
        return None

    def free_standing(
        self,
        model: Model,
        *,
        yaw: float | None = None,
        wall_gap_m: float = 0.1,
        tries: int = 40,
        center: np.ndarray | None = None,
    ) -> int | None:
        """Anywhere on the floor."""
        low, high = self.plan.polygon.min(0), self.plan.polygon.max(0)
        for _ in range(tries if center is None else 1):
            place = self.rng.uniform(low, high) if center is None else center
            turn = float(self.rng.uniform(-np.pi, np.pi)) if yaw is None else yaw
            new = self._placed(model, place, turn, 0.0, "floor")
            if self.plan.clearance(new.footprint).min() >= wall_gap_m and self.fits(new, spacing_m=0.08):
                return self.add(new)
        return None

    def from_ceiling(self, model: Model, xy: np.ndarray) -> int | None:
        """Hanging from the ceiling above a point."""
        new = self._placed(model, xy, 0.0, self.plan.height_m - float(model.high[2]), "ceiling")
        return self.add(new) if self.fits(new) else None

    def lay_rug(self, under: int, size: np.ndarray, forward_m: float = 0.0) -> None:
        """A rug under something, if it fits into the room; only the floor is under rugs, so nothing collides."""
        thing = self.placements[under]
        center = thing.center[:2] + thing.front * forward_m
        if self.plan.holds(rectangle(center, size + 0.1, thing.yaw)):
            self.rugs.append(Rug(center, np.asarray(size, float), thing.yaw))

    # Arithmetic

    def _placed(
        self, model: Model, center: np.ndarray, yaw: float, z_m: float, rest: Rest, support: int | None = None
    ) -> Placement:
        """A placement whose box centre is above `center`."""
        offset = rotation_z(yaw)[:2, :2] @ ((model.low + model.high)[:2] / 2)
        return Placement(model, np.array([*(center - offset), z_m]), float(yaw), rest, support)

    def _at_wall(
        self, model: Model, wall: Wall, along_m: float, away_m: float, z_m: float, rest: Rest | None = None
    ) -> Placement:
        return self._placed(model, wall.point(along_m, away_m), wall.yaw, z_m, rest or ("wall" if z_m > 0 else "floor"))

    def _behind(self, wall: Wall, thing: Placement) -> float:
        """Distance of a thing from a wall; far where it is not in front of it."""
        offset = thing.center[:2] - wall.start
        along = float(offset @ wall.along)
        return abs(float(offset @ wall.normal)) + (0.0 if 0 <= along <= wall.length_m else 50.0)

    def _is_free_before(self, new: Placement, depth_m: float) -> bool:
        middle = new.center[:2] + new.front * (new.model.size[1] / 2 + depth_m / 2)
        corners = rectangle(middle, np.array([new.model.size[0], depth_m]) * 0.98, new.yaw)
        if not self.plan.holds(corners):
            return False
        return not any(
            other.rest == "floor" and rectangles_overlap(corners, other.footprint) for other in self.placements
        )
