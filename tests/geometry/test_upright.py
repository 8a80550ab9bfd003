"""Length, width, height and lean of boxes, and the floor that they cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import over_footprint
from spaceland.geometry.transforms import rotation_z
from spaceland.geometry.upright import lean_deg, length_width_height, upright_axis


def test_length_is_the_longer_horizontal_side_whatever_the_axes() -> None:
    box = OrientedBox(np.zeros(3), np.array([0.4, 1.2, 2.0]), rotation_z(0.4))
    assert length_width_height(box) == (1.2, 0.4, 2.0)
    lying = OrientedBox(np.zeros(3), np.array([2.0, 0.4, 1.2]), Rotation.from_euler("y", 90, degrees=True).as_matrix())
    assert length_width_height(lying) == (1.2, 0.4, 2.0)


@pytest.mark.parametrize(("turn_deg", "lean", "axis"), [(0, 0, 2), (7, 7, 2), (45, 45, 1), (50, 40, 1), (90, 0, 1)])
def test_a_box_leans_from_the_axis_nearest_to_the_vertical(turn_deg: float, lean: float, axis: int) -> None:
    box = OrientedBox(np.zeros(3), np.ones(3), Rotation.from_euler("x", turn_deg, degrees=True).as_matrix())
    assert lean_deg(box) == pytest.approx(lean, abs=1e-6)
    assert upright_axis(box) == axis


def test_footprints_of_upright_and_of_leaning_boxes() -> None:
    box = OrientedBox(np.array([1.0, 1.0, 0.5]), np.array([2.0, 1.0, 1.0]), rotation_z(np.radians(90)))
    places = np.array([[1.0, 1.0], [1.4, 1.9], [1.6, 1.0], [1.0, 2.05], [2.0, 1.0]])
    assert over_footprint(box, places).tolist() == [True, True, False, False, False]
    assert over_footprint(box, places, 0.15).tolist() == [True, True, True, True, False]
    leaning = OrientedBox(box.center, np.array([1.0, 1.0, 2.0]), Rotation.from_euler("x", 45, degrees=True).as_matrix())
    assert over_footprint(leaning, np.array([[1.4, 2.0], [1.6, 1.0]])).tolist() == [True, False]


def test_a_footprint_is_the_shadow_of_the_solid() -> None:
    """Every point of a leaning box lies over its footprint, and its corners reach the border."""
    box = OrientedBox(np.ones(3), np.array([0.5, 0.8, 2.0]), Rotation.from_euler("xyz", [0.4, 0.7, 1.1]).as_matrix())
    inside = box.center + np.random.default_rng(0).uniform(-0.5, 0.5, (500, 3)) * box.size @ box.rotation.T
    assert over_footprint(box, inside[:, :2]).all()
    corners = box.corners()[:, :2]
    assert over_footprint(box, corners, 1e-9).all()
    outwards = box.center[:2] + 1.01 * (corners - box.center[:2])
    assert (~over_footprint(box, outwards)).sum() == 6  # a leaning box casts a hexagon
