"""Maps from above: numbers by hand, a first camera that looks down or is turned, and how they are written."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from handmade import CAMERA, box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import MapAnswer
from spaceland.questions.ask import ask
from spaceland.questions.bird_map import propose_map
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import scene_visibility

SMALL = CAMERA.scaled(160, 120)
THINGS = [
    ("lamp", (1.2, 4.0, 1.0), (0.4, 0.4, 1.2)),  # 0.8 m left and 3 m ahead of the first camera
    ("chair", (1.9, 5.0, 1.0), (0.5, 0.5, 0.8)),  # 0.1 m left and 4 m ahead
    ("table", (5.2, 5.2, 0.9), (0.8, 0.6, 0.7)),  # 3.2 m right and 4.2 m ahead, out of its view
    ("window", (3.4, 7.9, 1.8), (2.4, 0.1, 0.8)),  # in both views; never asked about
]
# The first camera stands at (2, 1), looks along +y and 11 degrees down; the second one looks at the table.
FIRST = look_at(np.array([2.0, 1.0, 1.5]), np.array([2.0, 5.0, 0.7]))
SECOND = look_at(np.array([3.2, 1.2, 1.5]), np.array([4.6, 5.2, 1.0]))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [FIRST, SECOND], camera=SMALL, with_ids=True)


def facts(scene: Scene, **policy: float) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(**policy)))  # type: ignore[arg-type]
    # Pairs and triples take turns: with two frames, the seed decides which of them comes first.
    return [fact for seed in range(8) for fact in propose_map(context, Random(seed))], context


def test_places_lie_right_of_and_ahead_of_the_level_camera(scene: Scene) -> None:
    found, _ = facts(scene)
    expected = {"lamp": (-0.8, 3.0), "chair": (-0.1, 4.0), "table": (3.2, 4.2)}
    fact = next(fact for fact in found if fact.frames[0] == "000000")
    assert isinstance(fact.answer, MapAnswer)
    for k, role in enumerate(("red", "blue", "green")):
        assert fact.answer.value[2 * k : 2 * k + 2] == pytest.approx(expected[fact.labels[role]])
    assert sorted(fact.labels.values()) == ["chair", "lamp", "table"]
    assert {mark.image_index for mark in fact.marks} == {0, 1}


def test_the_axes_turn_with_the_first_camera(scene: Scene) -> None:
    found, _ = facts(scene)
    fact = next(fact for fact in found if fact.frames[0] == "000001")
    heading = np.arctan2(1.4, 4.0)
    for k, role in enumerate(("red", "blue", "green")):
        x, y = np.array({label: center for label, center, _ in THINGS}[fact.labels[role]])[:2] - [3.2, 1.2]
        right, ahead = x * np.cos(heading) - y * np.sin(heading), x * np.sin(heading) + y * np.cos(heading)
        assert fact.answer.value[2 * k : 2 * k + 2] == pytest.approx((right, ahead))


def test_a_set_of_objects_is_asked_once_for_each_first_image(scene: Scene) -> None:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), AmbiguityPolicy()))
    found = list(propose_map(context, Random(0)))
    keys = [(fact.frames, frozenset(fact.objects.values())) for fact in found]
    assert len(keys) == len(set(keys)) == 1


def test_numbers_as_they_are_written() -> None:
    assert MapAnswer((-0.04, 1.25, 0.06, -0.5)).text == "Object0 :(0.0,1.2). Object1 :(0.1,-0.5)."
    assert MapAnswer((-0.04, 1.25), decimals=2).text == "Object0 :(-0.04,1.25)."


def test_steep_views_have_no_map(scene: Scene) -> None:
    found, context = facts(scene, max_elevation_deg=5.0)
    assert not [fact for fact in found if fact.frames[0] == "000000"]
    assert context.rejections["too steep for a heading"] >= 1


def test_things_above_each_other_are_told_apart_by_no_map() -> None:
    stacked = [*THINGS[:2], ("vase", (1.95, 5.05, 1.7), (0.3, 0.3, 0.4)), THINGS[3]]
    found, context = facts(box_scene(stacked, [FIRST, SECOND], camera=SMALL, with_ids=True))
    assert not found
    assert context.rejections["two things above each other"] + context.rejections["an image would not be needed"] >= 1


def test_rows_hold_with_other_decimals(scene: Scene) -> None:
    rows = ask(scene, ["spatial_imagination_map_mv"], conventions=Conventions(decimals=2)).questions
    checker = SceneChecker(scene)
    assert rows
    for row in rows:
        assert checker.problems(json.loads(dump_row(to_row(row)))) == []
        assert "Object0 is the " in row.question
        assert "Object2 :(" in row.answer
