"""Shortest ways over free floor, and those that are nearly as short.

A shortest way among things is a taut string: straight legs that bend only around corners. The corners here are those
of all footprints grown by the room that the walker needs, and the inner corners of the floor's outline. Taut ways are
found best first, so the first is the shortest one, and every other is taut as well: it goes round something else.

Worked example. From (0, 0) to a shelf behind a table whose grown footprint has corners at (1, -1), (1, 2), (3, 2) and
(3, -1), the shortest way bends at (1, -1) and, where the shelf is at (4, 1), at (3, -1). The next one bends at (1, 2)
and at (3, 2). A zigzag over (1, -1) and (3, 2) is not taut: it cuts through.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry import polygons
from spaceland.questions.ground import Ground, Point
from spaceland.scenes.scene import SceneObject

_OUTSIDE_M = 0.01
"""Corners lie this far outside of what they belong to, so that ways along its side do not touch it."""
_MAX_STEPS = 600
_STEP_M = 0.05
_STRAIGHT = 1e-6


class WaySearch:
    """Ways of somebody who keeps `clear_m` away from all things and from the outline, and stops `stop_m` before one."""

    def __init__(self, ground: Ground, clear_m: float, stop_m: float) -> None:
        self.ground, self.clear_m, self.stop_m = ground, clear_m, stop_m
        corners, sides = _corners(ground, clear_m + _OUTSIDE_M)
        free = ground.are_free(corners, corners, clear_m)
        self.corners: Float[np.ndarray, "v 2"] = corners[free]
        self.sides: Float[np.ndarray, "v 2 2"] = sides[free]
        self._last: dict[int, list[Point | None]] = {}
        self._first: dict[bytes, Bool[np.ndarray, "v"]] = {}

    def ways(self, start: Point, goal: SceneObject, ratio: float, max_legs: int) -> list[list[Point]]:
        """The places of the shortest way to a thing, and of all taut ways up to `ratio` times as long.

        Each begins with `start`; its last leg leads straight towards the middle of the goal and stops before it.
        """
        center, stops = goal.center[:2], self._stops(goal)
        reach = float(np.linalg.norm(goal.box.size)) + self.stop_m
        first = self._from(start)
        found: list[list[Point]] = []
        longest, count = np.inf, 0
        # (estimate, number, length, corners so far); a way that has arrived carries the place where it stops.
        waiting: list[tuple[float, int, float, tuple[int, ...], Point | None]] = []
        ahead = self._stop(start, goal)
        if ahead is not None and self.ground.is_free(start, ahead, self.clear_m):
            waiting.append((round(float(np.hypot(*(ahead - start))), 6), 0, 0.0, (), ahead))
        for v in np.flatnonzero(first):
            count += 1
            length = float(np.hypot(*(self.corners[v] - start)))
            rest = max(0.0, float(np.hypot(*(center - self.corners[v]))) - reach)
            waiting.append((round(length + rest, 6), count, length, (int(v),), None))
        heapq.heapify(waiting)
        for _ in range(_MAX_STEPS):
            if not waiting:
                break
            estimate, _, length, way, stop = heapq.heappop(waiting)
            if estimate > longest:
                break
            if stop is not None:
                found.append([start, *(self.corners[v] for v in way), stop])
                longest = min(longest, ratio * estimate)
                continue
            before = start if len(way) == 1 else self.corners[way[-2]]
            for end, place in self._onward(way[-1], before, stops, center, len(way) < max_legs - 1):
                if end in way:
                    continue
                count += 1
                so_far = length + float(np.hypot(*(place - self.corners[way[-1]])))
                if end < 0:
                    heapq.heappush(waiting, (round(so_far, 6), count, so_far, way, place))
                else:
                    rest = max(0.0, float(np.hypot(*(center - place))) - reach)
                    heapq.heappush(waiting, (round(so_far + rest, 6), count, so_far, (*way, end), None))
        return found

    def _onward(
        self, v: int, before: Point, stops: list[Point | None], center: Point, further: bool
    ) -> Iterator[tuple[int, Point]]:
        """Where one gets from a corner, coming from `before`, on a taut way: (-1, stop) or (corner, place)."""
        stop = stops[v]
        if stop is not None and self._is_taut(v, before, center):
            yield -1, stop
        if further:
            for w in self._next[v]:
                if self._is_taut(v, before, self.corners[w]):
                    yield w, self.corners[w]

    def _is_taut(self, v: int, before: Point, after: Point) -> bool:
        """Whether the way bends around what the corner belongs to."""
        came, goes = self.corners[v] - before, after - self.corners[v]
        bend = _cross(came, goes) / max(float(np.hypot(*came) * np.hypot(*goes)), 1e-12)
        if abs(bend) < _STRAIGHT:
            return False
        side = np.sign(bend)
        return all(side * _cross(way, one) >= -_STRAIGHT for way in (came, goes) for one in self.sides[v])

    @cached_property
    def _next(self) -> list[list[int]]:
        """The corners that a taut way may reach straight from each corner."""
        count = len(self.corners)
        a, b = np.triu_indices(count, 1)
        step = self.corners[b] - self.corners[a]
        touching = self._touches(a, step) & self._touches(b, step)
        a, b = a[touching], b[touching]
        free = self.ground.are_free(self.corners[a], self.corners[b], self.clear_m)
        reached: list[list[int]] = [[] for _ in range(count)]
        for v, w in zip(a[free].tolist(), b[free].tolist(), strict=True):
            reached[v].append(w)
            reached[w].append(v)
        return reached

    def _touches(self, at: np.ndarray, step: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Whether lines only touch what their corners belong to, with both of its sides to one side of them."""
        sides = self.sides[at]
        across = step[:, None, 0] * sides[..., 1] - step[:, None, 1] * sides[..., 0]
        return np.asarray((across >= -_STRAIGHT).all(1) | (across <= _STRAIGHT).all(1))

    def _from(self, start: Point) -> Bool[np.ndarray, "v"]:
        """The corners that a taut way may reach straight from a place."""
        key = start.tobytes()
        if key not in self._first:
            good = self._touches(np.arange(len(self.corners)), self.corners - start)
            starts = np.broadcast_to(start, (int(good.sum()), 2))
            good[good] = self.ground.are_free(starts, self.corners[good], self.clear_m)
            self._first[key] = good
        return self._first[key]

    def _stops(self, goal: SceneObject) -> list[Point | None]:
        """Where one stops before a thing, coming straight from each corner; None where the way is not free."""
        if goal.id not in self._last:
            stops = [self._stop(corner, goal) for corner in self.corners]
            every = np.array(
                [corner if stop is None else stop for corner, stop in zip(self.corners, stops, strict=True)]
            )
            free = self.ground.are_free(self.corners, every.reshape(-1, 2), self.clear_m)
            self._last[goal.id] = [stop if ok else None for stop, ok in zip(stops, free, strict=True)]
        return self._last[goal.id]

    def _stop(self, place: Point, goal: SceneObject) -> Point | None:
        return self.ground.stop_before(place, goal.center[:2], goal.id, self.stop_m)


def alongside_m(ground: Ground, way: Sequence[Point], near_m: float, but: Sequence[int]) -> float:
    """The longest part of a way that is within `near_m` of something, some things (object ids) left out, in metres."""
    longest = 0.0
    for a, b in pairwise(way):
        length = float(np.hypot(*(b - a)))
        count = max(2, int(length / _STEP_M) + 1)
        near = ground.near_any(a + np.linspace(0, 1, count)[:, None] * (b - a), near_m, but)
        ends = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
        runs = ends[1::2] - ends[::2]
        longest = max(longest, float(runs.max(initial=0)) * length / (count - 1))
    return longest


def _corners(ground: Ground, grown_m: float) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, "v 2 2"]]:
    """Corners of the grown footprints and inner corners of the outline, and the directions of the two sides there."""
    places, sides = [], []
    for normals, offsets in zip(ground.normals, ground.offsets, strict=True):
        shape = _shape(normals, offsets + grown_m)
        places += list(shape)
        sides += [[shape[k - 1] - place, shape[(k + 1) % len(shape)] - place] for k, place in enumerate(shape)]
    outline = ground.outline if polygons.signed_area(ground.outline) > 0 else ground.outline[::-1]
    for k, corner in enumerate(outline):
        before, after = corner - outline[k - 1], outline[(k + 1) % len(outline)] - corner
        if min(np.hypot(*before), np.hypot(*after)) < 1e-6:
            continue
        before, after = before / np.hypot(*before), after / np.hypot(*after)
        turn = _cross(before, after)
        if turn < -0.05:
            # Moved inwards from both walls.
            places.append(corner - grown_m * (before - after) / turn)
            sides.append([-before, after])
    return np.array(places).reshape(-1, 2), np.array(sides).reshape(-1, 2, 2)


def _shape(normals: Float[np.ndarray, "m 2"], offsets: Float[np.ndarray, "m"]) -> Float[np.ndarray, "k 2"]:
    """The corners of a footprint, in order."""
    kept = np.flatnonzero(np.isfinite(offsets))
    kept = kept[np.argsort(np.arctan2(normals[kept, 1], normals[kept, 0]), kind="stable")]
    following = np.roll(kept, -1)
    lines = np.stack([normals[kept], normals[following]], 1)
    return np.linalg.solve(lines, np.stack([offsets[kept], offsets[following]], -1)[..., None])[..., 0]


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
