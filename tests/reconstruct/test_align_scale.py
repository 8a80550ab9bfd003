"""The scale between two sets of depth: exact on clean pairs, within 2 % under noise and outliers, or refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.align_scale import (
    fit_scale,
    fit_scale_shift,
    sample_depth,
    sparse_depths,
)
from spaceland.reconstruct.types import Estimate, EstimatedView, SparsePoints
from spaceland.scenes.scene import Frame
from spaceland.scenes.sources import open_scene


@cache
def _frames() -> list[tuple[Frame, np.ndarray]]:
    """Some frames of a sample room with their exact depth in metres (colour and depth share the camera)."""
    frames = open_scene("rooms:7?width=320&height=240").frames[::12]
    return [(frame, frame.depth().astype(float)) for frame in frames if frame.depth]


def _room_depths() -> list[np.ndarray]:
    return [depth[::8, ::8].ravel() for _, depth in _frames()]


def _spoiled(depth: np.ndarray, rng: np.random.Generator, noise: float = 0.05, outliers: float = 0.1) -> np.ndarray:
    """Multiplicative noise, and gross errors: the depth of somewhere else, times 0.2 to 5."""
    spoiled = depth * (1 + noise * rng.standard_normal(len(depth)))
    wrong = rng.random(len(depth)) < outliers
    return np.where(wrong, rng.permutation(depth) * np.exp(rng.uniform(-1.6, 1.6, len(depth))), spoiled)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.05, 1.0, 3.7, 240.0])
def test_simulated_estimator_gives_the_scale_within_two_per_cent(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for true in _room_depths():
        fit = fit_scale(_spoiled(true, rng) / scale, true)
        assert fit.scale == pytest.approx(scale, rel=0.02)
        assert 0.85 < fit.inlier_share <= 1.0
        assert 0.02 < fit.residual < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_outliers_on_one_side_do_not_pull(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = _room_depths()[0]
    estimated = true * (1 + 0.05 * rng.standard_normal(len(true)))
    estimated[rng.random(len(true)) < 0.3] *= 4
    assert fit_scale(estimated, 2 * true).scale == pytest.approx(2, rel=0.02)


@given(st.floats(1e-3, 1e3), st.integers(20, 200))
@settings(max_examples=30, deadline=None)
def test_clean_pairs_give_the_exact_scale(scale: float, n: int) -> None:
    depth = np.linspace(0.5, 6, n)
    fit = fit_scale(depth, depth * scale)
    assert fit.scale == pytest.approx(scale, rel=1e-9)
    assert fit.inlier_share == 1.0
    assert fit.residual == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("scale", "shift"), [(2.0, 0.1), (0.01, 0.3), (30.0, -0.05)])
def test_scale_and_shift_of_inverse_depth(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = _room_depths()[1]
    raw = (1 / _spoiled(true, rng, noise=0.03) - shift) / scale
    fit = fit_scale_shift(raw, 1 / true, seed=seed)
    assert fit.scale == pytest.approx(scale, rel=0.05)
    depth = 1 / (fit.scale * (1 / true - shift) / scale + fit.shift)
    assert np.median(np.abs(depth / true - 1)) < 0.02


def test_the_seed_decides_and_repeats() -> None:
    rng = np.random.default_rng(0)
    true = _room_depths()[0]
    raw = 1 / _spoiled(true, rng)
    assert fit_scale_shift(raw, 1 / true, seed=3) == fit_scale_shift(raw, 1 / true, seed=3)


def test_refusals_say_what_was_found() -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 5, 500)
    with pytest.raises(ReconstructionError, match=r"3 usable pairs .*expected at least 20"):
        fit_scale(np.array([1.0, 2, 3, 0, np.nan]), np.ones(5))
    with pytest.raises(ReconstructionError, match=r"only \d+% of 500 pairs agree"):
        fit_scale(depth * np.exp(rng.uniform(-2, 2, 500)), depth)
    with pytest.raises(ReconstructionError, match="still spread by"):
        fit_scale(depth * np.exp(rng.uniform(-0.3, 0.3, 500)), depth)
    with pytest.raises(ReconstructionError, match="no two of the 500 pairs"):
        fit_scale_shift(np.ones(500), depth)
    with pytest.raises(ReconstructionError):
        fit_scale_shift(-depth, depth)
    with pytest.raises(ReconstructionError, match=r"hardly better .* than one constant"):
        fit_scale_shift(rng.uniform(0, 1, 500), depth)
    with pytest.raises((ValueError, TypeError)):  # TypeError: shapes checked by jaxtyping
        fit_scale(depth, depth[:-1])


def _estimate_of_room(unit_m: float) -> tuple[Estimate, dict[str, tuple[np.ndarray, PinholeCamera]]]:
    """Frames of a sample room in a unit of `unit_m` metres, with sparse points, and the true depth."""
    views, measured, xyz, seen = [], {}, [], []
    for number, (frame, true) in enumerate(_frames()):
        camera = frame.camera
        measured[frame.id] = (true, camera)
        T = frame.T_world_cam.copy()
        T[:3, 3] /= unit_m
        views.append(EstimatedView(frame.id, camera, T))
        pixels = camera.pixel_centers()[10::20, 10::20].reshape(-1, 2)
        depth = true[10::20, 10::20].ravel() / unit_m
        xyz.append(camera.unproject(pixels, depth) @ T[:3, :3].T + T[:3, 3])
        seen.append((np.full(len(depth), number), pixels))
    points = SparsePoints(
        np.concatenate(xyz),
        np.zeros((sum(map(len, xyz)), 3), np.uint8),
        np.concatenate([v for v, _ in seen]),
        np.arange(sum(map(len, xyz))),
        np.concatenate([p for _, p in seen]),
    )
    return Estimate(tuple(views), points, False, "unknown"), measured


def test_sparse_points_of_a_room_tell_the_unit_of_its_estimate() -> None:
    estimate, measured = _estimate_of_room(0.37)
    for number, view in enumerate(estimate.views):
        pixels, depth = sparse_depths(estimate, number)
        true, camera = measured[view.id]
        known = sample_depth(true, camera, view.camera.unproject(pixels, np.ones(len(pixels))))
        np.testing.assert_allclose(known, true[10::20, 10::20].ravel(), rtol=1e-9)
        np.testing.assert_allclose(0.37 * depth, known, rtol=1e-6)
        assert fit_scale(depth, known).scale == pytest.approx(0.37, rel=1e-6)


def test_depth_is_looked_up_with_a_camera_of_another_size() -> None:
    frame, true = _frames()[0]
    small = frame.camera.scaled(64, 48)
    found = sample_depth(true, frame.camera, small.pixel_rays().reshape(-1, 3)).reshape(48, 64)
    np.testing.assert_array_equal(found, true[2::5, 2::5])
    assert sample_depth(true, frame.camera, np.array([[9.0, 0.0, 1.0], [0.0, -9.0, 1.0]])).tolist() == [0.0, 0.0]
