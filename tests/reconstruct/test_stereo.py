"""Stereo depth against exact depth: boards before a wall, motion in all directions, and a generated room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stereo_scene import CAMERA, capture, pose, render

from spaceland.errors import ReconstructionError
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.reconstruct.consistency import join_depths, supporting_views
from spaceland.reconstruct.plane_sweep import sweep_planes
from spaceland.reconstruct.rectify import rectify
from spaceland.reconstruct.stereo import StereoConfig, StereoDepthEstimator
from spaceland.reconstruct.stereo_match import gray_of, match_pair
from spaceland.reconstruct.stereo_pairs import PairConfig, anchors_of, choose_neighbors
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, SparsePoints
from spaceland.scenes.sources import open_scene

pytest.importorskip("cv2", reason="stereo matching needs OpenCV (extra recon)", exc_type=ImportError)

SIDEWAYS = [pose((x, y, 0.0)) for x in (0.0, 0.15, 0.3) for y in (0.0, 0.12)]


def _errors(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """(share filled, median relative error)."""
    has = found > 0
    return float(has.mean()), float(np.median(np.abs(found[has] / true[has] - 1)))


def _gray(T: np.ndarray) -> np.ndarray:
    return gray_of(render(T)[0], CAMERA.width, CAMERA.height)


OTHERS = [pose(p) for p in ((0.2, 0, 0), (-0.2, 0, 0), (0, 0.2, 0), (0, -0.2, 0))]


@pytest.mark.parametrize("T_other", [*OTHERS, pose((0.15, 0.1, 0.05), (3, -4, 15))])
def test_one_pair_in_any_direction(T_other: np.ndarray) -> None:
    T_key = np.eye(4)
    pair = rectify(CAMERA, T_key, CAMERA, T_other, near=1.0, far=5.0)
    assert pair is not None
    depth = match_pair(_gray(T_key), CAMERA, _gray(T_other), CAMERA, pair)
    filled, error = _errors(depth, render(T_key)[1])
    assert filled > 0.6
    assert error < 0.013  # of a disparity of 11 to 24 px: about 0.1 px


def test_left_right_check_removes_what_the_neighbour_cannot_see() -> None:
    T_key, T_other = np.eye(4), pose((0.25, 0, 0))
    true = render(T_key)[1]
    world = transform_points(T_key, CAMERA.pixel_rays() * true[..., None])
    pixels, z = CAMERA.project(transform_points(invert_rigid(T_other), world))
    inside = CAMERA.contains(pixels)
    column, row = np.where(inside[..., None], pixels, 0).astype(int).transpose(2, 0, 1)
    hidden = inside & (z > 1.1 * render(T_other)[1][row, column])
    assert 300 < hidden.sum() < 3000
    pair = rectify(CAMERA, T_key, CAMERA, T_other, near=1.0, far=5.0)
    assert pair is not None
    depth = match_pair(_gray(T_key), CAMERA, _gray(T_other), CAMERA, pair)
    assert (depth[hidden] > 0).mean() < 0.15
    assert (depth[inside & ~hidden] > 0).mean() > 0.85
    # One pixel of margin: disparities are rounded where they point.
    outside = (pixels < -1).any(-1) | (pixels[..., 0] > CAMERA.width + 1) | (pixels[..., 1] > CAMERA.height + 1)
    assert outside.any() and (depth[outside] > 0).mean() < 0.01


def test_plane_sweep_measures_forward_motion() -> None:
    T_key, T_other = np.eye(4), pose((0.02, 0.0, 0.5))
    assert rectify(CAMERA, T_key, CAMERA, T_other, 1.0, 5.0) is None
    depth = sweep_planes(_gray(T_key), CAMERA, T_key, [(_gray(T_other), CAMERA, T_other)], 1.0, 5.0)
    true = render(T_key)[1]
    filled, error = _errors(depth, true)
    assert filled > 0.25
    assert error < 0.03
    # At the epipole nothing moves, so nothing may be claimed there but by chance.
    u, v = CAMERA.project(np.array([[0.02, 0.0, 0.5]]))[0][0]
    near = np.hypot(*(CAMERA.pixel_centers() - (u, v)).transpose(2, 0, 1)) < 6
    assert (depth[near] > 0).mean() < 0.3


def test_estimator_on_boards() -> None:
    estimate, images = capture(SIDEWAYS)
    steps: list[str] = []
    out = StereoDepthEstimator().densify(estimate, images, lambda n, note: steps.append(note))
    assert len(steps) == 6
    for view, T in zip(out.views, SIDEWAYS, strict=True):
        assert view.depth is not None and view.confidence is not None and view.depth_camera == CAMERA
        true = render(T)[1]
        filled, error = _errors(view.depth, true)
        assert filled > 0.8
        assert error < 0.012
        has = view.depth > 0
        assert (np.abs(view.depth[has] / true[has] - 1) < 0.05).mean() > 0.97
        assert ((view.confidence > 0) == has).all() and view.confidence.max() <= 1
    assert out.report["depth"]["views"] == {"rectified pairs": 6}


def test_walking_straight_ahead_uses_the_plane_sweep() -> None:
    poses = [pose((0, 0, z)) for z in (0.0, 0.25, 0.5, 0.75)]
    estimate, images = capture(poses, front=False)
    out = StereoDepthEstimator().densify(estimate, images)
    assert set(out.report["depth"]["views"]) == {"plane sweep"}
    views = [view for view in out.views if view.depth is not None]
    assert len(views) == 4
    for view in views:
        filled, error = _errors(view.depth, render(view.T_world_cam, front=False)[1])
        assert filled > 0.2
        assert error < 0.03


def test_the_same_input_gives_the_same_bytes() -> None:
    estimate, images = capture(SIDEWAYS[:3])
    first, second = (StereoDepthEstimator().densify(estimate, images) for _ in range(2))
    for a, b in zip(first.views, second.views, strict=True):
        assert a.depth.tobytes() == b.depth.tobytes()
        assert a.confidence.tobytes() == b.confidence.tobytes()


def test_unknown_unit_takes_the_range_from_the_points() -> None:
    """Poses in units of 7.3 m; depth must come out in the same unit."""
    unit = 7.3
    estimate, images = capture(SIDEWAYS, metric=False)
    rng = np.random.default_rng(0)
    xyz, number, pixel = [], [], []
    for k, T in enumerate(SIDEWAYS):
        uv = rng.integers((0, 0), (CAMERA.width, CAMERA.height), (60, 2))
        z = render(T)[1][uv[:, 1], uv[:, 0]]
        xyz.append(transform_points(T, CAMERA.unproject(uv + 0.5, z)) / unit)
        number.append(np.full(60, k))
        pixel.append(uv + 0.5)
    points = SparsePoints(
        np.concatenate(xyz), np.zeros((360, 3), np.uint8), np.concatenate(number), np.arange(360), np.concatenate(pixel)
    )
    views = []
    for view in estimate.views:
        T = view.T_world_cam.copy()
        T[:3, 3] /= unit
        views.append(replace(view, T_world_cam=T))
    anchors = anchors_of(replace(estimate, views=tuple(views), points=points), 0)
    assert anchors.near * unit < 1.5 and 3.3 < anchors.far * unit < 6.5
    out = StereoDepthEstimator().densify(replace(estimate, views=tuple(views), points=points), images)
    filled, error = _errors(out.views[0].depth * unit, render(SIDEWAYS[0])[1])
    assert filled > 0.8
    assert error < 0.012
    with pytest.raises(ReconstructionError, match="the unit is unknown"):
        StereoDepthEstimator().densify(replace(estimate, points=None), images)


def test_neighbours_have_parallax_and_different_directions() -> None:
    poses = [pose(p) for p in ((0, 0, 0), (0.001, 0, 0), (0.1, 0, 0), (0.12, 0, 0), (0, 0.1, 0), (9, 0, 0))]
    poses.append(pose((0.1, 0, 0), (0, 120, 0)))
    estimate, _ = capture(poses)
    anchors = anchors_of(estimate, 0)
    chosen = choose_neighbors(estimate, 0, anchors, PairConfig(num_neighbors=2))
    # 1 millimetre has no parallax, 9 metres no overlap, and one looks elsewhere. The second choice is the other way.
    assert {n.view for n in chosen} in ({2, 4}, {3, 4})
    assert all(1 < n.angle_deg < 8 for n in chosen)


def test_refusals() -> None:
    estimate, images = capture(SIDEWAYS[:2])
    with pytest.raises(ReconstructionError, match="needs two posed pictures"):
        StereoDepthEstimator().densify(replace(estimate, views=estimate.views[:1]), images)
    with pytest.raises(ReconstructionError, match="1 views have no picture"):
        StereoDepthEstimator().densify(estimate, images[:1])
    turned, pictures = capture([pose((0, 0, 0), (0, y, 0)) for y in (0, 10, 20)])
    with pytest.raises(ReconstructionError, match=r"3 views have no neighbour .* walk sideways"):
        StereoDepthEstimator().densify(turned, pictures)


def test_blank_walls_are_refused() -> None:
    estimate, images = capture(SIDEWAYS[:4])
    blank = [replace(i, color=lambda: np.full((CAMERA.height, CAMERA.width, 3), 128, np.uint8)) for i in images]
    with pytest.raises(ReconstructionError, match="surfaces blank"):
        StereoDepthEstimator().densify(estimate, blank)


def test_join_takes_the_largest_group() -> None:
    depths = np.array([[2.0, 0.0, 1.0], [5.0, 0.0, 4.0], [2.04, 0.0, 0.0], [1.98, 3.0, 0.0]])[:, None]
    joined, size = join_depths(depths, 0.05)
    np.testing.assert_allclose(joined[0], [2.0, 3.0, 1.0])
    np.testing.assert_array_equal(size[0], [3, 1, 1])


def test_support_counts_views_with_the_same_depth() -> None:
    others = [(render(T)[1], CAMERA, T) for T in SIDEWAYS[1:4]]
    true = render(SIDEWAYS[0])[1]
    support = supporting_views(true, CAMERA, SIDEWAYS[0], others, 0.03)
    assert np.median(support) == 3
    assert supporting_views(true * 1.3, CAMERA, SIDEWAYS[0], others, 0.03).mean() < 0.2
    assert (supporting_views(np.zeros_like(true), CAMERA, SIDEWAYS[0], others, 0.03) == 0).all()


def test_a_generated_room() -> None:
    """Four frames of a tiled bathroom with exact poses and exact depth."""
    frames = open_scene("rooms:7?width=320&height=240").frames[17:21]
    views = tuple(EstimatedView(f.id, f.camera, f.T_world_cam) for f in frames)
    images = [CaptureImage(f.id, k, f.camera.width, f.camera.height, f.color) for k, f in enumerate(frames)]
    out = StereoDepthEstimator(StereoConfig(width_px=320)).densify(Estimate(views, None, True, "exact"), images)
    shares = []
    for view, frame in zip(out.views, frames, strict=True):
        assert frame.depth is not None and view.depth is not None
        true = frame.depth().astype(float)
        filled, error = _errors(view.depth, true)
        shares.append(filled)
        assert error < 0.015
        has = view.depth > 0
        assert (np.abs(view.depth[has] / true[has] - 1) < 0.1).mean() > 0.98
    assert np.mean(shares) > 0.7
