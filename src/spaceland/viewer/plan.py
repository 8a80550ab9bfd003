"""What a plan from above is drawn of, read from a row and from info.json: things, cameras, floor, and the scale.

World x runs to the right, y up the page. A row may be a stranger's: what is missing or not a number is left out.

    >>> Plan((0.0, 0.0), (6.0, 8.0), 40.0).at((0, 8))
    (0.0, 0.0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spaceland.viewer.html import number

Point = tuple[float, float]
_FAR_M = 1000.0


@dataclass(frozen=True)
class Plan:
    """Maps world metres to picture units. `low` and `high` are the corners of what is shown, `scale` units a metre."""

    low: Point
    high: Point
    scale: float

    @property
    def width(self) -> float:
        return (self.high[0] - self.low[0]) * self.scale

    @property
    def height(self) -> float:
        return (self.high[1] - self.low[1]) * self.scale

    def at(self, point: Sequence[float]) -> Point:
        """World (x, y) to picture (right, down)."""
        return (point[0] - self.low[0]) * self.scale, (self.high[1] - point[1]) * self.scale

    def path(self, points: Sequence[Point]) -> str:
        """Corners as the text of an SVG `points` attribute."""
        return " ".join(f"{number(x)},{number(y)}" for x, y in map(self.at, points))


@dataclass(frozen=True)
class Thing:
    """Footprint of an object: label and corners in world x, y."""

    label: str
    center: Point
    corners: tuple[Point, ...]


@dataclass(frozen=True)
class Camera:
    """Where a camera stands and which way it looks; the heading runs clockwise from world +y."""

    place: Point
    heading_deg: float
    fov_deg: float

    def wedge(self, reach_m: float) -> list[Point]:
        """Outline of what it sees from above, as far as `reach_m`: the camera, then an arc from left to right."""
        angles = [math.radians(self.heading_deg + (k / 8 - 0.5) * self.fov_deg) for k in range(9)]
        x, y = self.place
        return [self.place, *((x + reach_m * math.sin(a), y + reach_m * math.cos(a)) for a in angles)]


def numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """The first `count` entries when they are numbers of a sane size, else None."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < count:
        return None
    head = value[:count]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not abs(v) < _FAR_M for v in head):
        return None
    return tuple(float(v) for v in head)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read_floor(scene: Mapping[str, Any]) -> list[Point]:
    """Corners of the floor as info.json stores them; empty when unknown."""
    corners = [numbers(point, 2) for point in _list(scene.get("floor"))]
    return [(point[0], point[1]) for point in corners if point] if all(corners) and len(corners) >= 3 else []


def read_things(scene: Mapping[str, Any]) -> list[Thing]:
    """Footprints of all objects, from info.json's `[x, y, label, width, depth, yaw_deg]`."""
    things = []
    for entry in _list(scene.get("objects")):
        if len(_list(entry)) < 6:
            continue
        place, size = numbers(entry[:2], 2), numbers(entry[3:6], 3)
        if place is None or size is None:
            continue
        c, s = math.cos(math.radians(size[2])), math.sin(math.radians(size[2]))
        corners = tuple(
            (place[0] + c * u * size[0] / 2 - s * v * size[1] / 2, place[1] + s * u * size[0] / 2 + c * v * size[1] / 2)
            for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        )
        things.append(Thing(str(entry[2]), (place[0], place[1]), corners))
    return things


def read_cameras(facts: Mapping[str, Any]) -> list[Camera]:
    """Cameras of a row; empty for videos and for rows that do not store them."""
    cameras = []
    for entry in _list(facts.get("cameras")):
        if isinstance(entry, Mapping):
            fov = entry.get("horizontal_fov_deg", entry.get("fov_deg", 60.0))
            values = numbers([entry.get("x"), entry.get("y"), entry.get("heading_deg"), fov], 4)
            if values:
                cameras.append(Camera((values[0], values[1]), values[2], min(values[3], 170.0)))
    return cameras


def fit(points: Sequence[Point], width: float, most: float) -> Plan | None:
    """The plan that shows all points with a margin, at most `width` by `most` units; None without points."""
    if not points:
        return None
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    margin = 0.35
    low, high = (min(xs) - margin, min(ys) - margin), (max(xs) + margin, max(ys) + margin)
    scale = min(width / (high[0] - low[0]), most / (high[1] - low[1]))
    return Plan(low, high, scale)
