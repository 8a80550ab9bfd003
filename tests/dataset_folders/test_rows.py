"""Row files: reading reports the line that is broken; the last check before writing sees what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spaceland.datasets.rows import dump_row, read_rows, row_problem
from spaceland.errors import SceneError

ROW: dict[str, Any] = {
    "id": "s-distance_prediction_oo-select-1",
    "task": "distance_prediction_oo",
    "format": "select",
    "scene": "s",
    "images": ["images/s/0.jpg"],
    "question": "How far?\nA. 1.0\nB. 2.0\nC. 3.0\nD. 4.0",
    "answer": "B",
    "options": ["1.0", "2.0", "3.0", "4.0"],
    "marks": [{"color": "red", "shape": "point", "object_id": 1, "image_index": 0, "xy": [500, 1000], "size": 0.02}],
    "facts": {"kind": "number", "value": 2.0},
    "seed": 0,
    "version": "0.1.0",
}


def test_rows_survive_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    hostile = {**ROW, "question": 'a "quoted"\u2028 <script> \U0001f600 line\nbreak'}
    path.write_text(dump_row(ROW) + "\n\n" + dump_row(hostile) + "\n", encoding="utf-8")
    assert list(read_rows(path)) == [ROW, hostile]


def test_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(dump_row(ROW) + "\n" + dump_row(ROW)[:40])
    with pytest.raises(SceneError, match=r"rows.jsonl, line 2: not valid JSON"):
        list(read_rows(path))
    path.write_text("[1]\n")
    with pytest.raises(SceneError, match="line 1: a row must be a JSON object, found list"):
        list(read_rows(path))
    with pytest.raises(SceneError, match="missing file"):
        list(read_rows(tmp_path / "nothing.jsonl"))


def test_good_row_has_no_problem() -> None:
    assert row_problem(ROW) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"task": "guess"}, "unknown task"),
        ({"images": []}, "empty images"),
        ({"answer": " "}, "empty images, question or answer"),
        ({"options": ["1.0", "2.0", "3.0"]}, "not four options"),
        ({"options": ["1.0", "2.0", "2.0", "4.0"]}, "not distinct"),
        ({"answer": "E"}, "not a letter"),
        ({"format": "judge", "options": None, "answer": "Maybe"}, "neither Yes nor No"),
        ({"format": "sentence"}, "options without a choice"),
        ({"format": "fill", "options": None, "answer": "about 2"}, "not a number"),
        ({"format": "fill", "options": None, "answer": "[1, 2, 3]", "facts": {"kind": "box"}}, "not a box"),
        ({"format": "fill", "options": None, "answer": "lamp, [1, 2]", "facts": {"kind": "found"}}, "end with a box"),
        ({"format": "fill", "options": None, "answer": "12, 3.5, 4", "facts": {"kind": "size"}}, "three whole numbers"),
        ({"task": "distance_infer_center_oo"}, "not two options"),
        ({"task": "distance_infer_center_oo", "options": ["1", "2"], "answer": "C"}, "not a letter"),
    ],
)
def test_problems_are_seen(change: dict[str, Any], problem: str) -> None:
    assert problem in (row_problem({**ROW, **change}) or "")


def test_marks_must_lie_inside() -> None:
    fill = {**ROW, "format": "fill", "options": None, "answer": "2.0"}
    assert row_problem(fill) is None
    assert row_problem({**fill, "marks": [{**ROW["marks"][0], "xy": [500, 1001]}]}) == "mark outside the image"
    assert (
        row_problem({**fill, "marks": [{**ROW["marks"][0], "image_index": 1}]}) == "mark on an image that is not there"
    )
