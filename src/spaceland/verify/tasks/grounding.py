"""Named things in space: JSON and text are read back, taken to the world, and compared with the scene's boxes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from spaceland.geometry.box9 import box9_in_camera, box_from_box9, corner_gap_m
from spaceland.geometry.transforms import transform_points
from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers
from spaceland.verify.rows import Row, Wrong, real, reals, shown, whole
from spaceland.verify.tasks.common import center, rounded, stored_close

_STEP = 0.01
_CLOSE_ANGLE = 1e-3
_PLACE = re.compile(
    r"Frame-(\d{1,4}),\((\d{1,4}),(\d{1,4})\),(\d{1,4}\.\d\d),\((\d{1,4}\.\d\d),(\d{1,4}\.\d\d),(\d{1,4}\.\d\d)\)",
    re.ASCII,
)


def check_grounding_frame(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`grounding_frame`: the place in the frame must lead back to the object's centre, the size is that of its box."""
    frame_number, *stored = reals(row.value, "facts.value", 7)
    whole(row.value[0], "frame of facts.value")
    frame = _frame(row, frames, frame_number - 1, 1)
    thing = scene.objects_by_id[row.objects["red"]]
    _check_unique(scene, thing.label)
    length, width, height = length_width_height(thing.box)
    leans_deg = lean_deg(thing.box)
    if leans_deg > real(row.params.get("max_box_tilt_deg"), "facts.params.max_box_tilt_deg") + 1e-3:
        raise Wrong(f"the box leans by {leans_deg:.1f} degrees and has no height")
    if row.params.get("size") != "width, height, length":
        raise Wrong(f"facts.params.size is {shown(row.params.get('size'))}, expected 'width, height, length'")
    local = solvers.in_camera(frame, center(scene, row, "red"))
    pixels, depth_m = frame.camera.project(local)
    size = frame.camera.width, frame.camera.height
    for name, number, derived in zip(
        ("x", "y"), stored[:2], (1000 * float(v) / s for v, s in zip(pixels, size, strict=True)), strict=True
    ):
        if number != int(number) or not 0 <= number <= 1000:
            raise Wrong(f"{name} of facts.value is {number:g}, not a whole number from 0 to 1000")
        rounded(f"{name} of facts.value", number, derived, 1.0)
    expected = (float(depth_m), width, height, length)
    for name, number, derived in zip(("depth", "width", "height", "length"), stored[2:], expected, strict=True):
        stored_close(f"{name} of facts.value", number, derived)
    found = _PLACE.fullmatch(row.answer)
    if not found:
        raise Wrong(f"answer {shown(row.answer)} is not of the form Frame-n,(x,y),depth,(width,height,length)")
    if [float(v) for v in found.groups()[:3]] != [frame_number, *stored[:2]]:
        raise Wrong(f"the answer's frame and place differ from those of facts.value, {stored[:2]}")
    written = [float(v) for v in found.groups()[2:]][1:]
    for name, number, derived in zip(("depth", "width", "height", "length"), written, expected, strict=True):
        rounded(name, number, derived, _STEP)
    # What a reader of the answer does: pixel and depth, with the camera, are a place in the room.
    place = np.array(stored[:2]) / 1000 * size
    world = transform_points(np.asarray(frame.T_world_cam), frame.camera.unproject(place, np.array(written[0])))
    slack = written[0] * max(s / f for s, f in zip(size, (frame.camera.fx, frame.camera.fy), strict=True)) / 1000
    if solvers.distance_m(world, center(scene, row, "red")) > _STEP + slack:
        raise Wrong("pixel and depth of the answer do not lead to the object's centre")


def check_grounding_box(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`grounding_box`: the box of the answer, taken to the world, is the object's."""
    number, *stored = reals(row.value, "facts.value", 10)
    whole(row.value[0], "frame of facts.value")
    frame = _frame(row, frames, number, 0)
    check_angles(row)
    thing = scene.objects_by_id[row.objects["red"]]
    _check_unique(scene, thing.label)
    derived = box9_in_camera(thing.box, np.asarray(frame.T_world_cam, dtype=np.float64))
    check_stored_box(stored, derived)
    answer = answer_json(row.answer, "```json\n\t", "\n```")
    if not isinstance(answer, dict) or list(answer) != ["frame", "bbox_3d"]:
        raise Wrong("the answer is not a JSON object with frame and bbox_3d")
    if whole(answer["frame"], "frame of the answer") != number:
        raise Wrong(f"the answer names frame {answer['frame']}, facts.value {number:g}")
    check_box(answer["bbox_3d"], derived, thing, frame)


def _frame(row: Row, frames: Sequence[Frame], index: float, first: int) -> Frame:
    """The frame of an answer; the evidence pixel must be in the same one."""
    if row.params.get("first_frame") != first:
        raise Wrong(f"facts.params.first_frame is {shown(row.params.get('first_frame'))}, expected {first}")
    if not 0 <= index < len(frames):
        raise Wrong(f"the frame of facts.value is not one of the {len(frames)}")
    frame = frames[int(index)]
    seen_at = row.values.get("seen_at")
    places = list(seen_at.values()) if isinstance(seen_at, dict) else []
    if len(places) != 1 or not isinstance(places[0], list) or places[0][:1] != [frame.id]:
        raise Wrong(f"facts.values.seen_at is not in frame {frame.id}, the frame of the answer")
    return frame


def _check_unique(scene: Scene, label: str) -> None:
    if len(solvers.object_ids_with_label(scene, label)) != 1:
        raise Wrong(f"the scene has several objects with the label {shown(label)}")


def check_angles(row: Row) -> None:
    """The angles of nine numbers must be named."""
    if row.params.get("angles") != "intrinsic ZXY":
        raise Wrong(f"facts.params.angles is {shown(row.params.get('angles'))}, expected 'intrinsic ZXY'")


def answer_json(answer: str, start: str, end: str, lines: bool = False) -> Any:
    """The JSON value between the fences, or `Wrong`."""
    if not (answer.startswith(start) and answer.endswith(end) and len(answer) > len(start) + len(end)):
        raise Wrong(f"answer {shown(answer)} does not have the fences and line breaks of its format")
    inside = answer[len(start) : -len(end)]
    try:
        return [json.loads(line) for line in inside.split(",\n\t")] if lines else json.loads(inside)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"answer {shown(answer)} is not JSON ({shown(str(error))})") from None


def check_stored_box(stored: Sequence[float], derived: np.ndarray) -> None:
    """Nine stored numbers against the derived ones."""
    for number, exact in zip(stored, derived, strict=True):
        stored_close("box of facts.value", number, float(exact))


def check_box(value: object, derived: np.ndarray, thing: Any, frame: Frame) -> None:
    """Nine written numbers against the derived ones, and their corners in the world against the object's."""
    written = reals(value, "bbox_3d", 9)
    for k, (number, exact) in enumerate(zip(written, derived, strict=True)):
        slack = _CLOSE_ANGLE if k >= 6 else 0.0
        if abs(number - exact) > _STEP / 2 + 1e-6 + slack:
            raise Wrong(f"number {k + 1} of the box is {number:g}, derived {exact:.4f}")
        if round(number, 2) != number:
            raise Wrong(f"number {k + 1} of the box is {number:g}, which has more than two decimals")
    pose = np.asarray(frame.T_world_cam, dtype=np.float64)
    radius = float(np.linalg.norm(thing.box.size)) / 2
    gap = corner_gap_m(box_from_box9(np.array(written), pose), thing.box)
    if gap > 1.5 * np.sqrt(3) * _STEP / 2 + 1.5 * _STEP * radius + 1e-3:
        raise Wrong(f"corners of the box are {gap:.3f} m away from those of object {thing.id}")
