"""Answers that are places stand on the plan where they are in the room, and hide with the other answers."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from spaceland.viewer.plan import Plan
from spaceland.viewer.plan_answer import answer_points, draw_answer, legend
from spaceland.viewer.topview import top_view

PLAN = Plan((0.0, 0.0), (6.0, 8.0), 40.0)
SCENE: dict[str, Any] = {"floor": [[0, 0], [6, 0], [6, 8], [0, 8]], "objects": []}
FIRST = {"x": 3.0, "y": 1.0, "heading_deg": 0.0, "horizontal_fov_deg": 60.0}
SECOND = {"x": 5.0, "y": 4.0, "heading_deg": -90.0, "horizontal_fov_deg": 60.0}
MAP_FACTS = {"kind": "map", "value": [1.0, 2.0, -0.5, 3.0], "cameras": [FIRST]}
MAP = {"task": "spatial_imagination_map_mv", "facts": MAP_FACTS}
WAY = {"task": "nav_video", "facts": {"kind": "route", "values": {"places_m": [[1, 1], [1, 4], [3, 4]]}}}
POSE = {"task": "camera_pose_relative", "facts": {"kind": "pose", "cameras": [FIRST, SECOND]}}


def around(pattern: str, drawing: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(pattern, drawing)]


def rings(row: dict[str, Any]) -> list[tuple[float, float]]:
    return around(r'cx="([-\d.]+)" cy="([-\d.]+)" r="[\d.]+" class="p-ring"', "".join(draw_answer(PLAN, row)))


@pytest.mark.parametrize(
    ("heading", "expected"),
    # Right and ahead of (3, 1): with a camera that looks along +y, and one that looks along +x, whose right is -y.
    [(0.0, [(4, 3), (2.5, 4)]), (90.0, [(5, 0), (6, 1.5)])],
)
def test_a_map_is_turned_into_the_room(heading: float, expected: list[tuple[float, float]]) -> None:
    row = copy.deepcopy(MAP)
    row["facts"]["cameras"][0]["heading_deg"] = heading
    assert rings(row) == [pytest.approx(PLAN.at(place)) for place in expected]
    drawing = "".join(draw_answer(PLAN, row))
    assert re.findall(r'class="p-label">(\d)<', drawing) == ["0", "1"]
    assert "0, 1, 2" in legend(row)


def test_a_way_has_its_corners_start_and_stop() -> None:
    drawing = "".join(draw_answer(PLAN, WAY))
    assert f'<polyline points="{PLAN.path([(1, 1), (1, 4), (3, 4)])}"' in drawing
    assert rings(WAY) == [PLAN.at((1, 1))]
    (stop,) = around(r'<rect x="([\d.]+)" y="([\d.]+)"', drawing)
    assert (stop[0] + 4, stop[1] + 4) == PLAN.at((3, 4))
    assert drawing.count("p-head") == 3 and "the way" in legend(WAY)


def test_the_second_camera_is_reached_and_looks_along_its_heading() -> None:
    drawing = "".join(draw_answer(PLAN, POSE))
    ends = re.findall(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)" class="p-(\w+)"', drawing)
    lines = {kind: ((float(a), float(b)), (float(c), float(d))) for a, b, c, d, kind in ends}
    assert lines["dash"] == (PLAN.at((3, 1)), PLAN.at((5, 4)))
    assert lines["way"] == (PLAN.at((5, 4)), pytest.approx(PLAN.at((4.2, 4))))
    # The wedge of the second camera tells the answer as well.
    plan = top_view(POSE, SCENE) or ""
    assert '<g class="secret"><polygon' in plan and plan.count("p-wedge") == 2
    assert '<g class="secret"><polygon' not in (top_view({**POSE, "task": "depth_prediction_oo_mv"}, SCENE) or "")


def test_labels_keep_away_from_the_answer() -> None:
    """A label that would stand on the start of a way goes elsewhere."""
    row = copy.deepcopy(WAY)
    row["facts"] |= {"centers_world_m": {"red": [0.8, 1.0, 0.5]}, "labels": {"red": "chest"}}
    row["facts"]["values"]["places_m"] = [[4, 4], [4, 6]]
    pattern = r'<text x="([-\d.]+)" y="([-\d.]+)" font-size="11.5" class="p-label">chest'
    (free,) = around(pattern, top_view(row, SCENE) or "")
    row["facts"]["values"]["places_m"] = [[1.3, 1.0], [4, 6]]
    (moved,) = around(pattern, top_view(row, SCENE) or "")
    assert free != moved


@pytest.mark.parametrize("row", [MAP, WAY, POSE])
def test_answers_can_be_hidden(row: dict[str, Any]) -> None:
    (group,) = draw_answer(PLAN, row)
    assert group.startswith('<g class="secret ')
    assert (top_view(row, SCENE) or "").count("p-answer") == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "map", "value": [1.0, "x"], "cameras": [FIRST]},
        {"kind": "map", "value": [1.0, 2.0, 3.0], "cameras": [FIRST]},
        {"kind": "map", "value": [1.0, 2.0]},
        {"values": {"places_m": [[1, 1], [float("nan"), 2]]}},
        {"values": {"places_m": [[1, 1]]}},
        {"values": {"places_m": "far"}},
        {"values": {"corners": ["000001", "000009"]}},
        {"cameras": [FIRST]},
        None,
    ],
)
def test_broken_answers_are_left_out(facts: dict[str, Any] | None) -> None:
    row = {"task": "camera_pose_relative", "facts": facts}
    assert draw_answer(PLAN, row) == [] and answer_points(row) == [] and legend(row) == ""
