"""Rows as strangers: nothing in a row is believed before it has the right type.

`read_row` turns parsed JSON into a `Row` or raises `Wrong` with the key at fault, so the checks behind it need no
guards against missing keys, text in place of numbers, or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaceland.verify.rules import RULES, Rules

LETTERS = ("A", "B", "C", "D")
COLORS = ("red", "blue", "green", "yellow", "purple", "orange")


class Wrong(Exception):  # noqa: N818  (a finding, not a failure of the program)
    """One thing in a row that does not hold. The message says what is there and what was expected."""


@dataclass(frozen=True)
class RowMark:
    """A mark as written: `xy` on the 0..1000 scale, two numbers for a point, four for a box."""

    color: str
    shape: str
    object_id: int
    image_index: int
    xy: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A row with checked types; `value`, `values` and `params` are read further with `real` and `reals`."""

    id: str
    task: str
    format: str
    scene: str
    images: tuple[str, ...]
    question: str
    answer: str
    options: tuple[str, ...] | None
    marks: tuple[RowMark, ...]
    value: Any
    frames: tuple[str, ...]
    objects: Mapping[str, int]
    labels: Mapping[str, str]
    centers: Mapping[str, tuple[float, ...]]
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    cameras: tuple[Mapping[str, Any], ...]

    @property
    def rules(self) -> Rules:
        return RULES[self.task]


def shown(value: object, limit: int = 60) -> str:
    """A value for a message, cut when it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}..."


def real(value: object, name: str) -> float:
    """A finite number, or `Wrong`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"{name} is {shown(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Wrong(f"{name} is {shown(value)}, not a finite number")
    return number


def reals(value: object, name: str, count: int) -> tuple[float, ...]:
    """A list of `count` finite numbers, or `Wrong`."""
    if not isinstance(value, list | tuple) or len(value) != count:
        raise Wrong(f"{name} is {shown(value)}, not {count} numbers")
    return tuple(real(v, name) for v in value)


def whole(value: object, name: str) -> int:
    """An integer, or `Wrong`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong(f"{name} is {shown(value)}, not a whole number")
    return value


def text(value: object, name: str) -> str:
    """Text that is not empty, or `Wrong`."""
    if not isinstance(value, str) or not value.strip():
        raise Wrong(f"{name} is {shown(value)}, not text")
    return value


def texts(value: object, name: str) -> tuple[str, ...]:
    """A list of texts, or `Wrong`."""
    return tuple(text(v, name) for v in _list(value, name))


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong(f"{name} is {shown(value)}, not a list")
    return value


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"{name} is {shown(value)}, not an object")
    return value


def _mark(value: object) -> RowMark:
    data = _object(value, "marks")
    shape = data.get("shape")
    if shape not in ("point", "bbox"):
        raise Wrong(f"mark shape is {shown(shape)}, expected point or bbox")
    xy = tuple(whole(v, "mark xy") for v in _list(data.get("xy"), "mark xy"))
    if len(xy) != (2 if shape == "point" else 4) or not all(0 <= v <= 1000 for v in xy):
        raise Wrong(f"{shape} mark has xy {shown(xy)}, expected {2 if shape == 'point' else 4} numbers from 0 to 1000")
    if shape == "bbox" and not (xy[0] < xy[2] and xy[1] < xy[3]):
        raise Wrong(f"mark box {list(xy)} is empty")
    size = real(data.get("size"), "mark size")
    if not 0 < size <= 0.2:
        raise Wrong(f"mark size {size} is no share of the image width between 0 and 0.2")
    color = text(data.get("color"), "mark colour")
    if color not in COLORS:
        raise Wrong(f"mark colour is {shown(color)}, known are {', '.join(COLORS)}")
    return RowMark(
        color, shape, whole(data.get("object_id"), "mark object"), whole(data.get("image_index"), "mark image"), xy
    )


def read_row(data: object, part: str = "") -> Row:
    """Check the types of a row and its place among the tasks.

    Args:
        data: Parsed JSON.
        part: The dataset that the row comes from, in a mixture: its id begins with this name and a slash.

    Raises:
        Wrong: a key is missing or has another type than expected, or task, format and kind do not go together.
    """
    row = _object(data, "row")
    facts = _object(row.get("facts"), "facts")
    task, form = text(row.get("task"), "task"), text(row.get("format"), "format")
    if task not in RULES:
        raise Wrong(f"unknown task {shown(task)}")
    rules = RULES[task]
    if form not in rules.formats:
        raise Wrong(f"format is {shown(form)}, {task} has {', '.join(rules.formats)}")
    if facts.get("kind") != rules.kind:
        raise Wrong(f"facts.kind is {shown(facts.get('kind'))}, {task} has {rules.kind}")
    if facts.get("unit") != rules.unit:
        raise Wrong(f"facts.unit is {shown(facts.get('unit'))}, expected {rules.unit}")
    options = row.get("options")
    if (options is not None) != (form == "select"):
        raise Wrong(f"options are {shown(options)} in a row of format {form}")
    scene, row_id = text(row.get("scene"), "scene"), text(row.get("id"), "id")
    expected = f"{part}/{scene}-{task}-{form}-" if part else f"{scene}-{task}-{form}-"
    if not row_id.startswith(expected):
        raise Wrong(f"id does not start with {'part, ' if part else ''}scene, task and format '{expected}'")
    objects = {role: whole(v, "facts.objects") for role, v in _object(facts.get("objects"), "facts.objects").items()}
    return Row(
        id=row_id,
        task=task,
        format=form,
        scene=scene,
        images=texts(row.get("images"), "images"),
        question=text(row.get("question"), "question"),
        answer=text(row.get("answer"), "answer"),
        options=None if options is None else texts(options, "options"),
        marks=tuple(_mark(mark) for mark in _list(row.get("marks"), "marks")),
        value=facts.get("value"),
        frames=texts(facts.get("frames"), "facts.frames"),
        objects=objects,
        labels={k: text(v, "facts.labels") for k, v in _object(facts.get("labels"), "facts.labels").items()},
        centers={
            k: reals(v, "facts.centers_world_m", 3)
            for k, v in _object(facts.get("centers_world_m"), "facts.centers_world_m").items()
        },
        values=_object(facts.get("values"), "facts.values"),
        params=_object(facts.get("params"), "facts.params"),
        cameras=tuple(_object(v, "facts.cameras") for v in _list(facts.get("cameras", []), "facts.cameras")),
    )
