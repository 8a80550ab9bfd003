"""Directions for walks: legs, turns, things passed, and walks that are left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from walked import CAMERA, START, THINGS, poses, walked_scene

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.navigation import NAVIGATION, _alike, _shared, propose_navigation
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.walks import corners_of, legs_of, turn_word
from spaceland.scenes.scene import Scene
from spaceland.visibility import SceneVisibility, scene_visibility

POLICY = AmbiguityPolicy()


@pytest.fixture(scope="module")
def seen() -> SceneVisibility:
    return scene_visibility(walked_scene())


def walks(scene: Scene, seen: SceneVisibility | None = None) -> tuple[list[Fact], TaskContext]:
    """The walks of the camera; planned ways have tests of their own (test_planned.py)."""
    context = TaskContext(SceneViews(scene, seen or scene_visibility(scene), POLICY))
    facts = list(propose_navigation(context, Random(0)))
    return [fact for fact in facts if fact.values["kind"] == "walked"], context


def test_a_walk_with_one_corner(seen: SceneVisibility) -> None:
    (fact,), _ = walks(walked_scene(), seen)
    assert fact.answer.value == (
        "turn right",  # from 37 degrees left of +y to +x
        "walk 2.8 m",
        "pass the box 1.4 m to the left",
        "turn left",
        "walk 1.9 m",  # of the 38 frames the last but one is the last that is shown
        "stop 0.8 m from the table",
    )
    assert fact.values["leg_m"] == pytest.approx([2.8, 1.87])
    assert fact.values["turn_deg"] == pytest.approx([127.0, -90.0])
    assert list(fact.labels.values()) == ["box", "table"]
    fields = NAVIGATION.fields(fact)
    assert fields["route"] == (
        "turn right and walk 2.8 m, passing the box 1.4 m to the left, then turn left and walk 1.9 m, "
        "then stop 0.8 m from the table"
    )
    assert fields["Steps"].count(". ") == 3


def line(*points: tuple[float, float], step: float = 0.1) -> np.ndarray:
    parts = [np.array([points[0]])]
    for a, b in pairwise(points):
        count = max(1, round(np.hypot(b[0] - a[0], b[1] - a[1]) / step))
        parts.append(np.linspace(a, b, count + 1)[1:])
    return np.concatenate(parts)


def test_corners_and_legs() -> None:
    path = line((0, 0), (2, 0), (2, 3), (0.5, 3))
    legs = legs_of(path, 0.25, POLICY)
    assert [round(leg.length_m, 6) for leg in legs] == [2.0, 3.0, 1.5]
    assert [round(leg.heading_deg) for leg in legs] == [90, 0, -90]
    wobbling = path + 0.1 * np.sin(np.arange(len(path)))[:, None]
    assert len(legs_of(wobbling, 0.25, POLICY)) == 3
    # A gentle bend of 15 degrees within twice the width is no corner.
    assert len(legs_of(line((0, 0), (0, 2), (0.5, 3.9)), 0.25, POLICY)) == 1
    assert corners_of(np.zeros((5, 2)), 0.25) == [0, 4]


@pytest.mark.parametrize(
    ("turn", "word"),
    [(0, "straight"), (-22, "straight"), (25, None), (37, None), (38, "right"), (-90, "left"), (137, "right"),
     (140, None), (-153, "round"), (180, "round")],
)  # fmt: skip
def test_turns_have_margins(turn: float, word: str | None) -> None:
    assert turn_word(turn, POLICY) == word


def carried(path: np.ndarray) -> Scene:
    """The room of the walk with another path, looking at the table."""
    eyes = [np.array([x, y, 1.5]) for x, y in path]
    return box_scene(THINGS, [look_at(eye, np.array([3.6, 3.6, 0.6])) for eye in eyes], camera=CAMERA)


def test_paths_that_only_wobble_are_left_out() -> None:
    rng = np.random.default_rng(0)
    found, context = walks(carried(START[:2] + [2, 0.5] + rng.uniform(-0.3, 0.3, (32, 2))))
    assert not found
    assert context.rejections
    found, context = walks(carried(np.tile(START[:2], (32, 1))))
    assert not found
    assert context.rejections["path too short"] >= 1


def test_a_finer_look_must_give_the_same_legs_and_not_only_as_many() -> None:
    legs = legs_of(line((0, 0), (2, 0), (2, 3), (0.5, 3)), 0.25, POLICY)
    assert _alike(legs, [replace(leg, heading_deg=leg.heading_deg + 360) for leg in legs])
    assert not _alike(legs, legs[1:])
    assert not _alike(legs, [*legs[:2], replace(legs[2], heading_deg=legs[2].heading_deg + 16)])
    assert not _alike(legs, [replace(legs[0], length_m=legs[0].length_m + 0.31), *legs[1:]])


def test_going_back_and_forth_on_a_line_is_no_straight_leg() -> None:
    back = line((1.2, 1.0), (2.7, 1.8), (1.8, 1.3), (4.0, 2.5), step=0.155)
    found, context = walks(carried(back))
    assert all(fact.values["stretch"] != [1, 32] for fact in found)
    assert context.rejections["goes back and forth"] >= 1


def test_a_video_that_looks_nowhere_near_the_end_has_no_goal() -> None:
    away = [look_at(START + [0.1 * k, 0, 0], START + [0.1 * k, -5, 0.2]) for k in range(32)]
    found, context = walks(box_scene(THINGS, away, camera=CAMERA))
    assert not found
    assert context.rejections["nothing clear to stop at"] >= 1


def test_a_thing_whose_label_is_shared_is_not_named(seen: SceneVisibility) -> None:
    things = [*THINGS, ("box", (5.5, 7.5, 0.2), (0.4, 0.4, 0.4))]
    (fact,), _ = walks(box_scene(things, poses(), camera=CAMERA, with_ids=True))
    assert [step for step in fact.answer.value if "box" in step] == []


def test_the_clear_part_of_a_walk_is_asked_about() -> None:
    to_and_fro = [START[:2] + np.array([-0.25, 0.43]) * (k % 2) for k in range(9)]
    found, context = walks(carried(np.concatenate([to_and_fro, line((1.2, 1.0), (4.0, 2.6), step=0.14)[1:]])))
    assert len(found) == 1, context.rejections
    (fact,) = found
    first, last = fact.values["stretch"]
    assert 1 < first < last == 32
    assert fact.answer.value[-1].endswith("from the table")


def test_several_parts_of_a_walk_are_told_when_they_share_little() -> None:
    """Two clear walks with a wobble in between, each towards another thing."""
    stand = [START[:2] + [2.4, 0.3] + np.array([0.14, 0.1]) * (-1) ** k for k in range(6)]
    path = np.concatenate([line((1.2, 1.0), (3.6, 1.3), step=0.2), stand, line((3.6, 1.3), (3.6, 2.9), step=0.13)])
    found, _ = walks(carried(path))
    parts = [fact.values["stretch"] for fact in found]
    assert len(parts) == len({tuple(part) for part in parts}) >= 1
    for one in parts:
        for other in parts:
            shared = min(one[1], other[1]) - max(one[0], other[0])
            assert one == other or shared <= 0.5 * min(one[1] - one[0], other[1] - other[0])
    assert _shared((0, 10), (5, 31)) == 0.5 and _shared((0, 4), (4, 9)) == 0


def test_rows_are_the_same_again(seen: SceneVisibility) -> None:
    one, other = (ask(walked_scene(), ["nav_video"], visibility=seen).questions for _ in range(2))
    assert one == other
    assert {q.facts["values"]["kind"] for q in one} == {"walked", "planned"}
