"""Sizes of boxes that are known, and of which objects none is asked for."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import look_at, rotation_z
from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.questions.answers import SizeAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))


def facts(scene: Scene, **policy: object) -> tuple[list[Fact], TaskContext]:
    views = SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(**policy))  # type: ignore[arg-type]
    context = TaskContext(views)
    return list(TASKS["spatial_volume_infer"].propose(context, Random(0))), context


def test_the_longer_side_on_the_floor_is_the_length() -> None:
    things = [
        ("table", (2.2, 5.0, 0.9), (0.604, 1.2, 0.75)),
        ("lamp", (4.2, 5.0, 1.4), (0.3, 0.3, 1.456)),
    ]
    found = {fact.labels["red"]: fact.answer for fact in facts(box_scene(things, [LEVEL]))[0]}
    assert {label: answer.text for label, answer in found.items()} == {"table": "120, 60, 75", "lamp": "30, 30, 146"}
    assert isinstance(found["table"], SizeAnswer)
    assert found["table"].value == pytest.approx((120.0, 60.4, 75.0))
    assert found["table"].unit == "cm"


def tipped(rotation: np.ndarray) -> OrientedBox:
    return OrientedBox(np.array([3.0, 5.0, 1.5]), np.array([0.4, 0.8, 0.6]), rotation)


def test_axes_of_a_box_may_come_in_any_order() -> None:
    # A box whose own first axis points up, and that is turned about the vertical.
    upwards = rotation_z(0.7) @ np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    for box in (tipped(upwards), tipped(-upwards @ np.diag([1.0, -1.0, 1.0]))):
        assert length_width_height(box) == pytest.approx((0.8, 0.6, 0.4))
        assert lean_deg(box) == pytest.approx(0.0)


@pytest.mark.parametrize(("lean_deg", "asked"), [(0, True), (4, True), (6, False), (84, False), (90, True)])
def test_leaning_boxes_are_not_asked_about(lean_deg: float, asked: bool) -> None:
    c, s = np.cos(np.radians(lean_deg)), np.sin(np.radians(lean_deg))
    scene = box_scene([("box", (3.0, 5.0, 1.5), (0.4, 0.8, 0.6))], [LEVEL])
    leaning = replace(scene.objects[0], box=tipped(np.array([[1, 0, 0], [0, c, -s], [0, s, c]])))
    found, context = facts(replace(scene, objects=(leaning,)))
    assert bool(found) == asked
    assert context.rejections["its box leans"] == (0 if asked else 1)
    if lean_deg == 90:
        assert found[0].answer.text == "60, 40, 80"


@pytest.mark.parametrize(
    ("things", "reason"),
    [
        # A quarter hidden by the shelf in front, partly out of the picture, and too thin.
        ([("box", (3.0, 5.0, 1.5), (0.8, 0.8, 0.8)), ("shelf", (2.75, 3.0, 1.4), (0.3, 0.3, 1.6))], "not whole"),
        ([("box", (1.2, 4.0, 1.5), (0.8, 0.8, 0.8))], "not whole in the view"),
        ([("picture", (3.0, 5.0, 1.5), (0.8, 0.04, 0.6))], "too thin to be measured"),
    ],
)
def test_sizes_that_cannot_be_seen(things: list, reason: str) -> None:
    found, context = facts(box_scene(things, [LEVEL]), max_truncated=0.6)
    assert "box" not in {fact.labels["red"] for fact in found}
    assert "picture" not in {fact.labels["red"] for fact in found}
    assert any(name.startswith(reason) for name in context.rejections)


def test_a_box_that_reaches_beyond_the_image_is_larger_than_what_is_seen() -> None:
    scene = box_scene([("box", (3.0, 4.0, 1.5), (0.5, 0.5, 0.5))], [LEVEL])
    wide = replace(scene.objects[0], box=OrientedBox(np.array([3.0, 4.0, 1.5]), np.array([4.2, 0.5, 0.5]), np.eye(3)))
    found, context = facts(replace(scene, objects=(wide,)))
    assert not found
    assert context.rejections["its box reaches beyond the image"] == 1
