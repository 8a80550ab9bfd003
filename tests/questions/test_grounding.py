"""Grounding and detection: numbers worked out with a pencil, JSON as its readers expect it, and what is left out."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.box9 import box_from_box9, corner_gap_m
from spaceland.geometry.transforms import look_at
from spaceland.questions.facts import Fact, SceneViews, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
POLICY = AmbiguityPolicy(num_video_frames=2)
THINGS = [
    ("chair", (2.0, 3.6, 1.0), (0.4, 0.4, 0.5)),  # 1.0 m left, 0.5 m below, 2.6 m deep
    ("lamp", (3.8, 4.9, 1.9), (0.4, 0.4, 0.5)),  # 0.8 m right, 0.4 m above, 3.9 m deep
    ("box", (3.0, 6.0, 1.0), (0.9, 0.5, 0.5)),  # straight ahead, 0.5 m below, 5.0 m deep
]


def facts(scene: Scene, task: str) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), POLICY))
    return list(TASKS[task].propose(context, Random(0))), context


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [LEVEL] * 2, with_ids=True)


def of(found: list[Fact], label: str) -> Fact:
    return next(fact for fact in found if fact.labels["red"] == label)


def test_frame_pixel_depth_and_size(scene: Scene) -> None:
    found = facts(scene, "grounding_frame")[0]
    # 160 + 260 * 0.8 / 3.9 = 213.3 of 320 across, 120 - 260 * 0.4 / 3.9 = 93.3 of 240 down.
    assert of(found, "lamp").answer.text == "Frame-1,(667,389),3.90,(0.40,0.50,0.40)"
    assert of(found, "box").answer.text == "Frame-1,(500,608),5.00,(0.50,0.50,0.90)"


def test_nine_numbers_in_the_camera_of_the_frame(scene: Scene) -> None:
    text = of(facts(scene, "grounding_box")[0], "lamp").answer.text
    assert text == '```json\n\t{"frame": 0, "bbox_3d": [0.8, -0.4, 3.9, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]}\n```'


def test_detection_lists_the_nearest_first(scene: Scene) -> None:
    answer = facts(scene, "detection")[0][0].answer.text
    assert answer == (
        "```json\n[\n"
        '\t{"label": "chair", "bbox_3d": [-1.0, 0.5, 2.6, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "lamp", "bbox_3d": [0.8, -0.4, 3.9, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "box", "bbox_3d": [0.0, 0.5, 5.0, 0.9, 0.5, 0.5, 0.0, 1.57, 0.0]}\n'
        "]\n```"
    )
    assert len(json.loads(answer.removeprefix("```json").removesuffix("```"))) == 3


def test_boxes_lead_back_to_the_room() -> None:
    poses = [look_at(np.array([1.0 + 2.0 * k, 1.0, 1.8]), np.array([3.0, 5.0, 1.0])) for k in range(2)]
    scene = box_scene(THINGS, poses, with_ids=True)
    for fact in facts(scene, "grounding_box")[0]:
        answer = json.loads(fact.answer.text.removeprefix("```json").removesuffix("```"))
        frame = scene.frames_by_id[fact.frames[answer["frame"]]]
        box = box_from_box9(np.array(answer["bbox_3d"]), frame.T_world_cam)
        assert corner_gap_m(box, scene.objects_by_id[fact.objects["red"]].box) < 0.02


def test_only_a_label_of_its_own_can_be_searched() -> None:
    twins = [*THINGS, ("lamp", (4.2, 6.0, 1.0), (0.4, 0.4, 0.5))]
    found, context = facts(box_scene(twins, [LEVEL] * 2, with_ids=True), "grounding_box")
    assert {fact.labels["red"] for fact in found} == {"chair", "box"}
    assert context.rejections["label is not unique"] == 2


def test_labels_with_an_unclear_instance_are_not_detected() -> None:
    # Most of the second chair is hidden by the box, whose label and that of the lamp stay.
    hidden = [*THINGS, ("chair", (3.45, 6.8, 1.05), (0.5, 0.5, 0.7))]
    found, context = facts(box_scene(hidden, [LEVEL], with_ids=True), "detection")
    assert [sorted(fact.labels.values()) for fact in found] == [["box", "lamp"]]
    assert context.rejections["another of that label is not clear"] == 1
    two_chairs = [*THINGS, ("chair", (4.6, 5.0, 1.0), (0.4, 0.4, 0.5))]
    (fact,) = facts(box_scene(two_chairs, [LEVEL], with_ids=True), "detection")[0]
    assert sorted(fact.labels.values()) == ["box", "chair", "chair", "lamp"]


def test_too_little_to_detect_and_photographs() -> None:
    found, context = facts(box_scene(THINGS[:1], [LEVEL], with_ids=True), "detection")
    assert not found
    assert context.rejections == {"too few things to detect": 1}
    found, context = facts(box_scene(THINGS, [LEVEL], with_ids=True), "grounding_frame")
    assert not found
    assert context.rejections == {"fewer than 2 frames": 1}
