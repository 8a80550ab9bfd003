"""Planned ways that are blocked, longer than needed, or told with other names are found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from verify_rows import Row, changed, room, rows

from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.scene import Scene, SceneObject
from spaceland.verify.checker import SceneChecker
from spaceland.verify.rows import Wrong, read_row
from spaceland.verify.tasks.free_floor import FreeFloor

ROWS = [row for row in rows() if row["task"] == "nav_video" and row["facts"]["values"]["kind"] == "planned"]
CHECKER = SceneChecker(room())


def with_crate(scene: Scene, place: np.ndarray) -> Scene:
    box = OrientedBox(np.array([*place, 0.3]), np.array([0.3, 0.3, 0.6]), np.eye(3))
    return replace(scene, objects=(*scene.objects, SceneObject(77, "crate", "crate", box.corners(), box)))


def test_what_stands_in_the_way_is_found() -> None:
    assert len(ROWS) >= 3
    for row in ROWS:
        a, b = np.array(row["facts"]["values"]["places_m"][-2:])
        problems = SceneChecker(with_crate(room(), (a + b) / 2)).problems(row)
        assert any("in the way" in problem for problem in problems)
        aside = SceneChecker(with_crate(room(), np.array([5.7, 0.3]))).problems(row)
        assert all("way" in problem for problem in aside)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: changed(row, ("facts", "values", "kind"), "walked"),
        lambda row: changed(row, ("facts", "values", "places_m", 0), [3.0, 1.0]),
        lambda row: changed(row, ("facts", "params", "way_clear_m"), 0.05),
        lambda row: {**row, "question": row["question"].replace("the", "a")},
        lambda row: {**row, "question": row["question"].replace("0.25", "0.35")},
        lambda row: {**row, "answer": row["answer"] + " Then turn left."},
    ],
)
def test_changed_ways_are_found(spoil: Callable[[Row], Row]) -> None:
    for row in ROWS:
        assert CHECKER.problems(row) == []
        assert CHECKER.problems(spoil(row))


def test_exchanged_start_and_goal_are_found() -> None:
    for row in ROWS:
        labels = list(row["facts"]["labels"].values())
        start, goal = f"the {labels[0]}", f"the {labels[-1]}"
        text = row["question"].replace(start, "\ue010").replace(goal, start).replace("\ue010", goal)
        assert CHECKER.problems({**row, "question": text})


def test_a_detour_is_found() -> None:
    row = read_row(ROWS[0])
    floor = FreeFloor.of(row, room())
    straight = [np.array([0.6, 0.6]), np.array([5.2, 0.6])]
    floor.check_no_detour(straight, 0.25)
    with pytest.raises(Wrong, match=r"5.49 m long, but nothing is in the way of one of 4.60 m"):
        floor.check_no_detour([straight[0], np.array([3.0, 2.1]), straight[1]], 0.25)
