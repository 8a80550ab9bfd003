"""Which frames are taken, and in which of them a box is largest: all of it known beforehand."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from spaceland.vgllmdata.frames import best_view, circular, projected_area_px2, showing

CUBE = [0.0, 0.0, 5.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def at(x: float = 0.0, z: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3], pose[2, 3] = x, z
    return pose


@pytest.mark.parametrize(("total", "wanted"), [(100, 32), (64, 32), (63, 32), (32, 32), (31, 32), (1, 32), (7, 3)])
def test_shift_wraps_and_steps_are_even(total: int, wanted: int) -> None:
    starts, wrapped = set(), 0
    for seed in range(200):
        places = circular(total, wanted, Random(seed))
        assert len(places) == min(total, wanted) == len(set(places))
        step = max(1, total // wanted)
        assert all((b - a) % total == step % total for a, b in pairwise(places))
        starts.add(places[0])
        wrapped += any(b < a for a, b in pairwise(places))
    assert starts == set(range(total)) or total > 40
    # 32 of 64 frames reach to the end of the video from the first two frames only.
    assert total < 2 or wrapped > 0
    assert circular(total, wanted, Random(5)) == circular(total, wanted, Random(5))


def test_nothing_of_nothing() -> None:
    assert circular(0, 32, Random(1)) == [] and showing([], 4, Random(1)) == []


def test_an_object_that_is_hard_to_see_is_shown() -> None:
    for seed in range(30):
        for place in (0, 57, 998):
            visible = [k == place for k in range(1000)]
            places = showing(visible, 4, Random(seed))
            assert place in places and len(places) == 4
    # Nothing sees it: the frames are drawn all the same.
    assert len(showing([False] * 100, 4, Random(1))) == 4


def test_last_frame_makes_place_in_the_order_of_the_video() -> None:
    class Never(Random):
        """Begins at frame 500 whatever is drawn."""

        def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
            return 500

    visible = [k == 3 for k in range(1000)]
    assert showing(visible, 4, Never()) == [0, 3, 500, 750]


def test_projected_area_of_a_cube(by_hand: Any) -> None:
    sample = by_hand([at(), at(z=5.0), at(x=30.0), at(z=4.55), at(z=9.0)], [[0]] * 5, [("box", CUBE)])
    camera, box = sample.camera, sample.instances[0].box
    assert (camera.width, camera.height, camera.cx) == (100, 100, 50.0)
    areas = [projected_area_px2(sample, view, box) for view in sample.views]
    # The front face, 4.5 m away, hides the rest: 1 m is 100 / 4.5 pixels.
    assert areas[0] == pytest.approx((100 / 4.5) ** 2)
    assert areas[1] == 0  # the camera is inside
    assert areas[2] == 0  # beside the picture
    assert areas[3] == 0  # inside again, near the edge
    assert areas[4] == 0  # behind the camera


def test_corners_outside_move_to_the_border(by_hand: Any) -> None:
    wide = [0.0, 0.0, 5.0, 100.0, 1.0, 1e-6, 0.0, 0.0, 0.0]
    beside = [2.5, 0.0, 5.0, 1.0, 1.0, 1e-6, 0.0, 0.0, 0.0]
    sample = by_hand([at()], [[0, 1]], [("box", wide), ("box", beside)])
    # All four corners are on the left and right border: it fills the picture from side to side, and counts nothing.
    assert projected_area_px2(sample, sample.views[0], sample.instances[0].box) == 0
    # From 2 to 3 m at 5 m: pixels 90 to 110 of 100, so half of it stays.
    area = projected_area_px2(sample, sample.views[0], sample.instances[1].box)
    assert area == pytest.approx(10 * 20, rel=1e-4)


def test_best_view_is_the_nearest_that_lists_the_object(by_hand: Any) -> None:
    poses = [at(z=0.0), at(z=2.0), at(z=3.0), at(z=1.0)]
    sample = by_hand(poses, [[0], [0], [], [0]], [("box", CUBE)])
    assert best_view(sample, [0, 1, 2, 3], 0) == 1  # frame 2 is nearer, but does not list it
    assert best_view(sample, [3, 0], 0) == 0
    assert best_view(sample, [2], 0) is None
    # Listed, but out of the picture.
    away = by_hand([at(x=40.0)], [[0]], [("box", CUBE)])
    assert best_view(away, [0], 0) is None
