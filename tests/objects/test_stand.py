"""Boxes that reach down to the floor, and sizes that no thing has, on a scene whose depth is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.objects.lift import LiftConfig
from spaceland.objects.plausible import of_plausible_size
from spaceland.objects.stand import floor_height, stand_on_floor
from spaceland.objects.types import FoundObject
from spaceland.scenes.scene import Frame, Room, Scene, make_scene

CAMERA = PinholeCamera(160, 120, 120.0, 120.0, 80.0, 60.0)
# The camera stands at the origin, 1 m above the floor, and looks along +y: x right, z up.
POSE = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]])


def _scene(depth_m: float, floor_z_m: float = 0.0, *, with_room: bool = True) -> Scene:
    """One frame that sees a wall `depth_m` away, or the floor where that is nearer."""
    rows = np.arange(120) + 0.5
    down = np.maximum((rows - 60) / 120, 1e-9)
    depth = np.minimum(depth_m, np.where(rows > 60, (1.0 - floor_z_m) / down, np.inf)).astype(np.float32)
    image = np.repeat(depth[:, None], 160, 1)
    frame = Frame("0", CAMERA, POSE, lambda: np.zeros((120, 160, 3), np.uint8), lambda: "", depth=lambda: image)
    room = Room(np.array([[-3.0, 0], [3, 0], [3, 6], [-3, 6]]), floor_z_m, 2.5, 36.0) if with_room else None
    return make_scene(id="s", frames=[frame], objects=[], surface=None, room=room, geometry="generated", provenance={})


def _thing(label: str, bottom_m: float, top_m: float, across: float = 0.5) -> FoundObject:
    box = OrientedBox(
        np.array([0.0, 3.0, (bottom_m + top_m) / 2]), np.array([across, min(across, 0.3), top_m - bottom_m]), np.eye(3)
    )
    return FoundObject(0, label, 0.5, box.corners(), box, ("0",))


def test_a_chair_behind_something_reaches_the_floor_with_its_top_and_points_kept() -> None:
    chair = _thing("chair", 0.5, 0.85)
    (longer,), ids = stand_on_floor(_scene(2.0), [chair], LiftConfig())  # the wall is nearer than the chair
    assert ids == [0]
    np.testing.assert_allclose(longer.box.center, [0, 3, 0.425])
    np.testing.assert_allclose(longer.box.size, [0.5, 0.3, 0.85])
    assert longer.points is chair.points


def test_a_shelf_below_which_the_wall_is_seen_stays_where_it_is() -> None:
    shelf = _thing("table", 0.6, 0.75)
    (same,), ids = stand_on_floor(_scene(5.0), [shelf], LiftConfig())  # the wall is seen behind and below it
    assert ids == [] and same is shelf


@pytest.mark.parametrize(
    "thing",
    [
        _thing("coffee cup", 0.5, 0.6),  # stands on something else
        _thing("chair", 0.95, 1.2),  # too high above the floor
        _thing("chair", 0.02, 0.85),  # stands already
        _thing("table", 0.7, 1.6),  # too high at the top
    ],
)
def test_other_things_stay_as_they_are(thing: FoundObject) -> None:
    (same,), ids = stand_on_floor(_scene(2.0), [thing], LiftConfig())
    assert ids == [] and same is thing


def test_the_floor_is_that_of_the_room_else_the_plane_in_the_depth() -> None:
    assert floor_height(_scene(4.0, -0.4)) == -0.4
    found = floor_height(_scene(4.0, -0.4, with_room=False))
    assert found == pytest.approx(-0.4, abs=0.02)


def test_without_a_floor_nothing_changes() -> None:
    scene = make_scene(id="s", frames=[], objects=[], surface=None, room=None, geometry="estimated", provenance={})
    chair = _thing("chair", 0.5, 0.85)
    assert stand_on_floor(scene, [chair], LiftConfig()) == ((chair,), [])


def test_sizes_that_no_thing_of_that_name_has_are_left_out() -> None:
    good = [_thing("chair", 0, 0.9), _thing("table", 0.0, 0.75, 2.5), _thing("aquarium", 0, 9.0, 20.0)]
    bad = [_thing("chair", 0, 1.7), _thing("chair", 0, 0.4, 0.1), _thing("table", 0, 0.75, 5.0)]
    assert of_plausible_size([*bad, *good]) == tuple(good)
