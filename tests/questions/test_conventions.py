"""What numbers mean can be chosen; the text says it, and the verifier follows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.errors import SourceError
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import Question, ask
from spaceland.questions.conventions import Conventions
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker

POSE = look_at(np.array([3.0, 1.0, 1.0]), np.array([3.0, 5.0, 1.0]))
# 2 m ahead and 1 m left; 4 m ahead and 1 m right. Sizes are half a metre; the gap between the boxes is 1.5 m both ways.
THINGS = [("chair", (2.0, 3.0, 1.0), (0.5, 0.5, 0.5)), ("lamp", (4.0, 5.0, 1.0), (0.5, 0.5, 0.5))]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [POSE], with_ids=True)


def asked(scene: Scene, task: str, **conventions: object) -> list[Question]:
    found = ask(scene, [task], conventions=Conventions(**conventions)).questions  # type: ignore[arg-type]
    checker = SceneChecker(scene)
    assert [problem for q in found for problem in checker.problems(json.loads(dump_row(to_row(q))))] == []
    return [q for q in found if q.format == "fill"]


def test_distance_between_centres_or_surfaces(scene: Scene) -> None:
    (center,) = asked(scene, "distance_prediction_oo")
    (surface,) = asked(scene, "distance_prediction_oo", distance="surface", decimals=2)
    assert (center.answer, surface.answer) == ("2.8", "2.12")
    assert re.search("centre|middle", center.question)
    assert re.search("nearest|closest|shortest", surface.question)


def test_distance_from_the_observer(scene: Scene) -> None:
    answers = {q.facts["labels"]["red"]: q.answer for q in asked(scene, "distance_prediction_oc", decimals=3)}
    assert answers == {"chair": "2.236", "lamp": "4.123"}
    # The nearest points of the boxes are 0.75 m to the side and 1.75 m (3.75 m) ahead, at the camera's height.
    answers = {
        q.facts["labels"]["red"]: q.answer
        for q in asked(scene, "distance_prediction_oc", distance="surface", decimals=3)
    }
    assert answers == {"chair": f"{np.hypot(0.75, 1.75):.3f}", "lamp": f"{np.hypot(0.75, 3.75):.3f}"}


def test_depth_along_the_axis_or_the_line_of_sight(scene: Scene) -> None:
    along = {q.facts["labels"]["blue"]: q.answer for q in asked(scene, "depth_prediction_oc")}
    sight = {q.facts["labels"]["blue"]: q.answer for q in asked(scene, "depth_prediction_oc", depth="range")}
    assert along == {"chair": "2.0", "lamp": "4.0"}
    assert sight == {"chair": "2.2", "lamp": "4.1"}


def test_decimals_and_angle_steps_of_camera_motion() -> None:
    second = look_at(np.array([4.25, 1.0, 1.0]), np.array([3.0, 5.0, 1.0]))
    scene = box_scene(THINGS, [POSE, second], with_ids=True)
    answers = {q.frames[0]: q.answer for q in asked(scene, "view_change_infer", decimals=2, angle_step_deg=1)}
    turn = round(np.degrees(np.arctan(1.25 / 4)))
    assert answers["000000"] == f"move_right:1.25,move_up:0.00,move_forward:0.00,rotate_up:0,rotate_left:{turn}"


@pytest.mark.parametrize(
    "wrong", [{"distance": "edge"}, {"depth": "y"}, {"decimals": 9}, {"angle_step_deg": 7}, {"video_frames": "all"}]
)
def test_unknown_conventions_are_named(wrong: dict) -> None:
    with pytest.raises(SourceError, match=next(iter(wrong))):
        Conventions(**wrong)
