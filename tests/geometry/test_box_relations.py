"""Distance and IoU of boxes: worked cases, Monte Carlo, and invariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spaceland.geometry.box_relations import Boxes, box_distance, box_iou, boxes_overlap, rectangle_iou
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import rotation_z


def box(center: tuple[float, float, float], size: tuple[float, float, float], yaw_deg: float = 0.0) -> Boxes:
    return Boxes.stack([OrientedBox(np.array(center), np.array(size), rotation_z(np.radians(yaw_deg)))])


def random_boxes(n: int, seed: int, spread: float = 1.0) -> Boxes:
    rng = np.random.default_rng(seed)
    return Boxes(rng.normal(0, spread, (n, 3)), rng.uniform(0.2, 2, (n, 3)), Rotation.random(n, rng=rng).as_matrix())


UNIT = box((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (UNIT, 1.0),
        (box((0.5, 0, 0), (1, 1, 1)), 1 / 3),
        (box((1, 0, 0), (1, 1, 1)), 0.0),  # they touch
        (box((3, 0, 0), (1, 1, 1)), 0.0),
        (box((0, 0, 0), (0.5, 0.5, 0.5)), 0.125),
        (box((0, 0, 0), (2, 2, 2)), 0.125),
        (box((0, 0, 0), (1, 1, 1), 90), 1.0),
        # A square against itself turned by 45 degrees leaves a regular octagon of area 2 (sqrt 2 - 1).
        (box((0, 0, 0), (1, 1, 1), 45), (o := 2 * (np.sqrt(2) - 1)) / (2 - o)),
        (box((0, 0, 0.5), (1, 1, 1), 45), (h := o / 2) / (2 - h)),
        (box((0, 0, 0), (1, 1, 0)), 0.0),
        (box((0.25, 0.25, 0.25), (0.5, 0.5, 0.5)), 0.125),  # three coincident faces
    ],
)
def test_iou_of_worked_cases(other: Boxes, expected: float) -> None:
    assert box_iou(UNIT, other)[0] == pytest.approx(expected, abs=1e-9)
    assert box_iou(other, UNIT)[0] == pytest.approx(expected, abs=1e-9)


def test_iou_agrees_with_monte_carlo() -> None:
    a, b = random_boxes(30, 0, 0.4), random_boxes(30, 1, 0.4)
    rng = np.random.default_rng(2)
    for i, iou in enumerate(box_iou(a, b)):
        one, two = (OrientedBox(x.center[i], x.size[i], x.rotation[i]) for x in (a, b))
        points = one.center + (rng.uniform(-0.5, 0.5, (100_000, 3)) * one.size) @ one.rotation.T
        shared = two.contains(points).mean() * one.volume_m3
        assert iou == pytest.approx(shared / (one.volume_m3 + two.volume_m3 - shared), abs=0.01)


def test_iou_is_symmetric_and_does_not_care_where_it_happens() -> None:
    a, b = random_boxes(200, 3, 0.6), random_boxes(200, 4, 0.6)
    reference = box_iou(a, b)
    assert (reference > 0).mean() > 0.2
    np.testing.assert_allclose(box_iou(b, a), reference, atol=1e-9)
    turn = Rotation.random(rng=np.random.default_rng(5)).as_matrix()
    moved = [Boxes(x.center @ turn.T + [50, -30, 7], x.size, turn @ x.rotation) for x in (a, b)]
    np.testing.assert_allclose(box_iou(*moved), reference, atol=1e-7)


@pytest.mark.parametrize("turn_rad", [0.0, *10.0 ** -np.arange(3.0, 17)])
@pytest.mark.parametrize("away_m", [0.0, 1000.0])
def test_boxes_that_are_nearly_the_same_overlap_nearly_fully(turn_rad: float, away_m: float) -> None:
    """Coincident faces must count once, whatever rounding does to their coordinates."""
    a = random_boxes(100, 8)
    a = Boxes(a.center + away_m, a.size, a.rotation)
    turn = Rotation.from_rotvec(turn_rad * np.array([1, -2, 2]) / 3).as_matrix()
    iou = box_iou(a, Boxes(a.center, a.size, a.rotation @ turn))
    assert (iou > 1 - 10 * turn_rad - 1e-4).all() and (iou <= 1).all()
    halves = Boxes(a.center + a.rotation[:, :, 0] * a.size[:, :1] / 4, a.size * [0.5, 1, 1], a.rotation)
    np.testing.assert_allclose(box_iou(a, halves), 0.5, atol=1e-9)
    beside = Boxes(a.center + a.rotation[:, :, 0] * a.size[:, :1], a.size, a.rotation)
    np.testing.assert_allclose(box_iou(a, beside), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (box((3, 0, 0), (1, 1, 1)), 2.0),
        (box((3, 3, 0), (1, 1, 1)), np.sqrt(8)),
        (box((3, 3, 3), (1, 1, 1)), np.sqrt(12)),
        (box((3, 0, 0), (1, 1, 1), 45), 2.5 - np.sqrt(0.5)),
        (box((0.2, 0, 0), (1, 1, 1)), 0.0),
        (box((0, 0, 0), (0.1, 0.1, 0.1)), 0.0),
        (box((2, 0, 0), (0, 0, 0)), 1.5),
    ],
)
def test_distance_of_worked_cases(other: Boxes, expected: float) -> None:
    assert box_distance(UNIT, other)[0] == pytest.approx(expected, abs=1e-9)
    assert box_distance(other, UNIT)[0] == pytest.approx(expected, abs=1e-9)


def test_crossed_edges_are_nearest_between_edges() -> None:
    """Two bars, each standing on an edge, at right angles: neither has a corner near the other."""
    lying = Rotation.from_euler("x", 45, degrees=True).as_matrix()
    a = Boxes(np.zeros((1, 3)), np.array([[4.0, 1, 1]]), lying[None])
    b = Boxes(np.array([[0.0, 0, 3]]), np.array([[4.0, 1, 1]]), (rotation_z(np.pi / 2) @ lying)[None])
    assert box_distance(a, b)[0] == pytest.approx(3 - np.sqrt(2))


def test_distance_is_that_of_the_nearest_sampled_points() -> None:
    a, b = random_boxes(12, 6, 2.0), random_boxes(12, 7, 2.0)
    exact = box_distance(a, b)
    assert (boxes_overlap(a, b) == (exact == 0)).all()
    rng = np.random.default_rng(8)
    for i in np.flatnonzero(exact > 0):

        def surface(x: Boxes, i: int = i) -> np.ndarray:
            local = rng.uniform(-0.5, 0.5, (1500, 3))
            side = rng.integers(0, 3, 1500)
            local[np.arange(1500), side] = np.sign(local[np.arange(1500), side]) / 2
            return x.center[i] + (local * x.size[i]) @ x.rotation[i].T

        sampled = np.linalg.norm(surface(a)[:, None] - surface(b)[None, :800], axis=-1).min()
        assert exact[i] <= sampled + 1e-9
        assert sampled - exact[i] < 0.35


def test_rectangles() -> None:
    a = np.array([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 0, 0]])
    b = np.array([[1.0, 1, 3, 3], [2, 2, 3, 3], [0, 0, 0, 0]])
    np.testing.assert_allclose(rectangle_iou(a, b), [1 / 7, 0, 0])
