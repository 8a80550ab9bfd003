"""Rows: how a question is written down, read back, and checked.

A row is a plain JSON object; `COLUMNS` says what each key holds. Nothing in it depends on when or where it was made.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError
from spaceland.files import TOO_MANY_DIGITS
from spaceland.questions.ask import Question
from spaceland.questions.marks import COLORS
from spaceland.questions.phrasing import FORMATS, LETTERS
from spaceland.questions.tasks import TASKS
from spaceland.version import __version__

COLUMNS = {
    "id": "unique; scene, task, format and a hash of what is asked",
    "task": "SPAR's name of the task",
    "format": "fill, select, judge or sentence",
    "scene": "scene id",
    "images": "paths of the images in the order in which they are shown, relative to the dataset folder",
    "question": "the text; select questions end with their options, one on a line",
    "answer": "what is expected: a number, box or motion, a letter, Yes or No, or a sentence",
    "options": "the options of a select question, else null",
    "marks": "coloured points and boxes to draw on the images (see docs/questions.md)",
    "facts": "what the answer comes from: frames, objects, centres, numbers, thresholds, template",
    "seed": "seed of the run",
    "version": "version of spaceland",
}
_TO_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(", ", ": "))
_BOX = re.compile(r"\[\d{1,4}, \d{1,4}, \d{1,4}, \d{1,4}\]")


def image_path(scene_id: str, frame_id: str) -> str:
    """Where a frame's image lies in a dataset folder."""
    return f"images/{scene_id}/{frame_id}.jpg"


def to_row(question: Question) -> dict[str, Any]:
    """A question as a row."""
    return {
        "id": question.id,
        "task": question.task,
        "format": question.format,
        "scene": question.scene,
        "images": [image_path(question.scene, frame_id) for frame_id in question.frames],
        "question": question.question,
        "answer": question.answer,
        "options": list(question.options) if question.options is not None else None,
        "marks": [mark.to_json() for mark in question.marks],
        "facts": question.facts,
        "seed": question.seed,
        "version": __version__,
    }


def dump_row(row: Mapping[str, Any]) -> str:
    """One line of JSON, without its newline."""
    return _TO_JSON.encode(row)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSONL file, one at a time. A byte-order mark, which some editors write before the text, is passed over.

    Raises:
        SceneError: the file is missing, or a line is not a JSON object; the message names the line.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.removeprefix(BOM_UTF8) if number == 1 else line
                if not text.strip():
                    continue
                row = _parsed(text, f"{path}, line {number}")
                if not isinstance(row, dict):
                    raise SceneError(f"{path}, line {number}: a row must be a JSON object, found {type(row).__name__}")
                yield row
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}; give the folder that `spaceland generate` wrote") from None


def _parsed(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError as error:
        raise SceneError(f"{where}: not UTF-8 text ({error})") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise SceneError(f"{where}: not valid JSON ({error}); is the file truncated?") from error
    except ValueError as error:
        raise SceneError(f"{where}: {TOO_MANY_DIGITS}") from error


def row_problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with a row that was just made, in words; None when nothing is.

    This is the last look before writing. It knows the format, not the geometry; `spaceland verify` does that.
    """
    if set(row) != set(COLUMNS):
        return "wrong columns"
    if row["task"] not in TASKS or row["format"] not in FORMATS:
        return "unknown task or format"
    if not row["images"] or not row["question"].strip() or not row["answer"].strip():
        return "empty images, question or answer"
    if row["format"] == "select":
        one_turn = row["task"] == "vsi_route_planning" and len(row["facts"]["objects"]) == 3
        count = 3 if one_turn else TASKS[row["task"]].wording.num_options
        return _options_problem(row["options"], row["answer"], count)
    if row["options"] is not None:
        return "options without a choice"
    if row["format"] == "judge" and row["answer"] not in ("Yes", "No"):
        return "verdict is neither Yes nor No"
    if row["format"] == "fill":
        problem = _fill_problem(row["facts"]["kind"], row["answer"])
        if problem:
            return problem
    for mark in row["marks"]:
        if mark["color"] not in COLORS or not all(0 <= v <= 1000 for v in mark["xy"]):
            return "mark outside the image"
        if not 0 <= mark["image_index"] < len(row["images"]):
            return "mark on an image that is not there"
    return None


def _options_problem(options: list[str] | None, letter: str, count: int) -> str | None:
    if not options or len(options) != count:
        return f"not {'two' if count == 2 else 'four'} options"
    if len({option.strip().lower() for option in options}) != len(options):
        return "options are not distinct"
    return None if letter in tuple(LETTERS[:count]) else "answer is not a letter"


def _fill_problem(kind: str, answer: str) -> str | None:
    if kind in ("number", "count"):
        return None if re.fullmatch(r"\d+(\.\d+)?", answer) else "answer is not a number"
    if kind == "box":
        return None if _BOX.fullmatch(answer) else "answer is not a box"
    if kind == "found":
        return None if re.fullmatch(rf".+, {_BOX.pattern}", answer) else "answer does not end with a box"
    if kind == "size":
        return None if re.fullmatch(r"\d+, \d+, \d+", answer) else "answer is not three whole numbers"
    return None
