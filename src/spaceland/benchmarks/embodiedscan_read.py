"""Detections in a reply, and how they overlap the true boxes of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_overlap import boxes_of, pair_iou, torch3d_iou
from spaceland.benchmarks.box_text import numbers, official_lines, python_literal, values_in
from spaceland.benchmarks.replies import final_part
from spaceland.benchmarks.types import Reply, Row

_LARGEST = 1e9


@dataclass(frozen=True)
class Detection:
    """A labelled box of nine numbers; None where what was written is no box. `confidence` is 1 unless it is stated."""

    label: str
    box: tuple[float, ...] | None
    confidence: float = 1.0


def official_detections(reply: str) -> list[Detection]:
    """VG LLM: every line that mentions "bbox_3d" or "label" is a Python literal of its own, or is passed over.

    A box that is no list of nine numbers still counts, as a false alarm; one that is not numeric at all does not.
    """
    found = []
    for line in official_lines(reply):
        text = line.strip().strip(",")
        if "bbox_3d" not in text and "label" not in text:
            continue
        try:
            value = python_literal(text)
        except ValueError:
            continue
        if not isinstance(value, dict) or "bbox_3d" not in value or not isinstance(value.get("label"), str):
            continue
        table = _as_array(value["bbox_3d"])
        if table is not None:
            found.append(Detection(value["label"], _usable(table)))
    return found


def _as_array(value: Any) -> np.ndarray | None:
    """As NumPy reads it: strings of digits are numbers, None is NaN; None where it refuses."""
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return None


def _usable(table: np.ndarray) -> tuple[float, ...] | None:
    if table.shape != (9,) or not (np.abs(table) <= _LARGEST).all():
        return None
    return tuple(table.tolist())


def tolerant_detections(reply: str) -> list[Detection]:
    """Every object with a label and nine numbers, wherever it stands: one JSON list, several lines, cut off at the end.

    The confidence is its "score" or "confidence", 1 without. Negative and zero sizes are no boxes.
    """
    found: list[Detection] = []
    for value in values_in(final_part(reply)):
        if isinstance(value, dict) and not ("label" in value and "bbox_3d" in value):
            value = next((inner for inner in value.values() if isinstance(inner, list)), [])
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and isinstance(entry.get("label"), str) and "bbox_3d" in entry:
                box = numbers(entry["bbox_3d"], 9)
                usable = box is not None and min(box[3:6]) > 0
                stated = numbers([entry.get("score", entry.get("confidence", 1.0))], 1)
                found.append(Detection(entry["label"], tuple(box) if usable else None, stated[0] if stated else 0.0))
    return found


def label_key(label: str) -> str:
    """A label without regard to case and white space."""
    return " ".join(label.lower().split())


def truths(row: Row) -> list[Detection]:
    """The true boxes of a row."""
    return [Detection(str(box["label"]), tuple(map(float, box["bbox_3d"]))) for box in row["boxes"]]


def overlaps(
    predicted: Sequence[Sequence[Detection]], true: Sequence[Sequence[Detection]], *, thin_is_zero: bool
) -> list[Float[np.ndarray, "p t"]]:
    """IoU of each row's predicted and true boxes with the same label, 0 for all other pairs; all rows in one batch.

    thin_is_zero: boxes with a face below 2 cm2 overlap nothing, as PyTorch3D refuses them.
    """
    tables = [np.zeros((len(p), len(t))) for p, t in zip(predicted, true, strict=True)]
    pairs = [
        (index, i, j)
        for index, (p, t) in enumerate(zip(predicted, true, strict=True))
        for i, one in enumerate(p)
        for j, other in enumerate(t)
        if one.label == other.label and one.box is not None and other.box is not None
    ]
    if not pairs:
        return tables
    # Each box is turned into a matrix once, however many it is compared with.
    p_at = {(index, i): k for k, (index, i) in enumerate(dict.fromkeys((index, i) for index, i, _ in pairs))}
    t_at = {(index, j): k for k, (index, j) in enumerate(dict.fromkeys((index, j) for index, _, j in pairs))}
    p_boxes = boxes_of([predicted[index][i].box or () for index, i in p_at])
    t_boxes = boxes_of([true[index][j].box or () for index, j in t_at])
    first = np.array([p_at[index, i] for index, i, _ in pairs])
    second = np.array([t_at[index, j] for index, _, j in pairs])
    iou = (torch3d_iou if thin_is_zero else pair_iou)(p_boxes[first], t_boxes[second])
    for (index, i, j), value in zip(pairs, iou.tolist(), strict=True):
        tables[index][i, j] = value
    return tables


def read_all(replies: Sequence[Reply], reader: Any) -> list[list[Detection]]:
    """Detections of all replies; none where a reply is missing."""
    return [[] if reply is None else reader(reply) for reply in replies]
