"""Found objects on disk, and ids that last.

    objects.json          report, and of each object: id, label, score, votes, frames, box
    objects_points.npz    points_<id> float32 [n, 3], world metres

A thing keeps its id when it is found again by a later run (`keep_ids`), and no id is ever given to another thing: the
file remembers the next free one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from spaceland.errors import SceneError
from spaceland.files import read_json, write_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.objects.evaluate import overlaps
from spaceland.objects.labels import Labels
from spaceland.objects.types import Found, FoundObject
from spaceland.scenes.npz import read_npz, write_npz
from spaceland.scenes.scene import SceneObject

SCHEMA = 1
_JSON, _POINTS = "objects.json", "objects_points.npz"
_NEAR_M = 0.05
_SAME = 0.3
_SAME_OTHER_LABEL = 0.6


def write_found(found: Found, folder: Path) -> None:
    """Write `objects.json` and its points; `objects.json` comes last, so where it is everything is.

    Raises:
        OutputError: a file cannot be written.
    """
    write_npz(folder / _POINTS, {f"points_{thing.id}": thing.points.astype(np.float32) for thing in found.objects})
    objects = [
        {
            "id": thing.id,
            "label": thing.label,
            "score": thing.score,
            "votes": dict(thing.votes),
            "frames": list(thing.frames),
            "num_points": len(thing.points),
            "box": {name: getattr(thing.box, name).tolist() for name in ("center", "size", "rotation")},
        }
        for thing in found.objects
    ]
    write_json(
        folder / _JSON,
        {"schema": SCHEMA, "units": "metre", "next_id": next_id(found), "report": found.report, "objects": objects},
    )


def read_found(folder: Path) -> Found:
    """Read what `write_found` wrote.

    Raises:
        SceneError: a file is missing or damaged.
    """
    path = folder / _JSON
    content = read_json(path)
    points = read_npz(folder / _POINTS)
    try:
        if content["schema"] != SCHEMA:
            raise SceneError(f"{path} has schema {content['schema']}, expected {SCHEMA}; find the objects again")
        objects = tuple(_object(entry, points[f"points_{entry['id']}"]) for entry in content["objects"])
        report = {**content["report"], "next_id": int(content["next_id"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(f"{path} is damaged ({type(error).__name__}: {error}); find the objects again") from error
    if len({thing.id for thing in objects}) < len(objects):
        raise SceneError(f"{path} is damaged: two objects have one id; find the objects again")
    return Found(objects, report)


def _object(entry: dict[str, Any], points: np.ndarray) -> FoundObject:
    box = OrientedBox(*(np.asarray(entry["box"][name], dtype=float) for name in ("center", "size", "rotation")))
    if box.center.shape != (3,) or box.size.shape != (3,) or points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"object {entry['id']} has a box or points of the wrong shape")
    object_id, score = int(entry["id"]), float(entry["score"])
    if object_id < 0 or not math.isfinite(score) or not np.isfinite(points).all():
        raise ValueError(f"object {object_id} has a negative id, or numbers that are not finite")
    votes = {str(label): int(count) for label, count in entry["votes"].items()}
    frames = tuple(str(frame) for frame in entry["frames"])
    return FoundObject(object_id, str(entry["label"]), score, points.astype(float), box, frames, votes)


def next_id(found: Found) -> int:
    """The lowest id that no object has or ever had."""
    used = max((thing.id for thing in found.objects), default=-1) + 1
    return max(used, int(found.report.get("next_id", 0)))


def keep_ids(found: Found, earlier: Found) -> Found:
    """The objects with the ids that the same things had before; new things get ids that were never used.

    Things are the same when they overlap (points within 5 cm, or boxes) by 0.3, or by 0.6 where labels differ; the pair
    that overlaps most is taken first. Order stays that of score.
    """
    labels = Labels()
    pairs: list[tuple[float, int, int]] = []
    boxes = overlaps(found.objects, [_as_true(thing) for thing in earlier.objects])
    trees = [cKDTree(thing.points) for thing in earlier.objects]
    own_trees = [cKDTree(thing.points) for thing in found.objects]
    for row, thing in enumerate(found.objects):
        for column, other in enumerate(earlier.objects):
            if np.linalg.norm(thing.box.center - other.box.center) > (_reach(thing.box) + _reach(other.box)):
                continue
            shared = min(_near(thing.points, trees[column]), _near(other.points, own_trees[row]))
            same = max(shared, float(boxes[row, column]))
            if same >= (_SAME if labels.alike(thing.label, other.label) else _SAME_OTHER_LABEL):
                pairs.append((same, row, column))
    given: dict[int, int] = {}
    taken: set[int] = set()
    for _, row, column in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if row not in given and column not in taken:
            given[row] = earlier.objects[column].id
            taken.add(column)
    free = next_id(earlier)
    objects: list[FoundObject] = []
    for row, thing in enumerate(found.objects):
        if row not in given:
            given[row], free = free, free + 1
        objects.append(replace(thing, id=given[row]))
    return Found(tuple(objects), {**found.report, "next_id": free})


def _as_true(thing: FoundObject) -> SceneObject:
    return SceneObject(thing.id, thing.label, thing.label, thing.points, thing.box)


def _reach(box: OrientedBox) -> float:
    return float(np.linalg.norm(box.size)) / 2 + _NEAR_M


def _near(points: np.ndarray, tree: cKDTree) -> float:
    distance, _ = tree.query(points, distance_upper_bound=_NEAR_M)
    return float(np.isfinite(distance).mean()) if len(points) else 0.0
