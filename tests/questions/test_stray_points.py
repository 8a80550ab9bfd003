"""A few stray points of an annotation stretch a box, and whoever asks for its size must notice."""

from __future__ import annotations

import copy
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland import open_scene
from spaceland.datasets.rows import to_row
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.stray import stray_share
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.facts import TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import scene_visibility

LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.2]))
TASK_NAMES = ("spatial_volume_infer", "size_comparison_oo", "vsi_object_size_estimation")
ONE_FRAME = AmbiguityPolicy(num_video_frames=1)


def scanned(stray: int, reach_m: float) -> Scene:
    """A chest of 0.8 m x 0.6 m x 0.7 m with points all over it and some beside it, and a lamp."""
    boxes = [("chest", (2.4, 5.0, 1.0), (0.8, 0.6, 0.7)), ("lamp", (4.0, 5.0, 1.2), (0.4, 0.4, 1.2))]
    scene = box_scene(boxes, [LEVEL], with_ids=True)
    rng = np.random.default_rng(0)
    chest, lamp = (thing.box for thing in scene.objects)
    points = [box.center + rng.uniform(-0.5, 0.5, (2000, 3)) * box.size for box in (chest, lamp)]
    beside = chest.center - [chest.size[0] / 2, 0, 0] - rng.uniform(0, 1, (stray, 1)) * [reach_m, 0, 0]
    points[0] = np.concatenate([points[0], beside, scene.objects[0].points])
    things = [
        replace(scene.objects[0], points=points[0], box=OrientedBox.upright_from_points(points[0])),
        replace(scene.objects[1], points=np.concatenate([points[1], scene.objects[1].points])),
    ]
    return replace(scene, objects=tuple(things), geometry="measured")


def rejected(scene: Scene, task: str, **policy: float) -> int:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), replace(ONE_FRAME, **policy)))  # type: ignore[arg-type]
    for _ in TASKS[task].propose(context, Random(0)):
        pass
    return context.rejections["its box holds stray points"]


@pytest.mark.parametrize("task", TASK_NAMES)
def test_a_few_stray_points_are_noticed(task: str) -> None:
    assert rejected(scanned(0, 0.0), task) == 0
    assert rejected(scanned(20, 0.3), task) > 0
    assert rejected(scanned(20, 0.3), task, max_stray_share=0.5) == 0
    # Many points are a part of the thing, and a centimetre is noise.
    assert rejected(scanned(400, 0.3), task) == 0
    assert rejected(scanned(20, 0.01), task) == 0


def test_points_beyond_a_box_of_its_own_do_not_stretch_it() -> None:
    scene = scanned(20, 0.3)
    tight = OrientedBox(np.array([2.4, 5.0, 1.0]), np.array([0.8, 0.6, 0.7]), np.eye(3))
    assert stray_share(tight, scene.objects[0].points) < 0.06
    assert stray_share(scene.objects[0].box, scene.objects[0].points) > 0.2
    assert stray_share(tight, tight.corners()) == 0.0
    assert stray_share(tight, np.empty((0, 3))) == 0.0


@pytest.mark.heavy
def test_the_points_of_sample_rooms_are_right_by_making() -> None:
    # By the rule for scans a backrest, a foot or a twig would count as stray: few points at the end of a thing.
    scene = open_scene("rooms:1")
    assert max(stray_share(thing.box, thing.points) for thing in scene.objects) > 0.12
    views = SceneViews(scene, scene_visibility(scene), AmbiguityPolicy())
    assert {views.stray_share(thing.id) for thing in scene.objects} == {0.0}


def test_the_verifier_notices_too() -> None:
    scene, policy = scanned(20, 0.3), replace(ONE_FRAME, max_stray_share=0.5)
    for task in TASK_NAMES:
        rows = [copy.deepcopy(to_row(q)) for q in ask(scene, [task], policy=policy).questions]
        about = [row for row in rows if 0 in row["facts"]["objects"].values()]
        assert about
        for row in about:
            assert SceneChecker(scene).problems(row) == []
            row["facts"]["params"]["max_stray_share"] = 0.12
            assert any("few points stretch" in problem for problem in SceneChecker(scene).problems(row))
