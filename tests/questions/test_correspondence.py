"""Spots in two views: their projections, what hides them, and wrong options that are clearly elsewhere."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import invert_rigid, look_at, transform_points
from spaceland.questions.correspondence import apart_share, propose_correspondence, visible
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.phrasing import LETTERS, Deck, phrase
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

POSES = [look_at(np.array([x, 1.0, 1.6]), np.array([3.0, 5.0, 0.8])) for x in (2.0, 4.0)]
THINGS = [
    ("chest", (2.4, 5.0, 0.5), (1.0, 0.8, 1.0)),
    ("cabinet", (4.2, 5.6, 0.8), (0.8, 0.6, 1.6)),
    ("stool", (3.4, 3.6, 0.25), (0.5, 0.5, 0.5)),
]
POLICY = AmbiguityPolicy(max_same_objects=9)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, POSES, with_ids=True)


def facts(scene: Scene, seeds: int = 4) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), POLICY))
    return [fact for seed in range(seeds) for fact in propose_correspondence(context, Random(seed))], context


def test_both_places_are_projections_of_the_spot(scene: Scene) -> None:
    found, _ = facts(scene)
    assert len(found) >= 12
    for fact in found:
        spot = np.array(fact.values["point_world_m"])
        for frame_id, xy in zip(fact.frames, (fact.marks[0].xy, fact.answer.value), strict=True):
            frame = scene.frames_by_id[frame_id]
            pixel, _ = frame.camera.project(transform_points(invert_rigid(frame.T_world_cam), spot))
            np.testing.assert_allclose(xy, 1000 * pixel / [frame.camera.width, frame.camera.height], atol=0.51)
        box = scene.objects_by_id[fact.objects["red"]].box
        local = np.abs(box.to_box_frame(spot)) - box.size / 2
        assert abs(local.max()) < 1e-3  # on the surface


def test_a_hidden_spot_is_not_visible(scene: Scene) -> None:
    # From x = 2.0 the chest's front (y = 4.6) is seen, its left flank (x = 1.9) is not, and its top only at so flat an
    # angle that a pixel up or down is a tenth of a metre.
    _, context = facts(scene)
    front, flank, top = np.array([[2.4, 4.6, 0.7], [1.9, 5.0, 0.7], [2.4, 5.0, 1.0]])
    seen = visible(context, scene.frames[0], 0, np.stack([front, flank, top]), 0.03)
    assert seen.tolist() == [True, False, False]
    # A point in the air before the surface, one behind it, one of another object, and one on the edge.
    wrong = np.array([[2.4, 4.3, 0.7], [2.4, 5.3, 0.7], [4.2, 5.3, 0.8], [1.9, 4.6, 1.0]])
    assert not visible(context, scene.frames[0], 0, wrong, 0.03).any()


def test_wrong_options_are_apart_in_the_room_and_in_the_picture(scene: Scene) -> None:
    found, _ = facts(scene)
    rng = Random(0)
    for fact in found:
        frame = scene.frames_by_id[fact.frames[1]]
        places = [list(fact.answer.value), *fact.values["other_points"]]  # type: ignore[arg-type]
        for k, place in enumerate(places):
            assert all(apart_share(place, other, frame) >= POLICY.min_point_gap_share for other in places[:k])
        phrased = phrase(fact, "select", TASKS["point_correspondence"].wording, rng, Deck(4, rng), Deck(2, rng))
        assert phrased is not None and phrased.options is not None
        assert phrased.options[LETTERS.index(phrased.answer)] == fact.answer.text
        assert len(set(phrased.options)) == 4


def test_a_wall_between_the_views_leaves_nothing() -> None:
    wall = ("screen", (3.4, 4.0, 0.75), (0.05, 5.0, 1.5))
    things = [("chest", (2.4, 5.0, 0.5), (1.0, 0.8, 1.0)), wall]
    scene = box_scene(things, POSES, with_ids=True)
    found, context = facts(scene, seeds=2)
    assert all(fact.labels["red"] != "chest" or fact.values["point_world_m"][0] < 3.0 for fact in found)
    for fact in found:
        spot = np.array([fact.values["point_world_m"]])
        for frame_id in fact.frames:
            assert visible(context, scene.frames_by_id[frame_id], fact.objects["red"], spot, 0.0).all()


def test_the_same_seed_gives_the_same_spots(scene: Scene) -> None:
    assert facts(scene, 1)[0] == facts(scene, 1)[0]
