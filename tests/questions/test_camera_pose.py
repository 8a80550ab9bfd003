"""Where the second camera stands in the first image: numbers by hand, and pairs that are left out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import PlaceAnswer
from spaceland.questions.ask import ask
from spaceland.questions.camera_pose import place_options, propose_camera_pose
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import Fact, SceneViews, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import scene_visibility

CAMERA = PinholeCamera(160, 120, 125.0, 125.0, 80.0, 60.0)
FIRST = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
# 0.4 m to the right, 2 m ahead, 0.2 m higher: pixels 80 + 125 * 0.4 / 2 = 105 and 60 - 125 * 0.2 / 2 = 47.5.
SECOND = look_at(np.array([3.4, 3.0, 1.7]), np.array([1.4, 5.0, 1.3]))
THINGS = [("chair", (2.0, 6.0, 0.5), (0.5, 0.5, 1.0)), ("lamp", (3.4, 7.0, 0.9), (0.4, 0.4, 1.8))]


def scene_of(things: list = THINGS, second: np.ndarray = SECOND, **kind: bool) -> Scene:
    return box_scene(things, [FIRST, second], camera=CAMERA, **kind)


def facts(scene: Scene, **policy: float) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(**policy)))  # type: ignore[arg-type]
    return list(propose_camera_pose(context, Random(0))), context


@pytest.mark.parametrize("with_depth", [True, False])
def test_place_and_depth(with_depth: bool) -> None:
    (fact,), _ = facts(scene_of(with_depth=with_depth))
    assert fact.frames == ("000000", "000001")
    assert isinstance(fact.answer, PlaceAnswer)
    assert (fact.answer.x, fact.answer.y) == (656, 396)
    assert fact.answer.depth_m == pytest.approx(2.0)
    assert fact.answer.text == "(656,396),2.0"
    assert fact.params["hidden_tested_by"] == ("depth" if with_depth else "mesh")


def test_without_depth_and_mesh_it_is_said_that_nobody_looked() -> None:
    scene = scene_of(with_depth=False)
    assert scene.surface is not None
    (fact,), _ = facts(replace(scene, surface=replace(scene.surface, faces=None)))
    assert fact.params["hidden_tested_by"] == "nothing"


@pytest.mark.parametrize("with_depth", [True, False])
@pytest.mark.parametrize(
    ("screen_y", "reason"), [(2.0, "second camera may be hidden"), (3.1, "second camera may be hidden"), (3.4, None)]
)
def test_a_screen_before_or_right_behind_the_camera(with_depth: bool, screen_y: float, reason: str | None) -> None:
    screen = ("screen", (3 + 0.2 * (screen_y - 1), screen_y, 1.6), (0.1, 0.04, 0.4))
    found, context = facts(scene_of([*THINGS, screen], with_depth=with_depth), min_overlap=0.05)
    assert [fact.frames[0] for fact in found] == ([] if reason else ["000000"])
    assert (context.rejections[reason] == 1) if reason else found


def test_unknown_depth_there_is_a_reason() -> None:
    scene = scene_of()
    first = scene.frames[0]
    assert first.depth is not None
    holes = first.depth().copy()
    holes[30:70, 90:120] = 0
    found, context = facts(replace(scene, frames=(replace(first, depth=lambda: holes), scene.frames[1])))
    assert not found
    assert context.rejections["depth unknown where the second camera is"] == 1


@pytest.mark.parametrize(
    ("eye", "reason"),
    [
        ((3.0, 0.5, 1.5), None),  # behind: then the first is in front of the second
        ((4.4, 3.0, 1.5), "second camera is outside the first image"),  # 1.4 / 2 * 125 = 87.5 px off the middle
        ((4.26, 3.0, 1.5), "second camera is outside the first image"),  # 78.75 px: inside, but within the border
        ((3.0, 1.4, 1.5), "second camera is not in front of the first"),  # 0.4 m
    ],
)
def test_other_places(eye: tuple[float, float, float], reason: str | None) -> None:
    second = look_at(np.array(eye), np.array([3.0, 6.0, 1.2]))
    found, context = facts(scene_of(second=second))
    if reason is None:
        assert [fact.frames for fact in found] in ([], [("000001", "000000")])
    else:
        assert not [fact for fact in found if fact.frames[0] == "000000"]
        assert context.rejections[reason] >= 1


def test_depth_along_the_line_of_sight() -> None:
    scene = scene_of(with_ids=True)
    rows = ask(scene, ["camera_motion_infer"], conventions=Conventions(depth="range", decimals=2)).questions
    fill = next(row for row in rows if row.format == "fill")
    assert fill.answer == f"(656,396),{np.sqrt(4 + 0.16 + 0.04):.2f}"
    assert "line of sight" in fill.question
    checker = SceneChecker(scene)
    assert [problem for row in rows for problem in checker.problems(json.loads(dump_row(to_row(row))))] == []


@pytest.mark.parametrize("place", range(4))
def test_options_differ_clearly(place: int) -> None:
    rng, rungs = Random(place), set()
    for _ in range(100):
        right = PlaceAnswer(rng.randint(20, 980), rng.randint(20, 980), rng.uniform(0.8, 5.0))
        options = place_options(right, place, rng)
        assert options is not None
        assert options[place] == right.text
        read = [tuple(map(float, re.findall(r"[\d.]+", option))) for option in options]
        for k, (x, y, depth) in enumerate(read):
            assert 0 <= x <= 1000 and 0 <= y <= 1000 and depth > 0
            for other in read[:k]:
                assert abs(x - other[0]) + abs(y - other[1]) >= 120
                assert depth != other[2]
        rungs.add(sorted(depth for _, _, depth in read).index(read[place][2]))
    assert rungs == {0, 1, 2, 3}
