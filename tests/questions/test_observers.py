"""What an observer sees decides left and right, front and behind: rules for relations and imagined places."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from walked import walked_scene

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.imagination import solve_imagination_oc, solve_imagination_oo
from spaceland.questions.imagination_words import IMAGINATION_OC, IMAGINATION_OO
from spaceland.questions.marks import Mark
from spaceland.questions.matching import MATCHING
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.propose import Solved
from spaceland.questions.relation import RELATION_OC, RELATION_OO, compare, side_of_range, solve_relation_oc
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.setups import Pick, Setup, unmarked_videos
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility
from spaceland.visibility.types import SceneVisibility

LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))


def context_of(scene: Scene) -> TaskContext:
    """Nothing here looks at what is visible."""
    return TaskContext(SceneViews(scene, SceneVisibility((), (), np.zeros((0, 0))), AmbiguityPolicy()))


def solved_oo(red: tuple, yellow: tuple) -> tuple[Solved | None, Counter[str]]:
    """Somebody at (3, 4) who faces +y is asked about two things, as in a video."""
    places = [(3.0, 4.0, 1.0), (3.0, 7.5, 1.0), red, yellow]
    scene = box_scene([(f"thing {k}", place, (0.1,) * 3) for k, place in enumerate(places)], [LEVEL] * 4)
    context = context_of(scene)
    picks = tuple(Pick(_View(k), 0) for k in range(4))  # type: ignore[arg-type]
    return solve_imagination_oo(context, Setup(scene.frames, picks)), context.rejections


class _View:
    def __init__(self, object_id: int) -> None:
        self.object_id = object_id


def test_imagined_sides_of_the_worked_example() -> None:
    solved, _ = solved_oo((4.5, 6.0, 1.0), (2.5, 5.0, 1.0))
    assert solved is not None and solved.answer.text == "right, , farther"
    gap = np.degrees(np.arctan2(1.5, 2.0) - np.arctan2(-0.5, 1.0))
    assert solved.values["bearing_gap_deg"] == pytest.approx(gap, abs=0.006)
    assert solved.params["min_bearing_gap_deg"] == 3.0 and solved.params["min_imagined_distance_m"] == 0.4


@pytest.mark.parametrize(
    ("red", "yellow"),
    [
        ((1.9, 7.0, 1.0), (2.5, 5.2, 1.0)),  # 0.6 m to the left, at 20.1 and 22.6 degrees to the left
        ((4.5, 2.0, 1.0), (3.5, 2.5, 1.0)),  # both behind: whoever looks round has red at 143 and yellow at 161 degrees
        ((4.0, 6.5, 1.0), (3.4, 3.5, 1.0)),  # yellow behind, by metres less far to the right, by direction farther
        ((2.2, 2.0, 1.0), (5.5, 5.5, 1.0)),  # behind to the left, but the short way round it is to the right
        ((3.0, 5.6, 1.0), (3.0, 3.2, 1.0)),  # neither is farther to the right, yet one is ahead, one behind
    ],
)
def test_a_side_that_the_directions_contradict_is_not_asked_about(red: tuple, yellow: tuple) -> None:
    for asked, other in ((red, yellow), (yellow, red)):
        solved, rejections = solved_oo(asked, other)
        assert solved is None
        assert rejections == {"left/right differs between room and view": 1}


def test_one_ahead_and_one_behind_may_be_clear() -> None:
    solved, _ = solved_oo((5.0, 3.5, 1.0), (3.6, 6.0, 1.0))
    assert solved is not None and solved.answer.value[0] == "right"  # at 104 and 17 degrees to the right


@pytest.mark.parametrize(
    ("red", "yellow", "reason"),
    [
        ((5.0, 4.1, 1.0), (0.6, 4.2, 1.0), "the short way round is not clear"),  # at 87 degrees right and 85 left
        ((4.0, 6.0, 1.35), (4.0, 6.02, 0.65), "only height differs"),
        ((4.0, 6.0, 1.0), (4.0, 6.05, 1.0), "level on every axis"),
        ((4.5, 9.0, 1.0), (2.5, 8.84, 1.0), "too near to a threshold"),  # 5.22 and 4.87 m: less than a tenth
    ],
)
def test_imagined_pairs_that_are_not_asked_about(red: tuple, yellow: tuple, reason: str) -> None:
    for asked, other in ((red, yellow), (yellow, red)):
        solved, rejections = solved_oo(asked, other)
        assert solved is None and rejections == {reason: 1}


def test_closer_needs_a_share_of_the_distance() -> None:
    policy = AmbiguityPolicy()
    assert [side_of_range(policy, *ranges_m) for ranges_m in ((5.2, 4.84), (4.84, 5.2), (5.2, 4.68), (3.0, 3.36))] == [
        None, None, -1, 1,
    ]  # fmt: skip
    # The first thing is 0.36 m closer, of 5.2 m: beyond the margin, but not by a tenth.
    for away_m, word in ((4.84, None), (4.6, "closer")):
        scene = box_scene([("lamp", (3.0, 1 + away_m, 1.5), (0.1,) * 3), ("box", (4.5, 6.0, 1.5), (0.1,) * 3)], [LEVEL])
        context = context_of(scene)
        solved = compare(context, scene.frames[0], 0, 1)
        if word is None:
            assert solved is None and context.rejections == {"too near to a threshold": 1}
        else:
            assert solved is not None and solved.answer.value == ("left", "", word)
            assert solved.params["min_range_share"] == 0.1


@pytest.mark.parametrize(
    ("red", "before", "reason"),
    [
        ((3.3, 7.0, 1.0), None, "place before the move too near to straight ahead or sideways"),  # 2.9 degrees
        ((4.5, 5.0, 1.0), ["right", "below", "front"], None),
        ((4.5, 1.28, 1.0), None, "place before the move too near to straight ahead or sideways"),
        ((4.5, 1.02, 1.0), None, "place before the move too near to a threshold"),  # neither ahead nor behind
    ],
)
def test_the_place_before_a_move_is_as_clear_as_any(red: tuple, before: list[str] | None, reason: str | None) -> None:
    places = [(5.5, 3.0, 1.0), (1.0, 3.0, 1.0), red]
    scene = box_scene([(f"thing {k}", place, (0.1,) * 3) for k, place in enumerate(places)], [LEVEL])
    context = context_of(scene)
    picks = tuple(Pick(_View(k), 0) for k in range(3))  # type: ignore[arg-type]
    solved = solve_imagination_oc(context, Setup(scene.frames, picks))
    if reason is not None:
        assert solved is None and context.rejections == {reason: 1}
    else:
        assert solved is not None and solved.values["before"] == before


@pytest.mark.parametrize("near", [(3.2, 4.2, 1.0), (3.0, 4.0, 1.6)])
def test_nobody_stands_on_what_is_compared(near: tuple) -> None:
    for asked, other in ((near, (5.0, 6.0, 1.0)), ((5.0, 6.0, 1.0), near)):
        solved, rejections = solved_oo(asked, other)
        assert solved is None
        assert rejections == {"asked object too near to the imagined place": 1}


@pytest.mark.parametrize(
    ("down_deg", "place", "word"),
    [
        (0, (2.0, 1.8, 2.95), "front"),
        (40, (2.0, 2.5, 1.0), "front"),
        (
            40,
            (2.0, 1.8, 2.95),
            None,
        ),  # 0.8 m ahead on the level, but so high that it lies behind the tilted image plane
        (40, (2.0, 0.6, 0.1), None),  # behind on the level, but below, where the camera looks
        (90, (2.0, 2.5, 0.5), None),  # straight down there is no heading
    ],
)
def test_front_is_in_front_on_the_level_too(down_deg: float, place: tuple, word: str | None) -> None:
    eye, angle = np.array([3.0, 1.0, 1.5]), np.radians(down_deg)
    pose = look_at(eye, eye + [0, np.cos(angle), -np.sin(angle)]) if down_deg < 90 else LEVEL.copy()
    if down_deg == 90:
        pose[:3, :3] = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    scene = box_scene([("lamp", place, (0.1,) * 3)], [pose])
    context = context_of(scene)
    solved = solve_relation_oc(context, Setup(scene.frames, (Pick(_View(0), 0),)))  # type: ignore[arg-type]
    if word is None:
        assert solved is None
        assert context.rejections == {"front/behind depends on the tilt of the camera": 1}
    else:
        assert solved is not None and solved.answer.value[2] == word
        assert solved.values["level_ahead_m"] == pytest.approx(place[1] - 1.0)


def test_labels_that_mean_one_thing() -> None:
    labels = ("coffee table", "table", "chair", "armchair", "lamp", "lamp", "plant", "table lamp", "plant pot")
    context = context_of(box_scene([(label, (1, 1 + k, 1), (0.2,) * 3) for k, label in enumerate(labels)], [LEVEL]))
    assert [label for label in sorted(set(labels)) if not context.views.naming_problem(label)] == [
        "armchair", "coffee table", "plant", "plant pot", "table lamp",
    ]  # fmt: skip
    problems = {label: context.views.naming_problem(label) for label in ("lamp", "table", "plant")}
    assert problems == {"lamp": "label is not unique", "table": "label is much like another one", "plant": ""}


def test_videos_without_marks_name_no_table_beside_a_coffee_table() -> None:
    scene = walked_scene()
    other = {"shelf": "table shelf", "box": "lamp"}  # the lamp is there twice; the shelf ends in no other label
    things = [replace(thing, label=other.get(thing.label, thing.label)) for thing in scene.objects]
    things.append(replace(things[-1], id=99, label="coffee table"))
    scene = replace(scene, objects=tuple(things))
    context = TaskContext(SceneViews(scene, scene_visibility(walked_scene()), AmbiguityPolicy()))
    named = {context.label(pick.object_id) for setup in unmarked_videos(context, Random(0), 1) for pick in setup.picks}
    assert "chair" in named and "table shelf" in named
    assert not named & {"table", "lamp"}
    assert set(context.rejections) >= {"label is not unique", "label is much like another one"}


def test_a_mark_around_something_called_box() -> None:
    mark = Mark("red", "bbox", 0, 0, (0, 0, 10, 10), 0.006)
    fact = Fact("x", ("a", "b"), {"red": 0}, {"red": "box"}, None, (mark,))  # type: ignore[arg-type]
    assert fact.name("red") == "box (red bounding box in the first image)"
    for stem in MATCHING.stems["*"]:
        assert "box" not in stem.replace("{a}", "").replace("{mark}", "")
    assert isinstance(MATCHING.notes, tuple)
    assert all("visible part" in note or "what can be seen" in note for note in MATCHING.notes)


@pytest.mark.parametrize("wording", [RELATION_OC, RELATION_OO, IMAGINATION_OC, IMAGINATION_OO, MATCHING])
def test_wordings_fit_several_things(wording: Wording) -> None:
    texts = [*(stem for stems in wording.stems.values() for stem in stems), *wording.sentences]
    for text in texts:
        assert not any(words in text for words in (" it is", "has it", "is it", "are it", " its ", "as against"))
        # "is" beside a label always comes from the label.
        assert not any(f"is the {{{role}}}" in text or f"{{{role}}} is" in text for role in ("a", "b", "red", "yellow"))
