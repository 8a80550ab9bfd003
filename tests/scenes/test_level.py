"""Floor planes, levelling, and points from depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.planes import find_floor, fit_plane, thin
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import (
    WORLD_UP,
    from_rotation_translation,
    look_at,
    rotation_between,
    rotation_z,
    transform_points,
)
from spaceland.scenes.level import camera_up, level_transform
from spaceland.scenes.points import depth_edges, depth_points, frame_points, fuse_points, read_depth
from spaceland.scenes.scene import Scene

CAMERA_POSES = [look_at(np.array([1.0 + k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(4)]
BOXES = [("bed", (2, 4, 0.25), (2.0, 2.0, 0.5)), ("table", (4.5, 5, 0.4), (1.2, 1.6, 0.8))]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(BOXES, CAMERA_POSES)


def grid(z: float, x: tuple[float, float], y: tuple[float, float], step_m: float = 0.05) -> np.ndarray:
    u, v = np.meshgrid(np.arange(*x, step_m), np.arange(*y, step_m))
    return np.stack([u, v, np.full_like(u, z)], -1).reshape(-1, 3)


@pytest.mark.parametrize("tilt_deg", [0.0, 2.0, 20.0, 40.0])
def test_floor_of_a_noisy_room_with_larger_tables(tilt_deg: float) -> None:
    """Most upward area is a table and a bed; still the floor below them is found, also in a tilted world."""
    rng = np.random.default_rng(1)
    parts = [grid(0.0, (0, 1.5), (0, 4)), grid(0.75, (1.5, 4), (0, 4)), grid(2.5, (0, 4), (0, 4))]
    wall = grid(0.0, (0, 4), (0, 2.5))[:, [0, 2, 1]]
    points = np.concatenate([*parts, wall, wall + np.array([0, 4, 0])])
    points += rng.normal(0, 0.008, points.shape)
    up = np.array([np.sin(np.radians(tilt_deg)), 0.0, np.cos(np.radians(tilt_deg))])
    R = rotation_between(WORLD_UP, up)
    floor = find_floor(points @ R.T + [0.3, 0.2, 1.0], WORLD_UP)
    assert floor is not None
    assert np.degrees(np.arccos(np.clip(floor.normal @ up, -1, 1))) < 0.5
    assert floor.height(R @ np.array([0.7, 2.0, 0.0]) + [0.3, 0.2, 1.0]) == pytest.approx(0.0, abs=0.01)


def test_floor_is_deterministic_and_ignores_far_strays() -> None:
    rng = np.random.default_rng(2)
    points = np.concatenate([grid(0.0, (0, 4), (0, 4)), rng.uniform(-0.5, 3, (300, 3))])
    first, second = find_floor(points, WORLD_UP), find_floor(points, WORLD_UP)
    assert first is not None and second is not None
    assert np.array_equal(first.normal, second.normal) and first.offset_m == second.offset_m


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 3)),
        np.zeros((2, 3)),
        np.full((50, 3), np.nan),
        np.zeros((50, 3)),
        np.random.default_rng(0).uniform(0, 3, (4000, 3)),
        grid(0.0, (0, 4), (0, 3))[:, [0, 2, 1]],
    ],
    ids=["empty", "two", "nan", "one place", "cloud", "wall"],
)
def test_no_floor_where_there_is_none(points: np.ndarray) -> None:
    assert find_floor(points, WORLD_UP, max_tilt_deg=30) is None


def test_fit_plane_and_thin() -> None:
    points = grid(2.0, (0, 1), (0, 1), 0.01)
    plane = fit_plane(points, WORLD_UP)
    assert np.allclose(plane.normal, WORLD_UP) and plane.offset_m == pytest.approx(2.0)
    assert len(thin(points, 0.1)) == 100


def test_level_transform_turns_floor_down_to_zero(scene: Scene) -> None:
    T = from_rotation_translation(
        rotation_between(WORLD_UP, np.array([0.1, -0.9, -0.3])) @ rotation_z(0.4), np.array([1.0, 2.0, 3.0])
    )
    frames = [replace(frame, T_world_cam=T @ frame.T_world_cam) for frame in scene.frames]
    up = T[:3, :3] @ WORLD_UP
    assert np.degrees(np.arccos(camera_up(frames) @ up)) < 45
    T_level, floor = level_transform(depth_points(frames), camera_up(frames), exact_up=False)
    assert floor is not None
    whole = T_level @ T
    assert np.allclose(whole[:3, :3] @ WORLD_UP, WORLD_UP, atol=0.003)
    assert transform_points(whole, np.array([3.0, 4.0, 0.0]))[2] == pytest.approx(0.0, abs=0.01)


def test_camera_up_without_frames_is_z() -> None:
    assert np.array_equal(camera_up([]), WORLD_UP)


def test_frame_points_lie_on_the_surface(scene: Scene) -> None:
    frame = scene.frames[0]
    points = frame_points(frame, step=3)
    assert frame.depth is not None and scene.surface is not None and scene.surface.faces is not None
    direction = points - frame.T_world_cam[:3, 3]
    hits = RayCaster(scene.surface.vertices, scene.surface.faces).cast(frame.T_world_cam[:3, 3], direction)
    assert np.allclose(hits.distance, 1.0, atol=2e-4)
    with pytest.raises(SceneError, match="no depth"):
        frame_points(replace(frame, depth=None))


def box_distance_m(box: OrientedBox, points: np.ndarray) -> np.ndarray:
    """Distance from points to the surface of a box."""
    beyond = np.abs(box.to_box_frame(points)) - box.size / 2
    return np.abs(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0))


def test_fused_points_have_place_and_colour_of_the_room(scene: Scene) -> None:
    surface = fuse_points(scene, voxel_m=0.05)
    assert surface.faces is None and surface.colors is not None
    assert len(surface.vertices) == len(surface.colors) > 5000
    # Each point lies on the floor, a wall or a box: within a cell of one of the planes of the room.
    x, y, z = surface.vertices.T
    room_m = np.min(np.abs([x, x - 6, y, y - 8, z, z - 3]), axis=0)
    box_m = [box_distance_m(thing.box, surface.vertices) for thing in scene.objects]
    assert np.minimum(room_m, np.min(box_m, axis=0)).max() < 0.03
    on_table = scene.objects[1].box.contains(surface.vertices, -0.02) | (
        (np.abs(z - 0.8) < 0.005) & (np.abs(x - 4.5) < 0.5) & (np.abs(y - 5) < 0.7)
    )
    assert scene.surface is not None and scene.surface.colors is not None and scene.surface.object_ids is not None
    color = scene.surface.colors[scene.surface.object_ids == 1][0]
    assert on_table.sum() > 100
    assert np.abs(surface.colors[on_table].astype(int) - color).max() <= 1


def test_fusing_more_frames_sees_more_and_min_seen_drops(scene: Scene) -> None:
    one, all_of_them = fuse_points(scene, stride=4), fuse_points(scene)
    twice = fuse_points(scene, min_seen=2)
    assert len(one.vertices) < len(all_of_them.vertices)
    assert 0 < len(twice.vertices) < len(all_of_them.vertices)
    keys = np.floor(all_of_them.vertices / 0.02).astype(int)
    assert len(np.unique(keys, axis=0)) == len(keys)


def test_fusing_uses_the_colour_camera(scene: Scene) -> None:
    """With a colour camera of half the field of view, only what it sees has a colour and is kept."""
    frame = scene.frames[0]
    narrow = replace(frame, camera=replace(frame.camera, fx=520.0, fy=520.0))
    image = frame.color()
    narrow = replace(narrow, color=lambda: image, depth_camera=frame.camera)
    few = fuse_points(replace(scene, frames=(narrow,)))
    uv, _ = narrow.camera.project((few.vertices - frame.T_world_cam[:3, 3]) @ frame.T_world_cam[:3, :3])
    assert (np.abs(uv - [160, 120]) < [165, 125]).all()
    assert len(few.vertices) < 0.6 * len(fuse_points(replace(scene, frames=(frame,))).vertices)


def test_fusing_without_depth_is_refused(scene: Scene) -> None:
    bare = replace(scene, frames=tuple(replace(frame, depth=None) for frame in scene.frames))
    with pytest.raises(SceneError, match="no depth images"):
        fuse_points(bare)
    assert depth_points(bare.frames).shape == (0, 3)


def test_edges_of_a_step_in_depth() -> None:
    depth = np.full((4, 6), 1.0, np.float32)
    depth[:, 3:] = 1.1  # 10 cm, where 6.x cm are allowed
    depth[0, 0] = 0.0  # unknown
    both, far = depth_edges(depth), depth_edges(depth, far_side=True)
    expected = np.zeros_like(both)
    expected[:, 3] = True
    np.testing.assert_array_equal(far, expected)
    expected[:, 2] = True
    expected[0, :2] = expected[1, 0] = True
    np.testing.assert_array_equal(both, expected)
    assert not depth_edges(depth, 0.2, 0.0, far_side=True).any()


def test_depth_is_positive_or_unknown() -> None:
    camera = box_scene(BOXES, CAMERA_POSES).frames[0].camera
    found, scaled = read_depth("f", lambda: np.array([[1.0, np.nan, -1.0, np.inf]]), camera)
    assert found.dtype == np.float32 and found.tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert (scaled.width, scaled.height, scaled.fx) == (4, 1, camera.fx * 4 / camera.width)
    for broken in (np.zeros(3), np.zeros((0, 4)), np.zeros((2, 2, 1))):
        with pytest.raises(SceneError, match="frame f: depth has shape"):
            read_depth("f", lambda broken=broken: broken, camera)
