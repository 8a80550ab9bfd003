"""The same object in another view."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import text
from spaceland.verify.rows import LETTERS, Row, Wrong, reals, shown
from spaceland.verify.tasks.common import (
    check_choice,
)


def check_matching(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`position_matching`: what is written is the box in `facts.value`; `marks` holds that one against the picture."""
    box = list(reals(row.value, "facts.value", 4))
    written = "[" + ", ".join(f"{v:g}" for v in box) + "]"
    text.read_box(written)
    stem = text.hide_mentions(text.stem_of(row), row)
    if "red" not in text.colors_hidden(stem):
        raise Wrong("the question does not name the marked object")
    if row.format == "fill":
        if list(text.read_box(row.answer)) != box:
            raise Wrong(f"answer is {row.answer}, facts.value is {written}")
    elif row.format == "select":
        _, options = text.split_options(row)
        boxes = [text.read_box(option) for option in options]
        check_choice(row, options, [k for k, other in enumerate(boxes) if _iou(other, box) >= 0.5], written)
        if options[LETTERS.index(row.answer)] != written:
            raise Wrong(f"the chosen option is {options[LETTERS.index(row.answer)]}, facts.value is {written}")
    elif text.boxes_in(text.hide_mentions(row.answer, row)) != [written]:
        raise Wrong(f"the sentence should hold the box {written} and no other: {shown(row.answer)}")


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Area in common over area in all."""
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)
