"""Rows about windows of a video: frames, order and completeness are worked out anew."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from verify_rows import Row, one, room

from handmade import box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker

CHECKER = SceneChecker(room())


@pytest.fixture
def row() -> Row:
    return copy.deepcopy(one("detection_window", "fill"))


def problem(row: Row, checker: SceneChecker = CHECKER) -> str:
    return "; ".join(checker.problems(row))


def test_the_row_holds(row: Row) -> None:
    assert problem(row) == ""


def test_frames_follow_each_other(row: Row) -> None:
    ids = [frame.id for frame in room().frames]
    k = ids.index(row["facts"]["frames"][-1])
    other = ids[k + 1 if k + 1 < len(ids) else k - 1]
    row["images"][-1] = row["images"][-1].replace(ids[k], other)
    row["facts"]["frames"][-1] = other
    assert "nearest to 1 s" in problem(row)
    row["facts"]["frames"].reverse()
    row["images"].reverse()
    assert "not in their order" in problem(row)


def test_windows_are_counted_in_seconds_or_in_frames(row: Row) -> None:
    """The room has ten frames a second."""
    row["facts"]["params"]["window_stride"] = 10
    assert problem(row, SceneChecker(with_step(None))) == ""
    assert "nearest to 1 s" in problem(row, SceneChecker(with_step(0.08)))
    row["facts"]["params"]["window_stride"] = 3
    assert "at a distance of 3" in problem(row, SceneChecker(with_step(None)))
    row["facts"]["params"]["max_window_gap_s"] = 0.5
    assert "more than 0.5 s" in problem(row)
    photographs = replace(room(), provenance={**room().provenance, "is_video": False})
    assert "no video" in problem(row, SceneChecker(photographs))


def with_step(step_s: float | None) -> Scene:
    """The room with other times, or none."""
    frames = [
        replace(frame, timestamp_s=None if step_s is None else step_s * k) for k, frame in enumerate(room().frames)
    ]
    return replace(room(), frames=tuple(frames))


def test_the_number_of_frames_is_the_policy_s(row: Row) -> None:
    policy = {**asdict(AmbiguityPolicy()), "window_frames": 6}
    checker = SceneChecker(room(), None, {"policy": policy})
    assert "window_frames is 4, the dataset's setting is 6" in problem(row, checker)
    for name in ("frames", "images"):
        place = row["facts"] if name == "frames" else row
        del place[name][-1]
    assert "window_frames is 4" in problem(row)


def test_order_and_first_sight(row: Row) -> None:
    seen_at, frames = row["facts"]["values"]["seen_at"], row["facts"]["frames"]
    first = next(key for key, place in seen_at.items() if place[0] == frames[0])
    seen_at[first][0] = frames[-1]
    assert "come into view" in problem(row)


def reordered(row: Row, order: list[int]) -> Row:
    """The row with its entries in another order, consistent in itself."""
    row = copy.deepcopy(row)
    facts, lines = row["facts"], row["answer"].splitlines()
    for name in ("objects", "labels", "centers_world_m"):
        values = list(facts[name].values())
        facts[name] = {f"object {k}": values[old] for k, old in enumerate(order)}
    facts["value"] = [facts["value"][old] for old in order]
    entries = [lines[2 + old].rstrip(",") for old in order]
    row["answer"] = "\n".join([*lines[:2], ",\n".join(entries), *lines[-2:]])
    return row


@pytest.mark.parametrize("task", ["detection", "detection_window"])
def test_the_nearest_goes_by_the_straight_distance(task: str) -> None:
    # The stool is less deep than the vase, but farther away: see tests/questions/test_detection.py.
    things = [("stool", (1.4, 4.6, 1.5), (0.4, 0.4, 0.5)), ("vase", (3.0, 4.8, 1.5), (0.4, 0.4, 0.5))]
    pose = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
    scene = box_scene(things, [pose] * 4, with_ids=True)
    scene = replace(scene, frames=tuple(replace(frame, timestamp_s=float(k)) for k, frame in enumerate(scene.frames)))
    question = ask(scene, [task], per_scene=1).questions[0]
    made, checker = json.loads(dump_row(to_row(question))), SceneChecker(scene)
    assert problem(made, checker) == problem(reordered(made, [0, 1]), checker) == ""
    assert list(made["facts"]["labels"].values()) == ["vase", "stool"]
    assert "order" in problem(reordered(made, [1, 0]), checker)


def test_nothing_is_left_out(row: Row) -> None:
    """Without one of two chairs the list is wrong, as is one without the label of something."""
    facts = row["facts"]
    roles = [role for role, label in facts["labels"].items() if label == "chair"]
    assert len(roles) == 2
    index = list(facts["labels"]).index(roles[0])
    del facts["value"][index], facts["values"]["seen_at"][str(facts["objects"][roles[0]])]
    for name in ("objects", "labels", "centers_world_m"):
        kept = [value for role, value in facts[name].items() if role != roles[0]]
        facts[name] = {f"object {k}": value for k, value in enumerate(kept)}
    lines = row["answer"].splitlines()
    del lines[2 + index]
    row["answer"] = "\n".join(lines).replace(",\n]", "\n]")
    assert "leaves out" in problem(row)


def test_no_label_may_mean_another() -> None:
    """Neither one that is asked for too, nor one of something that is only seen."""
    things = [("lamp", (2.0, 4.0, 1.5), (0.4, 0.4, 0.5)), ("stool", (3.0, 4.0, 1.5), (0.4, 0.4, 0.5))]
    things.append(("vase", (4.0, 4.0, 1.5), (0.4, 0.4, 0.5)))
    scene = box_scene(things, [look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))], with_ids=True)
    alike = [replace(thing, label=thing.label.replace("lamp", "bar stool")) for thing in scene.objects]
    renamed = SceneChecker(replace(scene, objects=tuple(alike)))
    made = dump_row(to_row(ask(scene, ["detection"], per_scene=1).questions[0]))
    assert problem(json.loads(made), SceneChecker(scene)) == ""
    assert "one may be meant by the other" in problem(json.loads(made.replace("lamp", "bar stool")), renamed)
    without = ask(scene, ["detection"], per_scene=1, policy=AmbiguityPolicy(excluded_labels=("lamp",))).questions[0]
    assert problem(to_row(without), SceneChecker(scene)) == ""
    assert "is seen too" in problem(to_row(without), renamed)
