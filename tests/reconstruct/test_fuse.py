"""Fusing: exact depth gives the exact surface, in any unit, with the right colours; noise is left out and counted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import fused_rooms as rooms
from spaceland.errors import ReconstructionError, SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.reconstruct.clean import CleanSettings, clean_mesh
from spaceland.reconstruct.depth_views import DepthView
from spaceland.reconstruct.fuse import fuse, fuse_estimate
from spaceland.reconstruct.fuse_sizes import FuseSettings, choose_sizes
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView

o3d = pytest.importorskip("open3d", reason="fusing needs open3d (extra recon)", exc_type=ImportError)

CAMERA = PinholeCamera.from_fov(160, 120, 60.0)
RED, BLUE = (200, 30, 30), (30, 30, 200)


def _distance_m(seed: int, points: np.ndarray) -> np.ndarray:
    """From points to the true surface of a sample room."""
    surface = rooms.room(seed).surface
    assert surface is not None and surface.faces is not None
    caster = o3d.t.geometry.RaycastingScene()
    caster.add_triangles(
        o3d.core.Tensor(surface.vertices.astype(np.float32)), o3d.core.Tensor(surface.faces.astype(np.uint32))
    )
    return caster.compute_distance(o3d.core.Tensor(points.astype(np.float32))).numpy()


def _plane_view(name: str, shift: float = 0.0, depth_m: float = 2.0) -> DepthView:
    """A camera that looks along +z at a wall."""
    pose = np.eye(4)
    pose[0, 3] = shift
    image = np.full((CAMERA.height, CAMERA.width), depth_m, dtype=np.float32)
    return DepthView(name, pose, CAMERA, CAMERA, partial(np.copy, image))


def test_exact_depth_gives_the_true_surface() -> None:
    result = rooms.fused(rooms.PLAIN)
    distance = _distance_m(rooms.PLAIN, result.surface.vertices)
    assert np.median(distance) < 0.002
    assert np.percentile(distance, 90) < 0.01
    floor = np.abs(result.surface.vertices[:, 2]) < 0.02
    assert abs(float(np.median(result.surface.vertices[floor, 2]))) < 0.0005
    assert result.report.sizes.voxel_size == 0.02
    assert result.report.sizes.noise < 0.003


def test_triangles_face_the_cameras() -> None:
    surface = rooms.fused(rooms.PLAIN).surface
    assert surface.faces is not None
    corners = surface.vertices[surface.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    floor = np.abs(corners[:, :, 2]).max(1) < 0.01
    assert floor.sum() > 1000
    assert (normal[floor, 2] > 0).mean() > 0.999


def test_another_world_and_unit_give_the_same_surface() -> None:
    T, factor = rooms.random_motion(1, far_m=200.0), 0.07
    result = fuse(rooms.moved(rooms.views(rooms.PLAIN), T, factor), "estimated", metric=False)
    back = transform_points(np.linalg.inv(T), result.surface.vertices / factor)
    assert np.median(_distance_m(rooms.PLAIN, back)) < 0.004
    assert 0.015 < result.report.sizes.voxel_size / factor < 0.04


def test_the_same_views_give_the_same_bytes() -> None:
    part = rooms.views(rooms.PLAIN)[:6]
    first, second = (fuse(part, "generated", metric=True).surface for _ in range(2))
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces is not None and second.faces is not None
    assert first.faces.tobytes() == second.faces.tobytes()


@pytest.mark.parametrize("num", [1, 2, 3])
def test_few_views_are_enough(num: int) -> None:
    result = fuse([_plane_view(str(k), 0.05 * k) for k in range(num)], "measured", metric=True)
    assert result.report.min_views == 1
    assert np.abs(result.surface.vertices[:, 2] - 2.0).max() < 0.01
    size = np.ptp(result.surface.vertices, axis=0)
    assert size[0] > 2.0 * 160 / CAMERA.fx * 0.95


def test_colours_come_through_a_colour_camera_that_differs() -> None:
    """A red board 1 m before a blue wall; the picture is wider and larger than the depth image."""
    color_camera = PinholeCamera(320, 240, 230.0, 235.0, 163.0, 118.0)

    def hits_board(camera: PinholeCamera, pose: np.ndarray) -> np.ndarray:
        board = camera.pixel_rays() * 2.0 + pose[:3, 3]
        return (np.abs(board[..., 0]) < 0.3) & (np.abs(board[..., 1]) < 0.3)

    seen = []
    for k in range(6):
        pose = np.eye(4)
        pose[:2, 3] = 0.15 * (k % 3) - 0.15, 0.1 * (k // 3)
        depth = np.where(hits_board(CAMERA, pose), 2.0, 3.0).astype(np.float32)
        picture = np.where(hits_board(color_camera, pose)[..., None], RED, BLUE).astype(np.uint8)
        seen.append(DepthView(str(k), pose, color_camera, CAMERA, partial(np.copy, depth), partial(np.copy, picture)))
    result = fuse(seen, "measured", metric=True)
    assert result.surface.colors is not None
    z, colors = result.surface.vertices[:, 2], result.surface.colors.astype(int)
    board, wall = z < 2.1, z > 2.9
    assert board.sum() > 300 and wall.sum() > 3000
    assert (np.abs(colors[board] - RED).max(1) < 60).mean() > 0.97
    assert (np.abs(colors[wall] - BLUE).max(1) < 60).mean() > 0.97
    assert result.report.colored_share > 0.9


def test_pixels_of_low_confidence_are_left_out() -> None:
    depth = np.full((120, 160), 2.0)
    depth[:, :80] = 1.0
    sure = np.ones_like(depth)
    sure[:, :80] = 0.1
    view = EstimatedView("a", CAMERA, np.eye(4), depth, None, sure)
    picture = CaptureImage("a", 0, 160, 120, lambda: np.full((120, 160, 3), 90, np.uint8))
    result = fuse_estimate(Estimate((view,), None, True, "test"), [picture], FuseSettings(voxel_size=0.02))
    assert np.abs(result.surface.vertices[:, 2] - 2.0).max() < 0.02
    assert result.surface.colors is not None and (result.surface.colors == 90).all()


def test_a_vertex_limit_keeps_the_surface() -> None:
    result = fuse(rooms.views(rooms.PLAIN)[:8], "generated", metric=True, settings=FuseSettings(max_vertices=5000))
    report = result.report
    assert report.num_vertices <= 5000 < report.num_vertices_before_limit
    assert np.median(_distance_m(rooms.PLAIN, result.surface.vertices)) < 0.01


def test_noise_between_views_is_measured() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for k in range(8):
        view = _plane_view(str(k), 0.05 * k)
        noisy = np.full((120, 160), 2.0) + rng.normal(0, 0.03, (120, 160))
        seen.append(replace(view, depth=partial(np.copy, noisy.astype(np.float32))))
    sizes = choose_sizes(seen, "measured", metric=True)
    assert sizes.noise == pytest.approx(0.03, rel=0.15)
    assert sizes.truncation >= 0.089


def test_broken_views_are_counted_and_the_rest_is_used() -> None:
    def broken() -> np.ndarray:
        raise SceneError("frame 7 is truncated")

    good = [_plane_view(str(k), 0.02 * k) for k in range(3)]
    holes = np.full((120, 160), 2.0, dtype=np.float32)
    holes[:10], holes[10:20], holes[20:30] = np.nan, -1.0, np.inf
    bad = [
        replace(_plane_view("nan pose"), T_world_cam=np.full((4, 4), np.nan)),
        replace(_plane_view("file"), depth=broken),
        replace(_plane_view("none"), depth=None),
        replace(_plane_view("holes"), depth=partial(np.copy, holes)),
    ]
    report = fuse([*bad, *good], "measured", metric=True).report
    assert report.num_views == 4
    assert report.skipped == {
        "view: depth image cannot be read": 1,
        "view: no depth": 1,
        "view: pose has NaN or infinite entries": 1,
    }
    assert "nan pose" in report.first_problem


def test_nothing_to_fuse_is_an_error() -> None:
    with pytest.raises(ReconstructionError, match="nothing to fuse"):
        fuse([], "measured", metric=True)
    with pytest.raises(ReconstructionError, match="no known pixel"):
        fuse([_plane_view("a", depth_m=0.0)], "measured", metric=True)
    apart = [_plane_view(str(k), depth_m=1.0 + 0.5 * k) for k in range(4)]
    with pytest.raises(ReconstructionError, match="agree on no surface"):
        fuse(apart, "measured", metric=True, settings=FuseSettings(min_views=4))


def test_cleaning_removes_specks_strays_and_slivers_and_counts_them() -> None:
    wall = rooms.quad([0, 0, 0], [1, 0, 0], [0, 1, 0], 0.02)
    speck = rooms.quad([0.5, 0.5, 0.4], [0.06, 0, 0], [0, 0.06, 0], 0.02)
    both = rooms.joined(wall, speck)
    assert both.faces is not None and wall.faces is not None
    num = len(both.vertices)
    vertices = np.concatenate([both.vertices, [[0.5, 0.5, 1.0], [3.0, 3.0, 0.0]]])
    sliver, stray = [0, 1, num], [len(wall.vertices) - 1, len(wall.vertices) - 2, num + 1]
    faces = np.concatenate([both.faces, [sliver, stray, [5, 5, 6]]])
    kept, left, report = clean_mesh(vertices, faces, 0.02)
    assert len(left) == len(wall.faces) and len(kept) == len(wall.vertices)
    assert np.array_equal(kept, wall.vertices) and np.array_equal(left, wall.faces)
    assert report.num_small_pieces == 1 and report.num_thin_faces == 3
    _, left, report = clean_mesh(vertices, faces, 0.02, CleanSettings(thin_ratio=0.0, min_piece_cells=0.0))
    assert report.num_stray_vertices == 2 and report.num_thin_faces == 1
    assert len(left) == len(both.faces)


def test_cleaning_does_not_depend_on_the_unit() -> None:
    surface = rooms.joined(
        rooms.quad([0, 0, 0], [1, 0, 0], [0, 1, 0], 0.02), rooms.quad([2, 2, 2], [0.1, 0, 0], [0, 0.1, 0], 0.02)
    )
    assert surface.faces is not None
    reports = [clean_mesh(surface.vertices * k, surface.faces, 0.02 * k)[2] for k in (1.0, 64.0, 1 / 64)]
    assert reports[0].num_small_pieces == 1
    assert {r.num_small_piece_faces for r in reports} == {reports[0].num_small_piece_faces}
