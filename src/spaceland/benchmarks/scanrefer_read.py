"""From replies to overlaps: how each protocol of ScanRefer finds the box that a reply means.

Every function takes rows, their ids and replies, and gives the IoU of each with the ground truth. A reply that is
missing or cannot be read has the overlap 0. Overlaps of oriented boxes are computed for all rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from spaceland.benchmarks.box_overlap import (
    SCANREFER_EPS,
    aligned_iou,
    boxes_of,
    joined,
    pair_iou,
    refined,
    torch3d_iou,
)
from spaceland.benchmarks.box_rows import camera_pose, fact, intrinsics_of, num_frames, proposals_of
from spaceland.benchmarks.box_text import (
    PixelBox,
    location_box,
    numbers,
    object_ids,
    official_lines,
    pixel_box,
    python_literal,
    values_in,
    world_box,
    world_boxes,
)
from spaceland.benchmarks.replies import final_part
from spaceland.benchmarks.types import Reply, Row
from spaceland.geometry.box9 import EulerConvention, euler_from_rotation, rotation_from_euler
from spaceland.geometry.box_relations import Boxes

Overlaps = Float[np.ndarray, "n"]
Locate = Callable[[Sequence[Row], Sequence[str], Sequence[Reply]], Overlaps]
_FRAME_BOX = "bbox_3d"


def by_stated_box(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
    """ScanRefer: the first axis-aligned box of the reply; a proposal's, where it names one and states no box."""

    def one(row: Row, row_id: str, reply: str) -> Sequence[float] | None:
        boxes = world_boxes(reply)
        if boxes:
            return boxes[0]
        proposals = proposals_of(row, row_id, "official") if fact(row, "proposals") is not None else []
        return next((proposals[k] for k in object_ids(reply) if k < len(proposals)), None)

    return _aligned(rows, ids, replies, one)


def by_proposal(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
    """Chat-Scene, GPT4Scene: the first `<OBJ012>` that is a proposal, else proposal 0."""

    def one(row: Row, row_id: str, reply: str) -> Sequence[float]:
        proposals = proposals_of(row, row_id, "chat-scene")
        return proposals[next((k for k in object_ids(reply) if k < len(proposals)), 0)]

    return _aligned(rows, ids, replies, one)


def by_location(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
    """Chat-Scene's variant without proposals: six `<LOC512>`."""
    return _aligned(rows, ids, replies, lambda row, row_id, reply: location_box(reply))


def _aligned(
    rows: Sequence[Row],
    ids: Sequence[str],
    replies: Sequence[Reply],
    one: Callable[[Row, str, str], Sequence[float] | None],
) -> Overlaps:
    found = np.zeros(len(rows))
    for index, (row, row_id, reply) in enumerate(zip(rows, ids, replies, strict=True)):
        box = None if reply is None else one(row, row_id, reply)
        if box is not None:
            truth = np.array(row["gt_bbox"][:6], dtype=np.float64)
            found[index] = aligned_iou(np.array(box)[None], truth[None], SCANREFER_EPS)[0, 0]
    return found


def by_frame_box(convention: EulerConvention, refine: bool) -> Locate:
    """VG LLM: a frame and nine numbers in the axes of its camera, from the first line that mentions "bbox_3d".

    The released code makes a matrix of the angles, goes to the world and back to angles by `convention`, but always
    makes the corners by "ZXY". With "zxy" (code before November 2025) the box is thus not the one that was meant.
    """
    protocol = "vg-llm"

    def locate(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
        boxes: list[Boxes] = []
        places: list[int] = []
        for index, (row, row_id, reply) in enumerate(zip(rows, ids, replies, strict=True)):
            said = None if reply is None else _official_frame_box(reply, num_frames(row, row_id, protocol))
            box = None if said is None else _world_by_way_of_angles(*said, row, row_id, convention, protocol)
            if box is not None:
                boxes.append(box)
                places.append(index)
        return _oriented(rows, ids, joined(boxes), places, refine, protocol)

    return locate


def _official_frame_box(reply: str, frames: int) -> tuple[int, list[float]] | None:
    line = next((line for line in official_lines(reply) if _FRAME_BOX in line), None)
    if line is None:
        return None
    try:
        value = python_literal(line.strip())
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get(_FRAME_BOX), list):
        return None
    frame, box = value.get("frame"), numbers(value[_FRAME_BOX], 9, bools=True)
    # True is a whole number for the released code, too: frame 1.
    return (int(frame), box) if isinstance(frame, int) and 0 <= frame < frames and box is not None else None


def _world_by_way_of_angles(
    frame: int, box: list[float], row: Row, row_id: str, convention: EulerConvention, protocol: str
) -> Boxes | None:
    pose = camera_pose(row, row_id, frame, protocol)
    try:
        turn = Rotation.from_matrix(pose[:3, :3] @ rotation_from_euler(np.array(box[6:]), convention)).as_matrix()
    except (ValueError, np.linalg.LinAlgError):
        return None
    center = pose[:3, :3] @ box[:3] + pose[:3, 3]
    return boxes_of([[*center, *box[3:6], *euler_from_rotation(turn, convention)]], "ZXY")


def by_pixel_box(refine: bool) -> Locate:
    """SPAR: a frame, the place of the centre in it, depth and sizes; the box lies along the axes of the world.

    Width and length are horizontal, but nothing says which is along x: the assignment that overlaps the truth more
    counts; when proposals refine it, the one that overlaps a proposal more.
    """
    protocol = "spar"

    def locate(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
        boxes: list[list[float]] = []
        places: list[int] = []
        for index, (row, row_id, reply) in enumerate(zip(rows, ids, replies, strict=True)):
            said = None if reply is None else pixel_box(reply)
            if said is None or not 1 <= said.frame <= num_frames(row, row_id, protocol):
                continue
            center = _unprojected(said, row, row_id, protocol)
            for across, along in ((said.width_m, said.length_m), (said.length_m, said.width_m)):
                boxes.append([*center, across, along, said.height_m, 0.0, 0.0, 0.0])
                places.append(index)
        predicted = boxes_of(boxes)
        if refine and places:
            proposals = [proposals_of(rows[k], ids[k], protocol) for k in places]
            snapped = refined(predicted, proposals)
            gain = pair_iou(predicted, snapped)
            for first in range(0, len(places), 2):
                better = first + int(gain[first + 1] > gain[first])
                for values in (snapped.center, snapped.size, snapped.rotation):
                    values[first : first + 2] = values[better]
            predicted = snapped
        each = pair_iou(predicted, _truths(rows, places))
        found = np.zeros(len(rows))
        np.maximum.at(found, np.array(places, dtype=int), each)
        return found

    return locate


def _unprojected(said: PixelBox, row: Row, row_id: str, protocol: str) -> Float[np.ndarray, "3"]:
    matrix, (width, height) = intrinsics_of(row, row_id, protocol)
    pose = camera_pose(row, row_id, said.frame - 1, protocol)
    across = (said.x / 1000 * width - matrix[0, 2]) / matrix[0, 0]
    down = (said.y / 1000 * height - matrix[1, 2]) / matrix[1, 1]
    return pose[:3, :3] @ (said.depth_m * np.array([across, down, 1.0])) + pose[:3, 3]


def by_sense(rows: Sequence[Row], ids: Sequence[str], replies: Sequence[Reply]) -> Overlaps:
    """Strict: the last box that a reply states, in any form, or the one proposal that it names; exact overlap."""
    boxes: list[Boxes] = []
    places: list[int] = []
    for index, (row, row_id, reply) in enumerate(zip(rows, ids, replies, strict=True)):
        box = None if reply is None else _sensible(final_part(reply), row, row_id)
        if box is not None:
            boxes.append(box)
            places.append(index)
    found = np.zeros(len(rows))
    found[places] = pair_iou(joined(boxes), _truths(rows, places))
    return found


def _sensible(text: str, row: Row, row_id: str) -> Boxes | None:
    for value in reversed(values_in(text)):
        box = _box_of_value(value, row, row_id)
        if box is not None:
            return box if (box.size > 0).all() else None
    if fact(row, "proposals") is None:
        return None
    named = set(object_ids(text))
    proposals = proposals_of(row, row_id, "strict")
    return boxes_of(proposals[list(named)]) if len(named) == 1 and max(named) < len(proposals) else None


def _box_of_value(value: Any, row: Row, row_id: str) -> Boxes | None:
    six = world_box(value)
    if six is not None:
        return boxes_of([six]) if min(six[3:]) > 0 else None
    nine = numbers(value.get(_FRAME_BOX) if isinstance(value, dict) else value, 9)
    if nine is None or min(nine[3:6]) <= 0:
        return None
    box = boxes_of([nine])
    frame = value.get("frame") if isinstance(value, dict) else None
    if frame is None:
        return box
    if isinstance(frame, bool) or not isinstance(frame, int) or fact(row, "cam2global") is None:
        return None
    if not 0 <= frame < num_frames(row, row_id, "strict"):
        return None
    pose = camera_pose(row, row_id, frame, "strict")
    return Boxes(box.center @ pose[:3, :3].T + pose[:3, 3], box.size, pose[:3, :3] @ box.rotation)


def _oriented(
    rows: Sequence[Row], ids: Sequence[str], predicted: Boxes, places: list[int], refine: bool, protocol: str
) -> Overlaps:
    if refine and places:
        predicted = refined(predicted, [proposals_of(rows[k], ids[k], protocol) for k in places])
    found = np.zeros(len(rows))
    found[places] = torch3d_iou(predicted, _truths(rows, places))
    return found


def _truths(rows: Sequence[Row], places: Sequence[int]) -> Boxes:
    return boxes_of([[*rows[k]["gt_bbox"], 0.0, 0.0, 0.0][:9] for k in places])
