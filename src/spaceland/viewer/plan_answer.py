"""The answer of a row on its plan from above: places on a map, the second camera, and ways through the room.

What is drawn comes from the numbers of the answer, so it can be compared with the furniture below:

    a map says that Object1 is 1.0 m to the right and 2.0 m ahead of a camera at (3, 1) that looks along +y
        ->  a ring with a 1 at (4, 3), on the dot of its object if the map is right

Everything here gives the answer away and carries the class `secret`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from spaceland.viewer.html import Html, number, tag
from spaceland.viewer.plan import Plan, Point, numbers, read_cameras

_SECOND_CAMERA = ("camera_motion_infer", "camera_pose_relative", "view_change_infer")
_HEADING_M = 0.8
_RING = 8.0
_LEGEND = {
    "map": "0, 1, 2: places that the answer tells",
    "camera": "dashed: from the first camera to the second, which looks along the arrow",
    "way": "dashed: the way, from the ring to the square",
}


def second_is_asked(row: Mapping[str, Any]) -> bool:
    """Whether the second camera's place is the answer."""
    return row.get("task") in _SECOND_CAMERA


def answer_points(row: Mapping[str, Any]) -> list[Point]:
    """World points of the answer, which the plan should show."""
    return [*_map_places(row), *_way(row)]


def taken(plan: Plan, row: Mapping[str, Any]) -> list[Point]:
    """Middles of what is drawn, in picture units, for labels to keep away from."""
    return [*(_number_place(plan, place) for place in _map_places(row)), *map(plan.at, _way(row))]


def legend(row: Mapping[str, Any]) -> str:
    """What the drawn answer means, in a few words; "" where none is drawn."""
    if _map_places(row):
        return _LEGEND["map"]
    if _way(row):
        return _LEGEND["way"]
    return _LEGEND["camera"] if _second_camera(row) else ""


def draw_answer(plan: Plan, row: Mapping[str, Any]) -> list[Html]:
    """The answer of one row as shapes; empty for tasks whose answer is no place."""
    shapes = [*_draw_map(plan, _map_places(row)), *_draw_camera(plan, _second_camera(row)), *_draw_way(plan, _way(row))]
    return [tag("g", shapes, class_="secret p-answer")] if shapes else []


def _facts(row: Mapping[str, Any]) -> Mapping[str, Any]:
    facts = row.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _map_places(row: Mapping[str, Any]) -> list[Point]:
    """The map's places, turned from the level frame of the first camera into the world."""
    facts = _facts(row)
    value, cameras = facts.get("value"), read_cameras(facts)
    if facts.get("kind") != "map" or not cameras or not isinstance(value, list):
        return []
    told = numbers(value, len(value))
    if told is None or len(told) % 2:
        return []
    (x, y), heading = cameras[0].place, math.radians(cameras[0].heading_deg)
    sin, cos = math.sin(heading), math.cos(heading)
    return [(x + right * cos + ahead * sin, y - right * sin + ahead * cos) for right, ahead in _pairs(told)]


def _pairs(values: Sequence[float]) -> list[Point]:
    return list(zip(values[::2], values[1::2], strict=True))


def _second_camera(row: Mapping[str, Any]) -> list[Point]:
    """The first camera, the second one, and a point ahead of the second one."""
    cameras = read_cameras(_facts(row))
    if not second_is_asked(row) or len(cameras) < 2:
        return []
    (x, y), heading = cameras[1].place, math.radians(cameras[1].heading_deg)
    return [cameras[0].place, (x, y), (x + _HEADING_M * math.sin(heading), y + _HEADING_M * math.cos(heading))]


def _way(row: Mapping[str, Any]) -> list[Point]:
    """Corners of a way; rows of walked ways name frames in place of corners."""
    values = _facts(row).get("values")
    corners = values.get("places_m") if isinstance(values, Mapping) else None
    places = [numbers(corner, 2) for corner in corners] if isinstance(corners, list) else []
    found = [(place[0], place[1]) for place in places if place]
    return found if len(found) == len(places) > 1 else []


def _draw_map(plan: Plan, places: Sequence[Point]) -> list[Html]:
    shapes = []
    for k, place in enumerate(places):
        x, y = plan.at(place)
        shapes.append(tag("circle", tag("title", f"Object{k} of the answer"), cx=x, cy=y, r=_RING, class_="p-ring"))
        u, v = _number_place(plan, place)
        shapes.append(_letter(u, v + 4, str(k)))
    return shapes


def _number_place(plan: Plan, place: Point) -> Point:
    """Up and to the left of the ring; labels of things mostly stand to the right."""
    x, y = plan.at(place)
    return x - _RING - 3, y - _RING - 2


def _letter(x: float, y: float, text: str) -> Html:
    return tag("text", text, attributes={"text-anchor": "middle"}, x=x, y=y, font_size=11.5, class_="p-label")


def _draw_camera(plan: Plan, points: Sequence[Point]) -> list[Html]:
    if not points:
        return []
    first, second, ahead = map(plan.at, points)
    return [_segment(first, second, "p-dash"), _segment(second, ahead, "p-way"), *_arrow(second, ahead)]


def _draw_way(plan: Plan, places: Sequence[Point]) -> list[Html]:
    if not places:
        return []
    corners = [plan.at(place) for place in places]
    shapes = [tag("polyline", points=plan.path(places), class_="p-way p-dash")]
    for a, b in pairwise(corners):
        shapes += _arrow(a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2))
    (x, y), (u, v) = corners[0], corners[-1]
    shapes.append(tag("circle", tag("title", "start"), cx=x, cy=y, r=5.0, class_="p-ring"))
    shapes.append(tag("rect", tag("title", "stop"), x=u - 4, y=v - 4, width=8, height=8, class_="p-head"))
    return shapes


def _segment(a: Point, b: Point, kind: str) -> Html:
    return tag("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_=kind)


def _arrow(start: Point, tip: Point) -> list[Html]:
    """The head of an arrow; none where it would have no direction."""
    length = math.dist(start, tip)
    if length < 1e-6:
        return []
    u, v = (tip[0] - start[0]) / length, (tip[1] - start[1]) / length
    wings = [(tip[0] - 8 * u + s * 4 * v, tip[1] - 8 * v - s * 4 * u) for s in (-1, 1)]
    points = " ".join(f"{number(a)},{number(b)}" for a, b in (tip, *wings))
    return [tag("polygon", points=points, class_="p-head")]
