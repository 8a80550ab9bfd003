"""Structured3D's annotation of a room: oriented boxes with labels, and the outline of the floor.

`bbox_3d.json` is a list of boxes: `ID` (the number in instance.png), `basis` (one axis in each row), `coeffs` (half
lengths) and `centroid`, lengths in millimetres. `annotation_3d.json` describes a flat by junctions (points), lines and
planes: row p of `planeLineMatrix` marks the lines of plane p, row l of `lineJunctionMatrix` the two ends of line l.
`semantics` lists rooms (and doors and windows) by `ID`, `type` and `planeID`. A room's floor plane gives its outline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry import polygons
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.box_objects import box_from_axes, box_object
from spaceland.scenes.scene import NO_OBJECT, Frame, Room, SceneObject

# fmt: off
NYU40 = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture",
    "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes",
    "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard",
    "person", "nightstand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture",
    "otherprop",
)
# fmt: on
"""Names of the numbers 1 to 40 in semantic.png."""

_MAX_POINTS = 3000  # of one object from one picture
_MARGIN_M = 0.05  # depth at the outline of an object is mixed with what lies behind it
_MM = 1000.0


@dataclass(frozen=True, eq=False)
class RoomAnnotation:
    """What `annotation_3d.json` says of one room: outline and kind ("bedroom"), each None when it does not say."""

    room: Room | None
    kind: str | None


def read_objects(
    path: Path, frames: Sequence[Frame], folders: Sequence[Path], room: Room | None, skipped: Counter[str]
) -> list[SceneObject]:
    """Objects that the pictures show, in the order of their ids.

    Args:
        path: bbox_3d.json.
        frames: The pictures, and `folders` their folders with semantic.png.
        room: Boxes in its outline that no picture shows are counted in `skipped`.
        skipped: Counts by reason.

    Raises:
        SceneError: a file is damaged.
    """
    boxes = read_boxes(path, skipped)
    votes: dict[int, Counter[int]] = {}
    points: dict[int, list[np.ndarray]] = {}
    for frame, folder in zip(frames, folders, strict=True):
        if frame.object_ids is None or not np.isfinite(frame.T_world_cam).all():
            continue
        if not (folder / "semantic.png").is_file():
            skipped["labels: no semantic.png for a frame"] += 1
            continue
        ids = np.asarray(frame.object_ids())
        labels = read_labels(folder / "semantic.png", ids.shape)
        depth = np.asarray(frame.depth()) if frame.depth is not None else np.zeros(ids.shape, np.float32)
        order = np.argsort(ids, axis=None, kind="stable")
        for pixels in np.split(order, np.flatnonzero(np.diff(ids.ravel()[order])) + 1):
            object_id = int(ids.ravel()[pixels[0]])
            if object_id == NO_OBJECT:
                continue
            numbers, counts = np.unique(labels.ravel()[pixels], return_counts=True)
            votes.setdefault(object_id, Counter()).update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
            points.setdefault(object_id, []).append(_lift(frame, depth, pixels[:: -(-len(pixels) // _MAX_POINTS)]))
    objects = []
    for object_id in sorted(votes):
        box, number = boxes.get(object_id), _winner(votes[object_id])
        if box is None:
            skipped["object: in a picture, but without a usable box in bbox_3d.json"] += 1
        elif number is None:
            skipped["object: no label in semantic.png"] += 1
        else:
            cloud = np.concatenate(points[object_id])
            cloud = cloud[box.contains(cloud, _MARGIN_M)]
            objects.append(box_object(object_id, NYU40[number - 1], box, cloud, skipped))
    if room is not None:
        unseen = [box.center[:2] for object_id, box in boxes.items() if object_id not in votes]
        inside = polygons.contains(room.floor_polygon, np.array(unseen).reshape(-1, 2)).sum()
        if inside:
            skipped["object: in no picture of the room, so without a label"] += int(inside)
    return objects


def read_boxes(path: Path, skipped: Counter[str]) -> dict[int, OrientedBox]:
    """Boxes in metres by id; broken ones are counted.

    Raises:
        SceneError: damaged, or not in the layout of bbox_3d.json.
    """
    boxes = {}
    try:
        for entry in read_json(path):
            center, half = np.array(entry["centroid"], float) / _MM, np.abs(np.array(entry["coeffs"], float)) / _MM
            axes = np.array(entry["basis"], float).T
            if center.shape != (3,) or half.shape != (3,) or axes.shape != (3, 3):
                raise ValueError(f"box {entry['ID']} has basis {axes.shape}, coeffs {half.shape}")
            box = box_from_axes(center, axes, 2 * half)
            if box is None:
                skipped["box: not finite or not rectangular"] += 1
            else:
                boxes[int(entry["ID"])] = box
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{path}: expected a list of boxes with ID, basis, coeffs and centroid ({type(error).__name__}: {error}); "
            "download the bounding box archive again"
        ) from error
    return boxes


def read_labels(path: Path, shape: tuple[int, ...]) -> Int[np.ndarray, "h w"]:
    """NYU40 number of each pixel: the values of a grey image, or the palette entries of a coloured one.

    Raises:
        SceneError: missing, truncated, of another size, or in plain colours.
    """
    try:
        with Image.open(path) as image:
            image.load()
            mode, labels = image.mode, np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(
            f"{path} is not a readable image ({error}); the file may be truncated, copy it again"
        ) from error
    if mode not in ("P", "L") or labels.shape != shape:
        raise SceneError(
            f"{path} is an image of mode {mode} and shape {labels.shape}, expected label numbers (mode P or L) of "
            f"shape {shape}; unpack the archive again"
        )
    return labels


def read_room_annotation(path: Path, room_id: str, skipped: Counter[str]) -> RoomAnnotation:
    """Outline, height and kind of a room; an outline that is not closed is counted.

    Raises:
        SceneError: damaged, or not in the layout of annotation_3d.json.
    """
    content = read_json(path)
    try:
        entry = next((s for s in content["semantics"] if str(s["ID"]) == room_id), None)
        if entry is None:
            skipped["room: not in annotation_3d.json"] += 1
            return RoomAnnotation(None, None)
        loops = {kind: _loops(content, entry, kind) for kind in ("floor", "ceiling")}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SceneError(
            f"{path}: planes, lines and junctions of room {room_id} do not fit together "
            f"({type(error).__name__}: {error}); download the annotation again"
        ) from error
    if not loops["floor"]:
        skipped["room: no closed outline of the floor"] += 1
        return RoomAnnotation(None, str(entry["type"]))
    outline = max(loops["floor"], key=lambda loop: polygons.area(loop[:, :2]))
    floor_z = float(outline[:, 2].mean())
    height = max((float(loop[:, 2].mean()) - floor_z for loop in loops["ceiling"]), default=0.0)
    room = Room(outline[:, :2], floor_z, height if height > 0 else None, polygons.area(outline[:, :2]))
    return RoomAnnotation(room, str(entry["type"]))


def _loops(content: Any, entry: Any, kind: str) -> list[Float[np.ndarray, "k 3"]]:
    """Closed outlines (metres) of the room's planes of a kind."""
    places = np.array([junction["coordinate"] for junction in content["junctions"]], float).reshape(-1, 3) / _MM
    found = []
    for plane in entry["planeID"]:
        if content["planes"][plane]["type"] != kind:
            continue
        ends = [
            np.flatnonzero(content["lineJunctionMatrix"][line]).tolist()
            for line in np.flatnonzero(content["planeLineMatrix"][plane]).tolist()
        ]
        found += [places[loop] for loop in _chains([(pair[0], pair[1]) for pair in ends])]
    return [loop for loop in found if np.isfinite(loop).all()]


def _chains(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Closed chains of junctions from the ends of lines; open ones are left out.

    >>> _chains([(0, 1), (3, 0), (2, 1), (2, 3), (5, 6)])
    [[0, 1, 2, 3]]
    """
    rest, chains = list(pairs), []
    while rest:
        first, last = rest.pop(0)
        chain = [first, last]
        while chain[-1] != first:
            step = next((pair for pair in rest if chain[-1] in pair), None)
            if step is None:
                break
            rest.remove(step)
            chain.append(step[0] if step[1] == chain[-1] else step[1])
        if chain[-1] == first and len(chain) > 3:
            chains.append(chain[:-1])
    return chains


def _winner(votes: Counter[int]) -> int | None:
    """The label number with the most pixels; None without any from 1 to 40."""
    good = {number: count for number, count in votes.items() if 1 <= number <= len(NYU40)}
    return max(good, key=lambda number: (good[number], -number)) if good else None


def _lift(frame: Frame, depth: np.ndarray, pixels: Int[np.ndarray, "n"]) -> Float[np.ndarray, "k 3"]:
    """World points of flat pixel indices that have depth."""
    z = depth.ravel()[pixels].astype(float)
    row, column = np.divmod(pixels[z > 0], depth.shape[1])
    centers = np.stack([column + 0.5, row + 0.5], -1)
    return transform_points(frame.T_world_cam, frame.camera.unproject(centers, z[z > 0]))
