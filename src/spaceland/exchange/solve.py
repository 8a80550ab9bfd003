"""Released answers worked out anew: one small function for each task that marks, labels and the scan determine."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import SLACK, Case, Verdict
from spaceland.exchange.locate import iou, projected_box
from spaceland.questions.camera import camera_motion
from spaceland.questions.language import plural
from spaceland.questions.marks import to_thousand

_BOX_SLACK_PX = 2.0
"""Pixels of the visibility map by which a side of a box may differ."""
_FAR = {"far", "farther", "farthest", "further", "furthest"}
_NEAR = {"near", "close", "closer", "closest", "nearer", "nearest"}


def _depth(case: Case, color: str) -> float:
    return float(case.in_camera(color, case.marked_frame(color))[2])


def depth_oc(case: Case) -> Verdict:
    return case.number(_depth(case, "blue"))


def depth_oo(case: Case) -> Verdict:
    return case.number(abs(_depth(case, "green") - _depth(case, "blue")))


def distance_oc(case: Case) -> Verdict:
    return case.number(float(np.linalg.norm(case.in_camera("red", case.frame(0)))))


def distance_oo(case: Case) -> Verdict:
    return case.number(float(np.linalg.norm(case.center("red") - case.center("blue"))))


def nearest_oo(case: Case) -> Verdict:
    """Which of green and blue is nearer to, or farther from, red."""
    far = _asks_far(case)
    text = case.claimed()
    chosen = [c for c in ("green", "blue") if f"{c} point" in text.lower() or answer_text.HIDDEN[c] in text]
    if len(chosen) != 1:
        raise UnreadableError("the answer names no single mark")
    gaps = {c: float(np.linalg.norm(case.center(c) - case.center("red"))) for c in ("green", "blue")}
    other = "blue" if chosen[0] == "green" else "green"
    by = gaps[chosen[0]] - gaps[other] if far else gaps[other] - gaps[chosen[0]]
    return Verdict(by > 0, ", ".join(f"{c} {v:.2f} m" for c, v in gaps.items()))


def nearest_of(case: Case) -> Verdict:
    """Which of several marked objects is nearest to, or farthest from, the first one."""
    marks = case.row.marks
    if len({mark.color for mark in marks}) != len(marks) or len(marks) < 3:
        raise UnreadableError("too few or too many marks")
    text = case.row.answer if case.row.format != "select" else case.claimed()
    named = answer_text.object_numbers(text)
    if len(named) != 1 or named[0] >= len(marks) - 1:
        raise UnreadableError("the answer names no single mark")
    first = case.center(marks[0].color)
    gaps = [float(np.linalg.norm(case.center(mark.color) - first)) for mark in marks[1:]]
    best = (max if _asks_far(case) else min)(range(len(gaps)), key=gaps.__getitem__)
    return Verdict(best == named[0], ", ".join(f"Object{k} {gap:.2f} m" for k, gap in enumerate(gaps)))


def _asks_far(case: Case) -> bool:
    words = set(re.findall("[a-z]+", case.mentions.question.lower()))
    far, near = bool(words & _FAR), bool(words & _NEAR)
    if far == near:
        raise UnreadableError("the question does not say whether near or far")
    return far


def relation_oo(case: Case) -> Verdict:
    asked, other = case.roles()
    observer = case.frame(0)
    p, q = case.in_camera(asked, observer), case.in_camera(other, observer)
    return case.relation(
        {
            "right": float(p[0] - q[0]),
            "above": case.height(case.center(asked) - case.center(other), p - q),
            "closer": float(np.linalg.norm(q) - np.linalg.norm(p)),
        }
    )


def relation_oc(case: Case) -> Verdict:
    if len(case.row.marks) != 1:
        raise UnreadableError("not one mark")
    color, observer = case.row.marks[0].color, case.frame(0)
    local = case.in_camera(color, observer)
    up = case.height(case.center(color) - observer.T_world_cam[:3, 3], local)
    return case.relation({"right": float(local[0]), "above": up, "front": float(local[2])})


def _imagined(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place, unit vectors ahead and right (level) of somebody at green who faces blue."""
    if case.row.format == "sentence":
        raise UnreadableError("sentences of this task are not read")
    origin = case.center("green")
    facing = case.center("blue") - origin
    ahead = np.array([facing[0], facing[1], 0.0])
    length = float(np.linalg.norm(ahead))
    if length < 1e-3:
        raise UnreadableError("the faced object is above the place")
    ahead /= length
    return origin, ahead, np.array([ahead[1], -ahead[0], 0.0])


def imagination_oc(case: Case) -> Verdict:
    origin, ahead, right = _imagined(case)
    offset = case.center("red") - origin
    return case.relation({"right": float(offset @ right), "above": float(offset[2]), "front": float(offset @ ahead)})


def imagination_oo(case: Case) -> Verdict:
    origin, _, right = _imagined(case)
    p, q = case.center("red") - origin, case.center("yellow") - origin
    closer = float(np.linalg.norm(q) - np.linalg.norm(p))
    return case.relation({"right": float((p - q) @ right), "above": float(p[2] - q[2]), "closer": closer})


def matching(case: Case) -> Verdict:
    """The box of the first image's object in the second: around what is visible, or around its projected box."""
    said, thing, second = answer_text.one_box(case.claimed()), case.thing("red"), case.frame(1)
    boxes = [box for box in (case.locator.visible_box(thing, second), projected_box(thing, second)) if box]
    if not boxes:
        return Verdict(False, "not in the second image", 1.0)
    best = max(boxes, key=lambda box: iou(box, said))
    camera = case.locator.config.map_camera(second.camera)
    slack = [_BOX_SLACK_PX * 1000 / size for size in (camera.width, camera.height)] * 2
    good = all(abs(a - b) <= s + 1 for a, b, s in zip(said, best, slack, strict=True))
    return Verdict(good, str([round(v) for v in best]), 1 - iou(best, said))


_MOTION = (
    ("move_right", "move_left"),
    ("move_up", "move_down"),
    ("move_forward", "move_backward"),
    ("rotate_up", "rotate_down"),
    ("rotate_right", "rotate_left"),
)


def view_change(case: Case) -> Verdict:
    said: dict[str, tuple[float, int]] = {}
    if case.row.format == "sentence":
        said = answer_text.motion_parts(case.claimed())
    else:
        for part in case.claimed().split(","):
            key, _, value = part.partition(":")
            try:
                said[key.strip()] = float(value), len(value.strip().partition(".")[2])
            except ValueError:
                raise UnreadableError("the motion cannot be read") from None
    if not set(said) <= {key for pair in _MOTION for key in pair}:
        raise UnreadableError("the motion cannot be read")
    derived = motion(case.frame(0).T_world_cam, case.frame(1).T_world_cam, case.reading.axes)
    good, error = True, 0.0
    for k, (positive, negative) in enumerate(_MOTION):
        value = said.get(positive, (0.0, 1))[0] - said.get(negative, (0.0, 1))[0]
        decimals = max(said.get(key, (0.0, 0))[1] for key in (positive, negative))
        if k < 3:
            gap, step = abs(value - derived[k]), 10.0 ** -max(decimals, 1)
            error = max(error, gap)
        else:
            gap, step = abs((value - derived[k] + 180) % 360 - 180), 5.0
        good = good and gap <= step / 2 + SLACK
    return Verdict(good, ", ".join(f"{pair[0]} {v:+.2f}" for pair, v in zip(_MOTION, derived, strict=True)), error)


def motion(first: np.ndarray, second: np.ndarray, axes: str) -> list[float]:
    """Metres right, up, forward; degrees up, right: in the level frame of the first view, or in its camera axes."""
    if axes == "level":
        return camera_motion(first, second).value
    moved = (second[:3, 3] - first[:3, 3]) @ first[:3, :3]
    looks = first[:3, :3].T @ second[:3, 2]
    up = np.degrees(np.arcsin(np.clip(-looks[1], -1, 1)))
    return [
        float(moved[0]),
        float(-moved[1]),
        float(moved[2]),
        float(up),
        float(np.degrees(np.arctan2(looks[0], looks[2]))),
    ]


def camera_place(case: Case) -> Verdict:
    """Where the second camera is in the first image, and how deep."""
    said = answer_text.numbers(case.claimed())
    if len(said) != 3:
        raise UnreadableError("no place and depth in the answer")
    first, second = case.frame(0), case.frame(1)
    place = (second.T_world_cam[:3, 3] - first.T_world_cam[:3, 3]) @ first.T_world_cam[:3, :3]
    pixel, depth = first.camera.project(place[None])
    if depth[0] <= 0:
        return Verdict(False, "behind the first camera")
    x, y = to_thousand(float(pixel[0, 0]), first.camera.width), to_thousand(float(pixel[0, 1]), first.camera.height)
    gap = abs(said[2][0] - float(depth[0]))
    good = abs(said[0][0] - x) <= 1 and abs(said[1][0] - y) <= 1 and gap <= 0.5 * 10.0 ** -said[2][1] + SLACK
    return Verdict(good, f"({x},{y}),{float(depth[0]):.3f}", gap)


def places_on_map(case: Case) -> Verdict:
    """Metres right and ahead of the first camera."""
    pattern = r"[Oo]bject(\d+)\s*:?\s*\((-?\d+(?:\.(\d+))?)\s*,\s*(-?\d+(?:\.\d+)?)\)"
    said = {int(k): (float(x), float(y), len(d)) for k, x, d, y in re.findall(pattern, case.row.answer)}
    if sorted(said) != list(range(len(case.row.marks))) or not said:
        raise UnreadableError("the places cannot be read")
    pose = case.frame(0).T_world_cam
    right, ahead = pose[:3, 0], pose[:3, 2]
    if case.reading.axes == "level":
        ahead = np.array([ahead[0], ahead[1], 0.0]) / max(float(np.hypot(ahead[0], ahead[1])), 1e-9)
        right = np.array([ahead[1], -ahead[0], 0.0])
    good, error, told = True, 0.0, []
    for k, mark in enumerate(case.row.marks):
        offset = case.center(mark.color) - pose[:3, 3]
        place = float(offset @ right), float(offset @ ahead)
        gap = max(abs(said[k][axis] - place[axis]) for axis in range(2))
        good, error = good and gap <= 0.5 * 10.0 ** -said[k][2] + SLACK, max(error, gap)
        told.append(f"Object{k} :({place[0]:.2f},{place[1]:.2f})")
    return Verdict(good, ". ".join(told), error)


def volume(case: Case) -> Verdict:
    """Length, width and height in centimetres; which horizontal side is the length is not asked."""
    said = answer_text.numbers(answer_text.without_names(case.claimed()))
    if len(said) != 3:
        raise UnreadableError("no three numbers in the answer")
    thing = case.thing("red")
    size, rotation = thing.box.size, thing.box.rotation
    if case.reading.center == "aabb":
        size, rotation = thing.aabb.size, np.eye(3)
    vertical = int(np.argmax(np.abs(rotation[2])))
    level = sorted(float(side) for axis, side in enumerate(size) if axis != vertical)
    derived = [100 * v for v in (*level, float(size[vertical]))]
    claimed = [*sorted(v for v, _ in said[:2]), said[2][0]]
    gaps = [abs(a - b) for a, b in zip(claimed, derived, strict=True)]
    step = 10.0 ** -max(decimals for _, decimals in said)
    return Verdict(max(gaps) <= step / 2 + SLACK, " x ".join(f"{v:.1f}" for v in derived) + " cm", max(gaps) / 100)


def count(case: Case) -> Verdict:
    text = f" {case.row.question.lower()} "
    known = case.locator.scene.label_counts
    named = [label for label in known if _says(text, label) or _says(text, plural(label).lower())]
    # "coffee tables" also holds "tables": the longest label is meant.
    named = [label for label in named if not any(label != other and label in other for other in named)]
    if len(named) != 1:
        raise UnreadableError("no single label of the scene in the question")
    return case.number(float(known[named[0]]))


def _says(text: str, words: str) -> bool:
    at = text.find(words)
    while at >= 0:
        if not text[at - 1].isalnum() and not text[at + len(words)].isalnum():
            return True
        at = text.find(words, at + 1)
    return False


def room_size(case: Case) -> Verdict:
    room = case.locator.scene.room
    if room is None:
        raise UnreadableError("the scan has no floor outline")
    return case.number(room.area_m2)


SOLVERS: dict[str, Callable[[Case], Verdict]] = {
    "depth_prediction_oc": depth_oc,
    "depth_prediction_oo": depth_oo,
    "distance_prediction_oc": distance_oc,
    "distance_prediction_oo": distance_oo,
    "distance_infer_center_oo": nearest_oo,
    "obj_spatial_relation_oo": relation_oo,
    "spatial_imagination_oc": imagination_oc,
    "spatial_imagination_oo": imagination_oo,
    "depth_prediction_oc_mv": depth_oc,
    "depth_prediction_oo_mv": depth_oo,
    "distance_prediction_oc_mv": distance_oc,
    "distance_prediction_oo_mv": distance_oo,
    "position_matching": matching,
    "view_change_infer": view_change,
    "camera_motion_infer": camera_place,
    "distance_infer_center_oo_mv": nearest_oo,
    "obj_spatial_relation_oc_mv": relation_oc,
    "obj_spatial_relation_oo_mv": relation_oo,
    "spatial_imagination_oc_mv": imagination_oc,
    "spatial_imagination_oo_mv": imagination_oo,
    "spatial_volume_infer": volume,
    "spatial_imagination_map_mv": places_on_map,
    "distance_prediction_oo_video": distance_oo,
    "distance_infer_center_oo_video": nearest_of,
    "obj_count": count,
    "room_size": room_size,
}
