"""The grid that names the nearest object, and the points that stand for surfaces, against the plain way."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import NO_OBJECT
from spaceland.visibility import VisibilityConfig
from spaceland.visibility.labels import LabelGrid
from spaceland.visibility.samples import densify

THINGS = [("box", (3.0, 3.0, 0.9), (0.6, 0.5, 0.4)), ("lamp", (3.0, 3.0, 1.25), (0.2, 0.2, 0.3))]
VOXEL_M = 0.05


@pytest.mark.parametrize("spacing_m", [10.0, 0.5, 0.2])
def test_lattice_points_share_the_area_of_their_triangle(spacing_m: float) -> None:
    """A triangle of 0.5 and one of 0.02 square metres; no point twice, none farther than the spacing from another."""
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.2, 0.0, 0.0], [0.0, -0.2, 0.0]])
    points, areas = densify(corners, np.array([[0, 1, 2], [0, 3, 4]]), spacing_m)
    np.testing.assert_array_equal(points[:5], corners)
    assert len(np.unique(points.round(9), axis=0)) == len(points)
    assert areas.sum() == pytest.approx(0.52)
    assert areas[points[:, 0] + points[:, 1] > 1e-9].sum() < 0.5 < areas[points.min(1) > -1e-9].sum()
    if spacing_m < 1:
        assert cKDTree(points).query(points, k=2)[0][:, 1].max() <= spacing_m


def test_lookup_names_the_nearest_surface() -> None:
    """Places beside each thing, beside a wall, and far outside."""
    scene = box_scene(THINGS, [look_at(np.array([3.0, 0.5, 1.9]), np.array([2.5, 4.0, 1.0]))])
    assert scene.surface is not None
    grid = LabelGrid(scene, VisibilityConfig(voxel_m=VOXEL_M))
    rng = np.random.default_rng(0)
    near = [thing.points[rng.integers(len(thing.points), size=40)] for thing in scene.objects]
    places = np.concatenate(near) + rng.normal(0, 0.02, (80, 3))
    wanted = np.repeat([thing.id for thing in scene.objects], 40)
    points, owners = [], []
    for owner, thing in enumerate(scene.objects):
        own, _ = densify(thing.points, thing.faces, VOXEL_M / 4)
        points.append(own)
        owners.append(np.full(len(own), owner))
    apart = cKDTree(points[0]).query(places)[0] - cKDTree(points[1]).query(places)[0]
    clear = np.abs(apart) > 3 * VOXEL_M
    found, distance = grid.lookup(*((places - grid.low) / VOXEL_M).T)
    assert clear.sum() > 30
    np.testing.assert_array_equal(found[clear], wanted[clear])
    true = cKDTree(np.concatenate(points)).query(places)[0]
    assert np.abs(distance - true)[clear].max() < 2 * VOXEL_M
    outside = np.array([[-1e6, 3.0, 1.0], [3.0, 1e6, 1.0]])
    found, distance = grid.lookup(*((outside - grid.low) / VOXEL_M).T)
    assert (found == NO_OBJECT).all() and (distance > 30).all()


def test_distances_beyond_what_a_cell_can_hold_do_not_change_owners() -> None:
    far = ("tower", (90.0, 3.0, 0.9), (0.6, 0.5, 0.4))
    scene = box_scene([*THINGS, far], [look_at(np.array([3.0, 0.5, 1.9]), np.array([2.5, 4.0, 1.0]))])
    grid = LabelGrid(scene, VisibilityConfig(voxel_m=0.5, tolerance_m=60.0))
    x = np.arange(1, grid.shape[0] - 1, dtype=np.float32)
    found, distance = grid.lookup(x, np.full_like(x, 8), np.full_like(x, 3))
    assert set(found.tolist()) <= {NO_OBJECT, *(thing.id for thing in scene.objects)}
    assert distance.max() == pytest.approx(32.767)
