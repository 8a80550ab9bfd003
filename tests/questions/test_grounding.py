"""Grounding: numbers worked out with a pencil, JSON as its readers expect it, and what is left out."""

from __future__ import annotations

import json
import re
from random import Random

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handmade import box_scene
from spaceland.geometry.box9 import box_from_box9, corner_gap_m, rotation_from_euler
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import FrameBoxAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
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


def test_boxes_lead_back_to_the_room() -> None:
    poses = [look_at(np.array([1.0 + 2.0 * k, 1.0, 1.8]), np.array([3.0, 5.0, 1.0])) for k in range(2)]
    scene = box_scene(THINGS, poses, with_ids=True)
    for fact in facts(scene, "grounding_box")[0]:
        answer = json.loads(fact.answer.text.removeprefix("```json").removesuffix("```"))
        frame = scene.frames_by_id[fact.frames[answer["frame"]]]
        box = box_from_box9(np.array(answer["bbox_3d"]), frame.T_world_cam)
        assert corner_gap_m(box, scene.objects_by_id[fact.objects["red"]].box) < 0.02


def test_every_note_says_what_the_angles_are() -> None:
    told = "yaw, roll, pitch are turns about z, then x, then y of the box's own axes"
    for task in ("grounding_box", "detection", "detection_window"):
        notes = TASKS[task].wording.notes
        assert not callable(notes)
        assert all(told in note and "radians" in note for note in notes)
    # What the words say: the box begins along the camera's axes and is turned about those that it has by then.
    angles = np.array([0.4, -1.1, 2.3])
    axes = np.eye(3)
    for axis, angle in zip((2, 0, 1), angles, strict=True):
        axes = Rotation.from_rotvec(angle * axes[:, axis]).as_matrix() @ axes
    np.testing.assert_allclose(axes, rotation_from_euler(angles), atol=1e-12)


@pytest.mark.parametrize("label", ["lamp", "curtains"])
def test_any_frame_may_be_chosen_and_plurals_agree(label: str) -> None:
    for task in ("grounding_box", "grounding_frame"):
        wording = TASKS[task].wording
        fields = wording.fields(Fact(task, ("a", "b"), {}, {"red": label}, FrameBoxAnswer(0, (0.0,) * 9)))
        assert not callable(wording.notes)
        notes = [note.format(**fields) for note in wording.notes]
        stems = [stem.format(**fields) for stem in wording.stems["*"]]
        wrong = r"\b(is the|it)\b" if label == "curtains" else r"\b(are the|them|they)\b"
        assert not any(re.search(wrong, stem) for stem in stems)
        assert not any("which frame shows" in stem for stem in stems)
        if task == "grounding_box":
            it, its = ("them", "their") if label == "curtains" else ("it", "its")
            chosen = f"choose a frame that shows {it} well and give {its} 3D box in the camera of that frame"
            assert all(note.startswith(chosen) for note in notes)


def test_only_a_label_of_its_own_can_be_searched() -> None:
    twins = [*THINGS, ("lamp", (4.2, 6.0, 1.0), (0.4, 0.4, 0.5))]
    found, context = facts(box_scene(twins, [LEVEL] * 2, with_ids=True), "grounding_box")
    assert {fact.labels["red"] for fact in found} == {"chair", "box"}
    assert context.rejections["label is not unique"] == 2


def test_a_video_has_enough_frames() -> None:
    found, context = facts(box_scene(THINGS, [LEVEL], with_ids=True), "grounding_frame")
    assert not found
    assert context.rejections == {"fewer than 2 frames": 1}
