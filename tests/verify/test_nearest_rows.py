"""Rows about the closest or farthest object that agree with themselves and leave out a better answer."""

from __future__ import annotations

import numpy as np
import pytest
from verify_rows import Row, changed, room, rows

from spaceland.verify.checker import SceneChecker

TASKS = ("distance_infer_center_oc", "distance_infer_center_oc_mv")


def away_m(row: Row, object_id: int) -> float:
    scene = room()
    eye = scene.frames_by_id[row["facts"]["frames"][0]].T_world_cam[:3, 3]
    return float(np.linalg.norm(scene.objects_by_id[object_id].center - eye))


def with_objects(row: Row, **objects: int) -> Row:
    """The row with other objects in its roles, and with their centres, labels and distances."""
    scene = room()
    for role, object_id in objects.items():
        thing = scene.objects_by_id[object_id]
        row = changed(row, ("facts", "objects", role), object_id)
        row = changed(row, ("facts", "labels", role), thing.label)
        row = changed(row, ("facts", "centers_world_m", role), thing.center.tolist())
        key = "distance_m" if role == "found" else "runner_up_m"
        row = changed(row, ("facts", "values", key), away_m(row, object_id))
    return row


@pytest.mark.parametrize("kind", ["ids", "depth", pytest.param("mesh", marks=pytest.mark.heavy)])
def test_a_better_answer_that_is_seen_is_found(kind: str) -> None:
    checker, tried = SceneChecker(room(kind)), 0
    for row in rows(kind):
        if row["task"] != TASKS[0] or row["format"] != "fill":
            continue
        assert checker.problems(row) == []
        winner = row["facts"]["objects"]["found"]
        unique = {thing.label: thing.id for thing in room().objects if thing.label != "chair"}
        for label, box in row["facts"]["values"]["other_boxes"]:
            found = unique.get(label)
            if found is None:
                continue
            sign = 1 if row["facts"]["values"]["asks"] == "closest" else -1
            behind = [t.id for t in room().objects if sign * (away_m(row, t.id) - away_m(row, found)) > 0.6]
            if not behind:
                continue
            # Another answer with a true box, and with a rival that it does beat; only the picture shows a better one.
            forged = with_objects(row, found=found, runner_up=behind[0])
            forged = changed(forged, ("facts", "value"), [0, *box])
            forged = changed(forged, ("answer",), f"{label}, [{', '.join(map(str, box))}]")
            problems = checker.problems(forged)
            assert any("what is seen" in problem for problem in problems), (winner, found, problems)
            tried += 1
    assert tried >= 3


def test_the_direction_in_the_question_is_that_of_the_fact() -> None:
    checker, tried = SceneChecker(room()), 0
    for row in rows():
        if not row["task"].startswith("distance_infer"):
            continue
        for a, b in (("closer to", "farther from"), ("closest to", "farthest from")):
            for one, other in ((a, b), (b, a)):
                if one in row["question"]:
                    tried += 1
                    assert checker.problems({**row, "question": row["question"].replace(one, other)})
    assert tried > 50


@pytest.mark.parametrize("limit", [[0.0, 1.1], [0.2, 0.9], [5.0, 1.1], [0.2, 9.0]])
def test_ties_by_other_limits_are_refused(limit: list[float]) -> None:
    checker = SceneChecker(room())
    for row in rows():
        if row["task"].startswith("distance_infer"):
            assert checker.problems(changed(row, ("facts", "params", "tie"), limit))
