"""The audit of released answers: our own export agrees completely, and whatever is spoiled is found out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from release_room import BOXES, EYE, at, box_of, judge, solve

from conftest import SOURCE, TASKS
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.generate import generate
from spaceland.errors import SourceError
from spaceland.exchange.answer_text import UnreadableError, motion_parts, one_number, slot_words
from spaceland.exchange.case import Reading
from spaceland.exchange.export import export_dataset
from spaceland.exchange.locate import Locator
from spaceland.exchange.markers import MARKERS
from spaceland.exchange.recompute import Audit, recompute
from spaceland.exchange.solve import SOLVERS
from spaceland.exchange.solve_views import motion
from spaceland.exchange.spar7m_read import find_files
from spaceland.geometry.transforms import look_at
from spaceland.questions.conventions import Conventions

OPPOSITE = {"left": "right", "above": "below", "closer": "farther", "front": "behind"}
OPPOSITE |= {b: a for a, b in OPPOSITE.items()}


def audit_of(folder: Path, *sources: str, **options: Any) -> Audit:
    return recompute(find_files(folder)[0], sources or (SOURCE,), **options)


def test_our_export_agrees_completely(spar: Path) -> None:
    audit = audit_of(spar)
    assert audit.ok and set(SOLVERS) == set(MARKERS)
    for name, task in audit.tasks.items():
        assert task.recomputed == task.agree == task.rows > 0, (name, task.reasons)
    assert set(audit.tasks) == set(TASKS) and audit.recomputed > 200
    assert json.loads(json.dumps(audit.to_json()))["tasks"]["room_size"]["agreement"] == 100


def spoil(row: dict[str, Any], task: str, format: str) -> None:
    """Make an answer wrong."""
    question, answer = (turn["value"] for turn in row["conversations"])
    if format == "judge":
        answer = "No" if answer == "Yes" else "Yes"
    elif format == "select" and ("relation" in task or "imagination" in task):
        # The right option says the opposite on one axis.
        stem, _, options = question.partition("\nA. ")
        lines = ("A. " + options).split("\n")
        k = "ABCD".index(answer)
        word = next(w for w in re.findall("[a-z]+", lines[k]) if w in OPPOSITE)
        lines[k] = lines[k].replace(word, OPPOSITE[word])
        question = "\n".join((stem, *lines))
    elif format == "select":
        answer = "ABCD"[("ABCD".index(answer) + 1) % len(re.findall(r"\n[A-D]\. ", question))]
    elif "center_oc" in task:
        swapped = {"closest": "farthest", "farthest": "closest"}
        question = re.sub("closest|farthest", lambda m: swapped[m[0]], question)
    elif task == "appearance_order" and format == "fill":
        answer = ", ".join(reversed(answer.split(", ")))
    elif task == "appearance_order":
        named = re.search(r", the ([\w ]+), the ([\w ]+) and ", question)
        assert named is not None
        answer = answer.replace(named[1], "#").replace(named[2], named[1]).replace("#", named[2])
    elif task == "obj_frame_locate":
        shown = {int(n) for n in re.findall(r"Frame-(\d+)", answer)}
        hidden = next(n for n in range(1, 33) if n not in shown)
        answer = re.sub(r"(?<!in |ox )Frame-\d+|Frame-\d+(?=[ ,.][^)]*$)", f"Frame-{hidden}", answer, count=1)
    elif task == "distance_infer_center_oo_video":
        answer = re.sub(r"Object(\d)", lambda m: f"Object{(int(m[1]) + 1) % 4}", answer, count=1)
    elif "distance_infer" in task:
        named = re.search("(green|blue) point", answer)
        assert named is not None
        answer = answer.replace(named[1], {"green": "blue", "blue": "green"}[named[1]])
    elif task == "spatial_imagination_map_mv":
        answer = re.sub(r"\((-?\d+\.\d)", lambda m: f"({float(m[1]) + 1:.1f}", answer, count=1)
    elif "relation" in task or "imagination" in task:
        word = next(w for w in re.findall("[a-z]+", re.sub(r"\([^)]*\)", "", answer)) if w in OPPOSITE)
        answer = re.sub(rf"\b{word}\b", OPPOSITE[word], answer, count=1)
    elif task == "position_matching":
        answer = re.sub(r"\[(\d+)", lambda m: f"[{(int(m[1]) + 150) % 1000}", answer)
    else:
        numbers = list(re.finditer(r"(?<![\w(-])\d+(\.\d+)?", re.sub(r"\([^)]*\)", lambda m: "_" * len(m[0]), answer)))
        found = next(m for m in numbers if float(m[0]) >= 0)
        value = float(found[0]) + (10 if "." not in found[0] and task == "view_change_infer" else 1)
        text = f"{value:.1f}" if "." in found[0] else f"{value:.0f}"
        answer = answer[: found.start()] + text + answer[found.end() :]
    row["conversations"][0]["value"], row["conversations"][1]["value"] = question, answer


def test_every_spoiled_answer_is_noticed(spar: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoiled"
    shutil.copytree(spar / "spar" / "small" / "qa_jsonl", folder / "qa_jsonl")
    for file in find_files(folder)[0]:
        rows = [json.loads(line) for line in file.path.read_text().splitlines()]
        for row in rows:
            spoil(row, file.task, file.format)
        file.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    audit = audit_of(folder)
    assert not audit.ok and audit.recomputed > 200
    missed = {name: task.agree for name, task in audit.tasks.items() if task.agree}
    assert not missed


def test_one_corrupted_row_is_named(spar: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    shutil.copytree(spar / "spar" / "small" / "qa_jsonl", folder / "qa_jsonl")
    path = next((folder / "qa_jsonl/train/distance_prediction_oo/fill").iterdir())
    lines = path.read_text().splitlines()
    row = json.loads(lines[1])
    row["conversations"][1]["value"] = "9.9"
    path.write_text("\n".join([lines[0], json.dumps(row), *lines[2:]]) + "\n")
    audit = audit_of(folder)
    wrong = [(name, task.disagree) for name, task in audit.tasks.items() if task.disagree]
    assert [name for name, _ in wrong] == ["distance_prediction_oo"]
    ((row_id, said, _),) = wrong[0][1]
    assert row_id == "one-distance_prediction_oo-fill-0000002" and said == "9.9"


DISTANCE = float(np.linalg.norm(np.subtract(BOXES[0][1], BOXES[1][1])))
PAIR = {"red_point": [at(0)], "blue_point": [at(1)]}
TRIPLE = {**PAIR, "green_point": [at(3)]}
BOX_PAIR = {"red_bbox": [box_of(0)], "blue_bbox": [box_of(1)]}
HOW_FAR = "What is the shortest distance from the center of trash can (red point) to storage shelf (blue point)?"
HOW_DEEP = "The trash can (red point) is 3.0 meters deep. How deep is the storage shelf (blue point)?"
SAID = f"The trash can (red point) is {DISTANCE:.1f} meters away."
WHERE = "In the image, what is the position of the trash can (red bbox) relative to the storage shelf (blue bbox)?"
RED_RIGHT = "Is the trash can (red bbox) to the right of the storage shelf (blue bbox)?"
BLUE_RIGHT = "Is the storage shelf (blue bbox) to the right of the trash can (red bbox)?"
WHICH = "Is the green point (towel) or blue point (storage shelf) {} to trash can (red point)?"
NUMBERS = f"\nA. 0.6\nB. {DISTANCE:.1f}\nC. 4.0\nD. 5.0"
SLOTS = "\nA. left, below, closer\nB. right, , closer\nC. right, , \nD. , above, "
MARKED = " A. towel (green point) B. storage shelf (blue point)"
MOVED = "move_up:0.2,move_forward:0.4,rotate_right:10,rotate_down:0"


@pytest.mark.parametrize(
    ("task", "format", "question", "answer", "marks", "agrees"),
    [
        ("distance_prediction_oo", "fill", HOW_FAR, f"{DISTANCE:.1f}", PAIR, True),
        ("distance_prediction_oo", "fill", HOW_FAR, f"{DISTANCE + 0.1:.1f}", PAIR, False),
        ("distance_prediction_oo", "select", HOW_FAR + NUMBERS, "B", PAIR, True),
        ("distance_prediction_oo", "select", HOW_FAR + NUMBERS, "C", PAIR, False),
        ("distance_prediction_oo", "sentence", HOW_FAR, SAID, PAIR, True),
        ("depth_prediction_oc", "fill", HOW_DEEP, "4.1", PAIR, True),
        ("depth_prediction_oc", "fill", HOW_DEEP, "4.4", PAIR, False),
        ("obj_spatial_relation_oo", "select", WHERE + SLOTS, "A", BOX_PAIR, True),
        ("obj_spatial_relation_oo", "select", WHERE + SLOTS, "B", BOX_PAIR, False),
        ("obj_spatial_relation_oo", "select", WHERE + SLOTS, "D", BOX_PAIR, False),
        ("obj_spatial_relation_oo", "sentence", WHERE, "It is to the left and seems closer.", BOX_PAIR, True),
        ("obj_spatial_relation_oo", "judge", RED_RIGHT, "No", BOX_PAIR, True),
        ("obj_spatial_relation_oo", "judge", BLUE_RIGHT, "Yes", BOX_PAIR, True),
        ("obj_spatial_relation_oo", "judge", BLUE_RIGHT, "No", BOX_PAIR, False),
        ("obj_count", "fill", "How many trash cans are there?", "2", {}, True),
        ("obj_count", "fill", "How many trash cans are there?", "3", {}, False),
        ("view_change_infer", "fill", "How?", "move_right:0.5," + MOVED, {}, True),
        ("view_change_infer", "fill", "How?", "move_left:0.5," + MOVED, {}, False),
        ("distance_infer_center_oo", "select", WHICH.format("farther") + MARKED, "A", TRIPLE, False),
        ("distance_infer_center_oo", "select", WHICH.format("farther") + MARKED, "B", TRIPLE, True),
        ("distance_infer_center_oo", "select", WHICH.format("closer") + MARKED, "A", TRIPLE, True),
    ],
)  # fmt: skip
def test_rows_worded_as_in_the_release(
    locator: Locator, task: str, format: str, question: str, answer: str, marks: dict[str, Any], agrees: bool
) -> None:
    assert solve(locator, task, format, question, answer, marks) == agrees


@pytest.mark.parametrize(
    ("task", "question", "answer", "marks", "reason"),
    [
        ("distance_prediction_oo", HOW_FAR.replace("shelf", "fridge"), "1.0", PAIR, "a label is not in the scene"),
        ("distance_prediction_oo", HOW_FAR, "1.0", {**PAIR, "red_point": [[20, 20]]}, "is not on an object with that"),
        # A point on the shelf that is called a trash can is no trash can.
        ("distance_prediction_oo", HOW_FAR, "1.0", {**PAIR, "red_point": [at(1)]}, "is not on an object with that"),
        ("distance_prediction_oo", HOW_FAR, "far away", PAIR, "no single number in the answer"),
        ("distance_prediction_oo", HOW_FAR, "1.0", {"red_point": [at(0)]}, "no blue mark"),
        ("obj_count", "How many fridges are there?", "1", {}, "no single label of the scene"),
    ],
)
def test_rows_that_cannot_be_traced_say_why(
    locator: Locator, task: str, question: str, answer: str, marks: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        solve(locator, task, "fill", question, answer, marks)


def test_reasons_are_counted(scans: Path, tmp_path: Path) -> None:
    images = [f"{name}.jpg" for name in ("scene0000_00/a/0", "scene0000_00/a/77", "scene9999_00/a/0")]
    turns = [{"from": "human", "value": HOW_FAR}, {"from": "gpt", "value": f"{DISTANCE:.1f}"}]
    row = {"id": "x", "conversations": turns, "type": "distance_prediction_oo", **PAIR}
    rows = [{**row, "image": [image]} for image in images]
    folder = tmp_path / "scannet" / "qa_jsonl" / "train" / "distance_prediction_oo" / "fill"
    folder.mkdir(parents=True)
    (folder / "fill_3.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = audit_of(tmp_path, f"scannet:{scans}").tasks["distance_prediction_oo"]
    assert (task.rows, task.recomputed, task.agree) == (3, 1, 1)
    assert dict(task.reasons) == {"a frame is not in the scan": 1, "the scene is in none of the sources": 1}
    with pytest.raises(SourceError, match="does not exist"):
        audit_of(tmp_path, str(tmp_path / "nowhere"))


def test_readings_differ_where_they_should() -> None:
    """A camera that looks down 30 degrees and moves along its own axis moves down in the room."""
    down = look_at(EYE, EYE + [0, np.cos(np.radians(30)), -np.sin(np.radians(30))])
    moved = down.copy()
    moved[:3, 3] += down[:3, 2]
    assert np.allclose(motion(down, moved, "camera"), [0, 0, 1, 0, 0], atol=1e-9)
    assert np.allclose(motion(down, moved, "level"), [0, -0.5, np.cos(np.radians(30)), 0, 0], atol=1e-9)
    assert Reading() == Reading("box", "level")


SURFACE = Reading(distance="surface")


@pytest.mark.parametrize(
    ("task", "question", "answer", "marks"),
    [
        # From the right side of the can (x = 2.3) to the left one of the shelf (4.1), 4.3 to 4.6 along y.
        ("distance_prediction_oo", HOW_FAR, f"{np.hypot(1.8, 0.3):.2f}", PAIR),
        # From the eye (3, 1, 1.5) to the near upper edge of the can: 0.7 m aside, 2.7 m ahead, 0.5 m down.
        ("distance_prediction_oc", "How far is the trash can (red point)?", f"{np.sqrt(0.49 + 7.29 + 0.25):.2f}", PAIR),
    ],
)
def test_distances_between_surfaces(
    locator: Locator, task: str, question: str, answer: str, marks: dict[str, Any]
) -> None:
    assert judge(locator, task, "fill", question, answer, marks, (0,), SURFACE).agrees
    assert not judge(locator, task, "fill", question, answer, marks, (0,)).agrees


@pytest.mark.heavy
def test_an_export_of_surface_distances_agrees(tmp_path: Path) -> None:
    tasks = tuple(name for name in TASKS if name.startswith("distance_"))
    config = GenerateConfig(tasks=tasks, per_scene=6, conventions=Conventions(distance="surface"))
    generate([SOURCE], tmp_path / "rows", config, workers=1)
    export_dataset(tmp_path / "rows", tmp_path / "out", "spar7m")
    audit = audit_of(tmp_path / "out", reading=SURFACE)
    assert audit.ok and audit.recomputed > 50, {name: task.disagree for name, task in audit.tasks.items()}
    assert audit.to_json()["reading"]["distance"] == "surface"
    by_centers = audit_of(tmp_path / "out")
    assert all(
        by_centers.tasks[name].agree < by_centers.tasks[name].recomputed for name in tasks if "prediction" in name
    )


def test_texts() -> None:
    assert one_number("the rj45 outlet (red point) is 2.4 meters from Object35 (in Frame-3)") == (2.4, 1)
    with pytest.raises(UnreadableError):
        one_number("between 2 and 3")
    assert slot_words("left, , farther") == {"left", "farther"}
    with pytest.raises(UnreadableError, match="contradicts"):
        slot_words("to the left and to the right")
    assert motion_parts("make camera rotate down 5 degrees and rotate left 15 degrees.") == {
        "rotate_down": (5.0, 0),
        "rotate_left": (15.0, 0),
    }
