"""Lists of things in space: each entry against its object's box, and the pictures searched for things left out.

A detection is about one image. A window is about some frames of a video, and its boxes are in the camera of the first:
which frames follow each other, what comes into view first, and whether each thing is ever clear, is worked out anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from spaceland.geometry.box9 import box9_in_camera
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.evidence import Evidence
from spaceland.verify.rows import Row, Wrong, real, reals, shown, whole
from spaceland.verify.tasks.common import center
from spaceland.verify.tasks.frames_seen import may_be_seen, may_be_unseen
from spaceland.verify.tasks.grounding import answer_json, check_angles, check_box, check_stored_box

_MISSED_AREA = 1500.0
"""Of an instance that a detection leaves out, so much may be seen: area of a box on the 0..1000 scale."""
_CLOSE_M = 1e-5
_CLOSE_S = 1e-6


def check_detection(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`detection`: one entry for each object of the row, the nearest first; `check_detected` looks for missing ones."""
    _check_boxes(row, scene, frames[0])
    far_m = [_far_m(row, scene, role, frames[0]) for role in row.objects]
    if any(b < a - _CLOSE_M for a, b in pairwise(far_m)):
        raise Wrong("the boxes are not in the order of the distance from the camera to their centres")


def check_detection_window(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`detection_window`: as `check_detection`, with the order in which things come into view."""
    _check_window(row, scene, frames)
    _check_boxes(row, scene, frames[0])
    keys = []
    for role, object_id in row.objects.items():
        thing = scene.objects_by_id[object_id]
        if not any(may_be_seen(scene, frame, thing, row.params) for frame in frames):
            raise Wrong(f"no frame clearly shows object {object_id} ({shown(thing.label)})")
        number = _first_seen(row, object_id)
        for k, frame in enumerate(frames[:number]):
            if not may_be_unseen(scene, frame, thing, row.params):
                raise Wrong(f"object {object_id} is said to come into view in image {number + 1}, image {k + 1} has it")
        keys.append((number, _far_m(row, scene, role, frames[number])))
    for (first, near), (second, far) in pairwise(keys):
        if second < first or (second == first and far < near - _CLOSE_M):
            raise Wrong("the boxes are not in the order in which things come into view, the nearest first")


def _far_m(row: Row, scene: Scene, role: str, frame: Frame) -> float:
    """Straight distance from a frame's camera to an object's centre."""
    return solvers.distance_m(np.asarray(frame.T_world_cam, dtype=np.float64)[:3, 3], center(scene, row, role))


def check_detected(row: Row, scene: Scene, evidence: Evidence) -> None:
    """Raise `Wrong` when a picture shows another object with a label of a detection, or with one much like it."""
    listed, labels = set(row.objects.values()), set(row.labels.values())
    for thing in scene.objects:
        like = sorted(label for label in labels if _much_like(label, thing.label))
        if (thing.label not in labels and not like) or thing.id in listed:
            continue
        for frame_id in row.frames:
            bounds = evidence.bounds(scene.frames_by_id[frame_id], thing)
            if bounds is None or bounds.inner is None:
                continue
            x1, y1, x2, y2 = bounds.inner
            if x2 > x1 and y2 > y1 and (x2 - x1) * (y2 - y1) > _MISSED_AREA:
                if thing.label in labels:
                    raise Wrong(f"the list leaves out what is seen of object {thing.id} ({shown(thing.label)})")
                raise Wrong(f"asked for {shown(like[0])}, but object {thing.id} ({shown(thing.label)}) is seen too")


def _much_like(label: str, other: str) -> bool:
    """Whether one label ends in the other, so that either may be meant by it: "table" and "coffee table"."""
    return label != other and (label.endswith(other) or other.endswith(label))


def _check_boxes(row: Row, scene: Scene, frame: Frame) -> None:
    """Stored and written boxes are those of the row's objects, in their order, in the camera of a frame."""
    if list(row.objects) != [f"object {k}" for k in range(len(row.objects))]:
        raise Wrong(f"roles are {shown(list(row.objects))}, expected object 0, object 1, ...")
    check_angles(row)
    _check_labels(row)
    answer = answer_json(row.answer, "```json\n[\n\t", "\n]\n```", lines=True)
    if not isinstance(row.value, list) or len(row.value) != len(row.objects) or len(answer) != len(row.objects):
        raise Wrong(f"facts.value and the answer should have {len(row.objects)} boxes")
    for object_id, stored, written in zip(row.objects.values(), row.value, answer, strict=True):
        thing = scene.objects_by_id[object_id]
        derived = box9_in_camera(thing.box, np.asarray(frame.T_world_cam, dtype=np.float64))
        for name, entry in (("facts.value", stored), ("the answer", written)):
            if not isinstance(entry, dict) or list(entry) != ["label", "bbox_3d"]:
                raise Wrong(f"an entry of {name} is {shown(entry)}, expected label and bbox_3d")
            if entry["label"] != thing.label:
                raise Wrong(f"{name} has the label {shown(entry['label'])}, object {object_id} is {shown(thing.label)}")
        check_stored_box(reals(stored["bbox_3d"], "bbox_3d of facts.value", 9), derived)
        check_box(written["bbox_3d"], derived, thing, frame)


def _check_labels(row: Row) -> None:
    """The question lists every label once, in quotes and in alphabetical order, and nothing else in quotes before."""
    expected = text.quoted_labels(row)
    if row.question.count(expected) != 1 or row.question.index('"') != row.question.index(expected):
        raise Wrong(f"the question does not ask for {shown(expected)}")
    before, after = row.question.split(expected)
    if before.endswith(", ") or after.startswith(","):
        raise Wrong(f"the question asks for more labels than {shown(expected)}")
    labels = sorted(set(row.labels.values()))
    for a, b in combinations(labels, 2):
        if _much_like(a, b):
            raise Wrong(f"the question asks for {shown(a)} and {shown(b)}, and one may be meant by the other")


def _first_seen(row: Row, object_id: int) -> int:
    """Place in the window of the frame with the evidence pixel of an object."""
    seen_at = row.values.get("seen_at")
    place = seen_at.get(str(object_id)) if isinstance(seen_at, dict) else None
    if not isinstance(place, list) or not place or place[0] not in row.frames:
        raise Wrong(f"facts.values.seen_at of object {object_id} is {shown(place)}, expected frame, x and y")
    return row.frames.index(place[0])


def _check_window(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """The frames are the ones that the row's step (in seconds, or in frames where they have no times) leads to."""
    if not scene.is_video:
        raise Wrong("the scene is no video")
    count = whole(row.params.get("window_frames"), "facts.params.window_frames")
    if len(frames) != count:
        raise Wrong(f"there are {len(frames)} frames, facts.params.window_frames is {count}")
    order = {frame.id: k for k, frame in enumerate(scene.frames)}
    places = [order[frame.id] for frame in frames]
    if _has_times(scene):
        times = [float(frame.timestamp_s or 0.0) for frame in scene.frames]
        step_s = real(row.params.get("window_step_s"), "facts.params.window_step_s")
        most_s = real(row.params.get("max_window_gap_s"), "facts.params.max_window_gap_s")
        for a, b in pairwise(places):
            gaps_s = [t - times[a] for t in times if t - times[a] > step_s / 2 - _CLOSE_S]
            gap_s = times[b] - times[a]
            if gap_s <= step_s / 2 or abs(gap_s - step_s) > min(abs(gap - step_s) for gap in gaps_s) + _CLOSE_S:
                raise Wrong(f"frame {scene.frames[b].id} is not the one nearest to {step_s:g} s after the one before")
            if gap_s > most_s + _CLOSE_S:
                raise Wrong(f"frames are {gap_s:.2f} s apart, more than {most_s:g} s")
        return
    stride = whole(row.params.get("window_stride"), "facts.params.window_stride")
    if stride < 1 or any(b - a != stride for a, b in pairwise(places)):
        raise Wrong(f"the frames do not follow each other at a distance of {stride}")


def _has_times(scene: Scene) -> bool:
    times = [frame.timestamp_s for frame in scene.frames]
    return all(a is not None and b is not None and a < b for a, b in pairwise(times))
