"""Numbers that last: where earlier things are in a scene that was moved, turned and scaled, and what is left alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import from_rotation_translation, rotation_between, transform_points
from spaceland.objects.types import Found, FoundObject
from spaceland.pipeline.lasting_ids import World, moved_to, with_lasting_ids

UP = np.array([0.0, 0.0, 1.0])


def similarity(factor: float, up: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    T = from_rotation_translation(rotation_between(UP, np.array(up)), np.array(shift))
    T[:3, :3] *= factor
    return T


def thing(number: int, x: float, label: str = "chair") -> FoundObject:
    """A block of points 0.4 m a side around (x, 0, 0)."""
    grid = np.array(list(itertools.product(np.linspace(-0.2, 0.2, 9), repeat=3)))
    box = OrientedBox(np.array([x, 0.0, 0.0]), np.full(3, 0.4), np.eye(3))
    return FoundObject(number, label, 0.9, grid + [x, 0, 0], box, ("0",), {label: 1})


def run(world: World, *things: FoundObject, **report: Any) -> Found:
    """What a run leaves behind."""
    made, _ = with_lasting_ids(Found(things, {"finder": "a", **report}), world, None, own_ids=False)
    return made


THEN = World("poses 1", similarity(2.0, (0.1, 0.2, 0.9), (1, 2, 3)))
NOW = World("poses 1", similarity(0.5, (-0.3, 0.1, 0.8), (-4, 0, 1)))


def test_earlier_things_are_where_the_world_has_taken_them() -> None:
    earlier = run(THEN, thing(0, 1.0), thing(1, 3.0))
    moved = moved_to(earlier, NOW)
    assert moved is not None
    for before, after in zip(earlier.objects, moved.objects, strict=True):
        in_base = transform_points(np.linalg.inv(THEN.T_world_base), before.points)
        assert np.allclose(after.points, transform_points(NOW.T_world_base, in_base))
        assert np.allclose(after.box.size, before.box.size / 4)
        assert np.allclose(after.box.rotation @ after.box.rotation.T, np.eye(3))
        inside = (after.points - after.box.center) @ after.box.rotation
        assert (np.abs(inside) <= after.box.size / 2 + 1e-9).all()
    back = moved_to(Found(moved.objects, {"world": NOW.to_json()}), THEN)
    assert back is not None and np.allclose(back.objects[1].points, earlier.objects[1].points)


def test_numbers_are_kept_and_never_given_again() -> None:
    here = World("poses 1", np.eye(4))
    first = run(here, thing(0, 0.0), thing(1, 2.0), thing(2, 4.0))
    second, notes = with_lasting_ids(
        Found((thing(0, 4.02), thing(1, 9.0), thing(2, 0.01)), {"finder": "b"}), here, first, own_ids=False
    )
    assert [(t.id, round(t.box.center[0])) for t in second.objects] == [(2, 4), (3, 9), (0, 0)] and not notes
    assert second.report["found_again"] == 2 and second.report["next_id"] == 4
    third, _ = with_lasting_ids(Found((thing(0, 2.0), thing(1, 9.0)), {}), here, second, own_ids=False)
    assert [t.id for t in third.objects] == [4, 3]  # 1 was another thing once


def test_without_a_common_world_numbers_start_anew_and_it_is_said() -> None:
    found = Found((thing(0, 1.0),), {})
    for earlier in (run(THEN, thing(7, 1.0)), Found((thing(7, 1.0),), {})):
        made, notes = with_lasting_ids(found, World("poses 2", np.eye(4)), earlier, own_ids=False)
        assert [t.id for t in made.objects] == [0] and "numbers start anew" in notes[0]
        assert made.report["world"]["base"] == "poses 2"
    assert with_lasting_ids(found, World("poses 2", np.eye(4)), run(THEN), own_ids=False)[1] == ()


@pytest.mark.parametrize(
    "matrix", [None, "x", [[1, 0], [0, 1]], np.zeros((4, 4)).tolist(), np.full((4, 4), np.nan).tolist(), [[1], [1, 2]]]
)
def test_a_damaged_world_is_none(matrix: object) -> None:
    earlier = Found((thing(7, 1.0),), {"world": {"base": "poses 1", "T_world_base": matrix}})
    assert moved_to(earlier, NOW) is None
    assert moved_to(Found((), {"world": []}), NOW) is None


def test_numbers_of_the_users_masks_stay_and_are_not_given_to_others_later() -> None:
    here = World("source x", np.eye(4))
    detector = run(here, thing(0, 0.0), thing(5, 2.0))
    masks, notes = with_lasting_ids(Found((thing(2, 0.0),), {"finder": "mask folder"}), here, detector, own_ids=True)
    assert [t.id for t in masks.objects] == [2] and notes[0].startswith("numbers are those of your masks")
    again, notes = with_lasting_ids(Found((thing(2, 0.0),), {"finder": "mask folder"}), here, masks, own_ids=True)
    assert notes == () and again.report["next_id"] == 6
    later, _ = with_lasting_ids(replace(detector, report={}), here, again, own_ids=False)
    assert [t.id for t in later.objects] == [2, 6]
