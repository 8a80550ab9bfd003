"""Rows that hold are verified, whatever the scene knows; anything changed in a row is found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from verify_rows import BOXES, HOSTILE, Row, changed, kinds_of_rows, leaves, one, room, rows, rows_of

from spaceland.scenes.scene import normalise_label
from spaceland.verify.checker import SceneChecker
from spaceland.verify.rows import RULES

CHECKER = SceneChecker(room())
MAY_CHANGE = ("does not show", "what is seen", "does not see", "is in the way", "no free spot", "on that side as well")
ONE_ROW = ("room_size", "vsi_room_size_estimation", "vsi_object_counting")
FORMATS = [(task, form) for task, rules in RULES.items() for form in rules.formats]


@pytest.mark.parametrize(
    "kind", ["ids", "depth", *(pytest.param(k, marks=pytest.mark.heavy) for k in ("mesh", "bare mesh", "points"))]
)
def test_rows_hold_in_every_kind_of_scene(kind: str) -> None:
    checker = SceneChecker(room(kind))
    made = rows(kind)
    assert {row["id"]: problems for row in made if (problems := checker.problems(row))} == {}
    # Points so far apart make no even floor.
    unasked = {("free_space_point", "select")} if kind == "points" else set()
    assert {(row["task"], row["format"]) for row in made} == set(FORMATS) - unasked
    assert bool(checker.skipped) == (kind == "points")


def test_measured_depth_with_holes_and_noise_does_no_harm() -> None:
    rng = np.random.default_rng(0)
    scene = room("depth")

    def noisy(depth: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            values = depth() * rng.normal(1, 0.004, depth().shape)
            values[rng.random(values.shape) < 0.1] = 0
            values[0, 0] = np.nan
            return values.astype(np.float32)

        return read

    frames = tuple(replace(frame, depth=noisy(frame.depth)) for frame in scene.frames if frame.depth)
    checker = SceneChecker(replace(scene, frames=frames, geometry="measured"))
    assert [checker.problems(row) for row in rows("depth") if checker.problems(row)] == []


def test_hostile_labels_are_read_rightly() -> None:
    labels = tuple(normalise_label(label) for label in HOSTILE[: len(BOXES)])
    for chosen in (labels, tuple(normalise_label(label) for label in HOSTILE[-len(BOXES) :])):
        checker = SceneChecker(room("ids", chosen))
        assert {row["id"]: p for row in rows("ids", chosen) if (p := checker.problems(row))} == {}


OTHER_WORD = {
    "left": "right", "right": "left", "above": "below", "below": "above", "closer": "farther", "farther": "closer",
    "front": "behind", "behind": "front", "up": "down", "down": "up", "forward": "backward", "backward": "forward",
}  # fmt: skip


def spoiled_answers(row: Row) -> list[str]:
    """Other answers of the same form."""
    answer, form = row["answer"], row["format"]
    if form == "select":
        return [letter for letter in "ABCDE" if letter != answer]
    if form == "judge":
        return ["No" if answer == "Yes" else "Yes", "Maybe"]
    spoiled = [
        answer[: m.start()] + f"{float(m.group()) + 0.1:.1f}" + answer[m.end() :]
        for m in re.finditer(r"(?<![\w.])\d+\.\d", answer)
    ]
    # Turns are told in steps of five degrees; half-way between two both are right.
    more = 10 if row["facts"]["kind"] == "motion" else 5
    spoiled += [
        answer[: m.start()] + str(int(m.group()) + more) + answer[m.end() :]
        for m in re.finditer(r"(?<![\w.])\d+(?![\w.]*\d|\w)", answer)
    ]
    words = re.compile(rf"(?<![a-z])({'|'.join(OTHER_WORD)})(?![a-z])")
    for m in words.finditer(answer):
        if re.match(r":0(\.0)?(,|$)", answer[m.end() :]) is None or row["facts"]["kind"] == "motion":
            spoiled.append(answer[: m.start()] + OTHER_WORD[m.group()] + answer[m.end() :])
    if row["facts"]["kind"] in ("choice", "found"):
        # Another object or image, and in sentences the other direction.
        pairs = [("green", "blue"), ("red", "green"), ("blue", "red"), ("first", "second"), ("third", "first")]
        pairs += [("closer to", "farther from"), ("closest to", "farthest from")]
        for a, b in [*pairs, *(pair[::-1] for pair in pairs)]:
            other = re.sub(rf"\b{a}\b", b, answer)
            spoiled += [other] if other != answer else []
        spoiled.append(answer.replace("]", ", 5]") if "]" in answer else answer.replace("point", "box"))
    if row["facts"]["kind"] == "order":
        names = row["facts"]["value"]
        for a, b in ((names[0], names[1]), (names[1], names[2]), (names[2], names[3])):
            spoiled.append(answer.replace(a, "\ue010").replace(b, a).replace("\ue010", b))
    if row["facts"]["kind"] == "relation":
        spoiled.append(answer + " It is also to the left." if " left" not in answer else answer + " And to the right.")
    return [other for other in spoiled if other != answer]


@pytest.mark.parametrize(("task", "form"), FORMATS)
def test_every_changed_answer_is_found(task: str, form: str) -> None:
    tried = 0
    for row in rows_of(task, form):
        assert CHECKER.problems(row) == []
        for answer in spoiled_answers(row):
            assert CHECKER.problems({**row, "answer": answer}), (row["answer"], answer)
            tried += 1
    assert tried >= (1 if task in ONE_ROW else 3)


# No answer depends on these, or (ids, images, evidence pixels) they have tests of their own.
FREE = {"id", "images", "template", "seed", "version", "size", "other_boxes", "other_points", "other_places", "seen_at"}
LIMITS = {"side", "height", "range", "plane", "before_side", "min_depth_gap_m", "min_distance_m", "max_roll_deg"}
LIMITS |= {"min_camera_depth_m", "camera_clearance_m", "seen_fraction", "unseen_area_share", "path_straight_m", "turn"}


def other_values(value: Any) -> list[Any]:
    """Values near a leaf's own, which its type allows."""
    if value is None:
        return ["m", 1]
    if isinstance(value, str):
        return [value + "x", "", "\ue000"]
    if isinstance(value, float):
        return [value + 0.05, value - 0.05, -value if abs(value) > 0.05 else 1.0]
    return [value + 77, -1]


@pytest.mark.parametrize("row", kinds_of_rows(), ids=lambda row: f"{row['task']}-{row['format']}")
def test_every_value_of_a_row_matters(row: Row) -> None:
    missed = []
    for path, value in leaves(row):
        if FREE & set(path) or (path[0] == "facts" and path[1] == "params"):
            continue
        # Words may be added that say nothing wrong.
        if path in (("answer",), ("question",)) and row["format"] != "fill":
            continue
        for other in other_values(value):
            if other == value or (path == ("question",) and other):
                continue
            if not CHECKER.problems(changed(row, path, other)):
                missed.append((path, value, other))
    # A mark may be moved within its object, which is checked below with larger steps.
    assert [m for m in missed if m[0][0] != "marks"] == []


@pytest.mark.parametrize("row", kinds_of_rows(), ids=lambda row: f"{row['task']}-{row['format']}")
def test_junk_anywhere_is_found_and_breaks_nothing(row: Row) -> None:
    for path, _ in leaves(row):
        if isinstance(path[-1], int) and path[-1] > 3:
            continue  # one of 32 frames is like another
        for junk in (None, [], {}, True, math.nan, math.inf, 10**400, -1, "", "x" * 5000, ["\ud800"], {"a": [None]}):
            problems = CHECKER.problems(changed(row, path, junk))
            assert isinstance(problems, list)
    for key in row:
        assert isinstance(CHECKER.problems({k: v for k, v in row.items() if k != key}), list)
    for junk in (None, [], "row", 3, {}):
        assert CHECKER.problems(junk)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_thresholds_are_those_of_the_dataset(name: str) -> None:
    from dataclasses import asdict

    from spaceland.questions.policy import AmbiguityPolicy

    checker = SceneChecker(room(), config={"policy": asdict(AmbiguityPolicy())})
    row = next(row for row in rows() if name in row["facts"]["params"])
    assert checker.problems(row) == []
    value = row["facts"]["params"][name]
    other = [v / 10 for v in value] if isinstance(value, list) else value / 10
    assert any("setting" in p for p in checker.problems(changed(row, ("facts", "params", name), other)))


@pytest.mark.parametrize(
    "kind", ["ids", "depth", *(pytest.param(k, marks=pytest.mark.heavy) for k in ("mesh", "bare mesh"))]
)
def test_moved_marks_are_found(kind: str) -> None:
    checker, tried, found = SceneChecker(room(kind)), 0, 0
    for row in rows(kind):
        for k, mark in enumerate(row["marks"]):
            if mark["shape"] == "point":
                other = [1000 - mark["xy"][0], 1000 - mark["xy"][1]]
            else:
                shift = 150 if mark["xy"][2] <= 850 else -150
                other = [v + (shift if n % 2 == 0 else 0) for n, v in enumerate(mark["xy"])]
                if min(other) < 0:
                    continue
            tried += 1
            found += bool(checker.problems(changed(row, ("marks", k, "xy"), other)))
    # A point's mirror place may show the same object by chance, a box beside its place may be within bounds by none.
    assert tried > 100 and found / tried > 0.97


@pytest.mark.parametrize(
    "kind", ["ids", "depth", *(pytest.param(k, marks=pytest.mark.heavy) for k in ("mesh", "bare mesh"))]
)
def test_another_object_under_the_mark_is_found(kind: str) -> None:
    checker = SceneChecker(room(kind))
    for row in rows(kind):
        if row["task"] == "distance_prediction_oo":
            a, b = row["marks"]
            exchanged = {**row, "marks": [{**a, "xy": b["xy"]}, {**b, "xy": a["xy"]}]}
            assert any("does not show object" in p for p in checker.problems(exchanged))


def test_marks_must_be_those_of_the_question() -> None:
    row = one("depth_prediction_oc", "fill")
    red, blue = row["marks"]
    assert CHECKER.problems({**row, "marks": [red]})
    assert CHECKER.problems({**row, "marks": [red, blue, {**blue, "color": "green"}]})
    assert CHECKER.problems({**row, "marks": [{**red, "color": "blue"}, {**blue, "color": "red"}]})
    assert CHECKER.problems({**row, "marks": [{**red, "object_id": blue["object_id"]}, blue]})


@pytest.mark.parametrize("task", [task for task, rules in RULES.items() if len(rules.roles) > 1 and rules.mark_shape])
def test_exchanged_colours_in_the_question_are_found(task: str) -> None:
    for row in rows():
        if row["task"] == task and not task.startswith("distance_prediction_oo"):
            a, b = row["marks"][0], row["marks"][1]
            names = [f"{row['facts']['labels'][m['color']]} ({m['color']} " for m in (a, b)]
            text = row["question"].replace(names[0], "\ue010").replace(names[1], names[0]).replace("\ue010", names[1])
            assert CHECKER.problems({**row, "question": text}), text


def test_a_wrong_given_depth_is_found() -> None:
    for row in rows():
        if row["task"] == "depth_prediction_oc":
            given = f"{row['facts']['values']['given_depth_m']:.1f}"
            other = f"{float(given) + 0.2:.1f}"
            assert any(
                "depth in the question" in p
                for p in CHECKER.problems({**row, "question": row["question"].replace(given, other, 1)})
            )


def test_exchanged_options_are_found() -> None:
    for row in rows():
        if row["format"] != "select":
            continue
        turned = [*row["options"][1:], row["options"][0]]
        stem = row["question"].split("\n")[0]
        letters = "ABCD"[: len(turned)]
        text = stem + "".join(f"\n{letter}. {option}" for letter, option in zip(letters, turned, strict=True))
        assert CHECKER.problems({**row, "options": turned})
        assert CHECKER.problems({**row, "question": text})
        assert CHECKER.problems({**row, "options": turned, "question": text})
        double = [row["options"][0]] * len(turned)
        text = stem + "".join(f"\n{letter}. {option}" for letter, option in zip(letters, double, strict=True))
        assert CHECKER.problems({**row, "options": double, "question": text, "answer": "A"})


@pytest.mark.parametrize("moved", [0, 1, 4])
def test_a_moved_object_spoils_its_rows_and_no_other_facts(moved: int) -> None:
    checker = SceneChecker(room("ids", (), moved))
    about = 0
    for row in rows():
        problems = checker.problems(row)
        if moved in row["facts"]["objects"].values():
            about += 1
            assert any("centre of" in p for p in problems)
        else:
            # What moved may now hide a mark or stand in the way, but no number changes.
            assert all(any(words in p for words in MAY_CHANGE) for p in problems)
    assert about > 10


@pytest.mark.parametrize("task", ["depth_prediction_oc", "position_matching", "obj_count"])
def test_another_label_in_the_scene_is_found(task: str) -> None:
    scene = room()
    renamed = replace(scene, objects=tuple(replace(thing, label="sofa") for thing in scene.objects))
    checker = SceneChecker(renamed)
    assert all(checker.problems(row) for row in rows() if row["task"] == task)


def test_a_chair_too_many_is_found() -> None:
    scene = room()
    extra = replace(scene.objects[0], id=99)
    checker = SceneChecker(replace(scene, objects=(*scene.objects, extra)))
    counted = [row for row in rows() if row["facts"]["labels"].get("counted") == "chair"]
    assert counted and all("facts.objects" in checker.problems(row)[0] for row in counted)


def test_evidence_of_a_count_is_looked_at() -> None:
    for row in rows():
        if row["task"] == "obj_count":
            for thing, (frame_id, x, y) in row["facts"]["values"]["seen_at"].items():
                for other in ([frame_id, 1000 - x, 1000 - y], ["000099", x, y], [frame_id, x], [frame_id, x, 1001]):
                    spoiled = changed(row, ("facts", "values", "seen_at", thing), other)
                    assert CHECKER.problems(spoiled), other


def test_another_floor_is_found() -> None:
    scene = room()
    assert scene.room is not None
    smaller = replace(scene, room=replace(scene.room, floor_polygon=scene.room.floor_polygon * 0.99))
    for changed_scene in (smaller, replace(scene, room=None)):
        checker = SceneChecker(changed_scene)
        assert all(checker.problems(row) for row in rows() if row["task"] == "room_size")


def test_exchanged_frames_are_found() -> None:
    for row in rows():
        if len(row["images"]) == 2:
            frames = row["facts"]["frames"][::-1]
            assert CHECKER.problems({**row, "images": row["images"][::-1]})
            assert CHECKER.problems({**row, "images": row["images"][::-1], "facts": {**row["facts"], "frames": frames}})


def test_unclear_facts_are_refused_even_when_consistent() -> None:
    row = one("obj_spatial_relation_oo", "select")
    wide = [abs(row["facts"]["values"]["above_m"]) + 0.5, 0.9]
    assert any(
        "too near" in p or "margin" in p for p in CHECKER.problems(changed(row, ("facts", "params", "side"), wide))
    )


@pytest.mark.parametrize("task", ["spatial_imagination_oc_video_hard", "vsi_object_abs_distance"])
def test_a_label_in_which_another_one_ends_is_found(task: str) -> None:
    scene, row = room(), next(row for row in rows() if row["task"] == task)
    asked = set(row["facts"]["objects"].values())
    label = row["facts"]["labels"]["red"]
    other = next(thing.id for thing in scene.objects if thing.id not in asked)
    things = tuple(replace(thing, label=f"big {label}") if thing.id == other else thing for thing in scene.objects)
    assert any("is the end of another one" in p for p in SceneChecker(replace(scene, objects=things)).problems(row))


@pytest.mark.parametrize("task", ["spatial_imagination_oc", "spatial_imagination_oo"])
def test_nobody_stands_on_what_is_asked_about(task: str) -> None:
    row = changed(one(task, "select"), ("facts", "params", "min_imagined_distance_m"), 50.0)
    assert any("from the imagined place, less than 50 m" in p for p in CHECKER.problems(row))
