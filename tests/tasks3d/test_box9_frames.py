"""Boxes of nine numbers in both conventions, from the world to a camera and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spaceland.geometry.box9 import corner_gap_m
from spaceland.tasks3d.box9_frames import CONVENTIONS, Box9, likely_convention

ANGLES = st.tuples(*(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1)))


def pose(seed: int) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    T[:3, 3] = np.random.default_rng(seed).uniform(-4, 4, 3)
    return T


@settings(deadline=None, max_examples=60)
@given(ANGLES, st.integers(0, 1000), st.sampled_from(CONVENTIONS))
def test_camera_and_back(angles: tuple[float, ...], seed: int, convention: str) -> None:
    box = Box9((0.4, -1.2, 0.9, 0.5, 1.5, 0.8, *angles), convention)  # type: ignore[arg-type]
    T = pose(seed)
    there = box.in_camera(T, 7)
    assert there.frame == 7 and there.convention == convention
    corners = box.oriented.corners() @ T[:3, :3] - T[:3, 3] @ T[:3, :3]
    assert np.allclose(there.oriented.corners(), corners, atol=1e-9)  # axes keep their names, so corners their order
    assert corner_gap_m(there.in_world(T).oriented, box.oriented) < 1e-6


@settings(deadline=None, max_examples=60)
@given(ANGLES, st.sampled_from(CONVENTIONS))
def test_conventions_are_scipys_and_go_into_each_other(angles: tuple[float, ...], convention: str) -> None:
    box = Box9((0.0, 0.0, 2.0, 0.5, 1.5, 0.8, *angles), convention)  # type: ignore[arg-type]
    assert np.allclose(box.oriented.rotation, Rotation.from_euler(convention, angles).as_matrix())
    other = box.to("zxy" if convention == "ZXY" else "ZXY")
    assert corner_gap_m(other.oriented, box.oriented) < 1e-6
    assert corner_gap_m(other.to(convention).oriented, box.oriented) < 1e-6  # type: ignore[arg-type]


def test_the_wrong_mix_is_another_box() -> None:
    written = Box9((0, 0, 2, 1, 1, 1, 0.3, 0.5, -0.7), "ZXY")
    read = Box9(written.values, "zxy")
    turn = Rotation.from_matrix(written.oriented.rotation.T @ read.oriented.rotation)
    assert np.degrees(turn.magnitude()) == pytest.approx(23.9, abs=0.05)
    # Turns about one axis only are the same numbers in both.
    assert Box9((0, 0, 2, 1, 2, 3, 0.3, 0, 0), "ZXY").to("zxy").rounded()[6:] == [0.3, 0, 0]


def test_frames_are_not_mixed_up() -> None:
    box = Box9((0, 0, 2, 1, 1, 1, 0, 0, 0))
    with pytest.raises(ValueError, match="in the world already"):
        box.in_world(np.eye(4))
    with pytest.raises(ValueError, match="camera of frame 2"):
        box.in_camera(np.eye(4), 2).in_camera(np.eye(4), 3)
    for bad in ((0.0,) * 8, (0, 0, 0, -1, 1, 1, 0, 0, 0), (float("nan"),) * 9):
        with pytest.raises(ValueError, match="nine finite numbers"):
            Box9(bad)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_likely_convention(convention: str) -> None:
    """Upright furniture, each piece turned another way, seen by a camera that looks down a little and rolls."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("zxy", [0.1, -2.0, 0.3]).as_matrix()
    boxes = [
        Box9((1, 2, 0.5, 1, 0.5, 1, yaw, 0, 0)).to(convention).in_camera(T, 0).rounded()  # type: ignore[arg-type]
        for yaw in (0.0, 0.7, -1.3, 2.2)
    ]
    assert likely_convention(boxes) == convention
    assert likely_convention(boxes[:1]) is None and likely_convention([]) is None
