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
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import look_at
from spaceland.questions import camera_pose
from spaceland.questions.answers import PlaceAnswer
from spaceland.questions.ask import ask
from spaceland.questions.camera_pose import CAMERA_POSE, place_options, propose_camera_pose
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
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
def test_the_right_place_is_at_any_place_of_the_depths(place: int) -> None:
    rng, rungs = Random(place), []
    right = PlaceAnswer(500, 500, 2.0)
    others = [[100 * k, 10 * k, 1.0 + 0.3 * k] for k in range(8)]
    for _ in range(200):
        options = place_options(right, others, place, rng)
        assert options is not None and options[place] == right.text and len(set(options)) == 4
        depths = [float(option.split(",")[-1]) for option in options]
        rungs.append(sorted(depths).index(depths[place]))
    assert all(rungs.count(rung) > 30 for rung in range(4))
    assert place_options(right, others[:2], place, rng) is None


def many_cameras(**kind: bool) -> Scene:
    """Cameras between 1.2 and 1.8 m above the floor, which look at a few things from all sides, some past a screen."""
    rng = np.random.default_rng(3)
    eyes = [np.array([rng.uniform(0.5, 5.5), rng.uniform(0.5, 5.5), rng.uniform(1.2, 1.8)]) for _ in range(24)]
    screen = ("screen", (3.0, 3.0, 1.5), (1.6, 0.05, 3.0))
    poses = [look_at(eye, np.array([3.0, 5.0, 1.2]) + rng.normal(0, 0.8, 3) * [1, 1, 0.3]) for eye in eyes]
    return box_scene([*THINGS, screen], poses, camera=CAMERA, **kind)


@pytest.mark.parametrize("with_depth", [True, False])
def test_wrong_places_could_be_cameras_by_the_first_image_alone(with_depth: bool) -> None:
    scene = many_cameras(with_depth=with_depth)
    found, context = facts(scene)
    heights = [frame.T_world_cam[2, 3] for frame in scene.frames]
    caster = RayCaster(scene.surface.vertices, scene.surface.faces)  # type: ignore[union-attr, arg-type]
    cameras = seen = 0
    assert len(found) > 15
    for fact in found:
        pose = scene.frames_by_id[fact.frames[0]].T_world_cam
        assert isinstance(fact.answer, PlaceAnswer)
        places = [(fact.answer.x, fact.answer.y)]
        second = scene.frames_by_id[fact.frames[1]].T_world_cam[:3, 3]
        spots, gap_m = [second], max(0.4, 0.25 * float((second - pose[:3, 3]) @ pose[:3, 2]))
        for x, y, depth in fact.values["other_places"]:
            assert all(abs(x - a) + abs(y - b) >= 120 for a, b in places)
            places.append((x, y))
            ray = pose[:3, :3] @ CAMERA.unproject(np.array([[x * 0.16, y * 0.12]]), np.ones(1))[0]
            assert caster.cast(pose[:3, 3], ray[None]).distance[0] > depth
            there = pose[:3, 3] + depth * ray
            assert min(heights) - 0.05 < there[2] < max(heights) + 0.05
            assert min(np.linalg.norm(there - spot) for spot in spots) > gap_m - 1e-6
            spots.append(there)
            cameras += min(np.linalg.norm(frame.T_world_cam[:3, 3] - there) for frame in scene.frames) < 0.05
            seen += 1
    assert seen / len(found) > 5 and cameras > len(found) / 2
    assert context.policy.camera_clearance_m > 0


def test_where_the_room_holds_no_places_far_enough_apart_there_is_no_choice() -> None:
    scene = many_cameras()
    wide = AmbiguityPolicy(min_place_gap_m=3.0)
    few = [row for row in ask(scene, ["camera_motion_infer"], policy=wide).questions if row.format == "select"]
    many = [row for row in ask(scene, ["camera_motion_infer"]).questions if row.format == "select"]
    assert len(few) < len(many) / 2
    assert all(len(row.options) == 4 for row in many)


def test_other_numbers_of_wrong_places_change_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = many_cameras()
    found, _ = facts(scene)
    monkeypatch.setattr(camera_pose, "_DRAWS", 3)
    fewer, _ = facts(scene)
    assert [fact.frames for fact in found] == [fact.frames for fact in fewer]
    assert [fact.values for fact in found] != [fact.values for fact in fewer]


def test_wrong_places_that_can_be_ruled_out_are_found() -> None:
    scene = many_cameras(with_ids=True)
    checker = SceneChecker(scene)
    rows = [json.loads(dump_row(to_row(q))) for q in ask(scene, ["camera_motion_infer"]).questions]
    assert [problem for row in rows for problem in checker.problems(row)] == []
    row = next(row for row in rows if row["format"] == "select")
    places = sorted(row["facts"]["values"]["other_places"], key=lambda place: place[2])
    for spoiled, words in (
        ([*places[:-1], [places[-1][0], places[-1][1], 40.0]], "where no camera is|hides the camera"),
        ([*places[:-1], [places[-1][0], 960, places[-1][2]]], "where no camera is"),
        ([*places[:-1], [2, *places[-1][1:]]], "too near to the border"),
        ([*places[:-1], [*places[-1][:2], 0.1]], "is nearer than"),
        ([*places, [*row["facts"]["value"][:2], row["facts"]["value"][2] + 0.1]], "m from another one, less than"),
        (places[:0], "none of facts.values.other_places"),
        (None, "expected places"),
    ):
        values = {**row["facts"]["values"], "other_places": spoiled}
        problems = checker.problems({**row, "facts": {**row["facts"], "values": values}})
        assert any(re.search(words, problem) for problem in problems), (spoiled, problems)


def test_the_camera_is_meant_and_not_the_floor_below_it() -> None:
    for stem in CAMERA_POSE.stems["*"]:
        assert not re.search(r"\b(stood|stand|standing|whoever)\b", stem)
    assert isinstance(CAMERA_POSE.notes, tuple)
    assert all("not the floor below it" in note for note in CAMERA_POSE.notes)
