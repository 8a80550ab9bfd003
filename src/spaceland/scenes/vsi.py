"""Rooms as VSI-Bench describes them: labelled boxes, counts and a floor area, without pictures or surface.

A file `*_meta_info_*.json` maps scene names to

    {"room_size": 11.0,                          floor area, m2
     "room_center": [x, y, z],
     "object_counts": {"trash bin": 2},
     "object_bbox": {"trash bin": [{"centroid": [x, y, z], "axesLengths": [a, b, c], "normalizedAxes": [9]}]}}

in metres with z up. Lengths are full, the rows of `normalizedAxes` are the axes (see `obb`). Counts and boxes are two
annotations and may differ: a scene has one object for each box, and `Annotation.counts` keeps the counts.

Worked example. `vsi:meta` opens all files of a folder, `vsi:meta/scannet_meta_info_val.json` one of them. Its scenes
hold objects and an area, and no frames: the rules of `questions.vsi_rules` need no more, questions with pictures do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.box_objects import box_object
from spaceland.scenes.obb import read_obb
from spaceland.scenes.scene import Room, Scene, make_scene, normalise_label
from spaceland.scenes.sources import check_options

PATTERN = "*_meta_info_*.json"


@dataclass(frozen=True, eq=False)
class Annotation:
    """One room: by normalised label the boxes and how many there are, and the floor area where it is known."""

    scene: str
    dataset: str
    boxes: Mapping[str, Sequence[OrientedBox]]
    counts: Mapping[str, int]
    area_m2: float | None
    skipped: Mapping[str, int] = field(default_factory=dict)


def read_meta(path: Path) -> dict[str, Annotation]:
    """The rooms of a file by scene name.

    Raises:
        SceneError: it is no JSON, or no table of rooms.
    """
    table = read_json(path)
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise SceneError(f"{path} is no table of scenes; expected scene names with room_size and object_bbox")
    return {str(name): _annotation(str(name), entry) for name, entry in table.items()}


def _annotation(name: str, entry: Mapping[str, Any]) -> Annotation:
    skipped: Counter[str] = Counter()
    boxes: dict[str, list[OrientedBox]] = {}
    for label, listed in _table(entry.get("object_bbox")).items():
        for obb in listed if isinstance(listed, list) else []:
            box = read_obb(obb, skipped)
            if box is not None:
                boxes.setdefault(normalise_label(label), []).append(box)
    counts: Counter[str] = Counter()
    for label, count in _table(entry.get("object_counts")).items():
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            counts[normalise_label(label)] += count
        else:
            skipped["object count: not a whole number"] += 1
    area = entry.get("room_size")
    known = isinstance(area, int | float) and not isinstance(area, bool) and math.isfinite(area) and area > 0
    if not known:
        skipped["room size: missing or damaged"] += 1
    return Annotation(
        name, str(entry.get("dataset") or ""), boxes, dict(counts), float(area) if known else None, dict(skipped)
    )


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def scene_of(annotation: Annotation) -> Scene:
    """Objects and floor area as a scene without frames; the floor is at the lowest corner of all boxes."""
    # That a box stands for the shape is so for all objects here, and nothing to count.
    skipped: Counter[str] = Counter(annotation.skipped)
    pairs = [(label, box) for label, boxes in annotation.boxes.items() for box in boxes]
    things = [box_object(k, label, box, np.zeros((0, 3)), Counter()) for k, (label, box) in enumerate(pairs)]
    for label, count in annotation.counts.items():
        if count != len(annotation.boxes.get(label, ())):
            skipped["label: as many boxes as it has differ from its count"] += 1
    floor_z = min((float(box.corners()[:, 2].min()) for _, box in pairs), default=0.0)
    room = None if annotation.area_m2 is None else Room(np.zeros((0, 2)), floor_z, None, annotation.area_m2)
    return make_scene(
        id=annotation.scene,
        frames=(),
        objects=things,
        surface=None,
        room=room,
        geometry="measured",
        provenance={"kind": "vsi", "dataset": annotation.dataset, "object_counts": dict(annotation.counts)},
        skipped=skipped,
    )


@dataclass(frozen=True)
class VsiSource:
    """The rooms of some files, in the order of the files."""

    rooms: Mapping[str, Annotation]
    kind: str = "vsi"

    def ids(self) -> Sequence[str]:
        return list(self.rooms)

    def open(self, scene_id: str) -> Scene:
        """The scene of a room.

        Raises:
            SourceError: no such room.
        """
        if scene_id not in self.rooms:
            raise SourceError(f"no scene '{scene_id}' in this source; it has {', '.join(list(self.rooms)[:8])}")
        return scene_of(self.rooms[scene_id])


def recognise(path: Path) -> bool:
    """Whether `path` is such a file or a folder with some."""
    return path.match(PATTERN) if path.is_file() else any(path.glob(PATTERN))


def open_source(location: str, options: dict[str, str]) -> VsiSource:
    """Rooms of one file, or of all files of a folder.

    Raises:
        SourceError: nothing there, or one scene in two files.
    """
    check_options("vsi", options, ())
    path = Path(location)
    files = [path] if path.is_file() else sorted(path.glob(PATTERN))
    if not files:
        raise SourceError(f"vsi: no file at '{location}'; expected a {PATTERN} file or a folder with some")
    rooms: dict[str, Annotation] = {}
    for file in files:
        for name, annotation in read_meta(file).items():
            if name in rooms:
                raise SourceError(f"vsi: scene '{name}' is in two files of '{location}'; give one file at a time")
            rooms[name] = annotation
    return VsiSource(rooms)
