"""Routes over free floor: worked out by hand, with everything that is unclear or blocked left out."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import footprint_sides
from spaceland.geometry.transforms import look_at
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.ground import Ground
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.vsi_route import VSI_ROUTE, propose_vsi_route
from spaceland.questions.vsi_ways import Walker
from spaceland.scenes.scene import Room, Scene, SceneObject
from spaceland.visibility import SceneVisibility, scene_visibility

# From the desk one looks east at the sofa. The lamp is north of the place in front of the sofa, the rack west of it.
THINGS = [
    ("desk", (0.8, 4.0, 0.4), (0.8, 0.8, 0.8)),
    ("sofa", (5.0, 4.0, 0.4), (0.8, 0.8, 0.8)),
    ("lamp", (4.3, 6.9, 0.9), (0.4, 0.4, 1.8)),
    ("rack", (1.0, 6.6, 0.6), (0.4, 0.8, 1.2)),
]


def make_scene(things: list, room_size: tuple[float, float, float] = (6.0, 8.0, 3.0)) -> Scene:
    poses = [
        look_at(np.array([3.0, 0.4, 2.2]), np.array([3.0 + 5 * np.sin(a), 0.4 + 5 * np.cos(a), 0.4]))
        for a in np.linspace(-0.8, 0.8, 32)
    ]
    return box_scene(things, poses, with_ids=True, room_size=room_size)


def routes(scene: Scene, seen: SceneVisibility | None = None, **limits: float) -> tuple[list[Fact], TaskContext]:
    policy = replace(AmbiguityPolicy(), **limits)  # type: ignore[arg-type]
    context = TaskContext(SceneViews(scene, seen or scene_visibility(scene), policy))
    return list(propose_vsi_route(context, Random(0))), context


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(THINGS)


@pytest.fixture(scope="module")
def seen(scene: Scene) -> SceneVisibility:
    return scene_visibility(scene)


def named(facts: list[Fact], form: str, *labels: str) -> Fact | None:
    return next((f for f in facts if f.params["form"] == form and tuple(f.labels.values()) == labels), None)


def test_a_route_worked_out_by_hand(scene: Scene, seen: SceneVisibility) -> None:
    facts, _ = routes(scene, seen, max_same_objects=100)
    fact = named(facts, "straight", "desk", "sofa", "lamp", "rack")
    assert fact is not None
    # East from 0.6 m beside the desk to 0.4 m in front of the sofa, then to the left, then to the left again.
    assert fact.answer.text == "Turn Left, Turn Left"
    places = fact.values["places_m"]
    assert places[0] == pytest.approx([0.8 + 0.4 + 0.6, 4.0]) and places[1] == pytest.approx([5.0 - 0.4 - 0.4, 4.0])
    assert places[2][1] == pytest.approx(6.9 - 0.2 - 0.4, abs=1e-3)
    left = 90 - np.degrees(np.arctan2(0.1, 2.9))
    assert fact.values["turns_left_deg"][0] == pytest.approx(left, abs=1e-3)
    text = VSI_ROUTE.stems["*"][0].format(**VSI_ROUTE.fields(fact))
    assert text.endswith(
        "starts at the desk and faces the sofa. It is to reach the rack by these steps: 1. Go forward until you reach "
        "the sofa. 2. [turn] 3. Go forward until you reach the lamp. 4. [turn] 5. Go forward until you reach the rack."
    )


def test_the_number_of_turns_follows_the_way(scene: Scene, seen: SceneVisibility) -> None:
    facts, _ = routes(scene, seen, max_same_objects=100)
    assert {len(fact.answer.value) for fact in facts} >= {1, 2}
    for fact in facts:
        turns = len(fact.values["turns_left_deg"])
        assert len(fact.answer.value) == turns == len(fact.labels) - 2
        assert VSI_ROUTE.fields(fact)["steps"].count("[turn]") == turns
        assert VSI_ROUTE.of_fact is not None
        assert VSI_ROUTE.of_fact(fact).num_options == (3 if turns == 1 else 4)


def test_every_route_is_free_and_turns_clearly(scene: Scene, seen: SceneVisibility) -> None:
    facts, context = routes(scene, seen)
    assert len(facts) >= 3
    assert {fact.params["form"] for fact in facts} == {"straight", "turn"}
    for fact in facts:
        assert all(38 <= abs(turn) <= 132 or abs(turn) >= 148 for turn in fact.values["turns_left_deg"])
        assert all(leg >= 0.8 for leg in fact.values["legs_m"])
        for start, stop in zip(fact.values["places_m"][:-1], fact.values["places_m"][1:], strict=True):
            for point in np.linspace(start, stop, 60):
                for thing in scene.objects:
                    local = np.abs(point - thing.center[:2]) - thing.box.size[:2] / 2
                    assert local.max() >= 0.2 - 1e-3
    assert context.rejections["no clear turn"] > 0


def test_what_stands_in_the_way_blocks_it() -> None:
    crate = ("crate", (3.0, 4.1, 0.2), (0.5, 0.5, 0.4))
    for extra, open_way in ((crate, False), (("rug", (3.0, 4.1, 0.02), (0.5, 0.5, 0.04)), True)):
        facts, context = routes(make_scene([*THINGS, extra]), max_same_objects=100)
        straight = [
            f
            for f in facts
            if f.params["form"] == "straight" and (f.labels["red"], f.labels["blue"]) == ("desk", "sofa")
        ]
        assert bool(straight) == open_way
        assert context.rejections["no free way"] > 0 or open_way


def test_unclear_scenes_are_left_out(scene: Scene, seen: SceneVisibility) -> None:
    doubled = tuple(replace(thing, label="sofa") if thing.label == "rack" else thing for thing in scene.objects)
    facts, context = routes(replace(scene, objects=doubled), seen)
    assert not facts and context.rejections["label is not unique"] == 2
    lifted, context = routes(scene, seen, max_route_lift_m=-1.0)
    assert not lifted and context.rejections["does not stand on the floor"] == 4
    assert scene.room is not None
    told = replace(scene, room=replace(scene.room, floor_polygon=np.zeros((0, 2))))
    assert routes(told, seen)[1].rejections == {"floor unknown: no outline": 1}
    measured, _ = routes(replace(scene, room=None), seen)
    assert measured and measured[0].params["floor"] == "measured on the surface"


def test_wide_turn_margins_leave_fewer(scene: Scene, seen: SceneVisibility) -> None:
    assert len(routes(scene, seen, route_margin_deg=35.0)[0]) < len(routes(scene, seen)[0])


def test_options_are_as_many_turns(scene: Scene, seen: SceneVisibility) -> None:
    assert VSI_ROUTE.options is not None
    for fact in routes(scene, seen)[0]:
        turns = len(fact.values["turns_left_deg"])
        count = 3 if turns == 1 else 4
        for place in range(count):
            options = VSI_ROUTE.options(fact, place, Random(place))
            assert options is not None and options[place] == fact.answer.text and len(set(options)) == count
            assert all(option.count("Turn") == turns for option in options)
        assert count == 4 or VSI_ROUTE.options(fact, 3, Random(0)) is None


def thing(k: int, center: tuple[float, ...], size: tuple[float, ...], turn_deg: float = 0.0) -> SceneObject:
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    box = OrientedBox(np.array(center), np.array(size), np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))
    return SceneObject(k, f"thing {k}", f"thing {k}", box.corners(), box)


def test_a_walker_stops_in_front_and_keeps_clear() -> None:
    room = Room(np.array([[-1.0, -3], [6, -3], [6, 3], [-1, 3]]), 0.0, 2.5, 42.0)
    cupboard, chair = thing(0, (3, 0, 0.5), (1, 1, 1)), thing(1, (1, 0.3, 0.4), (0.5, 0.5, 0.8))
    free = Walker(Ground.of(room, (cupboard,)), AmbiguityPolicy())
    start = np.zeros(2)
    np.testing.assert_allclose(free.leg(start, cupboard), [2.1, 0.0])
    assert Walker(Ground.of(room, (cupboard, chair)), AmbiguityPolicy()).leg(start, cupboard) is None
    aside = replace(chair, box=OrientedBox(np.array([1, 0.46, 0.4]), chair.box.size, chair.box.rotation))
    assert Walker(Ground.of(room, (cupboard, aside)), AmbiguityPolicy()).leg(start, cupboard) is not None
    # Too near for a leg, from inside, and through a wall.
    assert free.leg(np.array([1.5, 0.0]), cupboard) is None
    assert free.leg(np.array([3.0, 0.1]), cupboard) is None
    assert free.leg(np.array([-1.9, 0.0]), cupboard) is None
    bay = Room(np.array([[-1.0, -3], [6, -3], [6, 3], [1.1, 3], [1.0, -0.1], [0.9, 3], [-1, 3]]), 0.0, 2.5, 40.0)
    assert Walker(Ground.of(bay, (cupboard,)), AmbiguityPolicy()).leg(start, cupboard) is None
    np.testing.assert_allclose(free.first_place(cupboard, chair), [3 - 1.1, 1.1 * 0.15])


def test_footprints_of_leaning_and_flat_boxes() -> None:
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(20):
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        boxes.append(OrientedBox(rng.normal(size=3), rng.uniform(0.2, 2, 3), rotation))
    boxes.append(OrientedBox(np.zeros(3), np.array([1.0, 0.0, 1.0]), np.eye(3)))
    normals, offsets = footprint_sides(Boxes.stack(boxes))
    for box, n, d in zip(boxes, normals, offsets, strict=True):
        corners = box.corners()[:, :2]
        reach = (corners @ n.T).max(0)
        assert (corners @ n.T <= d + 1e-9).all()
        if box.size.min() > 0:
            sides = np.isfinite(d)
            np.testing.assert_allclose(reach[sides], d[sides], atol=1e-9)
    assert np.isfinite(offsets[-1]).sum() == 4 and offsets[-1].min() == pytest.approx(0.005)
