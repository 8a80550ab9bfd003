"""ScanAlign's rules: which proposals stand for which objects, and what questions and answers read like."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SourceError
from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.scanalign.annotations import (
    Annotation,
    read_multi3drefer,
    read_scanqa,
    read_scanrefer,
    read_sqa3d,
)
from spaceland.scanalign.proposals import Match, Overlaps
from spaceland.scanalign.samples import Rules, Sample, make_samples
from spaceland.scanalign.texts import read_templates

ROOM = box_scene(
    [("chair", (1, 1, 0.5), (1, 1, 1)), ("table", (4, 1, 0.5), (2, 1, 1)), ("lamp", (4, 4, 1), (0.4, 0.4, 2))], []
)


def box(center: tuple[float, float, float], size: tuple[float, float, float]) -> AxisAlignedBox:
    return AxisAlignedBox(np.array(center) - np.array(size) / 2, np.array(center) + np.array(size) / 2)


PROPOSALS = {
    3: box((1, 1, 0.5), (1, 1, 1)),  # the chair, exactly
    5: box((4.5, 1, 0.5), (2, 1, 1)),  # the table, shifted by a quarter: 1.5 / 2.5
    8: box((4, 4, 1), (0.4, 0.4, 1.2)),  # the lamp without its top: 0.6
    9: box((9, 9, 9), (1, 1, 1)),  # nothing
}
OVERLAPS = {"s": Overlaps.of(ROOM.objects, PROPOSALS)}


def samples(source: str, rows: list[Annotation], **rules: object) -> tuple[list[Sample], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(make_samples(source, rows, OVERLAPS, Rules(**rules), left_out)), left_out


def described(*object_ids: int, text: str = "it is red. ", key: str = "a") -> Annotation:
    return Annotation(key, "s", (text,), (), object_ids, "st_w_d")


def test_the_best_proposal_by_axis_aligned_overlap() -> None:
    known = OVERLAPS["s"]
    assert known.best(0) == Match(3, 1.0)
    table, lamp = known.best(1), known.best(2)
    assert table is not None and (table.number, round(table.iou, 6)) == (5, 0.6)
    assert lamp is not None and (lamp.number, round(lamp.iou, 6)) == (8, 0.6)
    assert known.best(77) is None
    assert Overlaps.of(ROOM.objects, {}).best(0) is None


def test_a_caption_goes_to_the_object_that_its_proposal_fits_best() -> None:
    # Proposal 1 overlaps both halves of a long bench; the larger half gets it, the other has a smaller one of its own.
    halves = box_scene([("bench", (1, 0, 0.5), (2, 1, 1)), ("bench", (2.5, 0, 0.5), (1, 1, 1))], [])
    both = {1: box((1.5, 0, 0.5), (3, 1, 1)), 2: box((2.75, 0, 0.5), (0.5, 1, 1))}
    known = Overlaps.of(halves.objects, both)
    assert [round(float(v), 3) for v in known.iou.ravel()] == [0.667, 0.0, 0.333, 0.5]
    assert known.captioned([0, 1], 0.3) == {0: Match(1, pytest.approx(2 / 3)), 1: Match(2, pytest.approx(0.5))}
    # If only the smaller half is described, it gets the better of both.
    assert known.captioned([1], 0.3) == {1: Match(2, pytest.approx(0.5))}
    assert known.captioned([0, 1], 0.6) == {0: Match(1, pytest.approx(2 / 3))}


def test_grounding_answers_and_thresholds() -> None:
    made, left_out = samples("scanrefer", [described(1), described(77, key="b")])
    assert [s.answer for s in made] == ["<OBJ005>."] and made[0].iou == pytest.approx(0.6)
    assert '"it is red"' in made[0].question and left_out == {"the object is not in the scene": 1}
    none, left_out = samples("scanrefer", [described(1)], min_iou=0.75)
    assert not none and left_out == {"no proposal fits well enough": 1}
    assert [s.numbers for s in samples("scanrefer", [described(1)], min_iou=0.75, training=False)[0]] == [(5,)]
    _, left_out = samples("scanrefer", [Annotation("a", "elsewhere", ("x",), (), (1,))])
    assert left_out == {"the scene is not among those given": 1}


def test_several_objects_must_all_be_found_and_differ() -> None:
    rows = [described(), described(0, key="b"), described(2, 0, key="c"), described(0, 1, 2, key="d")]
    made, left_out = samples("multi3drefer", rows)
    assert [s.answer for s in made] == [
        "No.",
        "Yes. <OBJ003>.",
        "Yes. <OBJ003> and <OBJ008>.",
        "Yes. <OBJ003>, <OBJ005>, and <OBJ008>.",
    ]
    assert made[0].iou is None and made[0].kind == "st_w_d" and not left_out
    made, left_out = samples("multi3drefer", rows, min_iou=0.7)
    assert [s.answer for s in made] == ["No.", "Yes. <OBJ003>."] and left_out["no proposal fits well enough"] == 3
    one = {"s": Overlaps.of(ROOM.objects, {4: box((2.5, 1, 0.5), (4, 1, 1))})}
    left_out = Counter()
    rules = Rules(min_iou=0.1)
    assert not list(make_samples("multi3drefer", [described(0, 1)], one, rules, left_out))
    assert left_out == {"two objects have the same proposal": 1}


def test_questions_and_situations() -> None:
    row = Annotation("q", "s", ("What color is the chair?",), ("dark brown", "dark brown", "brown", "dark brown"))
    made, _ = samples("scanqa", [row])
    assert [s.answer for s in made] == ["Dark brown.", "Brown.", "Dark brown."]
    assert {s.question for s in made} == {"What color is the chair? Answer the question using a single word or phrase."}
    assert len({s.id for s in made}) == 3
    assert [s.answer for s in samples("scanqa", [row], training=False)[0]] == ["Dark brown."]
    sqa = [Annotation(str(k), "s", ("I sit.", "I am sitting.", "Which way is out?"), ("left",)) for k in range(40)]
    made, _ = samples("sqa3d", sqa)
    starts = Counter(s.question.split(".")[0] for s in made)
    assert set(starts) == {"I sit", "I am sitting"} and min(starts.values()) > 8
    assert {s.kind for s in made} == {"which"} and {s.answer for s in made} == {"Left."}
    assert {s.question[:6] for s in samples("sqa3d", sqa, training=False)[0]} == {"I sit."}
    # Whatever else is asked for, a row gives the same sample.
    assert samples("sqa3d", sqa[7:8])[0] == made[7:8] and samples("sqa3d", sqa, seed=1)[0] != made


def test_captions() -> None:
    text = "this is a  chair . it is brown ."
    made, _ = samples("scan2cap", [described(0, text=text), described(2, text=text, key="b")])
    assert [s.answer for s in made] == ["This is a chair. It is brown."] * 2
    assert "<OBJ003>" in made[0].question and "<OBJ008>" in made[1].question
    assert samples("scan2cap", [described(0, text=text)], wrap_captions=True)[0][0].answer.startswith("sos This is")


def test_templates_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"scanrefer": ["Where is {description}?"]}))
    templates = read_templates(path)
    hostile = "the {object} with {0.__class__}"
    made, _ = samples("scanrefer", [described(0, text=hostile)], templates=templates)
    assert made[0].question == f"Where is {hostile}?" and len(templates["scan2cap"]) == 10
    for bad in ({"scanrefer": ["no holder"]}, {"other": []}, [], {"scan2cap": "x"}):
        path.write_text(json.dumps(bad))
        with pytest.raises(SourceError):
            read_templates(path)


def test_files_of_the_five_sources(tmp_path: Path) -> None:
    def file(data: object) -> Path:
        path = tmp_path / "x.json"
        path.write_text(json.dumps(data))
        return path

    scanqa = {"scene_id": "s", "question_id": "q0", "question": "What?", "answers": ["a"], "object_ids": [1, 2]}
    assert read_scanqa(file([scanqa])) == [Annotation("q0", "s", ("What?",), ("a",), (1, 2))]
    refer = {"scene_id": "s", "object_id": "7", "object_name": "office_chair", "ann_id": "3", "description": "it"}
    assert read_scanrefer(file([refer])) == [Annotation("s|7|3", "s", ("it",), (), (7,))]
    multi = {"scene_id": "s", "object_ids": [4, 1], "object_name": "chair", "ann_id": 3, "description": "it",
             "eval_type": "mt"}  # fmt: skip
    assert read_multi3drefer(file([multi])) == [Annotation("s|chair|3", "s", ("it",), (), (1, 4), "mt")]
    question = {"scene_id": "s", "question_id": 5, "situation": "I sit.", "alternative_situation": ["I do."],
                "question": "Where?"}  # fmt: skip
    questions = tmp_path / "q.json"
    questions.write_text(json.dumps({"questions": [question]}))
    answers = file({"annotations": [{"question_id": 5, "answers": [{"answer": "left"}]}]})
    expected = [Annotation("5", "s", ("I sit.", "I do.", "Where?"), ("left",))]
    assert read_sqa3d(questions, answers) == expected
    assert read_sqa3d(questions, None)[0].answers == ()
    with pytest.raises(SourceError, match="question_id 5"):
        read_sqa3d(questions, file({"annotations": []}))
    for read in (read_scanqa, read_scanrefer, read_multi3drefer):
        with pytest.raises(SourceError, match="row 0"):
            read(file([{"scene_id": "s"}]))
        with pytest.raises(SourceError, match="expected the list"):
            read(file({"data": 1}))
