"""What rows about boxes need beside their text, and where it comes from.

Released rows name a scene and an object; the boxes themselves, the proposals and the cameras lie in other files. They
may be fields of a row, under the names of VG LLM's released rows, or come from one side file for all rows of a scene:

    {"scene0011_00": {"objects": {"7": [x, y, z, dx, dy, dz]},      ground truth by object id
                      "proposals": [[x, y, z, dx, dy, dz], ...],    what <OBJ000>, <OBJ001>, ... mean
                      "axis_align_matrix": [4 x 4], "cam2global": [[4 x 4], ...], "cam2img": [4 x 4],
                      "image_size": [width, height], "images": [...]}}

Boxes are axis-aligned in ScanNet's aligned world: centre and full size, metres. A scene whose value is a plain list has
proposals only (the form of `scannet_val_pred_box.json`). A row's own field goes before that of its scene.

`with_side_files` puts a scene's facts under the key `scene_facts` of its rows: all rows of a scene share one object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_text import numbers
from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.label_map import LabelMap, read_label_map
from spaceland.benchmarks.types import Row
from spaceland.files import read_json

SIDE_FILES = {
    "extra": "JSON: boxes, proposals and cameras by scene (see spaceland.benchmarks.box_rows)",
    "labels": "scannetv2-labels.combined.tsv, for unique and multiple",
}
_TELL_CLASSES = ("class_18", "class_20", "unique_multiple", "eval_type")
FACTS = "scene_facts"


class SceneFacts(Mapping[str, Any]):
    """The facts of a scene; printed as a hash, so that provenance does not write them out for every row."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)
        text = json.dumps(self._facts, sort_keys=True)
        self._printed = f"scene facts {hashlib.sha256(text.encode()).hexdigest()}"

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __str__(self) -> str:
        return self._printed


def with_side_files(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows with what the side files (keys of `SIDE_FILES`) hold about them.

    Raises:
        ScoreError: an unknown kind of file, or one that does not hold what it should.
        SceneError: a file is missing or not JSON.
    """
    unknown = sorted(set(files) - set(SIDE_FILES))
    if unknown:
        raise ScoreError(f"no side file is called '{unknown[0]}'; known are {', '.join(SIDE_FILES)}")
    facts = read_facts(files["extra"]) if "extra" in files else {}
    labels = read_label_map(files["labels"]) if "labels" in files else None
    return [_completed(row, facts, labels) for row in rows]


def class_notes(rows: Sequence[Row]) -> list[str]:
    """That nothing tells unique and multiple objects apart, where no row holds anything that does."""
    if any(row.get(name) is not None for row in rows for name in _TELL_CLASSES):
        return []
    return [
        "No figures for unique and multiple: give --labels scannetv2-labels.combined.tsv, or rows that say eval_type"
    ]


def read_facts(path: Path) -> dict[str, SceneFacts]:
    """Facts by scene.

    Raises:
        ScoreError: it is no object of scenes, or a box in it is none.
        SceneError: the file is missing or not JSON.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise ScoreError(f"{path}: expected an object with scenes as keys, found {type(data).__name__}")
    found = {}
    for scene, given in data.items():
        facts = {"proposals": given} if isinstance(given, list) else given
        if not isinstance(facts, dict):
            raise ScoreError(f"{path}: '{scene}' must hold an object or a list, found {type(facts).__name__}")
        objects, proposals = facts.get("objects", {}), facts.get("proposals", [])
        if not isinstance(objects, dict) or not isinstance(proposals, list):
            raise ScoreError(f"{path}: '{scene}' needs 'objects' as an object and 'proposals' as a list")
        for name, box in [*objects.items(), *enumerate(proposals)]:
            if numbers(box, 6) is None:
                raise ScoreError(
                    f"{path}: box {name} of '{scene}' must be six numbers (centre, size), found {box!r:.60}"
                )
        found[scene] = SceneFacts(facts)
    return found


def _completed(row: Row, facts: Mapping[str, SceneFacts], labels: LabelMap | None) -> Row:
    new = dict(row)
    scene = facts.get(scene_of(row) or "")
    if scene is not None:
        new[FACTS] = scene
        objects = scene.get("objects", {})
        if "gt_bbox" not in new and (box := objects.get(str(object_of(row)))) is not None:
            new["gt_bbox"] = box
        ids = row.get("object_ids")
        if "gt_bboxes" not in new and isinstance(ids, list) and all(str(k) in objects for k in ids):
            new["gt_bboxes"] = [objects[str(k)] for k in ids]
    if labels is not None and isinstance(row.get("object_name"), str):
        new["class_18"], new["class_20"] = labels.of_18(row["object_name"]), labels.of_20(row["object_name"])
    return new


def scene_of(row: Row) -> str | None:
    """The scene of a row: named, or the folder of its first image."""
    if row.get("scene_id"):
        return str(row["scene_id"])
    images = row.get("images")
    if isinstance(images, (list, tuple)) and images and isinstance(images[0], str) and "/" in images[0]:
        return images[0].split("/")[-2]
    return None


def object_of(row: Row) -> str | None:
    """The object id of a row, as text."""
    value = row.get("object_id")
    return None if value is None else str(value)


def named_object(row: Row) -> Row:
    """VG LLM's rows in ScanRefer's field names: `object_id` and `ann_id` from `metadata`, the scene from the images."""
    metadata = row.get("metadata")
    if not isinstance(metadata, Mapping) or row.get("object_id") is not None:
        return row
    named = {name: metadata[name] for name in ("object_id", "ann_id") if name in metadata}
    return {**row, **named, "scene_id": scene_of(row)}


def asked_words(row: Row) -> str | None:
    """What VG LLM's evaluation asks for a released row: its conversation without the places of images, whose line
    breaks stay; None where a row has no conversation."""
    turns = row.get("conversations")
    if isinstance(turns, (list, tuple)) and turns and isinstance(turns[0], Mapping) and "value" in turns[0]:
        return str(turns[0]["value"]).replace("<image>", "")
    return None


def fact(row: Row, key: str) -> Any:
    """A field of the row, else of its scene; None where neither has it."""
    value = row.get(key)
    return row.get(FACTS, {}).get(key) if value is None else value


def needed(row: Row, row_id: str, key: str, protocol: str) -> Any:
    """The same, where the protocol cannot do without.

    Raises:
        ScoreError: neither has it.
    """
    value = fact(row, key)
    if value is None:
        raise ScoreError(
            f"row '{row_id}' has no '{key}', which protocol {protocol} needs; give it as a field of the row or in the "
            "side file 'extra'"
        )
    return value


def proposals_of(row: Row, row_id: str, protocol: str) -> Float[np.ndarray, "k 6"]:
    """The proposals of a row's scene.

    Raises:
        ScoreError: it has none, or they are no boxes.
    """
    value = needed(row, row_id, "proposals", protocol)
    try:
        table = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.ndim != 2 or table.shape[-1] != 6 or len(table) == 0 or not np.isfinite(table).all():
        raise ScoreError(f"row '{row_id}': 'proposals' must be a list of boxes of six numbers (centre, size)")
    return table


def num_frames(row: Row, row_id: str, protocol: str) -> int:
    """How many frames have a pose.

    Raises:
        ScoreError: the row has no `cam2global`.
    """
    poses = needed(row, row_id, "cam2global", protocol)
    if not isinstance(poses, (list, tuple, np.ndarray)):
        raise ScoreError(f"row '{row_id}': 'cam2global' must be a list of 4 x 4 matrices")
    return len(poses)


def camera_pose(row: Row, row_id: str, frame: int, protocol: str) -> Float[np.ndarray, "4 4"]:
    """T_world_cam of a frame (from 0) in the aligned world: axis_align_matrix @ cam2global.

    Raises:
        ScoreError: a matrix is missing or has another shape.
    """
    align = _matrix(needed(row, row_id, "axis_align_matrix", protocol), row_id, "axis_align_matrix")
    return align @ _matrix(needed(row, row_id, "cam2global", protocol)[frame], row_id, "cam2global")


def intrinsics_of(row: Row, row_id: str, protocol: str) -> tuple[Float[np.ndarray, "3 3"], tuple[float, float]]:
    """Camera matrix and (width, height) of the images it belongs to.

    Raises:
        ScoreError: they are missing or have another shape.
    """
    matrix = np.asarray(needed(row, row_id, "cam2img", protocol), dtype=np.float64)
    if matrix.ndim != 2 or min(matrix.shape) < 3:
        raise ScoreError(f"row '{row_id}': 'cam2img' must be one 3 x 3 or 4 x 4 matrix, found shape {matrix.shape}")
    size = numbers(needed(row, row_id, "image_size", protocol), 2)
    if size is None:
        raise ScoreError(f"row '{row_id}': 'image_size' must be [width, height]")
    return matrix[:3, :3], (size[0], size[1])


def _matrix(value: Any, row_id: str, name: str) -> Float[np.ndarray, "4 4"]:
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != (4, 4):
        raise ScoreError(f"row '{row_id}': '{name}' must hold 4 x 4 matrices, found shape {found.shape}")
    return found


def box_problem(value: Any, *lengths: int) -> str | None:
    """What keeps a value from being a box of so many numbers; None where nothing does."""
    if any(numbers(value, length) is not None for length in lengths):
        return None
    return f"must be a list of {' or '.join(map(str, lengths))} finite numbers, found {value!r:.60}"
