"""Levelling: exact on rooms in any pose and unit; tables, ceilings and missing floors are not taken for a floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

import fused_rooms as rooms
from spaceland.errors import ReconstructionError
from spaceland.geometry.planes import find_floor
from spaceland.geometry.transforms import look_at, rotation_z, transform_points
from spaceland.reconstruct.fuse import fuse
from spaceland.reconstruct.layers import horizontal_layers, patches_of, weighted_median
from spaceland.reconstruct.upright import level_world, rough_up
from spaceland.scenes.scene import Surface

Z = np.array([0.0, 0.0, 1.0])


def _walk(height: float = 1.5, down: float = 0.6, num: int = 12) -> list[np.ndarray]:
    """Cameras in the middle of a 4 x 3 room that look around and down."""
    return [
        look_at(np.array([2.0, 1.5, height]), np.array([2 + np.cos(a), 1.5 + np.sin(a), height - down]))
        for a in np.linspace(0.3, 5.5, num)
    ]


def _up_error_deg(T_level: np.ndarray, T: np.ndarray) -> float:
    """Between the found up and the true one of a world that T moved."""
    up = T[:3, :3] @ Z
    return float(np.degrees(np.arccos(np.clip(T_level[2, :3] @ up, -1, 1))))


def _off_axis_deg(direction: np.ndarray) -> float:
    angle = np.degrees(np.arctan2(direction[1], direction[0])) % 90
    return float(min(angle, 90 - angle))


@pytest.mark.parametrize(
    ("seed", "motion", "factor"),
    [
        (rooms.PLAIN, None, 1.0),
        (rooms.PLAIN, 1, 1.0),
        (rooms.PLAIN, 2, 0.137),
        pytest.param(rooms.L_SHAPED, 3, 41.0, marks=pytest.mark.heavy),
    ],
)
def test_rooms_in_any_pose_and_unit(seed: int, motion: int | None, factor: float) -> None:
    pytest.importorskip("open3d", reason="fusing needs open3d (extra recon)", exc_type=ImportError)
    T = np.eye(4) if motion is None else rooms.random_motion(motion)
    surface = rooms.moved_surface(rooms.fused(seed).surface, T, factor)
    poses = rooms.moved_poses([view.T_world_cam for view in rooms.views(seed)], T, factor)
    fix = level_world(surface, poses, metric=factor == 1.0)
    assert fix.floor_found and fix.up_source == "floor" and fix.yaw_source == "walls" and not fix.warnings
    assert _up_error_deg(fix.T_level_world, T) < 0.05
    # Points of the true floor are at 0, and true heights are kept.
    rng = np.random.default_rng(0)
    true = np.column_stack([rng.uniform(-2, 2, (50, 2)), rng.uniform(0, 2, 50)])
    z = transform_points(fix.T_level_world, transform_points(T, true) * factor)[:, 2] / factor
    assert np.abs(z - true[:, 2]).max() < 0.005
    true_height = np.median([view.T_world_cam[2, 3] for view in rooms.views(seed)])
    assert fix.camera_height == pytest.approx(true_height * factor, rel=0.003)
    room = rooms.room(seed).room
    assert room is not None
    corners = np.column_stack([room.floor_polygon, np.zeros(len(room.floor_polygon))])
    level = transform_points(fix.T_level_world, transform_points(T, corners) * factor)
    for edge in np.roll(level, -1, axis=0) - level:
        assert _off_axis_deg(edge) < 1.0
    # The first camera looks most towards +y.
    forward = fix.T_level_world[:3, :3] @ poses[0][:3, 2]
    assert forward[1] >= abs(forward[0]) - 1e-6
    rotation = fix.T_level_world[:3, :3]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9) and np.linalg.det(rotation) > 0


@pytest.mark.heavy
def test_estimated_depth_with_noise_and_outliers_still_stands() -> None:
    """Each view has a scale of its own (5 %), smooth errors of 5 %, and 10 % of its pixels are wrong altogether."""
    pytest.importorskip("open3d", reason="fusing needs open3d (extra recon)", exc_type=ImportError)
    rng, T, factor = np.random.default_rng(1), rooms.random_motion(9), 0.3
    noisy = []
    for view in rooms.moved(rooms.views(rooms.PLAIN), T, factor):
        assert view.depth is not None
        depth = view.depth() * (1 + rng.normal(0, 0.05))
        smooth = ndimage.gaussian_filter(rng.normal(size=depth.shape), 25)
        wrong = np.where(rng.random(depth.shape) < 0.1, rng.uniform(0.3, 2, depth.shape), 1.0)
        noisy.append(replace(view, depth=partial(np.copy, depth * (1 + 0.05 * smooth / smooth.std()) * wrong)))
    result = fuse(noisy, "estimated", metric=False)
    fix = level_world(result.surface, [view.T_world_cam for view in noisy], metric=False)
    assert fix.floor_found and fix.yaw_source != "none"
    assert _up_error_deg(fix.T_level_world, T) < 2.0
    true_height = np.median([view.T_world_cam[2, 3] for view in rooms.views(rooms.PLAIN)])
    assert fix.camera_height == pytest.approx(true_height * factor, rel=0.06)
    room = rooms.room(rooms.PLAIN).room
    assert room is not None
    edge = np.append(room.floor_polygon[1] - room.floor_polygon[0], 0.0)
    assert _off_axis_deg(fix.T_level_world[:3, :3] @ T[:3, :3] @ edge) < 2.0


def test_a_rigid_motion_changes_nothing_in_the_level_world() -> None:
    floor = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    levels = []
    for k in range(4):
        T = rooms.random_motion(k, far_m=50)
        fix = level_world(rooms.moved_surface(floor, T, 1.0), rooms.moved_poses(_walk(), T, 1.0), metric=True)
        levels.append(fix.T_level_world @ T)
    for other in levels[1:]:
        assert np.abs(other - levels[0]).max() < 0.01
    origin = transform_points(levels[0], np.array([2.0, 1.5, 0.0]))
    assert np.abs(origin).max() < 0.05


def test_a_large_table_is_no_floor() -> None:
    """Little floor is seen beside a table of four times its area."""
    world = rooms.joined(
        rooms.quad([0, 0, 0], [0.5, 0, 0], [0, 3, 0]),
        rooms.quad([0.8, 0.2, 0.75], [2.8, 0, 0], [0, 2.4, 0]),
        rooms.walls(4, 3, 2.5),
    )
    for metric in (True, False):
        fix = level_world(world, _walk(), metric=metric)
        assert fix.floor_found
        assert fix.camera_height == pytest.approx(1.5, abs=0.01)


def test_things_below_the_floor_are_noise() -> None:
    """A reflection in a shining floor puts a little level surface below it."""
    world = rooms.joined(
        rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]),
        rooms.quad([1, 1, -0.8], [0.8, 0, 0], [0, 0.8, 0]),
        rooms.walls(4, 3, 2.5),
    )
    assert level_world(world, _walk(), metric=True).camera_height == pytest.approx(1.5, abs=0.01)


def test_a_ceiling_is_no_floor() -> None:
    """The camera saw ceiling and walls alone."""
    ceiling = rooms.quad([0, 0, 2.5], [0, 3, 0], [4, 0, 0])
    fix = level_world(rooms.joined(ceiling, rooms.walls(4, 3, 2.5)), _walk(down=-0.5), metric=True)
    assert not fix.floor_found and fix.floor_source == "lowest surface seen"
    assert "no floor" in fix.warnings[0]
    assert fix.up_source.startswith("cameras held level")
    assert _up_error_deg(fix.T_level_world, np.eye(4)) < 0.5


def test_without_floor_up_comes_from_cameras_and_walls() -> None:
    """All cameras look down by 31 degrees; their mean upward axis leans, the answer does not."""
    T = rooms.random_motion(8)
    poses = rooms.moved_poses(_walk(num=5), T, 1.0)
    up, source = rough_up(poses)
    assert source == "cameras held level"
    assert up @ (T[:3, :3] @ Z) > np.cos(np.radians(0.1))
    world = rooms.moved_surface(rooms.walls(4, 3, 2.5), T, 1.0)
    fix = level_world(world, poses, metric=True)
    assert not fix.floor_found
    assert _up_error_deg(fix.T_level_world, T) < 0.2
    z = transform_points(fix.T_level_world, world.vertices)[:, 2]
    assert abs(float(z.min())) < 0.1


def test_no_walls_no_turn() -> None:
    floor = rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0])
    fix = level_world(floor, _walk(), metric=True)
    assert fix.floor_found and fix.yaw_source == "none" and fix.wall_lean_deg is None
    assert np.abs(fix.T_level_world[:3, :3] - np.eye(3)).max() < 1e-6
    assert any("walls" in text for text in fix.warnings)


def test_walls_that_lean_are_reported_and_weighed() -> None:
    lean = 2.5 * np.tan(np.radians(6))
    world = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5, lean))
    fix = level_world(world, _walk(), metric=True)
    assert fix.up_source == "floor and walls"
    assert fix.wall_lean_deg == pytest.approx(6.0, abs=0.5)
    assert 0.5 < _up_error_deg(fix.T_level_world, np.eye(4)) < 5.5
    assert any("lean" in text for text in fix.warnings)
    straight = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    assert level_world(straight, _walk(), metric=True).wall_lean_deg == pytest.approx(0.0, abs=0.01)


def test_noise_and_round_furniture_do_not_turn_the_room() -> None:
    rng = np.random.default_rng(3)
    world = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    T = np.eye(4)
    T[:3, :3] = rotation_z(np.radians(33))
    noisy = Surface(world.vertices + rng.normal(0, 0.004, world.vertices.shape), None, world.faces)
    round_table = [
        rooms.quad([2 + 0.6 * c, 1.5 + 0.6 * s, 0.0], [-0.2 * s, 0.2 * c, 0.0], [0.0, 0.0, 0.7])
        for c, s in ((float(np.cos(a)), float(np.sin(a))) for a in np.arange(0, 6.28, 0.33))
    ]
    fix = level_world(rooms.moved_surface(rooms.joined(noisy, *round_table), T, 1.0), _walk(), metric=True)
    turned = fix.T_level_world[:3, :3] @ T[:3, :3] @ np.array([1.0, 0, 0])
    assert _off_axis_deg(turned) < 0.5
    assert 0.3 < fix.wall_confidence < 0.99


def test_a_surface_too_rough_for_normals_is_turned_by_its_plan() -> None:
    rng = np.random.default_rng(4)
    world = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    rough = Surface(world.vertices + rng.normal(0, 0.05, world.vertices.shape), None, world.faces)
    for turn_deg in (8, 33, 70):
        T = np.eye(4)
        T[:3, :3] = rotation_z(np.radians(turn_deg))
        fix = level_world(rooms.moved_surface(rough, T, 1.0), rooms.moved_poses(_walk(), T, 1.0), metric=True)
        assert fix.yaw_source == "lines in plan" and fix.wall_confidence < 0.3
        assert _off_axis_deg(fix.T_level_world[:3, :3] @ T[:3, :3] @ np.array([1.0, 0, 0])) < 1.0
        assert _up_error_deg(fix.T_level_world, T) < 0.7


def test_a_round_room_is_not_turned() -> None:
    angles = np.arange(0, 2 * np.pi, 2 * np.pi / 60)
    ring = [
        rooms.quad([2 * c, 2 * s, 0.0], [0.21 * s, -0.21 * c, 0.0], [0.0, 0.0, 2.5])
        for c, s in ((float(np.cos(a)), float(np.sin(a))) for a in angles)
    ]
    world = rooms.joined(rooms.quad([-2, -2, 0], [4, 0, 0], [0, 4, 0]), *ring)
    fix = level_world(world, _walk(), metric=True)
    assert fix.floor_found and fix.yaw_source == "none" and fix.wall_confidence < 0.2


def test_a_cloud_without_triangles_works_too() -> None:
    rng = np.random.default_rng(5)
    T = rooms.random_motion(4)
    world = rooms.joined(
        rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]),
        rooms.walls(4, 3, 2.5),
        rooms.quad([0, 0, 2.5], [0, 3, 0], [4, 0, 0]),
    )
    points = world.vertices + rng.normal(0, 0.003, world.vertices.shape)
    cloud = Surface(transform_points(T, points), None, None)
    fix = level_world(cloud, rooms.moved_poses(_walk(), T, 1.0), metric=True)
    assert fix.floor_found and fix.camera_height == pytest.approx(1.5, abs=0.01)
    assert _up_error_deg(fix.T_level_world, T) < 0.3


@pytest.mark.parametrize("poses", [(), (np.full((4, 4), np.nan),)])
def test_without_cameras_world_z_is_up(poses: Sequence[np.ndarray]) -> None:
    world = rooms.joined(rooms.quad([0, 0, 0.3], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    fix = level_world(world, poses, metric=True)
    assert fix.floor_found and fix.camera_height is None
    assert fix.T_level_world[2, 3] == pytest.approx(-0.3, abs=1e-6)


def test_an_empty_surface_is_an_error() -> None:
    with pytest.raises(ReconstructionError, match="too few"):
        level_world(Surface(np.zeros((0, 3)), None, np.zeros((0, 3), dtype=int)), _walk(), metric=True)
    with pytest.raises(ReconstructionError, match="too few"):
        level_world(Surface(np.full((40, 3), np.nan)), _walk(), metric=True)


def test_a_camera_near_the_floor_found_is_a_warning() -> None:
    table = rooms.joined(rooms.quad([0.5, 0.5, 0.75], [3, 0, 0], [0, 2, 0]), rooms.walls(4, 3, 2.5))
    fix = level_world(table, _walk(height=1.1, down=0.5), metric=True)
    assert any("table" in text for text in fix.warnings)


def test_find_floor_with_normals_knows_a_ceiling() -> None:
    """Without normals a bare ceiling looks like a floor."""
    ceiling = rooms.quad([0, 0, 2.5], [0, 3, 0], [4, 0, 0])
    patches = patches_of(ceiling, np.zeros((0, 3)))
    assert find_floor(patches.points, Z) is not None
    assert find_floor(patches.points, Z, normals=patches.normals) is None
    floor = find_floor(patches.points, Z, normals=-patches.normals)
    assert floor is not None and floor.offset_m == pytest.approx(2.5)


def test_layers_have_their_height_and_area() -> None:
    world = rooms.joined(
        rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]),
        rooms.quad([1, 1, 0.73], [1.2, 0, 0], [0, 0.8, 0]),
        rooms.quad([3, 0, 0.88], [0.6, 0, 0], [0, 2.0, 0]),
        rooms.quad([1, 1, 0.70], [0, 0.8, 0], [1.2, 0, 0]),  # the table from below
    )
    layers = horizontal_layers(patches_of(world, np.zeros((0, 3))), Z)
    assert [round(layer.height, 3) for layer in layers] == [0.0, 0.73, 0.88]
    assert [layer.area for layer in layers] == pytest.approx([12.0, 0.96, 1.2])


def test_weighted_median_is_where_half_of_the_weight_is() -> None:
    rng = np.random.default_rng(0)
    values, counts = rng.normal(size=201), rng.integers(1, 9, 201)
    counts[0] += 1 - counts.sum() % 2
    assert weighted_median(values, counts.astype(float)) == np.median(np.repeat(values, counts))
