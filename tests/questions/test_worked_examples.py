"""Each task on a room that can be worked out with a pencil: the answers are written here as plain numbers."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import CAMERA, box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.camera import camera_motion
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Room, Scene
from spaceland.visibility import scene_visibility

# The camera stands at (3, 1, 1.5) and looks level along world y: camera x is world x, camera z is world y.
LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
THINGS = [
    ("chair", (2.0, 3.6, 1.0), (0.4, 0.4, 0.5)),  # 1.0 m left, 0.5 m below, 2.6 m deep
    ("lamp", (3.8, 4.9, 1.9), (0.4, 0.4, 0.5)),  # 0.8 m right, 0.4 m above, 3.9 m deep
    ("box", (3.0, 6.0, 1.0), (0.5, 0.5, 0.5)),  # straight ahead, 0.5 m below, 5.0 m deep
]


def facts(scene: Scene, task: str, policy: AmbiguityPolicy | None = None) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), policy or AmbiguityPolicy()))
    return list(TASKS[task].propose(context, Random(0))), context


def named(found: list[Fact], **labels: str) -> Fact:
    """The one fact whose roles carry these labels."""
    (fact,) = [fact for fact in found if dict(fact.labels) == labels]
    return fact


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [LEVEL])


def test_depth_is_z_of_the_centre(scene: Scene) -> None:
    fact = named(facts(scene, "depth_prediction_oc")[0], red="chair", blue="lamp")
    assert fact.values == pytest.approx({"given_depth_m": 2.6, "depth_m": 3.9})
    assert fact.answer.text == "3.9"


def test_distance_is_between_centres(scene: Scene) -> None:
    found = facts(scene, "distance_prediction_oo")[0]
    assert len(found) == 3
    fact = next(fact for fact in found if set(fact.labels.values()) == {"chair", "box"})
    assert fact.values["distance_m"] == pytest.approx(2.6)  # sqrt(1 + 2.4^2)
    assert fact.answer.text == "2.6"


def test_relation_of_all_pairs(scene: Scene) -> None:
    found = facts(scene, "obj_spatial_relation_oo")[0]
    texts = {(fact.labels["red"], fact.labels["blue"]): fact.answer.text for fact in found}
    assert texts == {
        ("lamp", "chair"): "right, above, farther",
        ("chair", "lamp"): "left, below, closer",
        ("box", "chair"): "right, , farther",
        ("chair", "box"): "left, , closer",
        ("lamp", "box"): "right, above, closer",
        ("box", "lamp"): "left, below, farther",
    }


def test_imagined_observer() -> None:
    # From the table at (2, 3) facing the door-like box at (2, 5), the plant at (3, 4) is right and ahead, level.
    things = [
        ("table", (2.0, 3.0, 1.0), (0.3, 0.3, 0.3)),
        ("box", (2.0, 5.0, 1.0), (0.3, 0.3, 0.3)),
        ("plant", (3.0, 4.0, 1.0), (0.3, 0.3, 0.3)),
    ]
    scene = box_scene(things, [look_at(np.array([1.4, 0.5, 1.9]), np.array([1.9, 4.0, 1.0]))])
    fact = named(facts(scene, "spatial_imagination_oc")[0], green="table", blue="box", red="plant")
    assert fact.answer.text == "right, , front"
    assert fact.values["right_m"] == pytest.approx(1.0)
    assert fact.values["ahead_m"] == pytest.approx(1.0)
    assert fact.values["before"] == ["right", "below", "front"]
    back = named(facts(scene, "spatial_imagination_oc")[0], green="box", blue="table", red="plant")
    assert back.answer.text == "left, , front"


def test_matching_box_is_that_of_the_visible_part(scene: Scene) -> None:
    other = look_at(np.array([3.6, 1.2, 1.5]), np.array([3.4, 5.0, 1.5]))
    both = box_scene(THINGS, [LEVEL, other])
    found = [f for f in facts(both, "position_matching")[0] if f.frames == ("000001", "000000")]
    fact = named(found, red="lamp")
    # Front face of the lamp in the level view: 3.7 m deep, 0.6..1.0 m right, 0.15..0.65 m above, f = 260 px.
    x0, x1 = (160 + 260 * x / 3.7 for x in (0.6, 1.0))
    y0, y1 = (120 - 260 * y / 3.7 for y in (0.65, 0.15))
    expected = [1000 * x0 / 320, 1000 * y0 / 240, 1000 * x1 / 320, 1000 * y1 / 240]
    # A box of whole pixels; the left side of the lamp's box is nearer to the axis and may show one pixel of its flank.
    np.testing.assert_allclose(fact.answer.value, expected, atol=1000 * 6 / 240)


def test_camera_motion_in_the_level_frame_of_the_first_view() -> None:
    # First view looks along +y; the second stands 1 m right, 2 m ahead, 0.3 m up, looks along +x, 20 degrees down.
    first = look_at(np.array([0.0, 0.0, 1.5]), np.array([0.0, 1.0, 1.5]))
    down = np.tan(np.radians(20.0))
    second = look_at(np.array([1.0, 2.0, 1.8]), np.array([2.0, 2.0, 1.8 - down]))
    motion = camera_motion(first, second)
    np.testing.assert_allclose(motion.value, [1.0, 0.3, 2.0, -20.0, 90.0], atol=1e-9)
    assert motion.text == "move_right:1.0,move_up:0.3,move_forward:2.0,rotate_down:20,rotate_right:90"
    # A first view that looks down moves along its heading all the same: forward stays level.
    tilted = look_at(np.array([0.0, 0.0, 1.5]), np.array([0.0, 1.0, 0.5]))
    np.testing.assert_allclose(camera_motion(tilted, second).value[:3], [1.0, 0.3, 2.0], atol=1e-9)


def walk(count: int = 32) -> list[np.ndarray]:
    return [look_at(np.array([3.0 + 0.02 * k, 1.0, 1.5]), np.array([3.0, 5.0, 1.3])) for k in range(count)]


def test_count_needs_every_instance_seen() -> None:
    chairs = [("chair", (1.5 + k, 4.5, 0.9), (0.4, 0.4, 0.6)) for k in range(3)]
    assert named(facts(box_scene(chairs, walk()), "obj_count")[0], counted="chair").answer.text == "3"
    behind = [*chairs, ("chair", (3.0, 0.4, 0.9), (0.3, 0.3, 0.6))]  # behind the camera all the time
    found, context = facts(box_scene(behind, walk()), "obj_count")
    assert not found
    assert context.rejections["one of them is never clearly seen"] == 1


def test_things_of_which_others_may_be_some_are_not_counted() -> None:
    chairs = [("chair", (2.0, 5.0, 0.5), (0.5, 0.5, 1.0)), ("armchair", (4.0, 5.0, 0.5), (0.8, 0.8, 1.0))]
    found, context = facts(box_scene(chairs, walk()), "obj_count")
    assert [fact.labels["counted"] for fact in found] == ["armchair"]
    assert context.rejections["label is much like another one"] == 1


def test_count_and_room_size_need_a_video() -> None:
    short = box_scene(THINGS, walk(31))
    for task in ("obj_count", "room_size"):
        found, context = facts(short, task)
        assert not found
        assert context.rejections == {"fewer than 32 frames": 1}


@pytest.mark.heavy
def test_room_size_is_the_area_of_the_outline() -> None:
    scene = box_scene(THINGS, walk())
    assert facts(scene, "room_size")[0][0].answer.text == "48.0"
    corners = np.array([[0, 0], [6, 0], [6, 4], [3, 4], [3, 8], [0, 8]], float)
    bent = replace(scene, room=Room(corners, 0.0, 3.0, 36.0))
    assert facts(bent, "room_size")[0][0].answer.text == "36.0"
    # Without an outline the floor is measured on the surface; without either there is nothing to go by.
    (measured,) = facts(replace(scene, room=None), "room_size")[0]
    assert float(measured.answer.text) == pytest.approx(48.0, rel=0.05)
    found, context = facts(replace(scene, room=None, surface=None), "room_size")
    assert not found
    assert len(context.rejections) == 1


def test_marks_lie_on_the_object_and_boxes_around_it(scene: Scene) -> None:
    owner = box_scene(THINGS, [LEVEL], with_ids=True).frames[0].object_ids
    assert owner is not None
    ids = owner()
    for task in ("depth_prediction_oc", "obj_spatial_relation_oo"):
        for fact in facts(scene, task)[0]:
            for mark in fact.marks:
                if mark.shape == "point":
                    x, y = mark.xy[0] * CAMERA.width / 1000, mark.xy[1] * CAMERA.height / 1000
                    assert ids[int(y), int(x)] == mark.object_id
                else:
                    rows, columns = np.nonzero(ids == mark.object_id)
                    seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                    drawn = np.array(mark.xy) * [CAMERA.width, CAMERA.height, CAMERA.width, CAMERA.height] / 1000
                    np.testing.assert_allclose(drawn, seen, atol=1.5)
