"""The ambiguity policy: two-sided dead zones, rejections by name, and things that must not be asked about."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SourceError
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy, side_of_threshold
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))


def facts(scene: Scene, task: str, **policy: object) -> tuple[list[Fact], TaskContext]:
    views = SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(**policy))  # type: ignore[arg-type]
    context = TaskContext(views)
    return list(TASKS[task].propose(context, Random(0))), context


@pytest.mark.parametrize("side", [-1, 1])
def test_dead_zone_lies_on_both_sides_of_the_threshold(side: int) -> None:
    values = [0.0, 0.049, 0.0501, 0.15, 0.2499, 0.2501, 3.0]
    signs = [side_of_threshold(side * value, 0.15, 0.10) for value in values]
    assert signs == [0, 0, None, None, None, side, side]


@pytest.mark.parametrize(
    ("apart_m", "slot"), [(0.02, ""), (0.12, None), (0.22, None), (0.30, "right"), (-0.30, "left"), (-0.20, None)]
)  # fmt: skip
def test_left_and_right_need_a_clear_difference(apart_m: float, slot: str | None) -> None:
    # The second thing stands behind and above, so that only the sideways slot is in question.
    things = [("box", (3.0, 3.0, 0.9), (0.3, 0.3, 0.3)), ("lamp", (3.0 + apart_m, 4.2, 1.9), (0.3, 0.3, 0.3))]
    found, context = facts(box_scene(things, [LEVEL]), "obj_spatial_relation_oo")
    of_lamp = [fact for fact in found if fact.labels["red"] == "lamp"]
    if slot is None:
        assert not found
        assert context.rejections["too near to a threshold"] == 2
    else:
        assert [fact.answer.value for fact in of_lamp] == [(slot, "above", "farther")]


def test_left_in_the_room_but_right_in_the_picture_is_rejected() -> None:
    # The far thing is 0.4 m further right, yet by its bearing it appears left of the near one.
    things = [("box", (3.6, 2.2, 1.2), (0.2, 0.2, 0.2)), ("lamp", (4.0, 5.5, 2.1), (0.4, 0.4, 0.4))]
    found, context = facts(box_scene(things, [LEVEL]), "obj_spatial_relation_oo")
    assert not found
    assert context.rejections == {"left/right differs between room and picture": 2}


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        (("lamp", (3.0, 7.5, 1.5), (0.18, 0.1, 0.18)), "too small in the image"),
        (("lamp", (1.55, 3.5, 1.5), (0.5, 0.3, 0.5)), "cut off by the image border"),
        (("lamp", (3.0, 3.0, 1.5), (0.015, 0.2, 1.0)), "too thin for a mark"),
        (("wall", (4.0, 4.0, 1.5), (0.4, 0.4, 0.4)), "excluded label"),
        (("lamp", (3.0, 5.0, 1.3), (0.5, 0.5, 0.5)), "hidden by something"),
    ],
)
def test_unclear_views_are_rejected_under_their_name(thing, reason: str) -> None:
    # The box of the last case hides the lamp behind it.
    in_front = [("box", (3.0, 3.5, 1.25), (0.9, 0.3, 0.45))] if reason == "hidden by something" else []
    _, context = facts(box_scene([thing, *in_front], [LEVEL]), "depth_prediction_oc")
    assert context.views.rejections[reason] == 1


def test_something_without_annotation_hides_an_object_too() -> None:
    things = [("lamp", (3.0, 5.0, 1.4), (0.6, 0.4, 0.6)), ("box", (4.2, 4.0, 1.0), (0.4, 0.4, 0.4))]
    screen = ("screen", (2.9, 3.0, 1.4), (0.35, 0.05, 0.6))
    clear = box_scene(things, [LEVEL])
    assert {fact.objects["red"] for fact in facts(clear, "depth_prediction_oc")[0]} == {0, 1}
    hidden = box_scene([*things, screen], [LEVEL])
    # The screen stands in front of the lamp in the depth image but is no object of the scene.
    hidden = replace(hidden, objects=hidden.objects[:2])
    found, context = facts(hidden, "depth_prediction_oc")
    assert not found
    assert context.views.rejections["hidden by something"] == 1


def test_limits_are_in_the_policy() -> None:
    scene = box_scene([("box", (2.0, 4.0, 1.0), (0.3,) * 3), ("lamp", (4.0, 4.3, 1.0), (0.3,) * 3)], [LEVEL])
    assert len(facts(scene, "depth_prediction_oc")[0]) == 2
    found, context = facts(scene, "depth_prediction_oc", min_depth_gap_m=0.4)
    assert not found
    assert context.rejections == {"equal depths": 2}
    assert not facts(scene, "distance_prediction_oo", excluded_labels=("lamp",))[0]


def test_two_of_one_label_in_the_second_view_are_not_matched() -> None:
    poses = [LEVEL, look_at(np.array([3.8, 1.2, 1.6]), np.array([3.0, 5.0, 1.4]))]
    things = [("chair", (2.2, 4.0, 1.0), (0.4,) * 3), ("lamp", (3.6, 4.5, 1.8), (0.4,) * 3)]
    assert len(facts(box_scene(things, poses), "position_matching")[0]) == 4
    twice = [*things, ("chair", (3.9, 4.2, 0.7), (0.4,) * 3)]
    found, context = facts(box_scene(twice, poses), "position_matching")
    assert {fact.labels["red"] for fact in found} == {"lamp"}
    assert context.rejections["another object of that label in the second view"] == 4


def test_pairs_of_views_that_differ_too_little_or_too_much() -> None:
    things = [("lamp", (3.0, 4.5, 1.5), (0.4,) * 3)]
    here, same, away = (
        LEVEL,
        look_at(np.array([3.05, 1.0, 1.5]), np.array([3.05, 5.0, 1.5])),
        look_at(np.array([3.0, 7.0, 1.5]), np.array([5.5, 7.5, 1.5])),
    )
    context = facts(box_scene(things, [here, same]), "view_change_infer")[1]
    reasons = {"viewpoints almost the same", "views share almost everything"}
    assert set(context.rejections) <= reasons
    assert sum(context.rejections.values()) == 2
    context = facts(box_scene(things, [here, away]), "view_change_infer")[1]
    assert context.rejections == {"views share too little": 2}


TILES = [LEVEL, look_at(np.array([3.9, 1.0, 1.5]), np.array([3.9, 5.0, 1.5]))]


@pytest.mark.parametrize(("place", "label", "passes"), [(3.4, "window", True), (0.8, "window", False)])
def test_views_are_linked_by_things_and_not_by_walls(place: float, label: str, passes: bool) -> None:
    """What only one of two views shows links nothing, however much wall they share; doors and windows do link."""
    scene = box_scene([(label, (place, 5.0, 1.5), (0.4, 0.1, 0.6))], TILES)
    found, context = facts(scene, "view_change_infer")
    assert bool(found) == passes
    assert context.rejections == ({} if passes else {"views share no landmark": 2})


def test_a_landmark_has_a_size_in_both_views() -> None:
    scene = box_scene([("window", (3.4, 5.0, 1.5), (0.4, 0.1, 0.6))], TILES)
    assert not facts(scene, "view_change_infer", min_landmark_share=0.2)[0]


def test_views_without_any_annotation_are_linked_by_surface() -> None:
    scene = box_scene([], TILES)
    assert facts(scene, "view_change_infer")[0]


BESIDE_SHELVES = [
    ("cabinet", (2.85, 5.0, 1.0), (0.6, 0.4, 1.4)),
    ("lamp", (4.0, 4.5, 1.6), (0.4, 0.4, 0.4)),
    ("plant", (3.9, 6.0, 1.0), (0.4, 0.4, 0.4)),
]


@pytest.mark.parametrize(
    ("label", "apart_m", "passes"),
    [("shelves", 0.05, False), ("shelves", 0.15, True), ("cabinet", 0.05, True), ("tv", 0.05, True)],
)
@pytest.mark.parametrize("task", ["distance_prediction_oc", "distance_prediction_oo"])
def test_labels_that_are_confused_are_not_picked_where_they_touch(
    task: str, label: str, apart_m: float, passes: bool
) -> None:
    first = (label, (2.25 - apart_m, 5.0, 1.0), (0.6, 0.4, 0.4))
    scene = box_scene([first, *BESIDE_SHELVES], [LEVEL])
    views = SceneViews(scene, scene_visibility(scene), AmbiguityPolicy())
    picked = {view.object_id for view in views.pickable(scene.frames[0].id)}
    assert (picked >= {0, 1}) == passes and picked >= {2, 3}
    assert views.rejections["label easily confused with its neighbour's"] == (0 if passes else 2)
    found, _ = facts(scene, task)
    assert found
    if not passes:
        assert not {0, 1} & {thing for fact in found for thing in fact.objects.values()}


def test_unknown_task_is_named() -> None:
    scene = box_scene([("lamp", (3.0, 4.5, 1.5), (0.4,) * 3)], [LEVEL])
    with pytest.raises(SourceError, match=r"unknown task depth_prediction; known tasks are depth_prediction_oc, "):
        ask(scene, ["depth_prediction"])
