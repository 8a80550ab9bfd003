"""Reading texts, hostile ones among them."""

from __future__ import annotations

import pytest
from verify_rows import changed, one

from spaceland.verify import text
from spaceland.verify.rows import Row, Wrong, read_row


def row_with_label(task: str, format: str, color: str, label: str) -> Row:
    return read_row(changed(one(task, format), ("facts", "labels", color), label))


def test_mentions_are_hidden_longest_first() -> None:
    row = row_with_label("obj_spatial_relation_oo", "judge", "red", "chair (blue box)")
    row = read_row(
        {**one("obj_spatial_relation_oo", "judge"), "facts": {**facts(row), "labels": {**row.labels, "blue": "chair"}}}
    )
    stem = text.hide_mentions("Is the chair (blue box) (red bounding box) above the chair (blue bounding box)?", row)
    assert stem == f"Is {text.HIDDEN['red']} above {text.HIDDEN['blue']}?"
    assert text.read_claim(stem) == "above"


def facts(row: Row) -> dict:
    return one(row.task, row.format)["facts"]


def test_a_word_inside_a_label_is_no_claim() -> None:
    row = row_with_label("obj_spatial_relation_oo", "judge", "red", "left door")
    blue = row.labels["blue"]
    stem = text.hide_mentions(
        f"Is the left door (red bounding box) to the right of the {blue} (blue bounding box)?", row
    )
    assert text.read_claim(stem) == "right"


@pytest.mark.parametrize(
    "stem",
    [
        "Is R above B and to the left of B?",
        "Is R to the left of and above B?",
        "Is B above R?",
        "Is R near B?",
        "Is R closer to the observer than B or above B?",
    ],
)
def test_claims_that_cannot_be_read(stem: str) -> None:
    with pytest.raises(Wrong):
        text.read_claim(stem.replace("R", text.HIDDEN["red"]).replace("B", text.HIDDEN["blue"]))


def test_a_colour_without_a_mark_is_wrong() -> None:
    row = read_row(one("depth_prediction_oc", "fill"))
    with pytest.raises(Wrong, match="green point"):
        text.hide_mentions("How deep is the chair (green point)?", row)
    with pytest.raises(Wrong, match="wrong label"):
        text.hide_mentions("How deep is the office sofa (red point)?", row)


def test_numbers_stand_alone() -> None:
    assert text.numbers_in("In 3D it is 2.5 m, about 4.") == [2.5, 4]


@pytest.mark.parametrize("bad", ["1", "1.25", "-1.0", "1.0 m", "1e3", "nan", "", "\u0661.\u0665", "1,5"])
def test_numbers_have_one_decimal(bad: str) -> None:
    with pytest.raises(Wrong):
        text.read_number(bad, 1)


@pytest.mark.parametrize(
    "bad", ["[1, 2, 3]", "[5, 2, 3, 4]", "[1, 2, 3, 1001]", "1, 2, 3, 4", "[1,2,3,4]", "[1, 2, 3, 4] "]
)
def test_boxes_are_written_one_way(bad: str) -> None:
    with pytest.raises(Wrong):
        text.read_box(bad)


def test_motion_is_read_with_signs() -> None:
    written = "move_left:0.4,move_up:0.0,move_backward:2.4,rotate_down:5,rotate_right:60"
    assert text.read_motion(written) == (-0.4, 0.0, -2.4, -5.0, 60.0)
    said = "It moved 0.4 m to the left and 2.4 m backward and then turned 5 degrees down and 60 degrees to the right."
    assert text.read_motion_sentence(said) == (-0.4, 0.0, -2.4, -5.0, 60.0)


@pytest.mark.parametrize(
    "bad",
    [
        "move_right:0.4",
        "move_up:0.0,move_right:0.4,move_forward:2.4,rotate_up:5,rotate_right:60",
        "move_right:0.4, move_up:0.0,move_forward:2.4,rotate_up:5,rotate_right:60",
        "move_right:0.4,move_down:0.0,move_forward:2.4,rotate_up:5,rotate_right:60",
        "move_right:0.4,move_up:0.0,move_forward:2.4,rotate_up:4,rotate_right:60",
        "move_right:-0.4,move_up:0.0,move_forward:2.4,rotate_up:5,rotate_right:60",
    ],
)
def test_motions_that_are_written_wrong(bad: str) -> None:
    with pytest.raises(Wrong):
        text.read_motion(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "the camera moved 0.4 m to the left and 0.2 m to the right.",
        "the camera moved 0.4 m to the left and 0.2 m to the left.",
        "the camera moved 0.4 m to the left and by 3.",
        "the camera moved 5 degrees forward.",
    ],
)
def test_motion_sentences_that_contradict_themselves(bad: str) -> None:
    with pytest.raises(Wrong):
        text.read_motion_sentence(bad)


@pytest.mark.parametrize(
    ("label", "question", "asked"),
    [
        ("chair", "How many chairs can be seen?", True),
        ("box of tissues", "Count the boxes of tissues in this room.", True),
        ("shelf", "What is the number of shelves shown?", True),
        ("person", "How many different people does the video show?", True),
        ("chair", "How many office chairs can be seen?", False),
        ("chair", "How many tables can be seen?", False),
        ("c.*", "How many cats can be seen?", False),
    ],
)
def test_counting_questions_name_their_label(label: str, question: str, asked: bool) -> None:
    assert text.asks_for_label(question, label) is asked


def test_counts_stand_before_their_noun() -> None:
    assert text.counts_in_sentence("The room holds 2 2s.", "2") == [2]
    assert text.counts_in_sentence("I count 1 chair.", "chair") == [1]
    with pytest.raises(Wrong):
        text.counts_in_sentence("I count 2 chairs and 3 tables.", "chair")
