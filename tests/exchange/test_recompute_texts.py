"""The audit reads the shapes of text that the release has, finds wrong answers, and says what it cannot decide.

Seen from above, in metres; the first camera C is at (3, 1) and looks along +y:

    y = 7                       outlet (3.6, 6.9)
        left door (1.5, 6.5)  towel (3, 6)
    y = 5                                   shelf (4.5, 5)
        trash can (2, 4)
    y = 3                                   trash can (4.6, 3), of which the first image shows a sliver
    y = 1                     C
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from release_room import BOXES, EYE, POSES, at, box_of, judge, solve

from handmade import box_scene
from scannet_writer import write_scannet
from spaceland.exchange.answer_text import HIDDEN, Mentions, UnreadableError
from spaceland.exchange.locate import Locator
from spaceland.exchange.solve_video import frames_said
from spaceland.exchange.told import read_told
from spaceland.exchange.unmarked import find_labels
from spaceland.scenes.sources import open_scene

CAN, SHELF, OTHER_CAN, TOWEL, DOOR, OUTLET = range(6)
Marks = dict[str, Any]


def apart(a: int, b: int) -> float:
    return float(np.linalg.norm(np.subtract(BOXES[a][1], BOXES[b][1])))


def depth(k: int) -> float:
    return float((np.array(BOXES[k][1]) - EYE) @ POSES[0][:3, 2])


def boxes(**colors: int) -> Marks:
    return {f"{color}_bbox": [box_of(k)] for color, k in colors.items()}


def points(**colors: int) -> Marks:
    return {f"{color}_point": [at(k)] for color, k in colors.items()}


STAND = boxes(green=TOWEL, blue=DOOR, red=CAN)
STAND_MV = {**STAND, "bbox_img_idx": [[0, 0, 0]]}
PAIR = boxes(green=TOWEL, blue=DOOR, red=CAN, yellow=SHELF)
PAIR_VIDEO = {**PAIR, "bbox_img_idx": [[0, 0, 0, 0]]}
ANONYMOUS = "How does Object35 (red bbox) look to one who goes to Object0 (green bbox) and faces Object24 (blue bbox)?"
WHERE = "Where is trash can (red bbox) from the center of towel (green bbox), facing left door (blue bbox)?"
SLOTS = (
    " The options tell three things. A. left, below,  B. right, below, front C. left, , front\nD. right, above, behind"
)
PAIRED = (
    "How do trash can (red bbox) and storage shelf (yellow bbox) lie to each other after moving to towel (green bbox) "
    "and facing left door (blue bbox)?"
)
NUMBERED = (
    "What about {} (Object2) and storage shelf (Object3) once the observer moves to towel (Object0) and faces left "
    "door (Object1)?"
)
BEHIND = " The storage shelf (Object3) is behind the new observer."
FARTHEST = (
    "Which item in trash can (in Frame-1, point0), storage shelf (in Frame-1, point1), rj45 outlet (in Frame-1, "
    "point2), has the farthest distance to towel?"
)
LISTED = {"point_list": [[at(TOWEL), at(CAN), at(SHELF), at(OUTLET)]], "point_img_idx": [[0, 0, 0, 0]]}
CLOSEST = "Which object, based on its center point, appears closest to the observer? Mark it with the bounding box."
OFFERED = (
    f"{CLOSEST} The first image is the primary perspective. A. the first image, {box_of(TOWEL)}  "
    f"B. the first image, {box_of(CAN)} C. the first image, {box_of(SHELF)}"
)
ASK_ORDER = "In which order do towel and trash can appear in this recording?"
ASK_FRAMES = "Which frames show the towel (red bbox)?"
TOWEL_IN_THIRD = {**boxes(red=TOWEL), "bbox_img_idx": [[2]]}
RED_CENTER = (
    "What is the distance in meters from the red center of the trash can (in Frame-1) to the blue center of storage "
    "shelf (in Frame-1) in the video?"
)
VIDEO_PAIR = {**points(red=CAN, blue=SHELF), "point_img_idx": [[0, 0]]}
DEEPER = (
    "Assume the depth of trash can (red point) is 3.0. How much deeper or shallower is rj45 outlet (green point) "
    "relative to storage shelf (blue point), measured in meters?"
)
THREE = {**points(red=CAN, green=OUTLET, blue=SHELF), "point_img_idx": [[0, 0, 0]]}
SIZES = "Could you clarify the towel's length, width, and height in centimeter?"


@pytest.mark.parametrize(
    ("task", "format", "question", "answer", "marks", "frames", "agrees"),
    [
        # The moved observer: options with blank slots, several sentences, objects called ObjectN.
        ("spatial_imagination_oc", "select", WHERE + SLOTS, "A", STAND, (0,), True),
        ("spatial_imagination_oc", "select", WHERE + SLOTS, "B", STAND, (0,), False),
        ("spatial_imagination_oc", "select", WHERE + SLOTS, "C", STAND, (0,), False),
        ("spatial_imagination_oc_mv", "sentence", ANONYMOUS, "At first, Object35 shows up to the left below for the "
         "observer. It also seems to the front. After moving to Object0 and orienting toward Object24, Object35 is "
         "found to the left below. It appears to the front.", STAND_MV, (0, 1), True),
        ("spatial_imagination_oc_mv", "sentence", ANONYMOUS, "At first, Object35 shows up to the right below for the "
         "observer. After moving to Object0 and orienting toward Object24, Object35 is found to the left below.",
         STAND_MV, (0, 1), False),
        ("spatial_imagination_oc_mv", "sentence", ANONYMOUS, "At first, Object35 shows up to the left below and in "
         "front. After moving to Object0 and orienting toward Object24, Object35 is found to the right below.",
         STAND_MV, (0, 1), False),
        ("spatial_imagination_oo", "sentence", PAIRED, "After moving, trash can is now to the left of the storage "
         "shelf, and farther.", PAIR, (0,), True),
        ("spatial_imagination_oo", "sentence", PAIRED, "After moving, trash can is now to the right of the storage "
         "shelf.", PAIR, (0,), False),
        ("spatial_imagination_oo", "sentence", PAIRED, "After moving, storage shelf is to the right of the trash can, "
         "and closer.", PAIR, (0,), True),
        ("spatial_imagination_oo_video", "sentence", NUMBERED.format("trash can"), "trash can (Object2) is to the left "
         "and below relative to storage shelf (Object3). It might seem farther. The trash can (Object2) is in front of "
         "the new observer." + BEHIND, PAIR_VIDEO, (0, 1), True),
        ("spatial_imagination_oo_video", "sentence", NUMBERED.format("trash can"), "trash can (Object2) is to the left "
         "and below relative to storage shelf (Object3). It might seem farther. The trash can (Object2) is behind the "
         "new observer." + BEHIND, PAIR_VIDEO, (0, 1), False),
        ("spatial_imagination_oo_video_hard", "sentence", NUMBERED.format("rj45 outlet"), "rj45 outlet (Object2) is to "
         "the right relative to storage shelf (Object3). It might seem closer. The rj45 outlet (Object2) is behind the "
         "new observer." + BEHIND, {}, (0, 1), True),
        ("spatial_imagination_oo_video_hard", "sentence", NUMBERED.format("rj45 outlet"), "rj45 outlet (Object2) is to "
         "the left relative to storage shelf (Object3). It might seem closer." + BEHIND, {}, (0, 1), False),
        # Closest and farthest.
        ("distance_infer_center_oo_video", "sentence", FARTHEST, "The object farthest to towel is trash "
         "can (Object0), which is 2.3 meters away.", LISTED, (0, 1), True),
        ("distance_infer_center_oo_video", "sentence", FARTHEST, "The object farthest to towel is trash "
         "can (Object0), which is 2.9 meters away.", LISTED, (0, 1), False),
        ("distance_infer_center_oo_video", "sentence", FARTHEST, "The object farthest to towel is "
         "storage shelf (Object1).", LISTED, (0, 1), False),
        ("distance_infer_center_oc", "fill", CLOSEST, f"trash can, {box_of(CAN, 3)}", {}, (3,), True),
        ("distance_infer_center_oc", "fill", CLOSEST, f"{box_of(DOOR, 3)}", {}, (3,), False),
        ("distance_infer_center_oc", "fill", CLOSEST, f"towel, {box_of(CAN, 3)}", {}, (3,), False),
        ("distance_infer_center_oc_mv", "select", OFFERED, "B", {}, (0, 2), True),
        ("distance_infer_center_oc_mv", "select", OFFERED, "C", {}, (0, 2), False),
        ("distance_infer_center_oc_mv", "sentence", CLOSEST, f"The closest one is in the first image at "
         f"{box_of(CAN, 3)}.", {}, (3, 2), True),
        # Videos. The last image shows everything, the one before it only what is on the left, the first one nothing.
        ("appearance_order", "fill", ASK_ORDER, "trash can, towel", {}, (2, 3, 0), True),
        ("appearance_order", "fill", ASK_ORDER, "towel, trash can", {}, (2, 3, 0), False),
        ("appearance_order", "sentence", ASK_ORDER, "The trash can was spotted at 1, then the towel at 2.", {},
         (2, 3, 0), True),
        ("appearance_order", "sentence", ASK_ORDER, "The trash can was spotted at 0, then the towel at 2.", {},
         (2, 3, 0), False),
        ("obj_frame_locate", "sentence", ASK_FRAMES, "The towel can be seen in frames [3, 4].", TOWEL_IN_THIRD,
         (2, 3, 0, 1), True),
        ("obj_frame_locate", "sentence", ASK_FRAMES, "The towel can be seen in Frame-3.", TOWEL_IN_THIRD,
         (2, 3, 0, 1), False),
        # Numbers.
        ("distance_prediction_oo_video", "fill", RED_CENTER, f"{apart(CAN, SHELF):.1f}", VIDEO_PAIR, (0, 1), True),
        ("distance_prediction_oo_video", "fill", RED_CENTER, f"{apart(CAN, SHELF) + 0.2:.1f}", VIDEO_PAIR, (0, 1),
         False),
        ("depth_prediction_oo_mv", "fill", DEEPER, f"{depth(OUTLET) - depth(SHELF):.1f}", THREE, (0, 1), True),
        ("depth_prediction_oo_mv", "fill", DEEPER, f"{depth(OUTLET) - depth(CAN):.1f}", THREE, (0, 1), False),
        ("spatial_volume_infer", "sentence", SIZES, "Its length is 50 cm, width is 50 cm, and height is 180 cm.",
         boxes(red=TOWEL), (0,), True),
        ("spatial_volume_infer", "sentence", SIZES, "Its length is 50 cm, width is 60 cm, and height is 180 cm.",
         boxes(red=TOWEL), (0,), False),
        ("obj_count", "sentence", "How many rj45 outlet?", "We see 1 rj45 outlet stationed here.", {}, (0, 1), True),
        ("obj_count", "sentence", "How many rj45 outlet?", "We see 2 rj45 outlet stationed here.", {}, (0, 1), False),
    ],
)  # fmt: skip
def test_shapes_of_text_in_the_release(
    locator: Locator,
    task: str,
    format: str,
    question: str,
    answer: str,
    marks: Marks,
    frames: tuple[int, ...],
    agrees: bool,
) -> None:
    verdict = judge(locator, task, format, question, answer, marks, frames)
    assert verdict.agrees == agrees, verdict.derived


@pytest.mark.parametrize(
    ("task", "format", "question", "answer", "marks", "frames", "reason"),
    [
        ("spatial_imagination_oc", "sentence", WHERE, "The trash can is left of it.", STAND, (0,), "before from after"),
        ("spatial_imagination_oc", "sentence", WHERE, "After moving, it is to the left and to the right.", STAND, (0,),
         "contradicts itself"),
        ("spatial_imagination_oo", "sentence", PAIRED, "After moving, trash can is left of the storage shelf.", PAIR,
         (0,), "says nothing on a clear difference"),
        ("spatial_imagination_oo_video_hard", "sentence", NUMBERED.format("trash can"), "trash can (Object2) is to the "
         "left relative to storage shelf (Object3).", {}, (0, 1), "several objects have the label"),
        ("spatial_imagination_oo_video_hard", "sentence", "Where is it?", "It is to the left.", {}, (0, 1),
         "cannot be told without marks"),
        ("spatial_imagination_oc_video", "sentence", WHERE, "Initially it is to the left. After moving, right.",
         STAND_MV, (0, 1), "which a video does not define"),
        ("distance_infer_center_oc", "fill", CLOSEST, "trash can", {}, (0,), "no single box"),
        # A sliver of the other trash can, which is nearer, is at the border.
        ("distance_infer_center_oc", "fill", CLOSEST, f"trash can, {box_of(CAN)}", {}, (0,), "barely seen"),
        ("distance_infer_center_oc", "fill", CLOSEST, f"fridge, {box_of(CAN)}", {}, (0,), "not in the scene"),
        ("distance_infer_center_oc", "fill", CLOSEST, "[1, 1, 9, 9]", {}, (0,), "fits the box"),
        ("distance_infer_center_oc_mv", "fill", CLOSEST, f"{box_of(CAN)}", {}, (0, 2), "no single image"),
        ("appearance_order", "fill", ASK_ORDER, "trash can, left door", {}, (2, 3, 0), "about the same time"),
        ("appearance_order", "fill", ASK_ORDER, "trash can, fridge", {}, (2, 3, 0), "not in the scene"),
        ("obj_frame_locate", "sentence", ASK_FRAMES, "In Frame-3 and Frame-120.", TOWEL_IN_THIRD, (2, 3, 0, 1),
         "beyond the video"),
        ("obj_frame_locate", "sentence", ASK_FRAMES, "From Frame-3 to Frame-4.", TOWEL_IN_THIRD, (2, 3, 0, 1),
         "no list of frames"),
        ("nav_video", "sentence", "How do I get there?", "Turn right at the towel and wait by the left door.", {},
         (0, 1), "no turns and lengths"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_says_why(
    locator: Locator,
    task: str,
    format: str,
    question: str,
    answer: str,
    marks: Marks,
    frames: tuple[int, ...],
    reason: str,
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        judge(locator, task, format, question, answer, marks, frames)


def test_walk_of_the_camera(locator: Locator) -> None:
    """From (3, 1), looking along +y, to (3.5, 1.4): 51 degrees to the right, 0.64 m; the towel is 4.63 m from there."""
    question = "Which way does the camera take from Frame-1 to Frame-2?"
    for answer, agrees in (
        ("Turn right and walk 0.6 m, then stop 4.6 m from the towel.", True),
        ("Turn left and walk 0.6 m, then stop 4.6 m from the towel.", False),
        ("Turn right and walk 0.9 m, then stop 4.6 m from the towel.", False),
        ("Turn right and walk 0.6 m, then stop 3.6 m from the towel.", False),
    ):
        assert judge(locator, "nav_video", "sentence", question, answer, {}, (0, 1)).agrees == agrees, answer


def test_small_readers() -> None:
    assert frames_said("at 0 and 5", 6) == [[0, 5]]
    assert find_labels("the Left  Door by a door", ("door", "left door")) == [("left door", 0, 14), ("door", 20, 24)]
    text = f"{HIDDEN['red']} is to the left; from the new place it is behind."
    told = read_told(Mentions("", text, {"red": "lamp"}, ()), pair=False, moved_only=False)
    assert told.before is not None and told.before.words == {"left"} and told.after.words == {"behind"}


def test_labels_are_read_as_the_source_and_as_we_write_them(tmp_path: Path) -> None:
    """The release says "garbagebin" where our scenes say "garbage bin"."""
    things = [("garbagebin", *BOXES[0][1:]), *BOXES[1:]]
    write_scannet(box_scene(things, POSES[:1]), tmp_path / "scene0000_00")
    found = Locator(open_scene(f"scannet:{tmp_path}"))
    assert found.spelled == {"garbagebin": "garbage bin"} and found.scene.objects[0].label == "garbage bin"
    for label in ("garbagebin", "garbage bin"):
        question = f"How far is the {label} (red point) from the towel (blue point)?"
        for meters, right in ((apart(CAN, TOWEL), True), (apart(CAN, TOWEL) + 0.5, False)):
            marks = points(red=CAN, blue=TOWEL)
            assert solve(found, "distance_prediction_oo", "fill", question, f"{meters:.1f}", marks) is right
