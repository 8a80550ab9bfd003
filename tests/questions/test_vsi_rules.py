"""The rules of VSI-Bench worked out by hand, its templates, and its released answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SceneError
from spaceland.geometry.boxes import OrientedBox
from spaceland.questions import vsi_rules
from spaceland.questions.vsi_official import Official, agreement, derive, read_labels, read_questions
from spaceland.scenes.vsi import Annotation, read_meta

LEVELS = ("easy", "medium", "hard")


def box(x: float, y: float, z: float = 0.5, size: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> OrientedBox:
    return OrientedBox(np.array([x, y, z]), np.array(size), np.eye(3))


ROOM = Annotation(
    "scene0001_00",
    "scannet",
    {
        "chair": [box(0, 0), box(10, 0)],
        "bed": [box(3, 4, 0.4, (2.21, 1.0, 0.8))],
        "chair and bed": [box(0, 8)],
        "trash bin": [box(3, 0, 0.2, (0.4, 0.4, 0.4))],
        "lamp": [box(6.0, 4.0)],
    },
    {"chair": 2, "bed": 1, "chair and bed": 1, "trash bin": 1, "lamp": 3},
    17.25,
)


def asked(kind: str, text: str, answer: str = "", options: tuple[str, ...] = ()) -> Official:
    return Official("0", kind, "scene0001_00", text, options, answer)


@pytest.mark.parametrize(
    ("asked_at", "turn", "words"),
    [
        ((-1, 1), 45, ("left", "left", "front-left")),
        ((1, 1), -45, ("right", "right", "front-right")),
        ((-2, -1), 116.565, ("left", "left", "back-left")),
        ((-1, -1), 135, ("left", "back", "back-left")),
        ((1, -2), -153.435, ("right", "back", "back-right")),
    ],
)
def test_directions_seen_from_above(asked_at: tuple[float, float], turn: float, words: tuple[str, ...]) -> None:
    points = [np.array([*xy, z]) + [5.0, -3.0, 0.0] for xy, z in (((0, 0), 1.0), ((0, 2), 0.2), (asked_at, 9.0))]
    found = vsi_rules.turn_deg(*points)
    assert found == pytest.approx(turn, abs=1e-3)
    assert tuple(vsi_rules.direction(turn, level) for level in LEVELS) == words
    assert all(word in vsi_rules.direction_words(level) for word, level in zip(words, LEVELS, strict=True))


def test_nobody_turns_on_the_spot_of_a_thing() -> None:
    here, there = np.zeros(3), np.array([1.0, 0, 0])
    assert vsi_rules.turn_deg(here, here + [0, 0, 1], there) is None
    assert vsi_rules.turn_deg(here, there, here + [0, 0, 1]) is None
    assert [vsi_rules.edge_gap_deg(100, level) for level in LEVELS] == [80, 35, 10]


def test_sizes_and_distances() -> None:
    assert vsi_rules.longest_side_cm(ROOM.boxes["bed"][0]) == pytest.approx(221.0)
    assert vsi_rules.least_distance_m([box(0, 0)], [box(3, 0)]) == pytest.approx(2.0)
    assert vsi_rules.least_distance_m([box(0, 0), box(9, 0)], [box(3, 0), box(11.5, 0)]) == pytest.approx(1.5)
    ranked = vsi_rules.by_distance([box(0, 0)], {"far": [box(9, 0)], "near": [box(20, 0), box(0, 2.5)]})
    assert [label for _, label in ranked] == ["near", "far"]
    assert ranked[0][0] == pytest.approx(1.5)


DISTANCE = (
    "Measuring from the closest point of each object, what is the distance between the {} and the {} (in meters)?"
)
DIRECTION = (
    "If I am standing by the {} and facing the {}, is the {} to my left, right, or back?\nAn object is to my back."
)


def test_templates_are_read_whatever_words_the_categories_hold() -> None:
    labels = [*ROOM.boxes]
    for pair in (("chair", "trash bin"), ("chair and bed", "bed"), ("bed", "chair and bed")):
        assert read_labels(asked("object_abs_distance", DISTANCE.format(*pair)), labels) == list(pair)
    trio = ("Trash bin", "chair and bed", "lamp")
    found = read_labels(asked("object_rel_direction_medium", DIRECTION.format(*trio)), labels)
    assert found == [label.lower() for label in trio]
    assert read_labels(asked("object_counting", "How many trash bin(s) are in this room?"), labels) == ["trash bin"]
    assert read_labels(asked("object_counting", "How many bins are in this room?"), labels) is None
    assert read_labels(asked("object_abs_distance", DISTANCE.format("chair", "sofa")), labels) is None
    assert read_labels(asked("route_planning", "You are a robot."), labels) is None


def test_answers_are_derived() -> None:
    size = "What is the length of the longest dimension (length, width, or height) of the bed, measured in centimeters?"
    nearest = (
        "Measuring from the closest point of each object, which of these objects (bed, lamp) is the closest to the {}?"
    )
    for kind, text, options, expected in [
        ("object_counting", "How many lamp(s) are in this room?", (), 3),
        ("object_size_estimation", size, (), 221.0),
        ("room_size_estimation", "What is the size of this room (in square meters)? \nIf so, combine.", (), 17.25),
        ("object_abs_distance", DISTANCE.format("bed", "lamp"), (), 3 - 2.21 / 2 - 0.5),
        ("object_rel_distance", nearest.format("chair and bed"), ("bed", "lamp"), "bed"),
        ("object_rel_direction_hard", DIRECTION.format("trash bin", "bed", "lamp"), ("front-right",), "front-right"),
    ]:
        derived = derive(asked(kind, text, "", options), ROOM)
        assert derived == (expected if isinstance(expected, str) else pytest.approx(expected)), kind
    assert derive(asked("object_counting", "How many sofa(s) are in this room?"), ROOM) is None
    assert derive(asked("object_rel_distance", nearest.format("lamp"), "", ("bed", "stove")), ROOM) is None


def test_agreement_is_counted_by_type() -> None:
    text = DISTANCE.format("bed", "lamp")  # 1.395 m
    questions = [asked("object_abs_distance", text, answer) for answer in ("1.4", "1.3", "1.6", "1.9", "far")]
    questions += [asked("object_abs_distance", "How far is it?", "1.4"), asked("obj_appearance_order", "Which?", "A")]
    questions.append(Official("1", "object_counting", "elsewhere", "How many lamp(s) are in this room?", (), "3"))
    (found,) = agreement({"scene0001_00": ROOM}, questions).values()
    assert (found.total, found.agreed, found.close, found.unread) == (6, 2, 3, 1)


def test_both_packagings_are_read(tmp_path: Path) -> None:
    packed = {
        "original_question_type": "object_rel_distance", "problem": "Which?", "options": ["A. bed", "B. trash bin"],
        "solution": "<answer>B</answer>", "path": "./scannet/scene0001_00.mp4", "problem_id": 7,
    }  # fmt: skip
    released = {
        "question_type": "object_counting", "question": "How many lamp(s) are in this room?", "options": None,
        "ground_truth": "3", "scene_name": "scene0001_00", "id": 8,
    }  # fmt: skip
    (tmp_path / "q.json").write_text(json.dumps([packed, released]))
    (tmp_path / "q.jsonl").write_text(json.dumps(packed) + "\n\n" + json.dumps(released) + "\n")
    for name in ("q.json", "q.jsonl"):
        first, second = read_questions(tmp_path / name)
        assert (first.answer, first.options, first.scene, first.id) == (
            "trash bin",
            ("bed", "trash bin"),
            "scene0001_00",
            "7",
        )
        assert (second.answer, second.type, second.id) == ("3", "object_counting", "8")
    for bad, words in (({"a": 1}, "no list"), ([{"question": "x"}], "question 1"), ([3], "question 1")):
        (tmp_path / "bad.json").write_text(json.dumps(bad))
        with pytest.raises(SceneError, match=words):
            read_questions(tmp_path / "bad.json")
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(SceneError, match="cannot be read"):
        read_questions(tmp_path / "bad.jsonl")


@pytest.mark.real
def test_released_answers_follow_from_released_boxes(real_data: Path) -> None:
    rooms = read_meta(real_data / "vsibench" / "scannet_meta_info_val.json")
    found = agreement(rooms, read_questions(real_data / "vsibench" / "questions_scannet.json"))
    assert sum(one.total for one in found.values()) == 1617
    assert all(one.unread == 0 for one in found.values())
    counting, distance = found.pop("object_counting"), found.pop("object_abs_distance")
    assert counting.agreed >= 0.99 * counting.total
    assert distance.agreed >= 0.93 * distance.total and distance.close == distance.total
    assert len(found) == 6 and all(one.agreed == one.total for one in found.values())
