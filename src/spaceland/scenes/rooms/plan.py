"""The bare room: its floor outline and walls, and rectangles on the floor.

Room frame: metres, z up, floor at z = 0, walls parallel to the axes. The whole room is turned into the world later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class Wall:
    """A straight wall from `start` along the unit vector `along` (the room is on its left), `normal` into the room."""

    start: Float[np.ndarray, "2"]
    along: Float[np.ndarray, "2"]
    length_m: float

    @property
    def normal(self) -> Float[np.ndarray, "2"]:
        return np.array([-self.along[1], self.along[0]])

    @property
    def yaw(self) -> float:
        """Yaw of a model (front -y) that stands with its back to this wall."""
        return float(np.arctan2(self.normal[0], -self.normal[1]))

    def point(self, along_m: float, away_m: float = 0.0) -> Float[np.ndarray, "2"]:
        """The point `along_m` metres along the wall and `away_m` metres into the room."""
        return self.start + along_m * self.along + away_m * self.normal


@dataclass(frozen=True, eq=False)
class Plan:
    """Floor outline [k, 2] counter-clockwise, with right angles, and height of the room."""

    polygon: Float[np.ndarray, "k 2"]
    height_m: float

    @cached_property
    def walls(self) -> tuple[Wall, ...]:
        """Walls in the order of the outline."""
        ends = np.roll(self.polygon, -1, axis=0)
        lengths = np.linalg.norm(ends - self.polygon, axis=1)
        return tuple(Wall(a, (b - a) / n, float(n)) for a, b, n in zip(self.polygon, ends, lengths, strict=True))

    @property
    def is_l_shaped(self) -> bool:
        return len(self.polygon) == 6

    @property
    def area_m2(self) -> float:
        """Floor area by the shoelace formula."""
        x, y = self.polygon.T
        return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)

    def clearance(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Distance to the nearest wall in metres, negative outside the room."""
        distance = np.full(points.shape[:-1], np.inf)
        crossings = np.zeros(points.shape[:-1], dtype=int)
        for wall in self.walls:
            offset = points - wall.start
            t = np.clip(offset @ wall.along, 0, wall.length_m)
            distance = np.minimum(distance, np.linalg.norm(offset - t[..., None] * wall.along, axis=-1))
            a, b = wall.start, wall.point(wall.length_m)
            if a[1] != b[1]:
                spans = (a[1] > points[..., 1]) != (b[1] > points[..., 1])
                x = a[0] + (points[..., 1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
                crossings += spans & (points[..., 0] < x)
        return np.where(crossings % 2 == 1, distance, -distance)

    def holds(self, corners: Float[np.ndarray, "4 2"]) -> bool:
        """Whether a rectangle lies inside the outline (touching is inside)."""
        if (corners < self._bounds[0] - 1e-6).any() or (corners > self._bounds[1] + 1e-6).any():
            return False
        return self._notch is None or not rectangles_overlap(corners, self._notch)

    @cached_property
    def _bounds(self) -> Float[np.ndarray, "2 2"]:
        return np.stack([self.polygon.min(0), self.polygon.max(0)])

    @cached_property
    def _notch(self) -> Float[np.ndarray, "4 2"] | None:
        """The corner that an L lacks, as a rectangle."""
        if not self.is_l_shaped:
            return None
        turn = np.roll(self.polygon, 1, axis=0) - self.polygon, np.roll(self.polygon, -1, axis=0) - self.polygon
        inner = int(np.argmax(turn[0][:, 0] * turn[1][:, 1] - turn[0][:, 1] * turn[1][:, 0]))
        a, b = self.polygon[inner - 1], self.polygon[(inner + 1) % 6]
        return rectangle((a + b) / 2, np.abs(a - b), 0.0)


@dataclass(frozen=True, eq=False)
class Rug:
    """A rug on the floor: centre, size [2] in metres, and yaw."""

    center: Float[np.ndarray, "2"]
    size: Float[np.ndarray, "2"]
    yaw: float


def make_plan(rng: np.random.Generator, size_m: tuple[float, float], height_m: float, l_shaped: bool) -> Plan:
    """A rectangle of the given size, or one that lacks a corner."""
    w, d = size_m
    if not l_shaped:
        return Plan(np.array([[0, 0], [w, 0], [w, d], [0, d]], dtype=float), height_m)
    a, b = w * float(rng.uniform(0.36, 0.46)), d * float(rng.uniform(0.36, 0.46))
    outline = np.array([[0, 0], [w, 0], [w, d - b], [w - a, d - b], [w - a, d], [0, d]])
    if rng.random() < 0.5:  # mirrored, and in the other order so that it stays counter-clockwise
        outline = (outline * [-1, 1] + [w, 0])[::-1]
    return Plan(outline.copy(), height_m)


def rectangle(center: np.ndarray, size: np.ndarray, yaw: float) -> Float[np.ndarray, "4 2"]:
    """Corners of a turned rectangle, counter-clockwise."""
    c, s = np.cos(yaw), np.sin(yaw)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return center + (signs * size) @ np.array([[c, s], [-s, c]])


def rectangles_overlap(a: Float[np.ndarray, "4 2"], b: Float[np.ndarray, "4 2"], margin_m: float = 0.0) -> bool:
    """Whether two rectangles come nearer than `margin_m`, along their own axes; touching is not overlapping."""
    gap = margin_m - 1e-9
    # Plain floats: this runs some hundred thousand times, on four corners each.
    corners_a, corners_b = a.tolist(), b.tolist()
    for rect in (corners_a, corners_b):
        for k in (0, 1):
            x, y = rect[k + 1][0] - rect[k][0], rect[k + 1][1] - rect[k][1]
            length = math.hypot(x, y)
            p = [(cx * x + cy * y) / length for cx, cy in corners_a]
            q = [(cx * x + cy * y) / length for cx, cy in corners_b]
            if min(p) >= max(q) + gap or min(q) >= max(p) + gap:
                return False
    return True


def inside_rectangle(
    points: Float[np.ndarray, "*n 2"], corners: Float[np.ndarray, "4 2"], margin_m: float = 0.0
) -> Bool[np.ndarray, "*n"]:
    """Which points lie in a rectangle grown by `margin_m`."""
    return distance_to_rectangle(points, corners) <= margin_m


def distance_to_rectangle(points: Float[np.ndarray, "*n 2"], corners: Float[np.ndarray, "4 2"]) -> np.ndarray:
    """Distance to a rectangle, negative inside."""
    center = corners.mean(0)
    u, v = corners[1] - corners[0], corners[3] - corners[0]
    half = np.array([np.linalg.norm(u), np.linalg.norm(v)]) / 2
    local = np.abs((points - center) @ np.stack([u / (2 * half[0]), v / (2 * half[1])], -1)) - half
    outside = np.linalg.norm(np.maximum(local, 0), axis=-1)
    return np.where((local > 0).any(-1), outside, local.max(-1))
