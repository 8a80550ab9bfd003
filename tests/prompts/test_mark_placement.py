"""Discs lie on their objects, inside the picture, and never on each other; whoever has none is counted."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaceland.prompts import STYLES, DiscMark, PlacementConfig, draw_marks, place_bev_marks, place_marks
from spaceland.prompts.placement import Placed

ANY_SIZE = PlacementConfig(min_area_share=0.0, bev_min_area_share=0.0)


def _check(placed: Placed, ids: np.ndarray, image_size: tuple[int, int], diameter_px: float, bottom_px: float) -> None:
    width, height = image_size
    for mark in placed.marks:
        u, v = mark.center_px
        r = diameter_px / 2
        assert r <= u <= width - r and r <= v <= bottom_px - r
        on = mark.center_px if mark.target_px is None else mark.target_px
        row, column = int(on[1] * ids.shape[0] / height), int(on[0] * ids.shape[1] / width)
        assert ids[row, column] == mark.object_id
    for a, b in combinations(placed.marks, 2):
        assert np.hypot(*np.subtract(a.center_px, b.center_px)) >= diameter_px


@st.composite
def id_maps(draw: st.DrawFn) -> np.ndarray:
    ids = np.full((60, 80), -1, dtype=np.int32)
    for k in range(draw(st.integers(1, 8))):
        y, x = draw(st.integers(0, 58)), draw(st.integers(0, 78))
        ids[y : y + draw(st.integers(1, 30)), x : x + draw(st.integers(1, 40))] = k
    return ids


@settings(max_examples=40, deadline=None)
@given(id_maps(), st.sampled_from([5.0, 8.0, 12.5]))
def test_frame_discs_keep_the_rules_on_any_map(ids: np.ndarray, diameter_px: float) -> None:
    numbers = {k: k for k in range(10)}
    placed = place_marks(ids, numbers, image_size=(160, 120), diameter_px=2 * diameter_px, config=ANY_SIZE)
    _check(placed, ids, (160, 120), 2 * diameter_px, 120)
    assert {mark.object_id for mark in placed.marks} | set(placed.skipped) == set(numbers)
    assert not {mark.object_id for mark in placed.marks} & set(placed.skipped)
    lines = [np.subtract(mark.center_px, mark.target_px) for mark in placed.marks if mark.target_px is not None]
    assert all(np.hypot(*line) <= ANY_SIZE.leader_diameters * 2 * diameter_px for line in lines)
    assert placed == place_marks(ids, numbers, image_size=(160, 120), diameter_px=2 * diameter_px, config=ANY_SIZE)


@settings(max_examples=40, deadline=None)
@given(id_maps(), st.sampled_from([5.0, 8.0, 12.5]))
def test_bev_discs_keep_the_rules_on_any_map(ids: np.ndarray, diameter_px: float) -> None:
    ids = np.pad(ids, ((0, 10), (0, 0)), constant_values=-1)
    numbers = {k: k for k in range(10)}
    centers = {k: tuple(np.argwhere(ids == k).mean(0)[::-1] + 0.5) if (ids == k).any() else (0.0, 0.0) for k in numbers}
    placed = place_bev_marks(ids, numbers, centers, diameter_px=diameter_px, bottom_px=60, config=ANY_SIZE)
    _check(placed, ids, (80, 70), diameter_px, 60)
    assert {mark.object_id for mark in placed.marks} | set(placed.skipped) == set(numbers)


def test_reasons_are_counted() -> None:
    ids = np.full((100, 200), -1, dtype=np.int32)
    ids[:, :4] = 1  # a strip along the left border: no room for a whole disc
    ids[50:52, 100:102] = 2  # four pixels
    ids[40:60, 140:160] = 3
    ids[48:52, 146:150] = 4  # a thing on 3
    ids[48:52, 150:154] = 5  # and one right beside it
    numbers = {k: 10 * k for k in range(1, 7)}
    config = PlacementConfig(min_area_share=10 / ids.size, leader_diameters=0)
    placed = place_marks(ids, numbers, image_size=(200, 100), diameter_px=12, config=config)
    assert placed.skipped == {
        1: "at the border",
        2: "too small",
        5: "no free place",
        6: "hidden or out of view",
    }
    assert [(mark.object_id, mark.number) for mark in placed.marks] == [(3, 30), (4, 40)]
    few = place_marks(
        ids,
        numbers,
        image_size=(200, 100),
        diameter_px=12,
        config=PlacementConfig(min_area_share=10 / ids.size, max_marks=2, leader_diameters=0),
    )
    assert few.reasons == {
        "over the limit per image": 2,
        "too small": 1,
        "hidden or out of view": 1,
        "at the border": 1,
    }


def test_a_disc_without_a_place_stands_beside_its_object() -> None:
    """At the border and where another disc is; it covers neither a disc nor more of an object than it must."""
    ids = np.full((100, 200), -1, dtype=np.int32)
    ids[:, :4] = 1
    ids[40:60, 140:160] = 3
    ids[48:52, 146:150] = 4
    ids[48:52, 150:154] = 5
    config = PlacementConfig(min_area_share=10 / ids.size)
    placed = place_marks(ids, {k: k for k in range(1, 6)}, image_size=(400, 200), diameter_px=24, config=config)
    assert placed.skipped == {2: "hidden or out of view"}
    _check(placed, ids, (400, 200), 24, 200)
    beside = {mark.object_id: mark for mark in placed.marks if mark.target_px is not None}
    assert set(beside) == {1, 5}
    for mark in beside.values():
        assert np.hypot(*np.subtract(mark.center_px, mark.target_px)) <= 3 * 24
    u, v = beside[1].center_px
    assert (ids[int(v / 2) - 5 : int(v / 2) + 6, int(u / 2) - 5 : int(u / 2) + 6] == -1).mean() > 0.7


def test_disc_sits_deep_inside_and_not_in_the_hole() -> None:
    """A ring: its centroid is the hole, its disc is on the ring."""
    y, x = np.mgrid[:100, :100] - 49.5
    ids = np.where((np.hypot(x, y) < 40) & (np.hypot(x, y) > 16), 0, -1).astype(np.int32)
    (mark,) = place_marks(ids, {0: 7}, image_size=(100, 100), diameter_px=10).marks
    assert np.hypot(mark.center_px[0] - 50, mark.center_px[1] - 50) == pytest.approx(28, abs=1.5)


def test_bev_disc_is_at_the_middle_of_the_box_else_nearest_else_beside() -> None:
    ids = np.full((200, 300), -1, dtype=np.int32)
    ids[20:60, 20:80] = 0
    ids[100:160, 100:110] = 1  # an L whose box centre is not on it
    ids[150:160, 100:180] = 1
    ids[80:83, 250:253] = 2
    ids[80:83, 254:257] = 3  # so near to 2 that only one can have its disc there
    centers = {0: (50.0, 40.0), 1: (140.0, 130.0), 2: (251.5, 81.5), 3: (255.5, 81.5)}
    placed = place_bev_marks(ids, {k: k for k in centers}, centers, diameter_px=16, bottom_px=190, config=ANY_SIZE)
    marks = {mark.object_id: mark for mark in placed.marks}
    assert np.allclose(marks[0].center_px, (50, 40), atol=0.51)
    u, v = marks[1].center_px
    assert ids[int(v), int(u)] == 1 and np.hypot(u - 140, v - 130) < 21
    beside = [mark for mark in marks.values() if mark.target_px is not None]
    assert [mark.object_id for mark in beside] == [3]
    target = beside[0].target_px
    assert target is not None and ids[int(target[1]), int(target[0])] == 3
    assert 8 < np.hypot(*np.subtract(beside[0].center_px, target)) < 40


@pytest.mark.parametrize("number", [0, 7, 42, 123, 999])
def test_disc_has_the_measured_look(number: int) -> None:
    image = np.full((480, 640, 3), 200, dtype=np.uint8)
    style = STYLES["gpt4scene"]
    diameter = style.diameter_share * 640
    assert diameter == 40
    drawn = draw_marks(image, [DiscMark(number, 1, (300.5, 200.5), diameter)], style)
    changed = (drawn != 200).any(-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max() + 1) == (pytest.approx(180.5, abs=1), pytest.approx(220.5, abs=1))
    assert (columns.min(), columns.max() + 1) == (pytest.approx(280.5, abs=1), pytest.approx(320.5, abs=1))
    red = (drawn == (139, 0, 0)).all(-1)
    white = (drawn > 250).all(-1)
    assert red.sum() > 0.4 * np.pi * 20**2
    assert white.sum() > 0.04 * np.pi * 20**2
    away = np.hypot(*(np.argwhere(white) + 0.5 - 200.5).T - np.array([[0], [100]]))
    assert away.max() < 20  # digits stay in the disc
    assert (image == 200).all()  # the given image is left alone
    assert (draw_marks(image, [DiscMark(number, 1, (300.5, 200.5), diameter)], style) == drawn).all()


def test_leader_ends_on_the_object_and_ring_has_a_rim() -> None:
    image = np.full((120, 120, 3), 90, dtype=np.uint8)
    drawn = draw_marks(image, [DiscMark(5, 1, (34.0, 34.0), 60.0, (90.0, 80.0))], STYLES["ringed"])
    assert (drawn[80, 90] == (139, 0, 0)).all()
    assert (drawn[70, 78] != 90).any()
    assert (drawn[34, 5:7] > 200).all()  # the white rim at the disc's left edge
