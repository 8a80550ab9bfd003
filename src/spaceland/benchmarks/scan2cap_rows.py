"""Rows of Scan2Cap: objects with their references and the overlap of the captioned box, from the forms they come in.

released ScanRefer rows, one for each description  -> rows_from_scanrefer
VG-LLM (`annotations`), Chat-Scene (`ref_captions`) -> released_fields
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spaceland.benchmarks.box_rows import named_object
from spaceland.benchmarks.types import Row

_REFERENCES = ("descriptions", "annotations", "ref_captions")


def object_key(row: Row) -> str:
    """What captions and references of one object share; the row's `id` where it names no object."""
    if row.get("object_id") is None:
        return str(row.get("id"))
    return "|".join(str(row.get(key, "")) for key in ("scene_id", "object_id", "object_name"))


def row_id(row: Row) -> str:
    """`id` where a row has one, else the object's key, with the proposal where there is one."""
    if row.get("id") is not None:
        return str(row["id"])
    proposal = row.get("proposal")
    return object_key(row) if proposal is None else f"{object_key(row)}|{proposal}"


def descriptions_of(row: Row) -> list[str]:
    """Reference descriptions under any of their names."""
    return next([str(text) for text in row[key]] for key in _REFERENCES if row.get(key))


def iou_of(row: Row) -> float:
    """IoU of the captioned box with the true one: `iou`, or from `pred_box` and `gt_box`; 0 where nothing was found."""
    if row.get("iou") is not None:
        return float(row["iou"])
    if row.get("pred_box") is None or row.get("gt_box") is None:
        return 0.0
    first, second = ([float(value) for value in row[key]] for key in ("pred_box", "gt_box"))
    shared = 1.0
    for axis in range(3):
        high = min(box[axis] + box[axis + 3] / 2 for box in (first, second))
        low = max(box[axis] - box[axis + 3] / 2 for box in (first, second))
        shared *= max(0.0, high - low)
    return shared / (math.prod(first[3:]) + math.prod(second[3:]) - shared + 1e-8)


def released_fields(row: Row) -> Row:
    """Rows as VG-LLM and Chat-Scene prepare them (`annotations`, `metadata`, `ref_captions`, `obj_id`) in the names
    above.

    Chat-Scene's references come in "sos ... eos"; both words are taken off, since the protocols put them on.
    """
    row = named_object(row)
    texts = next((row[key] for key in _REFERENCES if row.get(key)), None)
    if "descriptions" in row or not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
        return row
    bare = [text.removeprefix("sos ").removesuffix(" eos") for text in texts]
    named = {"object_id": str(row["obj_id"])} if "obj_id" in row and "object_id" not in row else {}
    return {**row, **named, "descriptions": bare}


def rows_from_scanrefer(rows: Sequence[Row], boxes: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Rows of ScanRefer (one for each description) as rows of objects; `boxes` gives the IoU by `object_key`.

    Without `boxes` the true boxes are captioned (IoU 1). An object that `boxes` does not name was not found (IoU 0).
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        key = object_key(row)
        kept = found.setdefault(
            key,
            {name: row[name] for name in ("scene_id", "object_id", "object_name")}
            | {"descriptions": [], "tokens": [], "iou": 1.0 if boxes is None else boxes.get(key, 0.0)},
        )
        kept["descriptions"].append(str(row["description"]))
        kept["tokens"].append(list(row.get("token") or spaced(str(row["description"])).split()))
    return list(found.values())


def spaced(text: str) -> str:
    """Small letters, and spaces around . and , so that they are words; spaces may double, which ROUGE-L counts."""
    return text.replace(".", " . ").replace(",", " , ").lower()


def problem_of(row: Row) -> str | None:
    if row.get("id") is None and ("scene_id" not in row or "object_id" not in row):
        return "has no id and no scene_id with object_id"
    texts = next((row[key] for key in _REFERENCES if row.get(key)), None)
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return "needs 'descriptions' (or 'annotations', 'ref_captions'), a list of one or more texts"
    tokens = row.get("tokens")
    if tokens is not None and not (
        isinstance(tokens, list | tuple) and all(isinstance(t, list | tuple) for t in tokens)
    ):
        return "needs 'tokens' to be a list of lists of words"
    if "iou" not in row and not ("pred_box" in row and "gt_box" in row):
        return "has neither 'iou' nor 'pred_box' with 'gt_box'; captions of true boxes have iou 1"
    for key in ("pred_box", "gt_box"):
        box = row.get(key)
        if box is not None and (len(box) != 6 or not all(math.isfinite(value) for value in box)):
            return f"needs '{key}' as six finite numbers: centre and size"
    iou = row.get("iou")
    return None if iou is None or math.isfinite(iou) else "has an 'iou' that is no number"
