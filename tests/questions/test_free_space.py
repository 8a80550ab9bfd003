"""Free spots on the floor: sides, footprints, and the same in a mirror."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from moved_scenes import mirrored

from handmade import box_scene
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import over_footprint
from spaceland.geometry.transforms import look_at
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.free_space import (
    FREE_SPACE,
    Ground,
    _around,
    _between_things,
    _beyond,
    _on_side,
    find_ground,
    find_standing,
    propose_free_space,
)
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

# The camera stands at (3, 1), looks along world y and a little down: right is world x, ahead is world y.
POSE = look_at(np.array([3.0, 1.0, 1.7]), np.array([3.0, 5.0, 0.4]))
CHEST = ("chest", (3.0, 4.5, 0.3), (0.8, 0.6, 0.6))
POLICY = AmbiguityPolicy(max_same_objects=99)


def context_of(scene: Scene, policy: AmbiguityPolicy = POLICY) -> TaskContext:
    return TaskContext(SceneViews(scene, scene_visibility(scene), policy))


def facts(scene: Scene, seeds: int = 12) -> list[Fact]:
    context = context_of(scene)
    return [fact for seed in range(seeds) for fact in propose_free_space(context, Random(seed))]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene([CHEST, ("stool", (1.9, 4.3, 0.25), (0.4, 0.4, 0.5))], [POSE], with_ids=True)


def test_spots_are_on_their_side_and_free(scene: Scene) -> None:
    found = [fact for fact in facts(scene) if fact.labels["red"] == "chest"]
    assert {fact.values["side"] for fact in found} == {"left", "right", "front", "behind"}
    for fact in found:
        x, y, z = fact.values["point_world_m"]
        dx, dy = x - 3.0, y - 4.5
        along = {"left": -dx, "right": dx, "front": -dy, "behind": dy}[fact.values["side"]]
        assert along >= np.cos(np.radians(POLICY.beside_deg)) * np.hypot(dx, dy) - 1e-3
        assert abs(z) < POLICY.floor_tolerance_m
        for thing in scene.objects:
            assert not over_footprint(thing.box, np.array([[x, y]]), POLICY.free_margin_m - 1e-3).any()


def test_wrong_places_are_no_floor_or_on_another_side(scene: Scene) -> None:
    context = context_of(scene)
    ground = find_ground(context, scene.frames[0], find_standing(context))
    where = {tuple(xy): k for k, xy in enumerate(ground.xy.tolist())}
    for fact in facts(scene):
        center = scene.objects_by_id[fact.objects["red"]].center
        assert len(fact.values["other_points"]) == 3
        for place in fact.values["other_points"]:
            k = where[tuple(place)]
            dx, dy = ground.world[k, :2] - center[:2]
            along = {"left": -dx, "right": dx, "front": -dy, "behind": dy}[fact.values["side"]]
            other_side = along <= np.cos(np.radians(POLICY.not_beside_deg)) * np.hypot(dx, dy) + 1e-6
            assert ground.is_thing[k] or other_side


def test_the_right_spot_is_not_the_only_floor(scene: Scene) -> None:
    context, frame = context_of(scene), scene.frames[0]
    ground = find_ground(context, frame, find_standing(context))
    where = {tuple(xy): k for k, xy in enumerate(ground.xy.tolist())}
    on_floor = [sum(ground.is_floor[where[tuple(p)]] for p in f.values["other_points"]) for f in facts(scene)]
    assert set(on_floor) == {2}
    # With no floor but that on the left of the chest, a thing is easily told from the right spot.
    view = context.views.askable_view(frame.id, 0)
    assert view is not None
    chest = context.thing(0)
    dx, dy = (ground.world[:, :2] - [3.0, 4.5]).T
    left = -dx >= np.cos(np.radians(POLICY.beside_deg)) * np.hypot(dx, dy)
    bare = replace(ground, is_floor=ground.is_floor & left, is_free=ground.is_free & left)
    assert _on_side(context, frame, _around(bare, chest), find_standing(context), view, "left", Random(0)) is None
    assert context.rejections == {"no wrong place on the floor": 1}
    # One other spot on the floor is enough.
    other = np.flatnonzero(ground.is_floor & (dx > 0.8))[:1]
    some = replace(bare, is_floor=bare.is_floor | np.isin(np.arange(len(left)), other))
    fact = _on_side(context, frame, _around(some, chest), find_standing(context), view, "left", Random(0))
    assert fact is not None and ground.xy[other[0]].tolist() in fact.values["other_points"]


def test_only_what_stands_on_the_floor_has_floor_beside_it() -> None:
    cup = ("cup", (3.0, 4.5, 0.75), (0.3, 0.3, 0.3))
    picture = ("picture", (3.4, 7.9, 1.5), (0.8, 0.1, 0.6))
    scene = box_scene([CHEST, cup, picture], [POSE], with_ids=True)
    context = context_of(scene)
    found = list(propose_free_space(context, Random(0)))
    assert {fact.labels["red"] for fact in found} == {"chest"}
    examples = context.rejected.examples["does not stand on the floor"]
    assert {example.objects: example.value for example in examples} == {(1,): 0.6, (2,): 1.2}
    for lift, asked in ((0.3, True), (0.32, False)):
        raised = box_scene([("chest", (3.0, 4.5, 0.3 + lift), (0.8, 0.6, 0.6))], [POSE], with_ids=True)
        assert bool(facts(raised, 2)) is asked


def test_spots_are_free_and_not_bare() -> None:
    """A spot on a rug that nobody annotated is free as well."""
    assert not any("bare" in stem or "empty" in stem for stem in FREE_SPACE.stems["*"])


def test_things_overhead_leave_the_floor_free_and_rugs_do_not() -> None:
    lamp = ("lamp", (4.2, 4.5, 2.4), (0.5, 0.5, 0.3))
    rug = ("rug", (1.7, 4.5, 0.01), (1.4, 1.4, 0.02))
    scene = box_scene([CHEST, lamp, rug], [POSE], with_ids=True)
    context = context_of(scene)
    ground = find_ground(context, scene.frames[0], find_standing(context))
    free = ground.world[ground.is_free]
    assert over_footprint(scene.objects[1].box, free[:, :2]).any()
    assert not over_footprint(scene.objects[2].box, free[:, :2], 0.19).any()


def test_an_annotated_floor_is_floor() -> None:
    floor = ("floor", (3.0, 4.0, -0.005), (5.9, 7.9, 0.02))
    scene = box_scene([CHEST, floor], [POSE], with_ids=True)
    assert facts(scene, 2)


def test_no_floor_and_things_off_the_axis() -> None:
    scene = box_scene([CHEST], [POSE], with_ids=True)
    context = context_of(replace(scene, room=None))
    assert not list(propose_free_space(context, Random(0)))
    assert context.rejections == {"floor unknown": 1}
    (example,) = context.rejected.examples["floor unknown"]
    assert (example.frames, example.objects) == ((), ())
    aside = box_scene([("chest", (4.6, 4.5, 0.3), (0.6, 0.6, 0.6))], [POSE], with_ids=True)
    context = context_of(aside)
    assert not list(propose_free_space(context, Random(0)))
    assert context.rejections == {"too far from straight ahead": 1}


def test_a_mirror_exchanges_left_and_right(scene: Scene) -> None:
    contexts = [context_of(scene), context_of(mirrored(scene))]
    ground, other = (find_ground(c, c.scene.frames[0], find_standing(c)) for c in contexts)
    np.testing.assert_allclose(other.right * [-1, 1], -ground.right, atol=1e-12)
    assert abs(int(other.is_free.sum()) - int(ground.is_free.sum())) <= 0.02 * len(ground.xy)
    sides = {fact.values["side"] for fact in facts(mirrored(scene), 3)}
    assert sides
    for fact in facts(mirrored(scene), 3):
        if fact.values["side"] in ("left", "right"):
            center = mirrored(scene).objects_by_id[fact.objects["red"]].center
            # In the mirror world the camera still looks along y, and x is to its right.
            assert (fact.values["point_world_m"][0] > center[0]) == (fact.values["side"] == "right")


def test_places_near_a_wall_are_not_free(scene: Scene) -> None:
    context = context_of(scene)
    room = scene.room
    assert room is not None and room.has_outline
    ground = find_ground(context, scene.frames[0], find_standing(context))
    free = ground.world[ground.is_free, :2]
    low, high = room.floor_polygon.min(0), room.floor_polygon.max(0)
    assert len(free) and np.minimum(free - low, high - free).min() >= POLICY.free_margin_m - 1e-9


def test_what_lies_beyond_another_thing_is_not_beside(scene: Scene) -> None:
    context = context_of(scene)
    frame = scene.frames[0]
    standing = find_standing(context)
    ground = find_ground(context, frame, standing)
    thing = scene.objects[0]
    k = int(np.argmax(np.linalg.norm(ground.world[:, :2] - thing.center[:2], axis=1)))
    way = ground.world[k, :2] - thing.center[:2]
    middle = thing.center[:2] + 0.6 * way
    box = OrientedBox(np.array([*middle, 0.5]), np.array([0.2, 0.2, 1.0]), np.eye(3))
    between = replace(thing, id=99, box=box)
    assert not _beyond(thing, ground, k, [entry for entry in standing if entry[0].id == thing.id])
    assert _beyond(thing, ground, k, [(between, (middle - 0.3, middle + 0.3))])


def test_a_place_with_things_on_three_sides_is_between_them() -> None:
    xy = np.array([[500, 500], [470, 500], [530, 505], [500, 460], [900, 900]])
    is_thing = np.array([False, True, True, True, False])
    ground = Ground(xy, np.zeros((5, 3)), ~is_thing, ~is_thing, is_thing, np.zeros(2), np.zeros(2))
    assert _between_things(ground, 0) and not _between_things(ground, 4)
    two = replace(ground, is_thing=is_thing & np.array([True, True, True, False, True]))
    assert not _between_things(two, 0)
