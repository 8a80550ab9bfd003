"""Questions in VSI-Bench's manner in a room that can be worked out with a pencil.

The camera stands in the corner (0.5, 0.5) and swings over the room of 6 m x 8 m:

    y = 7   lamp (1, 7)                       shelf (5, 7)
    y = 4               table (3, 4)
    y = 2       bin (2.2, 2.4)      box (5, 2.4)
            two chairs, at (1.4, 4.6) and (3.4, 6.6)
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.geometry.transforms import look_at
from spaceland.questions import vsi_choices, vsi_numbers, vsi_rules
from spaceland.questions.answers import ChoiceAnswer
from spaceland.questions.ask import Question, ask
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.phrasing import Deck, phrase
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import SceneVisibility, scene_visibility

THINGS = [
    ("lamp", (1.0, 7.0, 0.9), (0.4, 0.4, 1.8)),
    ("shelf", (5.0, 7.0, 1.0), (0.6, 1.0, 2.0)),
    ("table", (3.0, 4.0, 0.4), (1.21, 0.6, 0.8)),
    ("box", (5.0, 2.4, 0.3), (0.6, 0.6, 0.6)),
    ("chair", (1.4, 4.6, 0.5), (0.5, 0.5, 1.0)),
    ("chair", (3.4, 6.6, 0.5), (0.5, 0.5, 1.0)),
    ("bin", (2.2, 2.4, 0.3), (0.4, 0.4, 0.6)),
]
AT = {label: np.array(center) for label, center, _ in THINGS}
VSI = [task for task in TASKS if task.startswith("vsi_")]


def make_scene(things: list = THINGS) -> Scene:
    poses = [
        look_at(np.array([0.5, 0.5, 1.9]), np.array([0.5 + 5 * np.sin(a), 0.5 + 5 * np.cos(a), 0.5]))
        for a in np.linspace(0.0, 1.3, 32)
    ]
    return box_scene(things, poses, with_ids=True)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


@pytest.fixture(scope="module")
def seen(scene: Scene) -> SceneVisibility:
    return scene_visibility(scene)


@pytest.fixture(scope="module")
def questions(scene: Scene, seen: SceneVisibility) -> tuple[Question, ...]:
    return ask(scene, VSI, visibility=seen, per_scene=60).questions


def facts_of(scene: Scene, seen: SceneVisibility, task: str, **limits: object) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, seen, replace(AmbiguityPolicy(), **limits)))  # type: ignore[arg-type]
    return list(TASKS[task].propose(context, Random(0))), context


def by_labels(facts: list[Fact]) -> dict[tuple[str, ...], Fact]:
    return {tuple(fact.labels.values()): fact for fact in facts}


def test_numbers_are_those_of_the_boxes(scene: Scene, seen: SceneVisibility) -> None:
    (count,), context = facts_of(scene, seen, "vsi_object_counting")
    assert (count.labels, count.answer.text) == ({"counted": "chair"}, "2")
    assert context.rejections["count outside the limits"] == 5
    sizes = by_labels(facts_of(scene, seen, "vsi_object_size_estimation")[0])
    assert {labels: fact.answer.text for labels, fact in sizes.items()} == {
        ("lamp",): "180", ("shelf",): "200", ("table",): "121", ("box",): "60", ("bin",): "60",
    }  # fmt: skip
    (room,), _ = facts_of(scene, seen, "vsi_room_size_estimation")
    assert room.answer.text == "48.0"
    distances = {frozenset(k): f for k, f in by_labels(facts_of(scene, seen, "vsi_object_abs_distance")[0]).items()}
    assert distances[frozenset({"lamp", "shelf"})].answer.text == "3.5"  # 4 - 0.2 - 0.3
    gap = np.hypot(5.0 - 0.3 - 3.605, 4.0 - 0.3 - 2.7)
    assert distances[frozenset({"table", "box"})].answer.text == f"{gap:.1f}"
    assert not any("chair" in pair for pair in distances)


def test_number_limits(scene: Scene, seen: SceneVisibility) -> None:
    assert facts_of(scene, seen, "vsi_object_counting", vsi_min_count=3)[0] == []
    few, context = facts_of(scene, seen, "vsi_object_size_estimation", vsi_min_size_m=1.0)
    assert {fact.labels["red"] for fact in few} == {"lamp", "shelf", "table"}
    assert context.rejections["too small to be measured"] == 2
    far, context = facts_of(scene, seen, "vsi_object_abs_distance", vsi_min_distance_m=2.0)
    assert far and all(fact.values["distance_m"] >= 2.0 for fact in far)
    assert context.rejections["too near to each other"] > 0
    assert vsi_numbers._between_two(1.45, 0.1) and vsi_numbers._between_two(60.5, 1.0)
    assert not vsi_numbers._between_two(1.44, 0.1) and not vsi_numbers._between_two(1.5, 0.1)


def test_a_room_without_outline_is_measured_and_one_of_given_area_taken(scene: Scene, seen: SceneVisibility) -> None:
    (measured,), _ = facts_of(replace(scene, room=None), seen, "vsi_room_size_estimation")
    assert measured.params["floor"] == "measured on the surface"
    assert float(measured.answer.text) == pytest.approx(48.0, rel=0.05)
    assert scene.room is not None
    told = replace(scene, room=replace(scene.room, floor_polygon=np.zeros((0, 2)), area_m2=17.25))
    (given,), _ = facts_of(told, seen, "vsi_room_size_estimation")
    assert (given.answer.text, given.params["floor"]) == ("17.2", "given by the source")
    nothing = replace(scene, room=None, surface=None)
    facts, context = facts_of(nothing, seen, "vsi_room_size_estimation")
    assert not facts and context.rejections == {"floor unknown: no surface": 1}


def test_the_nearest_of_four(scene: Scene, seen: SceneVisibility) -> None:
    facts, _ = facts_of(scene, seen, "vsi_object_rel_distance")
    boxes = {thing.label: thing.box for thing in scene.objects}
    for fact in facts:
        others = {fact.labels[role]: [boxes[fact.labels[role]]] for role in vsi_choices.CHOICES}
        (nearest, label), (second, _), *_ = vsi_rules.by_distance([boxes[fact.labels["red"]]], others)
        assert isinstance(fact.answer, ChoiceAnswer) and fact.answer.text == label
        assert second - nearest >= 0.2 and second >= 1.1 * nearest
    assert {fact.labels["red"]: fact.answer.text for fact in facts}["lamp"] == "table"
    strict, _ = facts_of(scene, seen, "vsi_object_rel_distance", tie_margin_m=1.2)
    assert len(strict) < len(facts)


def test_what_touches_is_too_easy_a_nearest(scene: Scene, seen: SceneVisibility) -> None:
    assert all(min(f.values["distances_m"]) >= 0.3 for f in facts_of(scene, seen, "vsi_object_rel_distance")[0])
    # Table and shelf are the lamp's nearest things: none of the four may be within three metres of the fifth.
    far, context = facts_of(scene, seen, "vsi_object_rel_distance", vsi_min_distance_m=3.0)
    assert all(min(fact.values["distances_m"]) >= 3.0 for fact in far)
    assert context.rejections["too near to each other"] > 0


def test_distances_are_those_of_boxes() -> None:
    for wording in (vsi_numbers.VSI_DISTANCE, vsi_choices.VSI_NEAREST):
        assert not callable(wording.notes)
        assert all("boxes around them" in note and "surface" not in note for note in wording.notes)


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_directions_are_told_to_one_person_and_plurals_agree(level: str) -> None:
    wording = TASKS[f"vsi_object_rel_direction_{level}"].wording
    labels = {"green": "sofa", "blue": "lamp", "red": "curtains"}
    fields = wording.fields(Fact("", ("a",), {}, labels, ChoiceAnswer("red", "")))
    assert not callable(wording.notes)
    for text in (*(stem.format(**fields) for stem in wording.stems["*"]), *wording.notes):
        assert "is the curtains" not in text
        assert not re.search(r"\b(somebody|someone|they|them|one has)\b", text)


@pytest.mark.parametrize(("level", "expected"), [("easy", "right"), ("medium", "right"), ("hard", "back-right")])
def test_directions(scene: Scene, seen: SceneVisibility, level: str, expected: str) -> None:
    facts, _ = facts_of(scene, seen, f"vsi_object_rel_direction_{level}")
    found = by_labels(facts)
    # At the table, facing the lamp to the north-west: the box is to the south-east, a little to the right of behind.
    turn = vsi_rules.turn_deg(AT["table"], AT["lamp"], AT["box"])
    assert turn == pytest.approx(-(180 - np.degrees(np.arctan2(3, 2) - np.arctan2(1.6, 2))), abs=1e-6)
    if level == "medium":
        expected = "back" if abs(turn) >= 135 else expected
    assert found["table", "lamp", "box"].answer.text == expected
    for fact in facts:
        assert vsi_rules.edge_gap_deg(fact.values["turn_left_deg"], level) >= 12.0  # type: ignore[arg-type]
    strict, context = facts_of(scene, seen, f"vsi_object_rel_direction_{level}", min_axis_angle_deg=30.0)
    assert len(strict) < len(facts) and context.rejections["direction unclear"] > 0
    near, context = facts_of(scene, seen, f"vsi_object_rel_direction_{level}", min_facing_distance_m=3.0)
    assert len(near) < len(facts) and context.rejections["faced object too near"] > 0


def test_answers_are_in_the_form_of_vsi_bench(questions: tuple[Question, ...]) -> None:
    forms = {
        "vsi_object_counting": r"\d+", "vsi_object_size_estimation": r"\d+",
        "vsi_room_size_estimation": r"\d+\.\d", "vsi_object_abs_distance": r"\d+\.\d",
    }  # fmt: skip
    words = {"easy": {"left", "right"}, "medium": {"left", "right", "back"}}
    words["hard"] = {"front-left", "front-right", "back-left", "back-right"}
    for row in questions:
        assert not row.marks and len(row.frames) == 32
        if row.task in forms:
            assert row.options is None and re.fullmatch(forms[row.task], row.answer)
            continue
        assert row.options is not None and row.answer in "ABCD"[: len(row.options)]
        level = row.task.rsplit("_", 1)[-1]
        if level in words:
            assert set(row.options) == words[level]
    told = {(row.task, row.answer) for row in questions}
    assert {answer for task, answer in told if task.endswith("_medium")} == set("ABC")


def test_options_of_an_order_are_four_orders(scene: Scene) -> None:
    labels = dict(zip(("red", "blue", "green", "yellow"), ("lamp", "bin", "box", "shelf"), strict=True))
    from spaceland.questions.answers import OrderAnswer

    answer = OrderAnswer(("box", "lamp", "bin", "shelf"))
    fact = Fact("vsi_obj_appearance_order", ("a",), {}, labels, answer, values={"first_frames": [3, 9, 1, 20]})
    rng = Random(1)
    letters = Deck(4, rng)
    for _ in range(8):
        phrased = phrase(fact, "select", vsi_choices.VSI_ORDER, rng, letters, Deck(2, rng))
        assert phrased is not None and phrased.options is not None
        assert phrased.options["ABCD".index(phrased.answer)] == "box, lamp, bin, shelf"
        assert {tuple(sorted(option.split(", "))) for option in phrased.options} == {("bin", "box", "lamp", "shelf")}
        assert len(set(phrased.options)) == 4


def test_labels_that_are_lists_are_no_options(seen: SceneVisibility, scene: Scene) -> None:
    things = tuple(replace(thing, label=thing.label.replace("bin", "bin, red")) for thing in scene.objects)
    facts, context = facts_of(replace(scene, objects=things), seen, "vsi_object_rel_distance")
    assert context.rejections["label holds a comma"] > 0
    assert all("bin, red" not in [fact.labels[role] for role in vsi_choices.CHOICES] for fact in facts)


def test_a_nearest_thing_that_is_too_near_is_no_answer(scene: Scene, seen: SceneVisibility) -> None:
    question = ask(scene, ["vsi_object_rel_distance"], visibility=seen, per_scene=1).questions[0]
    row, checker = json.loads(dump_row(to_row(question))), SceneChecker(scene)
    assert checker.problems(row) == []
    row["facts"]["params"]["vsi_min_distance_m"] = min(row["facts"]["values"]["distances_m"]) + 0.01
    assert any("the nearest is" in problem for problem in checker.problems(row))
