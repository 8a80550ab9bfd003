"""The best similarity between two point sets: exact on exact data, least squares otherwise, never a mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaceland.geometry.alignment import Similarity, similarity_alignment
from spaceland.geometry.transforms import look_at, pose_problem, rotation_from_quaternion


def _random(seed: int) -> tuple[np.random.Generator, Similarity]:
    rng = np.random.default_rng(seed)
    rotation = rotation_from_quaternion(rng.normal(size=4))
    return rng, Similarity(float(rng.uniform(0.1, 10)), rotation, rng.normal(size=3) * 5)


@given(st.integers(0, 10_000))
def test_an_exact_similarity_is_found(seed: int) -> None:
    rng, true = _random(seed)
    points = rng.normal(size=(6, 3))
    found = similarity_alignment(points, true.apply(points))
    assert found.scale == pytest.approx(true.scale)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, true.translation, atol=1e-8)


def test_points_in_a_plane_suffice_and_a_mirror_image_is_not_used() -> None:
    rng, true = _random(3)
    flat = np.c_[rng.normal(size=(8, 2)), np.zeros(8)]
    np.testing.assert_allclose(similarity_alignment(flat, true.apply(flat)).rotation, true.rotation, atol=1e-9)
    solid = rng.normal(size=(8, 3))
    assert np.linalg.det(similarity_alignment(solid, solid * [1, 1, -1]).rotation) == pytest.approx(1.0)


def test_no_similarity_nearby_fits_noisy_points_better() -> None:
    rng, true = _random(5)
    source = rng.normal(size=(20, 3))
    target = true.apply(source) + rng.normal(0, 0.3, (20, 3))
    found = similarity_alignment(source, target)

    def cost(guess: Similarity) -> float:
        return float(((guess.apply(source) - target) ** 2).sum())

    for _ in range(200):
        turn = rotation_from_quaternion(np.r_[1.0, rng.normal(0, 0.01, 3)])
        other = Similarity(
            found.scale * (1 + rng.normal(0, 0.01)),
            turn @ found.rotation,
            found.translation + rng.normal(0, 0.01, 3),
        )
        assert cost(found) <= cost(other) + 1e-9


def test_a_camera_goes_with_its_centre_and_what_it_looks_at() -> None:
    _, true = _random(7)
    eye, target = np.array([1.0, 2.0, 1.5]), np.array([3.0, 2.5, 1.0])
    moved = true.apply_pose(look_at(eye, target))
    assert pose_problem(moved, 1e-9) is None
    ahead = true.apply(target) - moved[:3, 3]
    np.testing.assert_allclose(moved[:3, 2], ahead / np.linalg.norm(ahead), atol=1e-9)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.zeros((2, 3)), "n >= 3"),
        (np.full((4, 3), np.nan), "finite"),
        (np.outer(np.arange(4.0), [1.0, 2.0, 3.0]), "one line"),
        (np.ones((4, 3)), "one line"),
    ],
)
def test_what_leaves_the_rotation_open_is_refused(points: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        similarity_alignment(points, points)
