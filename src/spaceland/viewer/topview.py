"""Top views as inline SVG: floor, furniture, cameras with what they see, and the objects of a question.

World x runs to the right, y up the page, one grid square is one metre. Everything drawn is taken from numbers that a
row and info.json store, so the plan checks the row and not the scene (see `plan`); what is an answer is drawn by
`plan_answer`.

    camera at (2, 1), heading 0 (looks along +y)  ->  a wedge that opens upwards
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spaceland.questions.marks import COLORS
from spaceland.viewer.html import Html, join, number, tag
from spaceland.viewer.plan import Camera, Plan, Point, Thing, fit, numbers, read_cameras, read_floor, read_things
from spaceland.viewer.plan_answer import answer_points, draw_answer, second_is_asked, taken

Box = tuple[float, float, float, float]

# Pairs of roles that a dashed line joins, and whether it is an arrow.
_LINES = {"distance_prediction_oo": ("red", "blue", False), "spatial_imagination_oc": ("green", "blue", True)}
_REACH_M = (1.6, 8.0)


def floor_plan(scene: Mapping[str, Any], *, width: float = 150.0) -> Html | None:
    """A small plan of a room with its furniture; None when neither is known."""
    floor, things = read_floor(scene), read_things(scene)
    plan = fit([*floor, *(corner for thing in things for corner in thing.corners)], width, width)
    if plan is None:
        return None
    return _svg(plan, [*_ground(plan, floor, grid=False), *_furniture(plan, things)], "floor plan")


def top_view(row: Mapping[str, Any], scene: Mapping[str, Any], *, width: float = 320.0) -> Html | None:
    """The plan behind one row: room, cameras and the objects that the question is about; None when nothing is known."""
    facts = row.get("facts") or {}
    floor, things, cameras = read_floor(scene), read_things(scene), read_cameras(facts)
    places = {
        str(role): (center[0], center[1])
        for role, value in (facts.get("centers_world_m") or {}).items()
        if (center := numbers(value, 2))
    }
    if not (floor or things or cameras or places):
        return None
    points = [*floor, *(thing.center for thing in things), *places.values(), *answer_points(row)]
    points += [point for camera in cameras for point in (camera.wedge(_REACH_M[0]) if not floor else [camera.place])]
    plan = fit(points, width, 1.15 * width)
    if plan is None:
        return None
    parts = [*_ground(plan, floor), *_furniture(plan, things)]
    for index, camera in enumerate(cameras):
        drawn = _camera(plan, camera, list(places.values()), str(index + 1) if len(cameras) > 1 else "")
        parts += [tag("g", drawn, class_="secret")] if index == 1 and second_is_asked(row) else drawn
    parts += [*_line(plan, str(row.get("task")), places), *draw_answer(plan, row)]
    occupied = [*(plan.at(camera.place) for camera in cameras), *taken(plan, row)]
    parts += _fact_objects(plan, places, facts.get("labels") or {}, things, occupied)
    return _svg(plan, parts, "top view")


def _ground(plan: Plan, floor: Sequence[Point], *, grid: bool = True) -> list[Html]:
    parts = []
    if floor:
        parts.append(tag("polygon", points=plan.path(floor), class_="p-floorfill"))
    step = 1 if max(plan.high[0] - plan.low[0], plan.high[1] - plan.low[1]) <= 25 else 10
    if grid:
        for x in range(math.ceil(plan.low[0] / step) * step, math.floor(plan.high[0]) + 1, step):
            u = plan.at((x, 0))[0]
            parts.append(tag("line", x1=u, x2=u, y1=0, y2=plan.height, class_="p-grid"))
        for y in range(math.ceil(plan.low[1] / step) * step, math.floor(plan.high[1]) + 1, step):
            v = plan.at((0, y))[1]
            parts.append(tag("line", y1=v, y2=v, x1=0, x2=plan.width, class_="p-grid"))
    if floor:
        parts.append(tag("polygon", points=plan.path(floor), class_="p-floor"))
    return parts


def _furniture(plan: Plan, things: Sequence[Thing]) -> list[Html]:
    # Large ones first, so that what stands on a table can be seen and hovered.
    by_size = sorted(
        things, key=lambda t: -math.dist(t.corners[0], t.corners[1]) * math.dist(t.corners[1], t.corners[2])
    )
    return [tag("polygon", tag("title", t.label), points=plan.path(t.corners), class_="p-thing") for t in by_size]


def _camera(plan: Plan, camera: Camera, places: Sequence[Point], name: str) -> list[Html]:
    """Its view reaches a little farther than the objects of the question. A number stands behind it, to one side."""
    x, y = plan.at(camera.place)
    farthest = max((math.dist(camera.place, place) for place in places), default=0.0)
    reach_m = min(max(farthest + 0.4, _REACH_M[0]), _REACH_M[1])
    parts = [
        tag("polygon", points=plan.path(camera.wedge(reach_m)), class_="p-wedge"),
        tag("circle", tag("title", f"camera {name}".strip()), cx=x, cy=y, r=4.0, class_="p-cam"),
    ]
    if name:
        # To the left for odd and to the right for even numbers, so that cameras at one place keep both numbers visible.
        back = math.radians(camera.heading_deg + 180 + (45 if int(name) % 2 else -45))
        u, v = x + 11 * math.sin(back), y - 11 * math.cos(back)
        centered = {"text-anchor": "middle"}
        parts.append(tag("circle", cx=u, cy=v, r=7.0, class_="p-cam"))
        parts.append(tag("text", name, attributes=centered, x=u, y=v + 3.6, font_size=10, class_="p-num"))
    return parts


def _line(plan: Plan, task: str, places: Mapping[str, Point]) -> list[Html]:
    if task not in _LINES:
        return []
    start, end, arrow = _LINES[task]
    if start not in places or end not in places:
        return []
    (x0, y0), (x1, y1) = plan.at(places[start]), plan.at(places[end])
    parts = [tag("line", x1=x0, y1=y0, x2=x1, y2=y1, class_="p-dash")]
    length = math.hypot(x1 - x0, y1 - y0)
    if arrow and length > 22:
        u, v = (x1 - x0) / length, (y1 - y0) / length
        tip = (x1 - 8 * u, y1 - 8 * v)
        wings = [(tip[0] - 9 * u + s * 4.5 * v, tip[1] - 9 * v - s * 4.5 * u) for s in (-1, 1)]
        points = " ".join(f"{number(a)},{number(b)}" for a, b in (tip, *wings))
        parts.append(tag("polygon", points=points, class_="p-head"))
    return parts


def _fact_objects(
    plan: Plan,
    places: Mapping[str, Point],
    labels: Mapping[str, Any],
    things: Sequence[Thing],
    taken: Sequence[Point],
) -> list[Html]:
    shapes, texts = [], []
    dots = [plan.at(place) for place in places.values()]
    blocked: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in [*dots, *taken]]
    for role, place in places.items():
        kind = f"k-{role}" if role in COLORS else "k-other secret"
        label = str(labels.get(role, role))
        nearest = min(things, key=lambda t: math.dist(t.center, place), default=None)
        if nearest is not None and math.dist(nearest.center, place) < 0.02:
            shapes.append(tag("polygon", points=plan.path(nearest.corners), class_=f"p-fact {kind}"))
        x, y = plan.at(place)
        shapes.append(tag("circle", tag("title", label), cx=x, cy=y, r=4.5, class_=f"p-dot {kind}"))
        if role not in COLORS and role not in labels:
            continue  # a numbered copy of one label: the dot says enough
        short = label if len(label) <= 20 else label[:19] + "\N{HORIZONTAL ELLIPSIS}"
        left, base, box = _label_place((x, y), 6.4 * len(short), plan, blocked)
        blocked.append(box)
        texts.append(tag("text", short, x=left, y=base, font_size=11.5, class_="p-label"))
    return [*shapes, *texts]


def _label_place(at: Point, width: float, plan: Plan, blocked: Sequence[Box]) -> tuple[float, float, Box]:
    """Left end and base line of a label that covers no dot and no other label, if there is such a place."""
    x, y = at
    options = [
        (x + 8, y + 4), (x - 8 - width, y + 4), (x - width / 2, y - 9), (x - width / 2, y + 17),
        (x + 6, y - 9), (x + 6, y + 17), (x - 6 - width, y - 9), (x - 6 - width, y + 17),
    ]  # fmt: skip

    def box(left: float, base: float) -> Box:
        return left, base - 10, left + width, base + 3

    def cost(option: Point) -> float:
        a = box(*option)
        outside = a[0] < 0 or a[1] < 0 or a[2] > plan.width or a[3] > plan.height
        hits = sum(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in blocked)
        return hits + 2 * outside

    left, base = min(options, key=cost)
    left = min(max(left, 1.0), max(plan.width - width, 1.0))
    return left, base, box(left, base)


def _svg(plan: Plan, parts: Sequence[Html], title: str) -> Html:
    view = f"0 0 {number(plan.width)} {number(plan.height)}"
    return tag("svg", join(list(parts)), attributes={"viewBox": view, "role": "img", "aria-label": title})
