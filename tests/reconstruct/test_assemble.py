"""From views to a scene: places, depth and cameras fit together in metres, and a folder keeps them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fused_rooms as rooms
from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.reconstruct.assemble import Reconstruction, reconstruct_estimate, reconstruct_scene
from spaceland.reconstruct.fuse_sizes import FuseSettings
from spaceland.reconstruct.layers import horizontal_layers, patches_of
from spaceland.reconstruct.scale import ScaleHint
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView
from spaceland.scenes.folder import read_scene
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.points import frame_points
from spaceland.scenes.sources import open_source

pytest.importorskip("open3d", reason="fusing needs open3d (extra recon)", exc_type=ImportError)

Z = np.array([0.0, 0.0, 1.0])
MOTION, FACTOR = rooms.random_motion(21), 0.31


def _grey(camera: PinholeCamera) -> np.ndarray:
    return np.full((camera.height, camera.width, 3), 120, dtype=np.uint8)


def _estimate(motion: np.ndarray, factor: float, *, metric: bool = False) -> tuple[Estimate, list[CaptureImage]]:
    """What an estimator without a single error would make of a sample room."""
    seen = rooms.moved(rooms.views(rooms.PLAIN), motion, factor)
    views = tuple(
        EstimatedView(v.id, v.camera, v.T_world_cam, v.depth(), v.depth_camera) for v in seen if v.depth is not None
    )
    images = [
        CaptureImage(v.id, k, v.camera.width, v.camera.height, partial(_grey, v.camera), 0.5 * k)
        for k, v in enumerate(seen)
    ]
    extra = CaptureImage("lost", 99, 320, 240, partial(_grey, seen[0].camera))
    lost = {"lost": "too few matches"}
    return Estimate(views, None, metric, "unknown", lost, {"registered_share": 0.97}), [*images, extra]


@pytest.fixture(scope="module")
def result() -> Reconstruction:
    estimate, images = _estimate(MOTION, FACTOR)
    true_height_m = float(np.median([view.T_world_cam[2, 3] for view in rooms.views(rooms.PLAIN)]))
    return reconstruct_estimate(
        estimate, images, scene_id="mine", hint=ScaleHint.parse(f"camera-height={true_height_m}")
    )


def _to_scene(result: Reconstruction, room_points: np.ndarray) -> np.ndarray:
    """Points of the sample room, through the estimate's world, in the reconstructed scene."""
    record = result.scene.provenance["reconstruction"]
    assert isinstance(record, dict)
    T = np.array(record["T_scene_source"])
    return transform_points(T, transform_points(MOTION, room_points) * FACTOR)


def test_known_places_keep_their_distances_and_heights(result: Reconstruction) -> None:
    true = np.array([thing.center for thing in rooms.room(rooms.PLAIN).objects])
    found = _to_scene(result, true)
    assert np.abs(found[:, 2] - true[:, 2]).max() < 0.005
    apart, true_apart = (np.linalg.norm(p[:, None] - p[None], axis=2) for p in (found, true))
    assert np.abs(apart - true_apart).max() < 0.01


def test_depth_of_the_frames_lies_on_the_true_room(result: Reconstruction) -> None:
    scene = result.scene
    assert scene.geometry == "estimated"
    assert len(scene.frames) == len(rooms.views(rooms.PLAIN))
    for k in (0, 11):
        true = frame_points(rooms.room(rooms.PLAIN).frames[k], 9)
        assert np.abs(_to_scene(result, true) - frame_points(scene.frames[k], 9)).max() < 0.005
    assert scene.frames[3].timestamp_s == 1.5


def test_the_surface_is_in_metres_and_on_the_floor(result: Reconstruction) -> None:
    surface = result.scene.surface
    assert surface is not None
    low, high = np.percentile(surface.vertices[:, 2], [1, 99])
    room = rooms.room(rooms.PLAIN).room
    assert room is not None and room.height_m is not None
    assert abs(low) < 0.02 and high <= room.height_m + 0.02
    top = horizontal_layers(patches_of(surface, np.zeros((0, 3))), Z)[0]
    assert abs(top.height) < 0.003


def test_provenance_says_all_and_is_plain(result: Reconstruction) -> None:
    record = result.scene.provenance["reconstruction"]
    assert isinstance(record, dict)
    assert json.loads(json.dumps(result.scene.provenance))["estimator"] == {"registered_share": 0.97}
    assert record["metric"] is True and record["scale_source"].startswith("given by the user")
    assert record["world"]["up_source"] == "floor"
    assert result.scene.skipped == {"picture: too few matches": 1}


def test_without_a_hint_the_scene_is_flagged() -> None:
    estimate, images = _estimate(np.eye(4), 3.0)
    some = replace(estimate, views=estimate.views[::2])
    result = reconstruct_estimate(some, images, scene_id="mine")
    record = result.scene.provenance["reconstruction"]
    assert isinstance(record, dict)
    assert record["metric"] is False and record["scale_source"] == "unknown (camera height assumed 1.5 m)"
    heights = [frame.T_world_cam[2, 3] for frame in result.scene.frames]
    assert np.median(heights) == pytest.approx(1.5, abs=1e-6)


def test_a_folder_keeps_everything(result: Reconstruction, tmp_path: Path) -> None:
    few = replace(result.scene, frames=result.scene.frames[:3])
    write_scene(few, tmp_path / "scene")
    back = read_scene(tmp_path / "scene")
    assert back.geometry == "estimated" and back.provenance == json.loads(json.dumps(few.provenance))
    assert back.surface is not None and few.surface is not None
    assert np.abs(back.surface.vertices - few.surface.vertices).max() < 1e-5
    assert back.surface.faces is not None and few.surface.faces is not None
    assert np.array_equal(back.surface.faces, few.surface.faces)
    for old, new in zip(few.frames, back.frames, strict=True):
        assert np.array_equal(old.T_world_cam, new.T_world_cam)
        assert old.depth is not None and new.depth is not None
        assert np.abs(old.depth() - new.depth()).max() < 1e-4
        assert np.array_equal(new.color(), old.color())


def test_motion_and_unit_of_the_input_do_not_matter(result: Reconstruction) -> None:
    true_height_m = float(np.median([view.T_world_cam[2, 3] for view in rooms.views(rooms.PLAIN)]))
    estimate, images = _estimate(rooms.random_motion(5), 17.0)
    other = reconstruct_estimate(
        estimate, images, scene_id="mine", hint=ScaleHint.parse(f"camera-height={true_height_m}")
    )
    for a, b in zip(result.scene.frames, other.scene.frames, strict=True):
        assert np.abs(a.T_world_cam - b.T_world_cam).max() < 0.03


def test_a_posed_scene_becomes_level_with_its_objects() -> None:
    """Frames of a sample room in a tilted world; nothing is scaled, and boxes move along."""
    scene = rooms.room(rooms.PLAIN)
    T = rooms.random_motion(31)
    seen = rooms.views(rooms.PLAIN)[::2]
    frames = [
        replace(frame, T_world_cam=T @ frame.T_world_cam, depth=view.depth, color=partial(_grey, frame.camera))
        for frame, view in zip(scene.frames[::2], seen, strict=True)
    ]
    objects = [
        replace(t, points=transform_points(T, t.points), box=replace(
            t.box, center=transform_points(T, t.box.center), rotation=T[:3, :3] @ t.box.rotation))
        for t in scene.objects
    ]  # fmt: skip
    tilted = replace(scene, frames=tuple(frames), objects=tuple(objects), surface=None, room=None)
    result = reconstruct_scene(tilted, hint=ScaleHint.parse("camera-height=1.0"))
    assert result.scene.geometry == "generated"
    assert result.scale.metres_per_unit == 1.0
    assert result.scale.hint_off_percent is not None and result.scale.hint_off_percent > 20 and result.warnings
    for old, new in zip(scene.objects, result.scene.objects, strict=True):
        assert new.center[2] == pytest.approx(old.center[2], abs=0.005)
        assert np.array_equal(new.box.size, old.box.size)
        assert new.points[:, 2].min() == pytest.approx(old.points[:, 2].min(), abs=0.01)


def test_a_view_without_its_picture_is_an_error() -> None:
    estimate, images = _estimate(np.eye(4), 1.0)
    with pytest.raises(ReconstructionError, match="has no picture"):
        reconstruct_estimate(estimate, images[1:], scene_id="mine")
    bare = replace(estimate, views=tuple(replace(view, depth=None) for view in estimate.views))
    with pytest.raises(ReconstructionError, match="nothing to fuse"):
        reconstruct_estimate(bare, images, scene_id="mine")


@pytest.fixture(scope="module")
def kitchen() -> Reconstruction:
    import os

    folder = os.environ.get("SPACELAND_REAL_DATA")
    if not folder:
        pytest.skip("set SPACELAND_REAL_DATA to a folder with real scans (CONTRIBUTING.md)")
    source = open_source(f"rgbd:{folder}/7scenes_redkitchen")
    return reconstruct_scene(source.open(source.ids()[0]), settings=FuseSettings(max_color_views=20))


@pytest.mark.real
def test_red_kitchen_stands_upright(kitchen: Reconstruction) -> None:
    """Against the floor plane (-0.0173, 0.8897, 0.4561), -1.548 of an independent fusion, whose normal points down."""
    up = -np.array([-0.0173, 0.8897, 0.4561])
    normal, height = np.split(kitchen.fix.T_level_world[2], [3])  # z of the level world, told in the old one
    off_deg = np.degrees(np.arccos(normal @ up / np.linalg.norm(up)))
    assert off_deg < 0.5
    assert height[0] == pytest.approx(1.548, abs=0.015)
    assert kitchen.fix.up_source == "floor" and kitchen.fix.wall_lean_deg is not None
    assert kitchen.fix.wall_lean_deg < 2.0
    assert not kitchen.warnings
    assert kitchen.fused.report.colored_share > 0.8  # 20 of its pictures show


@pytest.mark.real
def test_red_kitchen_has_its_table_and_work_top(kitchen: Reconstruction) -> None:
    surface = kitchen.scene.surface
    assert surface is not None
    patches = patches_of(surface, np.zeros((0, 3)))
    layers = [layer for layer in horizontal_layers(patches, Z) if 0.6 < layer.height < 0.8]
    table = max(layers, key=lambda layer: layer.area)
    assert table.height == pytest.approx(0.73, abs=0.03)
    assert table.area > 1.0
    # The work top is black and shining: the sensor saw its front edge alone. It runs along the far wall, left of the
    # red shelf, which is at 0.92 m.
    x, y = patches.points[:, 0], patches.points[:, 1]
    counter = patches.where((x > -1.7) & (x < -0.4) & (y > 0.35) & (y < 1.2))
    layers = [layer for layer in horizontal_layers(counter, Z) if 0.78 < layer.height < 1.0]
    assert 0.86 <= max(layers, key=lambda layer: layer.area).height <= 0.90
