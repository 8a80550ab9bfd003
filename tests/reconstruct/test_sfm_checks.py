"""Pairs to match, and refusals that need no pycolmap."""

from __future__ import annotations

import numpy as np
import pytest
from captures import in_memory

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.reconstruct import sfm_checks as checks
from spaceland.reconstruct.sfm_pairs import choose_pairs
from spaceland.reconstruct.types import Estimate, EstimatedView, SparsePoints

_LIMITS = checks.Limits()


def test_few_pictures_are_all_paired() -> None:
    assert len(choose_pairs(range(60), in_order=True)) == 60 * 59 // 2
    assert len(choose_pairs(range(150), in_order=False)) == 150 * 149 // 2


def test_long_videos_pair_neighbours_and_anchors() -> None:
    pairs = choose_pairs(range(300), in_order=True)
    assert pairs == sorted(set(pairs)) and all(a < b for a, b in pairs)
    assert len(pairs) < 300 * 20
    known = set(pairs)
    assert all((k, k + gap) in known for k in range(280) for gap in (1, 5, 10, 20))
    assert any(a < 10 and b > 290 for a, b in pairs)  # a walk that comes back
    assert {k for pair in pairs for k in pair} == set(range(300))


def test_pictures_left_out_are_not_paired() -> None:
    assert choose_pairs([2, 5, 9], in_order=True) == [(2, 5), (2, 9), (5, 9)]


def test_too_few_and_unequal_pictures() -> None:
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    with pytest.raises(ReconstructionError, match="too few images: found 2"):
        checks.pictures(in_memory([picture] * 2), _LIMITS)
    with pytest.raises(ReconstructionError, match="several sizes"):
        checks.pictures(in_memory([picture, picture, picture[:40]]), _LIMITS)


def test_too_little_texture() -> None:
    images = in_memory([np.zeros((48, 64, 3), dtype=np.uint8)] * 4)
    with pytest.raises(ReconstructionError, match=r"too little texture: 1 of 4 .* \(median 5\)"):
        checks.texture(images, [0, 5, 5, 900], _LIMITS)
    assert checks.texture(images, [0, 500, 500, 900], _LIMITS) == [1, 2, 3]


def test_pictures_that_hang_together_in_small_groups() -> None:
    groups = [checks.Pair(k, k + 1, 50, 30.0, False) for k in range(0, 20, 2)]
    with pytest.raises(ReconstructionError, match=r"too few matches: 10 pairs .* connect 2 of 20"):
        checks.matches(20, groups, _LIMITS)
    chain = [checks.Pair(k, k + 1, 50, 30.0, False) for k in range(19)]
    checks.matches(20, chain, _LIMITS)
    weak = [checks.Pair(k, k + 1, 12, 30.0, False) for k in range(19)]
    with pytest.raises(ReconstructionError, match="too few matches"):
        checks.matches(20, weak, _LIMITS)


def test_a_camera_that_stood_still() -> None:
    checks.motion([checks.Pair(0, 1, 50, 30.0, False)], 640, _LIMITS)
    with pytest.raises(ReconstructionError, match="too little motion"):
        checks.motion([checks.Pair(0, 1, 50, 3.0, False)], 640, _LIMITS)


def _estimate(num_views: int, num_points: int = 100, error_px: float = 0.5, parallax_deg: float = 10.0) -> Estimate:
    views = tuple(
        EstimatedView(str(k), PinholeCamera.from_fov(64, 48, 60), look_at(np.array([k, -3.0, 1.0]), np.zeros(3)))
        for k in range(num_views)
    )
    empty = np.zeros(0, dtype=np.int64)
    points = SparsePoints(
        np.zeros((num_points, 3)), np.zeros((num_points, 3), np.uint8), empty, empty, np.zeros((0, 2))
    )
    report = {"parallax_median_deg": parallax_deg, "reprojection_error_px": error_px}
    return Estimate(views, points, False, "unknown", report=report)


_GOOD = [checks.Pair(0, 1, 50, 30.0, False)]
_TURNED = [checks.Pair(0, 1, 50, 30.0, True)]


@pytest.mark.parametrize(
    ("estimate", "pairs", "reason"),
    [
        (None, _GOOD, "too small a share"),
        (None, _TURNED, "too little parallax: a camera that only turned"),
        (_estimate(4), _GOOD, "40 % of 10 pictures"),
        (_estimate(9, parallax_deg=1.0), _GOOD, "too little parallax"),
        (_estimate(9, parallax_deg=3.0), _TURNED, "only turned"),
        (_estimate(9, num_points=10), _GOOD, "does not hold: 10 points"),
        (_estimate(9, error_px=4.0), _GOOD, "mean error of 4.0 px"),
    ],
)
def test_results_that_are_refused(estimate: Estimate | None, pairs: list[checks.Pair], reason: str) -> None:
    with pytest.raises(ReconstructionError, match=reason):
        checks.result(estimate, pairs, 10, _LIMITS)


def test_good_results_pass_even_in_front_of_one_wall() -> None:
    checks.result(_estimate(9), _GOOD, 10, _LIMITS)
    checks.result(_estimate(9), _TURNED, 10, _LIMITS)


def test_parallax_is_the_widest_angle_at_the_point() -> None:
    views = _estimate(3).views  # at x = 0, 1, 2 and y = -3, z = 1
    point = np.array([[1.0, 0.0, 1.0]])
    seen = SparsePoints(point, np.zeros((1, 3), np.uint8), np.array([2, 0, 1]), np.zeros(3, np.int64), np.zeros((3, 2)))
    assert checks.parallax_deg(views, seen) == pytest.approx([2 * np.degrees(np.arctan(1 / 3))])
