"""Words, options and letters: every task in every format, read as a user of the rows would."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from walked import walked_scene

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import MotionAnswer
from spaceland.questions.ask import Question, ask
from spaceland.questions.language import counted, is_plural, join_words, plural, with_article
from spaceland.questions.marks import COLORS, Mark, draw_marks
from spaceland.questions.matching import box_options
from spaceland.questions.phrasing import FORMATS, Deck, number_options
from spaceland.questions.relation import relation_options
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene

VSI_WALKED = ("vsi_obj_appearance_order", "vsi_route_planning", "vsi_object_rel_distance")
TASK_FORMATS = [(task.name, format) for task in TASKS.values() for format in task.formats]


@pytest.fixture(scope="module")
def scene() -> Scene:
    poses = [
        look_at(
            np.array([1.2 + 0.1 * k, 1.0 + 0.4 * np.sin(k), 1.5]), np.array([3.0 + 2.8 * np.sin(1.1 * k), 5.5, 1.0])
        )
        for k in range(32)
    ]
    things = [
        ("chair", (2.0, 4.2, 0.5), (0.5, 0.5, 1.0)),
        ("table", (3.4, 5.2, 0.4), (1.2, 0.6, 0.8)),
        ("lamp", (1.4, 6.0, 0.9), (0.3, 0.3, 1.8)),
        ("chair", (4.7, 6.3, 0.5), (0.5, 0.5, 1.0)),
        ("shelf", (2.6, 7.6, 1.0), (1.0, 0.4, 2.0)),
        ("umbrella", (4.8, 7.7, 1.7), (0.6, 0.2, 0.6)),
        ("vase", (5.6, 5.6, 1.4), (0.3, 0.3, 0.4)),
        ("clock", (0.5, 5.2, 1.6), (0.3, 0.3, 0.3)),
    ]
    return box_scene(things, poses, with_ids=True)


@pytest.fixture(scope="module")
def questions(scene: Scene) -> tuple[Question, ...]:
    walked = ask(walked_scene(), ["appearance_order", "nav_video", "obj_frame_locate", *VSI_WALKED]).questions
    return ask(scene, per_scene=60).questions + walked


@pytest.mark.parametrize(("task", "format"), TASK_FORMATS)
def test_at_least_six_phrasings(task: str, format: str) -> None:
    wording = TASKS[task].wording
    stems = wording.stems.get(format) or wording.stems["*"]
    assert len(set(stems)) == len(stems) >= 6
    if format == "sentence":
        assert len(set(wording.sentences)) == len(wording.sentences) >= 6


@pytest.mark.parametrize(("task", "format"), TASK_FORMATS)
def test_every_format_is_asked_and_reads_well(questions: tuple[Question, ...], task: str, format: str) -> None:
    rows = [q for q in questions if (q.task, q.format) == (task, format)]
    assert rows
    for row in rows:
        assert "{" not in row.question + (row.answer if row.facts["kind"] not in ("box3d", "boxes3d") else "")
        assert "  " not in row.question + row.answer
        assert row.question[0].isupper() or row.question[0].isdigit()
        assert not re.search(r"\ba (umbrella|[aeio])", row.question)
        if format == "select":
            assert row.options is not None
            one_turn = task == "vsi_route_planning" and len(row.facts["value"]) == 1
            letters = "ABCD"[: 3 if one_turn else TASKS[task].wording.num_options]
            assert row.answer in letters
            for letter, option in zip(letters, row.options, strict=True):
                assert f"\n{letter}. {option}" in row.question
            assert len(set(row.options)) == len(letters)
        else:
            assert row.options is None
        if format == "judge":
            assert row.answer in ("Yes", "No")
        if format == "sentence":
            assert row.answer[0].isupper()
            assert row.answer.endswith(".")


def test_named_colours_are_the_marks_and_the_drawn_colours(questions: tuple[Question, ...]) -> None:
    for row in questions:
        said = set(re.findall(r"\((\w+ (?:point|bounding box))\)|\b(\w+ bounding box) in the first", row.question))
        names = {a or b for a, b in said}
        assert names <= {mark.name for mark in row.marks}, row.question
    blank = np.zeros((240, 320, 3), np.uint8)
    # One mark of each look; boxes around the whole image are drawn along its border.
    marks = {(mark.color, mark.shape, mark.xy == (0, 0, 1000, 1000)): mark for row in questions for mark in row.marks}
    for mark in [*marks.values(), Mark("red", "bbox", 0, 0, (0, 0, 1000, 1000), 0.006)]:
        drawn = draw_marks(blank, [mark])
        assert (drawn == COLORS[mark.color]).all(-1).sum() > 8
        others = [color for name, color in COLORS.items() if name != mark.color]
        assert not any((drawn == color).all(-1).any() for color in others)


def test_letters_and_verdicts_are_balanced(questions: tuple[Question, ...]) -> None:
    for task, format in TASK_FORMATS:
        answers = Counter(q.answer for q in questions if (q.task, q.format) == (task, format))
        total = sum(answers.values())
        letters = "ABCD"[: TASKS[task].wording.num_options]
        if format == "select" and total >= 12:
            assert max(answers.values()) - min(answers[letter] for letter in letters) <= 2 + total // 20
        if format == "judge":
            assert abs(answers["Yes"] - answers["No"]) <= 1


def test_same_seed_same_questions_other_seed_others(scene: Scene) -> None:
    first, again, other = (ask(scene, per_scene=5, seed=seed).questions for seed in (3, 3, 4))
    assert first == again
    assert first != other
    alone = ask(scene, ["view_change_infer"], per_scene=5, seed=3).questions
    assert alone == tuple(q for q in first if q.task == "view_change_infer")


def test_per_scene_counts_facts_of_each_task(scene: Scene) -> None:
    asked = ask(scene, ["distance_prediction_oo", "obj_count"], per_scene=2).questions
    assert Counter(q.task for q in asked) == {"distance_prediction_oo": 2 * 3, "obj_count": 2 * 2}
    assert ask(scene, per_scene=0).questions == ()


def test_ids_are_distinct_and_no_fact_is_asked_twice(questions: tuple[Question, ...]) -> None:
    assert len({q.id for q in questions}) == len(questions)
    keys = [(q.task, q.format, q.frames, q.marks, q.facts["objects"]) for q in questions]
    assert len({repr(key) for key in keys}) == len(keys)


def test_labels_of_users_are_only_ever_text(scene: Scene) -> None:
    hostile = "{given} <b>A. 3.0</b>"
    things = tuple(replace(thing, label=hostile) if thing.id == 2 else thing for thing in scene.objects)
    asked = ask(replace(scene, objects=things), ["depth_prediction_oc", "obj_count"], per_scene=40).questions
    about = [q for q in asked if 2 in {mark.object_id for mark in q.marks}]
    assert about
    assert all(hostile in q.question for q in about)
    assert all(re.fullmatch(r"\d+\.\d|[ABCD]|[A-Z].*\.", q.answer) for q in asked if q.task == "depth_prediction_oc")


@pytest.mark.parametrize("place", range(4))
def test_number_options_hold_the_answer_at_its_place(place: int) -> None:
    rng = Random(place)
    for _ in range(300):
        value = rng.uniform(0.3, 9.0)
        options = number_options(value, place, rng)
        if options is None:
            assert value < 1.6
            continue
        numbers = [float(text) for text in options]
        assert options[place] == f"{value:.1f}"
        assert numbers == sorted(numbers)
        assert min(b - a for a, b in pairwise(numbers)) >= 0.1 - 1e-9
        assert numbers[0] >= 0.1


def test_relation_options_differ_and_keep_the_shape_of_the_answer() -> None:
    axes = (("left", "right"), ("below", "above"), ("farther", "closer"))
    rng = Random(0)
    for right in [("left", "above", "closer"), ("left", "", "closer"), ("", "", "closer"), ("", "below", "")]:
        for place in range(4):
            options = relation_options(right, axes, place, rng)
            assert options is not None
            assert options[place] == ", ".join(right)
            assert len(set(options)) == 4
            if sum(map(bool, right)) > 1:
                slots = [o.split(", ") for o in options]
                assert all([bool(word) for word in said] == [bool(word) for word in right] for said in slots)
                # Whoever takes in each slot what most options say knows nothing: two slots vary, two by two.
                shares = [Counter(words) for words in zip(*slots, strict=True)]
                assert sorted(max(share.values()) for share in shares) == [2, 2, 4]


@pytest.mark.parametrize("right", [("left", "", ""), ("", "below", ""), ("", "", "closer")])
def test_no_single_pair_of_options_gives_a_relation_away(right: tuple[str, str, str]) -> None:
    axes = (("left", "right"), ("below", "above"), ("farther", "closer"))
    opposite = {a: b for pair in axes for a, b in (pair, pair[::-1])}
    told, rng, filled = next(k for k in range(3) if right[k]), Random(0), Counter()
    for n in range(200):
        options = relation_options(right, axes, n % 4, rng)
        assert options is not None and options[n % 4] == ", ".join(right)
        triples = {tuple(option.split(", ")) for option in options}
        assert len(triples) == 4
        # Two options mirror each other on the told slot twice: none of the pairs stands out.
        mirrored = [(*t[:told], opposite.get(t[told], ""), *t[told + 1 :]) for t in triples]
        assert all(t[told] for t in triples) and set(mirrored) == triples
        others = [k for k in range(3) if k != told and any(t[k] for t in triples)]
        assert len(others) == 1 and Counter(t[others[0]] for t in triples)[""] == 2
        filled[others[0]] += 1
    assert len(filled) == 2
    assert relation_options(("", "", ""), axes, 0, rng) is None


def test_box_options_are_clearly_apart_and_inside_the_image() -> None:
    rng = Random(0)
    for _ in range(100):
        x, y, w, h = rng.randint(0, 700), rng.randint(0, 700), rng.randint(20, 300), rng.randint(20, 300)
        right = x, y, x + w, y + h
        place = rng.randrange(4)
        options = box_options(right, [[0, 0, 300, 300], [500, 500, 1000, 1000]], place, rng)
        assert options is not None
        assert options[place] == f"[{x}, {y}, {x + w}, {y + h}]"
        boxes = [tuple(map(int, re.findall(r"\d+", text))) for text in options]
        assert all(0 <= v <= 1000 for box in boxes for v in box)
        assert all(box[0] < box[2] and box[1] < box[3] for box in boxes)


def test_a_deck_is_even_after_every_round() -> None:
    deck = Deck(4, Random(1))
    cards = [deck.deal() for _ in range(40)]
    assert all(sorted(cards[k : k + 4]) == [0, 1, 2, 3] for k in range(0, 40, 4))
    assert cards[:4] != cards[4:8] or cards[4:8] != cards[8:12]


def test_motion_text_names_zero_by_the_first_direction() -> None:
    text = MotionAnswer(-0.04, -0.26, -1.0, 2.4, -87.5).text
    assert text == "move_right:0.0,move_down:0.3,move_backward:1.0,rotate_up:0,rotate_left:90"


def test_english() -> None:
    assert [with_article(x) for x in ("oven", "unicycle", "hour glass", "curtains")] == [
        "an oven", "a unicycle", "an hour glass", "curtains",
    ]  # fmt: skip
    assert [plural(x) for x in ("shelf", "toy", "box", "roll of paper", "glass", "tv")] == [
        "shelves", "toys", "boxes", "rolls of paper", "glasses", "tvs",
    ]  # fmt: skip
    assert [counted("box", n) for n in (0, 1, 2)] == ["0 boxes", "1 box", "2 boxes"]
    assert is_plural("office chairs")
    assert join_words(["a", "b", "c"]) == "a, b and c"


def test_a_mark_survives_json() -> None:
    mark = Mark("green", "bbox", 7, 1, (10, 20, 300, 400), 0.006)
    assert Mark.from_json(mark.to_json()) == mark
    assert FORMATS == ("fill", "select", "judge", "sentence")
