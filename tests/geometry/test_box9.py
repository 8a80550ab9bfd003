"""Nine-number boxes: scipy's angles, round trips through a camera, and one way of writing every solid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spaceland.geometry.box9 import (
    box9_in_camera,
    box_from_box9,
    corner_gap_m,
    euler_from_rotation,
    rotation_from_euler,
    with_upright_axes,
)
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import from_rotation_translation, look_at, rotation_z

CONVENTIONS = ("ZXY", "zxy")
angle = st.floats(-3.1, 3.1)
coordinate = st.floats(-5, 5)
length = st.floats(0.05, 3)
boxes = st.builds(
    lambda center, size, angles: OrientedBox(
        np.array(center), np.array(size), Rotation.from_euler("xyz", angles).as_matrix()
    ),
    st.tuples(coordinate, coordinate, coordinate),
    st.tuples(length, length, length),
    st.tuples(angle, angle, angle),
)
poses = st.builds(
    lambda angles, place: from_rotation_translation(Rotation.from_euler("xyz", angles).as_matrix(), np.array(place)),
    st.tuples(angle, angle, angle),
    st.tuples(coordinate, coordinate, coordinate),
)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(angles=st.tuples(angle, st.floats(-1.55, 1.55), angle))
@settings(max_examples=60, deadline=None)
def test_angles_are_those_of_scipy(convention, angles) -> None:
    ours = rotation_from_euler(np.array(angles), convention)
    np.testing.assert_allclose(ours, Rotation.from_euler(convention, angles).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(euler_from_rotation(ours, convention), angles, atol=1e-6)
    np.testing.assert_allclose(Rotation.from_matrix(ours).as_euler(convention), angles, atol=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_locked_angles_give_the_rotation_back(convention, middle: float) -> None:
    for first, last in [(0.3, 0.0), (0.3, 1.1), (-2.0, 2.9), (np.pi, 0.0)]:
        rotation = rotation_from_euler(np.array([first, middle, last]), convention)
        angles = euler_from_rotation(rotation, convention)
        np.testing.assert_allclose(rotation_from_euler(angles, convention), rotation, atol=1e-6)
        assert angles[2] == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(box=boxes, pose=poses)
@settings(max_examples=60, deadline=None)
def test_a_box_survives_the_way_to_the_camera_and_back(convention, box: OrientedBox, pose: np.ndarray) -> None:
    again = box_from_box9(box9_in_camera(box, pose, convention), pose, convention)
    assert corner_gap_m(box, again) < 1e-5
    assert again.volume_m3 == pytest.approx(box.volume_m3)


@given(box=boxes, pose=poses)
@settings(max_examples=60, deadline=None)
def test_two_decimals_move_no_corner_far(box: OrientedBox, pose: np.ndarray) -> None:
    again = box_from_box9(box9_in_camera(box, pose).round(2), pose)
    radius = float(np.linalg.norm(box.size)) / 2
    assert corner_gap_m(box, again) <= 0.005 * np.sqrt(3) * 1.5 + 0.015 * radius + 0.003


@given(box=boxes, pose=poses)
@settings(max_examples=60, deadline=None)
def test_axes_are_renamed_and_the_solid_stays(box: OrientedBox, pose: np.ndarray) -> None:
    upright = with_upright_axes(box, pose)
    assert corner_gap_m(box, upright) < 1e-9
    assert np.linalg.det(upright.rotation) == pytest.approx(1)
    assert upright.rotation[2, 2] == pytest.approx(np.abs(box.rotation[2]).max(), abs=1e-5)


@given(box=boxes, pose=poses)
@settings(max_examples=60, deadline=None)
def test_the_axes_are_the_fittest_of_24(box: OrientedBox, pose: np.ndarray) -> None:
    across = pose[:3, 0] * [1, 1, 0] if np.hypot(*pose[:2, 0]) >= 1e-6 else pose[:3, 1] * [1, 1, 0]
    found = []
    for axes in Rotation.create_group("O").as_matrix().round():
        turned = box.rotation @ axes
        up, right = turned[2, 2], turned[:, 0] @ across / np.linalg.norm(across)
        found.append((round(float(up), 6), round(float(right), 6), float(axes[0, 0])))
    upright = with_upright_axes(box, pose)
    best = max(found)
    assert upright.rotation[2, 2] == pytest.approx(best[0], abs=1e-6)
    assert upright.rotation[:, 0] @ across / np.linalg.norm(across) == pytest.approx(best[1], abs=1e-6)
    np.testing.assert_allclose(box9_in_camera(box, pose)[3:6], upright.size)


@given(box=boxes, pose=poses, yaw=angle)
@settings(max_examples=60, deadline=None)
def test_a_turned_world_changes_nothing(box: OrientedBox, pose: np.ndarray, yaw: float) -> None:
    T = from_rotation_translation(rotation_z(yaw), np.array([3.0, -2.0, 1.0]))
    moved = OrientedBox(T[:3, :3] @ box.center + T[:3, 3], box.size, T[:3, :3] @ box.rotation)
    before, after = box9_in_camera(box, pose), box9_in_camera(moved, T @ pose)
    assert corner_gap_m(box_from_box9(before), box_from_box9(after)) < 1e-5


def test_nine_numbers_of_a_turned_box() -> None:
    # The camera looks along world y, level; the box is turned by 30 degrees about the vertical, 2 m ahead, 1 m lower.
    pose = look_at(np.array([0.0, 0.0, 1.5]), np.array([0.0, 1.0, 1.5]))
    box = OrientedBox(np.array([0.5, 2.0, 0.5]), np.array([2.0, 1.0, 0.4]), rotation_z(np.radians(30)))
    # In the camera the box's x axis is (cos 30, 0, sin 30), its y axis (-sin 30, 0, cos 30), up is (0, -1, 0). With
    # the middle angle at 90 degrees, Rz(a) Rx(90) takes x to (cos a, sin a, 0): level boxes lock, and c is folded in.
    values = box9_in_camera(box, pose)
    np.testing.assert_allclose(values[:6], [0.5, 1.0, 2.0, 2.0, 1.0, 0.4], atol=1e-12)
    R = Rotation.from_euler("ZXY", values[6:]).as_matrix()
    np.testing.assert_allclose(R[:, 0], [np.cos(np.pi / 6), 0, np.sin(np.pi / 6)], atol=1e-9)
    np.testing.assert_allclose(R[:, 2], [0, -1, 0], atol=1e-9)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="nine numbers"):
        box_from_box9(np.zeros(7))
    with pytest.raises(ValueError, match="negative"):
        box_from_box9(np.array([0, 0, 0, 1, -1, 1, 0, 0, 0.0]))
    with pytest.raises(ValueError, match="NaN"):
        box_from_box9(np.array([np.nan, 0, 0, 1, 1, 1, 0, 0, 0]))
