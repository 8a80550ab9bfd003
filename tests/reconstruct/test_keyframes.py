"""Keyframes: the paper's formula, sharp ones, and a new one whenever the view has changed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from captures import scenery, write_photos

from spaceland.errors import ReconstructionError
from spaceland.reconstruct.capture import Capture, open_capture
from spaceland.reconstruct.keyframes import choose_keyframes, sharpest_of_bins
from spaceland.reconstruct.picture_motion import change, sharpness_of, step_between

cv2 = pytest.importorskip("cv2", reason="keyframes by motion need opencv (extra recon)", exc_type=ImportError)


_WALL = scenery(1400, 500)


def _view(left: float, top: float = 100.0) -> np.ndarray:
    """A 320 x 240 picture of the wall whose upper left corner is at (left, top)."""
    return cv2.getRectSubPix(_WALL, (320, 240), (left + 159.5, top + 119.5))


def _capture(folder: Path, pictures: list[np.ndarray]) -> Capture:
    return open_capture(write_photos(folder / "capture", pictures, "p{}.jpg"))


def test_the_sharpest_of_each_bin(tmp_path: Path) -> None:
    pictures = [_view(10 * k) for k in range(12)]
    sharp = {1, 5, 6, 11}
    blurred = [p if k in sharp else cv2.GaussianBlur(p, (0, 0), 2 + k % 3) for k, p in enumerate(pictures)]
    found = choose_keyframes(_capture(tmp_path, blurred), 4, "sharp")
    assert set(found.indices) == sharp
    assert found.report["left"] == {"less sharp than another of its bin": 8}
    assert sharpest_of_bins(np.ones(3), 8) == (0, 1, 2)


def test_sharpness_asks_for_detail_not_for_contrast() -> None:
    grey = cv2.cvtColor(_view(50), cv2.COLOR_RGB2GRAY)
    dim = (grey * 0.25 + 20).astype(np.uint8)
    blurred = cv2.GaussianBlur(grey, (0, 0), 2)
    smeared = cv2.filter2D(grey, -1, np.full((1, 9), 1 / 9))
    assert sharpness_of(dim) > 1.3 * sharpness_of(blurred)
    assert sharpness_of(grey) > 1.1 * sharpness_of(smeared) > 0
    assert sharpness_of(np.full((240, 320), 90, dtype=np.uint8)) == 0


def test_a_step_measures_shift_zoom_and_turn() -> None:
    before = cv2.cvtColor(_view(100), cv2.COLOR_RGB2GRAY)
    shifted = step_between(before, cv2.cvtColor(_view(100 + 16, 92), cv2.COLOR_RGB2GRAY))
    assert shifted.dx == pytest.approx(-16 / 320, abs=1e-3)
    assert shifted.dy == pytest.approx(8 / 320, abs=1e-3)
    assert shifted.scale == pytest.approx(1, abs=2e-3) and shifted.parallax < 1e-3 and shifted.survival > 0.7
    for angle, scale in ((5.0, 1.0), (0.0, 1.1)):
        matrix = cv2.getRotationMatrix2D((159.5, 119.5), angle, scale)
        after = cv2.warpAffine(before, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT)
        step = step_between(before, after)
        assert step.scale == pytest.approx(scale, abs=5e-3)
        assert np.degrees(step.turn_rad) == pytest.approx(-angle, abs=0.2)


def test_pictures_of_different_places_are_not_followed() -> None:
    other = cv2.cvtColor(scenery(400, 300, seed=9)[:240, :320], cv2.COLOR_RGB2GRAY)
    assert not step_between(cv2.cvtColor(_view(0), cv2.COLOR_RGB2GRAY), other).followed


def test_the_change_of_a_pan_is_what_left_the_picture() -> None:
    views = [cv2.cvtColor(_view(6.0 * k), cv2.COLOR_RGB2GRAY) for k in range(17)]
    steps = [step_between(a, b) for a, b in pairwise(views)]
    assert change(steps) == pytest.approx(16 * 6 / 320, abs=0.015)
    there_and_back = steps + [step_between(b, a) for a, b in pairwise(views)][::-1]
    assert change(there_and_back) < 0.02


def test_two_depths_that_slide_over_each_other_are_parallax() -> None:
    """The camera keeps the far wall in place while a near one passes: most of the picture stays where it is."""
    far, near = _WALL[:240, :320], scenery(900, 110, seed=4)
    views = []
    for k in range(10):
        picture = far.copy()
        picture[130:] = near[:, 5 * k : 5 * k + 320]
        views.append(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    steps = [step_between(a, b) for a, b in pairwise(views)]
    assert change(steps) > 0.1
    assert sum(step.parallax for step in steps) > 0.02


def test_an_even_pan_gives_evenly_spread_keyframes(tmp_path: Path) -> None:
    capture = _capture(tmp_path, [_view(6.4 * k) for k in range(75)])  # 2 % of the width each
    found = choose_keyframes(capture, 60, threshold=0.2)
    gaps = np.diff(found.indices[:-1])
    assert gaps.min() >= 7 and gaps.max() <= 11  # the window: 70 to 100 per cent of 10 steps
    assert found.report["threshold"] == 0.2 and found.report["steps_not_followed"] == 0
    assert found.report["kept"] + sum(found.report["left"].values()) == 75
    few = choose_keyframes(capture, 4, threshold=0.2)
    assert 3 <= len(few.indices) <= 4 and few.report["threshold"] > 0.2
    assert few.indices[-1] > 45  # raising the threshold spreads them, it does not cut the end off


def test_blurred_pictures_are_left_out_where_a_sharp_one_is_near(tmp_path: Path) -> None:
    pictures = [_view(6.4 * k) for k in range(60)]
    blurred = [p if k % 3 == 0 else cv2.GaussianBlur(p, (0, 0), 2.5) for k, p in enumerate(pictures)]
    found = choose_keyframes(_capture(tmp_path, blurred), 60)
    assert sum(k % 3 == 0 for k in found.indices) >= len(found.indices) - 1
    assert found.report["sharpness_median_kept"] > found.report["sharpness_median"]


def test_lingering_adds_no_keyframes(tmp_path: Path) -> None:
    walk = [_view(8.0 * k) for k in range(40)]
    lingering = walk[:20] + [_view(152 + (-1) ** k) for k in range(40)] + walk[20:]
    found = choose_keyframes(_capture(tmp_path, lingering), 60).indices
    assert sum(22 <= k < 58 for k in found) <= 1


def test_a_still_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReconstructionError, match="too little motion"):
        choose_keyframes(_capture(tmp_path, [_view(50)] * 20), 10)
    assert choose_keyframes(_capture(tmp_path, [_view(50)] * 20), 10, "uniform").indices == tuple(range(0, 20, 2))


def test_blank_walls_do_not_move(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    blank = [np.clip(rng.normal(128, 2, (240, 320, 1)), 0, 255).astype(np.uint8).repeat(3, 2) for _ in range(12)]
    with pytest.raises(ReconstructionError, match="too little motion"):
        choose_keyframes(_capture(tmp_path, blank), 10)


def test_photos_far_apart_are_all_kept_up_to_the_budget(tmp_path: Path) -> None:
    photos = [scenery(320, 240, seed=k) for k in range(9)]
    capture = _capture(tmp_path, photos)
    assert choose_keyframes(capture, 20).indices == tuple(range(9))
    found = choose_keyframes(capture, 4)
    assert found.indices == (0, 2, 4, 6) and found.report["left"]["over the budget"] == 5


@pytest.mark.real
def test_a_real_walk(real_data: Path) -> None:
    capture = open_capture(real_data / "videos" / "redkitchen_10fps.mp4")
    found = choose_keyframes(capture, 60)
    assert 40 <= len(found.indices) <= 60
    assert found.report["sharpness_median_kept"] > found.report["sharpness_median"]
    assert max(np.diff(found.indices)) < 15
