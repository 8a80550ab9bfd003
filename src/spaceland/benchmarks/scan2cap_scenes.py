"""Rows of dense captioning: scenes with all their described objects, made of ScanRefer's rows and boxes by scene.

released ScanRefer rows, one for each description  -> scenes_from_scanrefer (boxes: `bbox`, where they have it)
boxes of the side file "extra"                     -> complete
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spaceland.benchmarks.box_rows import FACTS, box_problem, with_side_files
from spaceland.benchmarks.box_text import world_box
from spaceland.benchmarks.scan2cap_rows import descriptions_of, rows_from_scanrefer
from spaceland.benchmarks.types import Row


def scenes_from_scanrefer(
    rows: Sequence[Row], boxes: Mapping[str, Mapping[str, Sequence[float]]] | None = None
) -> list[dict[str, Any]]:
    """Rows of ScanRefer (one for each description) as rows of scenes.

    The box of an object is the `bbox` of its first row (eight corners, as Scan2Cap's benchmark scripts write them, or
    centre and size), else that of `boxes`, by scene and object id. An object may stay without; the side file "extra"
    can give it.
    """
    written = {(str(row["scene_id"]), str(row["object_id"])): world_box(row) for row in reversed(rows)}
    scenes: dict[str, list[dict[str, Any]]] = {}
    for row in rows_from_scanrefer(rows):
        scene, name = str(row["scene_id"]), str(row["object_id"])
        box = written[scene, name] or (boxes or {}).get(scene, {}).get(name)
        thing = {key: row[key] for key in ("object_id", "object_name", "descriptions", "tokens")}
        scenes.setdefault(scene, []).append(thing if box is None else thing | {"box": list(box)})
    return [{"scene_id": scene, "objects": objects} for scene, objects in scenes.items()]


def complete(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows whose objects have the boxes of the side file "extra" (`box_rows`) where they have none."""
    found: list[Row] = []
    for row in with_side_files(rows, files):
        boxes = row.get(FACTS, {}).get("objects", {})
        objects = row.get("objects")
        if not isinstance(objects, list) or not all(isinstance(thing, Mapping) for thing in objects):
            found.append(row)
            continue
        given = [{"box": boxes[key]} if (key := str(thing.get("object_id"))) in boxes else {} for thing in objects]
        found.append({**row, "objects": [{**box, **thing} for box, thing in zip(given, objects, strict=True)]})
    return found


def row_id(row: Row) -> str:
    """`id` where a row has one, else the scene."""
    return str(row["scene_id"] if row.get("id") is None else row["id"])


def problem_of(row: Row) -> str | None:
    """What is wrong with a row, in words."""
    if row.get("id") is None and row.get("scene_id") is None:
        return "has neither an id nor a scene_id"
    objects = row.get("objects")
    if not isinstance(objects, list | tuple) or not objects or not all(isinstance(one, Mapping) for one in objects):
        return "needs 'objects', a list of one or more objects with 'box' and 'descriptions'"
    for index, thing in enumerate(objects):
        told = f"object {thing.get('object_id', index)}"
        if thing.get("box") is None:
            return f"has no box for {told}; give it as its 'box' or in a side file ('extra')"
        problem = box_problem(thing["box"], 6)
        if problem:
            return f"has a box of {told} that {problem}"
        texts = thing.get("descriptions")
        if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
            return f"needs 'descriptions' of {told}, a list of one or more texts"
        tokens = thing.get("tokens")
        if tokens is not None and not (
            isinstance(tokens, list | tuple) and tokens and all(isinstance(words, list | tuple) for words in tokens)
        ):
            return f"needs 'tokens' of {told} to be a list of lists of words"
    names = [str(thing["object_id"]) for thing in objects if thing.get("object_id") is not None]
    doubled = next((name for name in names if names.count(name) > 1), None)
    return None if doubled is None else f"names object {doubled} twice"


def oracle(row: Row) -> str:
    """The true boxes, each with its first description."""
    return json.dumps([{"box": list(one["box"]), "caption": descriptions_of(one)[0]} for one in row["objects"]])
