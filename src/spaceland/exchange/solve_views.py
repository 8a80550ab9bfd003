"""Places of objects and cameras in images and on maps, and motions between images, worked out anew.

Worked example. The second camera is 2 m ahead of the first one and 0.4 m to its right, and not turned:
"move_right:0.4,move_forward:2.0" agrees, since parts that are left out are zero.
"""

from __future__ import annotations

import re

import numpy as np

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import SLACK, Case, Verdict
from spaceland.exchange.locate import iou, projected_box
from spaceland.questions.camera import camera_motion
from spaceland.questions.marks import to_thousand

_BOX_SLACK_PX = 2.0
"""Pixels of the visibility map by which a side of a box may differ."""


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
