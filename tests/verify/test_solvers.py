"""Solvers against values worked out with a pencil."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from handmade import CAMERA
from spaceland.geometry.transforms import look_at, rotation_z
from spaceland.scenes.scene import Frame, Room
from spaceland.verify import solvers
from spaceland.verify.rows import Wrong


def frame(pose: np.ndarray) -> Frame:
    return Frame("0", CAMERA, pose, color=lambda: np.zeros((240, 320, 3), np.uint8), content_key=lambda: "")


def at(*xyz: float) -> np.ndarray:
    return np.array(xyz, dtype=float)


LEVEL = frame(look_at(at(0, 0, 1.5), at(0, 1, 1.5)))
PAIR_LIMITS = (0.2, 0.1), (0.15, 0.1), (0.2, 0.15), 0.1, (3.0, 165.0)


def test_shares_no_code_with_the_generator() -> None:
    code = (
        "import sys, spaceland.verify.verify, spaceland.commands.verify as v\n"
        "print([m for m in sys.modules if m.split('.')[:2][-1] in ('questions', 'visibility', 'datasets')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_depth_is_along_the_axis_not_along_the_ray() -> None:
    assert solvers.depth_m(LEVEL, at(1.2, 1.6, 0.3)) == pytest.approx(1.6)
    assert solvers.distance_m(at(1, 2, 0.5), at(1, 4, 2)) == pytest.approx(2.5)


def test_relation_of_the_worked_example() -> None:
    numbers = solvers.relation_numbers(LEVEL, at(-0.8, 1.5, 1.6), at(0, 2.6, 1.0))
    assert numbers["right_m"] == pytest.approx(-0.8)
    assert numbers["above_m"] == pytest.approx(0.6)
    assert numbers["closer_m"] == pytest.approx(math.hypot(2.6, 0.5) - math.sqrt(0.64 + 2.25 + 0.01))
    limits = (0.15, 0.1), (0.15, 0.1), (0.2, 0.15), 0.1, 3.0
    assert solvers.relation_words(numbers, *limits) == ("left", "above", "closer")


def test_closer_by_little_for_its_distance_is_refused() -> None:
    # 5.2 m and 4.84 m away: 0.36 m is beyond the margin, but less than a tenth.
    numbers = solvers.relation_numbers(LEVEL, at(0.9, 4.755, 1.5), at(0, 5.2, 1.5))
    with pytest.raises(Wrong, match=r"closer/farther is 0.361 m, less than 0.1 of 5.2"):
        solvers.relation_words(numbers, (0.15, 0.1), (0.15, 0.1), (0.2, 0.15), 0.1, 3.0)
    assert solvers.relation_words(numbers, (0.15, 0.1), (0.15, 0.1), (0.2, 0.15), 0.05, 3.0)[2] == "closer"


def test_relation_refuses_what_the_picture_contradicts() -> None:
    # 0.3 m to the right of the other, but so far away that it appears to its left.
    numbers = solvers.relation_numbers(LEVEL, at(0.8, 8, 1.5), at(0.5, 1, 1.5))
    with pytest.raises(Wrong, match="contradicts the picture"):
        solvers.relation_words(numbers, (0.15, 0.1), (0.15, 0.1), (0.2, 0.15), 0.1, 3.0)


@pytest.mark.parametrize(("value", "expected"), [(-0.4, -1), (-0.25, -1), (0.05, 0), (0.0, 0), (0.25, 1)])
def test_clear_sign(value: float, expected: int) -> None:
    assert solvers.clear_sign(value, 0.15, 0.10, "x") == expected


@pytest.mark.parametrize("value", [-0.2, 0.06, 0.15, 0.24])
def test_dead_zone_has_two_sides(value: float) -> None:
    with pytest.raises(Wrong, match="too near to the threshold"):
        solvers.clear_sign(value, 0.15, 0.10, "x")


def test_imagination_of_the_worked_example() -> None:
    numbers = solvers.imagined_numbers(at(2, 3, 0.5), at(2, 5, 1), at(3, 4, 0.5))
    assert numbers["right_m"] == pytest.approx(1) and numbers["ahead_m"] == pytest.approx(1)
    assert solvers.imagined_words(numbers, (0.2, 0.1), (0.15, 0.1)) == ("right", "", "front")


@pytest.mark.parametrize("turn_deg", [0, 37, 90, 180, 271])
def test_imagination_does_not_depend_on_the_world(turn_deg: float) -> None:
    turn = rotation_z(math.radians(turn_deg))
    places = [turn @ p + at(3, -1, 2) for p in (at(0, 0, 0), at(0, 2, 0), at(-1, -0.5, 1))]
    numbers = solvers.imagined_numbers(*places)
    assert (numbers["right_m"], numbers["ahead_m"], numbers["above_m"]) == pytest.approx((-1, -0.5, 1))


def test_lever_arm_widens_the_margin() -> None:
    # Faced from 1 m, asked at 4 m: a margin of 0.1 m becomes 0.5 m, so 0.6 m to the side is unclear.
    numbers = solvers.imagined_numbers(at(0, 0, 0), at(0, 1, 0), at(0.6, 4, 0))
    with pytest.raises(Wrong, match="widened margin"):
        solvers.imagined_words(numbers, (0.2, 0.1), (0.15, 0.1))


def test_front_and_behind_must_be_so_on_the_level_too() -> None:
    # Looks 45 degrees down: what is 1 m ahead on the level, but 1.4 m higher, lies behind the image plane.
    tilted = frame(look_at(at(0, 0, 1.5), at(0, 1, 0.5)))
    limits = (0.15, 0.1)
    words, numbers = solvers.words_for_observer(tilted, at(-1, 2, 1.0), limits, limits, limits)
    assert words == ("left", "below", "front") and numbers["level_ahead_m"] == pytest.approx(2)
    with pytest.raises(Wrong, match="on the level"):
        solvers.words_for_observer(tilted, at(-1, 1, 2.9), limits, limits, limits)


@pytest.mark.parametrize(
    ("asked", "other", "words"),
    [
        ((1.5, 2, 0), (-0.5, 2, 0), ("right", "", "farther")),
        # Behind the observer: the first is farther to the right by metres, farther to the left for whoever turns.
        ((1.5, -2, 0), (0.5, -2, 0), None),
        # 20 degrees to the left and 21: half a metre to the right, but almost in the same direction.
        ((-1.1, 3.02, 0), (-1.9, 4.95, 0), None),
        # Level with each other to the side, but in other directions.
        ((0.0, 2, 0), (0.0, -4, 0), None),
    ],
)
def test_imagined_left_and_right_are_also_those_of_the_view(asked: tuple, other: tuple, words: tuple | None) -> None:
    numbers = solvers.imagined_pair_numbers(at(0, 0, 0), at(0, 9, 0), at(*asked), at(*other))
    if words is not None:
        assert solvers.imagined_pair_words(numbers, *PAIR_LIMITS) == words
    else:
        with pytest.raises(Wrong, match="contradicts the directions"):
            solvers.imagined_pair_words(numbers, *PAIR_LIMITS)


@pytest.mark.parametrize(
    ("asked", "other", "problem"),
    [
        ((2.0, 0.1, 0), (-2.4, 0.2, 0), "172.4 degrees apart after the move"),
        ((1.0, 3.0, 0.5), (1.0, 3.05, -0.5), "only height differs"),
        ((1.5, 5.0, 0), (-0.5, 4.84, 0), "less than 0.1 of 5.2"),
    ],
)
def test_imagined_pairs_that_nobody_should_have_been_asked_about(asked: tuple, other: tuple, problem: str) -> None:
    numbers = solvers.imagined_pair_numbers(at(0, 0, 0), at(0, 9, 0), at(*asked), at(*other))
    with pytest.raises(Wrong, match=problem):
        solvers.imagined_pair_words(numbers, *PAIR_LIMITS)


def test_motion_of_the_worked_example() -> None:
    right30 = at(math.sin(math.radians(30)), math.cos(math.radians(30)), 0)
    second = frame(look_at(at(0.5, 2, 1.5), at(0.5, 2, 1.5) + right30))
    assert solvers.motion(LEVEL, second) == pytest.approx((0.5, 0, 2, 0, 30), abs=1e-9)


def test_motion_keeps_to_the_level_frame() -> None:
    # The first view looks 40 degrees down towards +x; the second stands 1 m ahead of it on the same height.
    first = frame(look_at(at(0, 0, 2), at(1, 0, 2 - math.tan(math.radians(40)))))
    second = frame(look_at(at(1, -0.5, 2.25), at(2, -0.5, 2.25)))
    assert solvers.motion(first, second) == pytest.approx((0.5, 0.25, 1, 40, 0), abs=1e-9)


def test_turn_takes_the_short_way() -> None:
    first, second = (
        frame(look_at(at(0, 0, 1), at(math.sin(math.radians(h)), math.cos(math.radians(h)), 1))) for h in (170, -170)
    )
    assert solvers.motion(first, second)[4] == pytest.approx(20)


@pytest.mark.parametrize("order", [1, -1])
def test_area_of_an_l_in_either_direction(order: int) -> None:
    outline = np.array([[0, 0], [6, 0], [6, 4], [3, 4], [3, 8], [0, 8]], float)[::order]
    assert solvers.floor_area_m2(Room(outline, 0.0, None, -1.0)) == pytest.approx(36)
