"""Properties of transforms, cameras, boxes and rays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spaceland.geometry.boxes import AxisAlignedBox, OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.polygons import area, contains, signed_area
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import (
    from_rotation_translation,
    invert_rigid,
    look_at,
    pose_problem,
    rotation_between,
    rotation_from_quaternion,
    rotation_z,
    transform_points,
)

seeds = st.integers(0, 2**32 - 1)
CAMERA = PinholeCamera(640, 480, 500.0, 510.0, 322.5, 238.0)


def random_pose(rng: np.random.Generator) -> np.ndarray:
    return from_rotation_translation(Rotation.random(rng=rng).as_matrix(), rng.normal(0, 3, 3))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_inverse_and_composition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, points = random_pose(rng), random_pose(rng), rng.normal(0, 5, (7, 3))
    np.testing.assert_allclose(invert_rigid(a) @ a, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        transform_points(a @ b, points), transform_points(a, transform_points(b, points)), atol=1e-10
    )
    batched = transform_points(np.stack([a, b]), points[:2])
    np.testing.assert_allclose(batched[1], transform_points(b, points[1]), atol=1e-12)
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(transform_points(a, points), axis=0), axis=1), gaps, atol=1e-10)
    assert pose_problem(a) is None


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_project_and_unproject_are_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, depth = rng.uniform(0, 480, (9, 2)), rng.uniform(0.1, 20, 9)
    back, z = CAMERA.project(CAMERA.unproject(pixels, depth))
    np.testing.assert_allclose(back, pixels, atol=1e-9)
    np.testing.assert_allclose(z, depth)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_scaling_and_cropping_move_projections_like_pixels(seed: int) -> None:
    points = np.random.default_rng(seed).uniform([-1, -1, 1], [1, 1, 5], (9, 3))
    pixels, _ = CAMERA.project(points)
    np.testing.assert_allclose(CAMERA.scaled(320, 160).project(points)[0], pixels * [1 / 2, 1 / 3], atol=1e-9)
    np.testing.assert_allclose(CAMERA.cropped(10, -20, 100, 50).project(points)[0], pixels - [10, -20], atol=1e-9)


def test_points_behind_the_camera_have_no_pixel() -> None:
    pixels, z = CAMERA.project(np.array([[0.0, 0, -1], [0, 0, 0], [0, 0, 1]]))
    assert np.isnan(pixels[:2]).all()
    assert list(CAMERA.contains(pixels)) == [False, False, True]
    assert list(z) == [-1, 0, 1]


def test_opencv_calibration_gets_half_a_pixel() -> None:
    camera = PinholeCamera.from_opencv(1200, 680, np.array([[600.0, 0, 599.5], [0, 600, 339.5], [0, 0, 1]]))
    assert (camera.cx, camera.cy) == (600.0, 340.0)
    assert (camera.pixel_centers()[339, 599] == [599.5, 339.5]).all()


@pytest.mark.parametrize("bad", [(0, 480, 1, 1, 0, 0), (640, 480, -500, 500, 320, 240), (640, 480, np.nan, 1, 0, 0)])
def test_impossible_intrinsics_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PinholeCamera(*bad)  # type: ignore[arg-type]


def test_look_at_sees_the_target_in_the_middle_with_up_upwards() -> None:
    eye, target = np.array([1.0, 2, 1.5]), np.array([4.0, 6, 0.5])
    T_cam_world = invert_rigid(look_at(eye, target))
    pixel, depth = CAMERA.project(transform_points(T_cam_world, target))
    np.testing.assert_allclose(pixel, [CAMERA.cx, CAMERA.cy], atol=1e-9)
    assert depth == pytest.approx(np.linalg.norm(target - eye))
    higher, _ = CAMERA.project(transform_points(T_cam_world, target + [0, 0, 0.3]))
    assert higher[1] < pixel[1]
    assert abs(higher[0] - pixel[0]) < 1e-9
    with pytest.raises(ValueError, match="no unique view"):
        look_at(eye, eye + [0, 0, 1])


def test_quaternions_and_smallest_rotation() -> None:
    rng = np.random.default_rng(0)
    wxyz = rng.normal(0, 1, (20, 4))
    np.testing.assert_allclose(
        rotation_from_quaternion(wxyz), Rotation.from_quat(wxyz, scalar_first=True).as_matrix(), atol=1e-12
    )
    for a, b in rng.normal(0, 1, (20, 2, 3)):
        R = rotation_between(a, b)
        np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)
        assert pose_problem(from_rotation_translation(R, np.zeros(3))) is None
    np.testing.assert_allclose(rotation_between(np.array([0, 0, 1.0]), np.array([0, 0, -1.0])) @ [0, 0, 1], [0, 0, -1])
    np.testing.assert_allclose(rotation_z(np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_upright_box_holds_its_points_and_beats_the_axes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 1, (30, 3)) * rng.uniform(0.1, 3, 3) @ rotation_z(rng.uniform(0, 7)).T
    box = OrientedBox.upright_from_points(points)
    assert box.contains(points, 1e-9).all()
    aligned = AxisAlignedBox.from_points(points)
    assert box.size[:2].prod() <= aligned.size[:2].prod() + 1e-9
    assert box.size[0] >= box.size[1]
    assert box.size[2] == pytest.approx(aligned.size[2])
    turn = rotation_z(rng.uniform(0, 7))
    moved = OrientedBox.upright_from_points(points @ turn.T + [1, 2, 3])
    np.testing.assert_allclose(moved.center, turn @ box.center + [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(moved.size, box.size, atol=1e-6)


@pytest.mark.parametrize("points", [[[1.0, 2, 3]], [[0.0, 0, 0], [2, 0, 1]], [[0.0, 0, 0], [1, 1, 0], [2, 2, 0]]])
def test_upright_box_of_degenerate_points(points: list[list[float]]) -> None:
    box = OrientedBox.upright_from_points(np.array(points))
    assert box.contains(np.array(points), 1e-9).all()
    assert box.volume_m3 == pytest.approx(0)


def test_box_corners_and_conversions() -> None:
    box = AxisAlignedBox(np.array([0.0, 1, 2]), np.array([1.0, 3, 6])).oriented()
    assert {tuple(corner) for corner in box.corners()} == {(x, y, z) for x in (0, 1) for y in (1, 3) for z in (2, 6)}
    assert (box.axis_aligned().maximum == [1, 3, 6]).all()
    for bad in ((np.nan, 0, 0), (-1, 0, 0)):
        with pytest.raises(ValueError, match="box"):
            OrientedBox(np.zeros(3), np.array(bad), np.eye(3))
    with pytest.raises(ValueError, match="below its minimum"):
        AxisAlignedBox(np.ones(3), np.zeros(3))


def test_cast_depth_is_z_and_not_ray_length() -> None:
    """A wall across the view, 2 m ahead, is at depth 2 in every pixel, also far from the scene's origin."""
    for origin in (np.zeros(3), np.array([1e5, -2e5, 300.0])):
        wall = np.array([[-9.0, -9, 2], [9, -9, 2], [9, 9, 2], [-9, 9, 2]]) + origin
        caster = RayCaster(wall, np.array([[0, 1, 2], [0, 2, 3]]))
        hits = caster.cast_camera(CAMERA, from_rotation_translation(np.eye(3), origin))
        np.testing.assert_allclose(hits.distance, 2.0, atol=2e-5)
        assert set(np.unique(hits.face)) == {0, 1}
        away = caster.cast(origin, np.array([0.0, 0, -1]))
        assert (float(away.distance), int(away.face)) == (0.0, -1)


def test_polygons() -> None:
    ell = np.array([[0.0, 0], [6, 0], [6, 4], [3, 4], [3, 8], [0, 8]])
    assert signed_area(ell) == 36
    assert signed_area(ell[::-1]) == -36
    assert area(ell[::-1] + 1e6) == pytest.approx(36)
    assert list(contains(ell, np.array([[1.0, 1], [5, 3.9], [4, 5], [2.9, 7.9], [-1, 1], [7, 7]]))) == [
        True,
        True,
        False,
        True,
        False,
        False,
    ]
