"""Poses of a second camera: worked out with a pencil, against scipy, and read back from their text."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handmade import box_scene
from spaceland.geometry.transforms import from_rotation_translation, look_at
from spaceland.questions.answers import PoseAnswer
from spaceland.questions.camera_relative import RELATIVE_POSE, pose_options, propose_relative_pose, relative_pose
from spaceland.questions.facts import TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.verify.tasks.camera_relative import read_pose
from spaceland.visibility import scene_visibility

LEVEL = look_at(np.array([0.0, 0.0, 1.5]), np.array([0.0, 1.0, 1.5]))


def pose(place: tuple[float, float, float], right_deg: float, up_deg: float, clockwise_deg: float) -> np.ndarray:
    """A camera turned from the level one: right, then up, then clockwise."""
    turned = Rotation.from_euler("YXZ", [right_deg, up_deg, clockwise_deg], degrees=True).as_matrix()
    return from_rotation_translation(LEVEL[:3, :3] @ turned, np.array(place))


def test_worked_example() -> None:
    answer = relative_pose(LEVEL, pose((1.0, 2.0, 1.5), 30, -10, 0))
    assert answer.text == "distance:2.2,toward_right:25,toward_up:0,rotate_right:30,rotate_down:10,roll_clockwise:0"
    np.testing.assert_allclose(answer.value, [5**0.5, np.degrees(np.arctan(0.5)), 0, 30, -10, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        # Turned to the right, the second camera looks along world +x.
        (look_at(np.array([2.0, 0.0, 1.5]), np.array([3.0, 0.0, 1.5])), [2, 90, 0, 90, 0, 0]),
        (look_at(np.array([0.0, -1.0, 1.5]), np.array([0.0, 0.0, 2.5])), [1, 180, 0, 0, 45, 0]),
        (look_at(np.array([0.0, 1.0, 2.5]), np.array([-1.0, 1.0, 2.5])), [2**0.5, 0, 45, -90, 0, 0]),
    ],
)
def test_directions(second: np.ndarray, expected: list[float]) -> None:
    np.testing.assert_allclose(np.abs(relative_pose(LEVEL, second).value), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(relative_pose(LEVEL, second).value[2:], expected[2:], atol=1e-9)


def test_clockwise_is_the_way_of_the_clock() -> None:
    # Held clockwise, the camera's right side points down: world up moves to the left in the picture.
    second = pose((0.0, 1.0, 1.5), 0, 0, 20)
    up_in_picture = second[:3, :3].T @ np.array([0.0, 0.0, 1.0])
    assert up_in_picture[0] < 0
    assert relative_pose(LEVEL, second).text.endswith("roll_clockwise:20")


def test_angles_are_scipys_whatever_the_first_pose() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        first = from_rotation_translation(Rotation.random(rng=rng).as_matrix(), rng.normal(0, 1, 3))
        angles = rng.uniform([-179, -89, -179], [179, 89, 179])
        turned = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
        second = from_rotation_translation(first[:3, :3] @ turned, rng.normal(0, 1, 3))
        answer = relative_pose(first, second)
        np.testing.assert_allclose(answer.turned_deg, angles, atol=1e-6)
        right, up = np.radians(answer.toward_deg)
        ray = np.array([np.cos(up) * np.sin(right), -np.sin(up), np.cos(up) * np.cos(right)]) * answer.distance_m
        np.testing.assert_allclose(first[:3, 3] + first[:3, :3] @ ray, second[:3, 3], atol=1e-9)


def test_text_is_read_back() -> None:
    answer = PoseAnswer(1.26, (-24.0, 7.0), (-179.0, -1.0, 4.0))
    assert answer.text == "distance:1.3,toward_left:25,toward_up:5,rotate_left:180,rotate_up:0,roll_clockwise:5"
    assert read_pose(answer.text, 1, 5) == (1.3, -25, 5, -180, 0, 5)


def test_no_option_is_the_one_that_most_agree_with() -> None:
    rng = Random(0)
    for place in [k % 4 for k in range(200)]:
        right = PoseAnswer(
            rng.uniform(0.3, 4),
            (rng.uniform(-170, 170), rng.uniform(-50, 50)),
            (rng.uniform(-170, 170), rng.uniform(-50, 50), rng.uniform(-20, 20)),
        )
        options = pose_options(right, place, rng)
        assert options is not None
        assert options[place] == right.text
        assert len(set(options)) == 4
        for part in zip(*(option.split(",") for option in options), strict=True):
            assert sorted(Counter(part).values()) in ([4], [2, 2])
        numbers = [read_pose(option, 1, 5) for option in options]
        assert all(abs(v) <= 180 for option in numbers for v in option)


def test_notes_say_whose_axes() -> None:
    assert isinstance(RELATIVE_POSE.notes, tuple)
    for note in RELATIVE_POSE.notes:
        assert "as it is held" in note and "room" in note and "whoever looks through" in note
        assert "already turned" in note or "after the one before" in note


def test_unclear_pairs_are_left_out() -> None:
    things = [("chest", (3.0, 5.0, 0.5), (1.0, 1.0, 1.0))]
    near = [look_at(np.array([3.0 + dx, 1.0, 1.5]), np.array([3.0 + 5 * dx, 5.0, 0.5])) for dx in (0.0, 0.25)]
    policy = AmbiguityPolicy(min_rotation_deg=5.0)
    scene = box_scene(things, near, with_ids=True)
    context = TaskContext(SceneViews(scene, scene_visibility(scene), policy))
    assert not list(propose_relative_pose(context, Random(0)))
    assert context.rejections == {"too near to each other for a direction": 2}
    steep = [LEVEL, look_at(np.array([3.0, 3.0, 2.8]), np.array([3.0, 4.0, 0.0]))]
    steep[0] = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
    scene = box_scene(things, steep, with_ids=True)
    context = TaskContext(SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(min_overlap=0.01)))
    assert not list(propose_relative_pose(context, Random(0)))
    assert context.rejections["too steep for left and right"] == 2
