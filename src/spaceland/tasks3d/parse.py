"""Boxes in what a model wrote; nothing of it is ever evaluated.

strict    the reply is one JSON value of exactly the asked form, at most in one fence, and nothing else
tolerant  the value is taken wherever it stands: in or beside fences, one list or line by line, with single quotes or
          trailing commas, after a block of thinking; of a list that is cut off the whole entries count

Both are linear in the length of the reply and bounded (a million characters, a thousand boxes, nesting of 32). What
was left out is told by reason.

>>> read_detections('[{"label": "bag", "bbox_3d": [0, 0, 1, 1, 1, 1, 0, 0, 0]}, {"label": "lamp", "bbox').found[0].label
'bag'
>>> read_grounding("{'frame': 3, 'bbox_3d': [0, 0, 1, 1, 1, 1, 0, 0, 0,]}", 32).found[0].frame
3
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spaceland.benchmarks.box_text import MAX_CHARS, MAX_DEPTH, numbers, values_in
from spaceland.benchmarks.replies import final_part
from spaceland.geometry.box9 import EulerConvention
from spaceland.tasks3d.box9_frames import Box9

MAX_BOXES = 1000
_FENCE, _FENCE_END = re.compile(r"```(?:json)?[ \t]*\n"), "```"
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class LabelledBox:
    """A detected object; its box is in the camera of frame 0."""

    label: str
    box: Box9


@dataclass(frozen=True)
class Reading(Generic[_Found]):
    """What a reply holds, in order, and reason -> number of what was left out."""

    found: tuple[_Found, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_grounding(
    reply: str, num_frames: int, *, strict: bool = False, convention: EulerConvention = "ZXY"
) -> Reading[Box9]:
    """The frame and box of a grounding reply: none or one; of several usable ones the last."""
    left_out: Counter[str] = Counter()
    if strict:
        value = _only_value(reply, left_out)
        entries = [] if value is None else [value]
        if entries and (not isinstance(value, dict) or set(value) != {"frame", "bbox_3d"}):
            left_out["not an object with frame and bbox_3d"] += 1
            entries = []
    else:
        entries = [entry for entry in _entries(reply) if "bbox_3d" in entry]
    boxes = []
    for entry in entries[:MAX_BOXES]:
        frame = entry.get("frame")
        if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame < num_frames:
            left_out[f"frame is not one of 0 to {num_frames - 1}"] += 1
            continue
        box = _box(entry["bbox_3d"], convention, frame, left_out)
        if box is not None:
            boxes.append(box)
    if not boxes and not left_out:
        left_out["no bbox_3d in the reply"] += 1
    if len(boxes) > 1:
        left_out["superseded by a later box"] += len(boxes) - 1
    return Reading(tuple(boxes[-1:]), dict(left_out))


def read_detections(reply: str, *, strict: bool = False, convention: EulerConvention = "ZXY") -> Reading[LabelledBox]:
    """The labelled boxes of a detection reply, in order."""
    left_out: Counter[str] = Counter()
    if strict:
        value = _only_value(reply, left_out)
        entries: list[Any] = value if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            left_out["not a list"] += 1
    else:
        entries = [entry for entry in _entries(reply) if "bbox_3d" in entry]
    if len(entries) > MAX_BOXES:
        left_out[f"beyond {MAX_BOXES} boxes"] += len(entries) - MAX_BOXES
    found = []
    for entry in entries[:MAX_BOXES]:
        if not isinstance(entry, dict) or not isinstance(entry.get("label"), str) or not entry["label"].strip():
            left_out["no label"] += 1
            continue
        if strict and set(entry) != {"label", "bbox_3d"}:
            left_out["not an object with label and bbox_3d"] += 1
            continue
        box = _box(entry.get("bbox_3d"), convention, 0, left_out)
        if box is not None:
            found.append(LabelledBox(" ".join(entry["label"].split()), box))
    return Reading(tuple(found), dict(left_out))


def _box(value: Any, convention: EulerConvention, frame: int, left_out: Counter[str]) -> Box9 | None:
    nine = numbers(value, 9)
    if nine is None:
        left_out["a box is not nine numbers"] += 1
        return None
    if min(nine[3:6]) <= 0:
        left_out["a size is not positive"] += 1
        return None
    return Box9(tuple(nine), convention, frame)


def _entries(reply: str) -> list[dict[Any, Any]]:
    """Objects of a reply: at the top, in lists, and in lists under a key ({"objects": [...]}), in order."""
    found: list[dict[Any, Any]] = []
    for value in values_in(final_part(reply)):
        found += _objects(value)
    return found


def _objects(value: Any) -> Iterable[dict[Any, Any]]:
    if isinstance(value, dict):
        if "bbox_3d" in value:
            return [value]
        value = next((inner for inner in value.values() if isinstance(inner, list | dict)), [])
        value = [value] if isinstance(value, dict) else value
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _only_value(reply: str, left_out: Counter[str]) -> Any:
    """The reply as one JSON value; None where it is none."""
    if len(reply) > MAX_CHARS:
        left_out[f"longer than {MAX_CHARS} characters"] += 1
        return None
    text = reply.strip()
    fence = _FENCE.match(text)
    if fence and text.endswith(_FENCE_END):
        text = text[fence.end() : -len(_FENCE_END)]
    try:
        if _nesting(text) > MAX_DEPTH:
            raise ValueError("nested too deep")
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        left_out["not one JSON value"] += 1
        return None


def _nesting(text: str) -> int:
    """How deep brackets nest, those in strings included."""
    deep = most = 0
    for found in re.finditer(r"[\[{\]}]", text):
        deep += 1 if found[0] in "[{" else -1
        most = max(most, deep)
    return most


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found
