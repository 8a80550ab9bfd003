"""Top views put things where they are."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from spaceland.viewer.plan import Camera, Plan, numbers, read_cameras, read_floor, read_things
from spaceland.viewer.topview import floor_plan, top_view

FLOOR = [[0, 0], [6, 0], [6, 8], [0, 8]]
SCENE: dict[str, Any] = {
    "floor": FLOOR,
    "objects": [[2, 4, "chair", 0.5, 1.0, 0.0], [4.5, 6, "<desk>", 2.0, 1.0, 90.0]],
}
ROW: dict[str, Any] = {
    "task": "distance_prediction_oo",
    "facts": {
        "centers_world_m": {"red": [2.0, 4.0, 0.5], "blue": [4.5, 6.0, 0.5]},
        "labels": {"red": "chair", "blue": "<desk>"},
        "cameras": [{"x": 3.0, "y": 1.0, "z": 1.5, "heading_deg": 0.0, "horizontal_fov_deg": 60.0}],
    },
}


def test_plan_has_x_to_the_right_and_y_up() -> None:
    plan = Plan((0.0, 0.0), (6.0, 8.0), 40.0)
    assert plan.at((0, 8)) == (0, 0)
    assert plan.at((6, 0)) == (240, 320)


@pytest.mark.parametrize("heading", [0.0, 90.0, -135.0])
def test_wedge_opens_along_the_heading(heading: float) -> None:
    start, *arc = Camera((2.0, 1.0), heading, 60.0).wedge(3.0)
    assert start == (2.0, 1.0)
    forward = np.array([math.sin(math.radians(heading)), math.cos(math.radians(heading))])
    right = np.array([forward[1], -forward[0]])
    spread = np.array(arc) - start
    np.testing.assert_allclose(np.hypot(*spread.T), 3.0)
    np.testing.assert_allclose(spread[0] @ right, -1.5)  # 3 m, half of 60 degrees to the left
    np.testing.assert_allclose(spread[-1] @ right, 1.5)
    assert (spread @ forward > 2.5).all()


def test_footprints_turn_counter_clockwise() -> None:
    chair, desk = read_things(SCENE)
    assert {tuple(np.round(c, 9)) for c in chair.corners} == {(1.75, 3.5), (2.25, 3.5), (2.25, 4.5), (1.75, 4.5)}
    assert {tuple(np.round(c, 9)) for c in desk.corners} == {(4, 5), (5, 5), (5, 7), (4, 7)}


def test_top_view_shows_all_of_a_row() -> None:
    drawing = top_view(ROW, SCENE) or ""
    assert drawing.count('class="p-thing"') == 2
    assert drawing.count('class="p-floor"') == 1
    assert drawing.count('class="p-wedge"') == 1
    assert drawing.count('class="p-dash"') == 1
    for color in ("red", "blue"):
        assert f'class="p-fact k-{color}"' in drawing and f'class="p-dot k-{color}"' in drawing
    assert "&lt;desk&gt;" in drawing and "<desk>" not in drawing


def test_dots_keep_the_distance_of_the_centres() -> None:
    drawing = top_view(ROW, SCENE) or ""
    dots = [
        tuple(map(float, m)) for m in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4.5" class="p-dot', drawing)
    ]
    corners = re.search(r'<polygon points="([^"]+)" class="p-floor"', drawing)
    assert corners is not None
    floor = [tuple(map(float, point.split(","))) for point in corners[1].split()]
    scale = math.dist(floor[0], floor[1]) / 6
    assert math.dist(*dots) / scale == pytest.approx(math.hypot(2.5, 2.0), abs=0.01)


def test_two_cameras_are_numbered_and_labels_do_not_overlap() -> None:
    cameras = [ROW["facts"]["cameras"][0], {**ROW["facts"]["cameras"][0], "x": 4.0}]
    near = {"red": [2.0, 4.0, 0.5], "blue": [2.1, 4.0, 0.5], "green": [2.0, 4.1, 0.5]}
    facts = {"cameras": cameras, "centers_world_m": near, "labels": dict.fromkeys(near, "long label")}
    drawing = top_view({"task": "x", "facts": facts}, SCENE) or ""
    assert re.findall(r'class="p-num">(\d)<', drawing) == ["1", "2"]
    places = [
        (float(x), float(y)) for x, y in re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)" font-size="11.5"', drawing)
    ]
    assert len(places) == 3
    for i, a in enumerate(places):
        for b in places[:i]:
            assert abs(a[0] - b[0]) >= 60 or abs(a[1] - b[1]) >= 12


def test_absent_and_broken_numbers_are_left_out() -> None:
    assert top_view({"facts": {}}, {}) is None
    assert floor_plan({}) is None
    assert numbers([1, float("nan")], 2) is None
    assert numbers([1, 10**400], 2) is None
    assert numbers("12", 2) is None
    assert numbers([True, 1], 2) is None
    assert read_floor({"floor": [[0, 0], [1, 0], "x"]}) == []
    assert read_floor({"floor": 7}) == []
    assert read_things({"objects": [[0, 0], None, ["a", 0, "b", 1, 1, 0], {"x": 1}]}) == []
    assert read_cameras({"cameras": [{"x": 0}, 3, {"x": float("inf"), "y": 0, "heading_deg": 0}]}) == []
    broken = {"centers_world_m": {"red": [float("nan"), 0, 0], "blue": [1, 2, 3]}, "labels": {"blue": 5}}
    assert (top_view({"facts": broken}, {"floor": None, "objects": "x"}) or "").count("p-dot") == 1


def test_unknown_roles_take_the_accent() -> None:
    facts = {"centers_world_m": {"chair 0": [1, 1, 0], "chair 1": [2, 2, 0]}, "labels": {"counted": "chair"}}
    drawing = top_view({"facts": facts}, SCENE) or ""
    assert drawing.count("p-dot k-other") == 2
    assert 'class="p-label"' not in drawing
