"""Planned ways: worked out by hand, shortest, and left out where a reader could walk otherwise."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import footprint_gaps
from spaceland.geometry.transforms import look_at
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.ground import Ground
from spaceland.questions.language import may_mean
from spaceland.questions.navigation_words import NAVIGATION
from spaceland.questions.planned import planned_ways
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.way_search import WaySearch, alongside_m
from spaceland.scenes.scene import Room, Scene, SceneObject
from spaceland.visibility import SceneVisibility, scene_visibility

# The counter stands between desk and shelf and leaves a way at its east end only. From the desk one faces the lamp.
COUNTER = ("counter", (2.2, 4.0, 0.5), (4.2, 0.6, 1.0))
THINGS = [
    ("desk", (1.0, 2.0, 0.4), (0.8, 0.8, 0.8)),
    ("lamp", (1.0, 6.6, 0.6), (0.3, 0.3, 1.2)),
    COUNTER,
    ("shelf", (5.2, 7.4, 0.9), (0.8, 0.4, 1.8)),
    ("bin", (5.5, 2.2, 0.3), (0.4, 0.4, 0.6)),
]


def make_scene(things: list) -> Scene:
    poses = [
        look_at(np.array([3.0, 0.4, 2.6]), np.array([3.0 + 5 * np.sin(a), 0.4 + 5 * np.cos(a), 0.4]))
        for a in np.linspace(-0.8, 0.8, 32)
    ]
    return box_scene(things, poses, with_ids=True, room_size=(6.0, 8.0, 3.0))


def ways(scene: Scene, seen: SceneVisibility | None = None, **limits: float) -> tuple[list[Fact], TaskContext]:
    policy = replace(AmbiguityPolicy(), **limits)  # type: ignore[arg-type]
    context = TaskContext(SceneViews(scene, seen or scene_visibility(scene), policy))
    frames = context.video_frames()
    assert frames is not None
    return list(planned_ways(context, frames, Random(0))), context


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(THINGS)


@pytest.fixture(scope="module")
def seen(scene: Scene) -> SceneVisibility:
    return scene_visibility(scene)


def ends(fact: Fact) -> tuple[str, str]:
    labels = list(fact.labels.values())
    return labels[0], labels[-1]


def test_a_way_worked_out_by_hand(scene: Scene, seen: SceneVisibility) -> None:
    facts, context = ways(scene, seen, turn_margin_deg=5.0)
    told = [fact for fact in facts if ends(fact) == ("desk", "shelf")]
    assert len(told) == 1, context.rejections
    (fact,) = told
    places = np.array(fact.values["places_m"])
    # Round the end of the counter, 0.25 m (and a little) away from it; then to 0.4 m in front of the shelf.
    assert places[1] == pytest.approx([4.3 + 0.26, 3.7 - 0.26])
    assert places[-1][1] == pytest.approx(7.4 - 0.2 - 0.4)
    assert fact.values["leg_m"] == pytest.approx([np.hypot(*step) for step in np.diff(places, axis=0)], abs=1e-3)
    faced = next(np.array(center[:2]) for name, center, _ in THINGS if name == list(fact.labels.values())[1])
    (ax, ay), (bx, by) = faced - places[0], places[1] - places[0]
    right_deg = np.degrees(np.arctan2(ay * bx - ax * by, ax * bx + ay * by))
    word = "look straight ahead" if abs(right_deg) < 25 else "turn right" if right_deg > 0 else "turn left"
    assert fact.answer.value[0] == word and fact.answer.value[-1].startswith("stop 0.6 m from the shelf")
    text = NAVIGATION.of_fact(fact).stems["*"][0].format(**NAVIGATION.fields(fact))  # type: ignore[misc]
    facing = list(fact.labels.values())[1]
    assert text == f"stand beside the desk and face the {facing}. How do you walk from there to the shelf?"


def test_ways_are_free_and_clear(scene: Scene, seen: SceneVisibility) -> None:
    facts, context = ways(scene, seen)
    assert len(facts) >= 3
    assert len({ends(fact) for fact in facts}) == len(facts)
    for fact in facts:
        values = fact.values
        assert values["kind"] == "planned" and min(values["leg_m"]) >= 0.6 and sum(values["leg_m"]) >= 1.0
        for turn in values["turn_deg"][1:]:
            assert 38 <= abs(turn) <= 137 or abs(turn) >= 153
        for start, stop in pairwise(values["places_m"]):
            for point in np.linspace(start, stop, 80):
                assert min(*point, *(np.array([6.0, 8.0]) - point)) >= 0.25 - 1e-3
                for thing in scene.objects:
                    local = np.abs(point - thing.center[:2]) - thing.box.size[:2] / 2
                    assert local.max() >= 0.25 - 1e-3
    assert context.rejections["path too short"] > 0


def test_unclear_ways_are_left_out() -> None:
    # A counter in the middle: there are ways at both of its ends.
    middle = [*THINGS[:2], ("counter", (3.0, 4.4, 0.5), (3.2, 0.6, 1.0)), ("shelf", (3.0, 7.4, 0.9), (0.8, 0.4, 1.8))]
    middle[0] = ("desk", (3.0, 2.7, 0.4), (0.8, 0.8, 0.8))
    facts, context = ways(make_scene(middle), turn_margin_deg=1.0)
    assert ("desk", "shelf") not in {ends(fact) for fact in facts}
    assert context.rejections["another way is about as short"] > 0
    # A gap of 0.52 m is passed by nobody who is wider.
    narrow = [*THINGS, ("crate", (5.2, 4.0, 0.4), (0.72, 0.6, 0.8))]
    facts, context = ways(make_scene(narrow), turn_margin_deg=1.0)
    assert ("desk", "shelf") not in {ends(fact) for fact in facts}
    assert context.rejections["a gap that not everybody would take"] + context.rejections["no free way"] > 0


def test_things_must_be_found(scene: Scene, seen: SceneVisibility) -> None:
    doubled = tuple(replace(thing, label="desk") if thing.label == "bin" else thing for thing in scene.objects)
    facts, context = ways(replace(scene, objects=doubled), seen)
    assert all("desk" not in fact.labels.values() for fact in facts)
    assert context.rejections["label is not unique"] == 2
    alike = tuple(replace(thing, label="floor lamp") if thing.label == "bin" else thing for thing in scene.objects)
    facts, context = ways(replace(scene, objects=alike), seen)
    assert all(not label.endswith("lamp") for fact in facts for label in fact.labels.values())
    assert context.rejections["label is much like another one"] == 2
    assert scene.room is not None
    unknown = replace(scene, room=replace(scene.room, floor_polygon=np.zeros((0, 2))))
    facts, context = ways(unknown, seen)
    assert not facts and context.rejections == {"floor unknown: no outline": 1}
    assert may_mean("chair", "armchair") and not may_mean("tv", "tv stand")


def thing(k: int, center: tuple[float, ...], size: tuple[float, ...]) -> SceneObject:
    box = OrientedBox(np.array(center), np.array(size), np.eye(3))
    return SceneObject(k, f"thing {k}", f"thing {k}", box.corners(), box)


def test_the_shortest_way_comes_first_and_others_are_taut() -> None:
    room = Room(np.array([[-3.0, -5], [8, -5], [8, 5], [-3, 5]]), 0.0, 2.5, 110.0)
    table, shelf = thing(0, (2, 0.5, 0.4), (1.4, 2.4, 0.8)), thing(1, (4.6, 0.6, 0.5), (0.4, 0.4, 1.0))
    search = WaySearch(Ground.of(room, (table, shelf)), 0.3, 0.4)
    right, left = search.ways(np.zeros(2), shelf, 1.5, 6)
    np.testing.assert_allclose(right[1:3], [[0.99, -1.01], [3.01, -1.01]])
    np.testing.assert_allclose(left[1:3], [[0.99, 2.01], [3.01, 2.01]])
    np.testing.assert_allclose(search.ways(np.zeros(2), shelf, 1.0, 6)[0], right)
    assert search.ways(np.zeros(2), shelf, 1.5, 2) == []
    bent = Room(np.array([[0.0, 0], [6, 0], [6, 3], [3, 3], [3, 6], [0, 6]]), 0.0, 2.5, 27.0)
    target = thing(1, (1.5, 5, 0.5), (0.4, 0.4, 1.0))
    for outline in (bent.floor_polygon, bent.floor_polygon[::-1]):
        ground = Ground.of(replace(bent, floor_polygon=outline), (target,))
        (way,) = WaySearch(ground, 0.3, 0.4).ways(np.array([5.0, 2.5]), target, 2, 6)
        np.testing.assert_allclose(way[1], [2.69, 2.69])


def test_walls_and_high_things_hide() -> None:
    room = Room(np.array([[0.0, 0], [6, 0], [6, 3], [3, 3], [3, 6], [0, 6]]), 0.0, 2.5, 27.0)
    tall, low = thing(0, (2, 1, 1.0), (0.5, 0.5, 2.0)), thing(1, (4, 1, 0.5), (0.5, 0.5, 1.0))
    ground = Ground.of(room, (tall, low))
    assert ground.is_hidden(np.array([1.0, 1]), np.array([3.0, 1]), 1.5)
    assert not ground.is_hidden(np.array([1.0, 1]), np.array([3.0, 1]), 1.5, (0,))
    assert not ground.is_hidden(np.array([3.0, 1]), np.array([5.5, 1]), 1.5)
    assert ground.is_hidden(np.array([5.5, 2.5]), np.array([1.5, 5.5]), 1.5)
    assert ground.near_any(np.array([[1.5, 1.0], [1.0, 2.0], [0.1, 2.0]]), 0.3).tolist() == [True, False, True]
    assert ground.near_any(np.array([[1.5, 1.0]]), 0.3, (0,)).tolist() == [False]


def test_how_far_a_way_leads_alongside_something() -> None:
    room = Room(np.array([[0.0, 0], [8, 0], [8, 6], [0, 6]]), 0.0, 2.5, 48.0)
    ground = Ground.of(room, (thing(0, (4, 2, 0.5), (2.0, 1.0, 1.0)),))
    way = [np.array([1.0, 2.8]), np.array([7.0, 2.8])]  # 0.3 m beside a counter of 2 m
    assert alongside_m(ground, way, 0.31, ()) == pytest.approx(2.62, abs=0.06)
    assert alongside_m(ground, way, 0.29, ()) == alongside_m(ground, way, 0.31, (0,)) == 0


def test_nobody_stands_or_stops_in_front_of_a_corner(scene: Scene, seen: SceneVisibility) -> None:
    """There the straight distance is greater than what the question tells, which is kept from the sides."""
    facts, context = ways(scene, seen)
    assert context.rejections["in front of a corner"] >= 1
    for fact in facts:
        things = [scene.objects_by_id[object_id] for object_id in fact.objects.values()]
        places = np.array(fact.values["places_m"])
        for thing, place, told_m in ((things[0], places[0], fact.values["start_gap_m"]), (things[-1], places[-1], 0.4)):
            assert footprint_gaps(thing.box, place[None])[0] == pytest.approx(told_m, abs=0.051)
