"""A plain video of a real kitchen becomes a scene in metres; how far off, against its RGB-D recording.

RedKitchen (7-Scenes): video frame j is raw frame 3 j; the recording holds every fifth raw frame with a true pose and
depth. What comes out is printed (`pytest -s`); the limits are those that a user would still call usable.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from spaceland.geometry.alignment import Similarity, similarity_alignment
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.run import Prepared, prepare
from spaceland.prompts import MarkConfig, mark_scene
from spaceland.reconstruct.layers import horizontal_layers, patches_of
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_scene

DATA = Path(os.environ.get("SPACELAND_REAL_DATA", ""))
VIDEO = DATA / "videos/redkitchen_10fps.mp4"
FLOOR_NORMAL = np.array([-0.0173, 0.8897, 0.4561])
"""Of the floor in the recording's world, up or down."""

pytestmark = [
    pytest.mark.real,
    pytest.mark.heavy,
    pytest.mark.skipif(
        not os.environ.get("SPACELAND_REAL_DATA") or not VIDEO.is_file(),
        reason="set SPACELAND_REAL_DATA to a folder with real scans (CONTRIBUTING.md)",
    ),
]


@pytest.fixture(scope="module")
def truth() -> dict[int, Frame]:
    """Frames of the recording by raw frame number."""
    scene = open_scene(f"rgbd:{DATA / '7scenes_redkitchen'}")
    return {int(frame.id): frame for frame in scene.frames}


@pytest.fixture(scope="module")
def kitchen(truth: dict[int, Frame], tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The kitchen, scaled by one length on the table that the recording tells."""
    for module in ("cv2", "pycolmap", "open3d"):
        pytest.importorskip(module, reason="videos need the extra recon")
    work = Path(os.environ.get("SPACELAND_KITCHEN_WORK") or tmp_path_factory.mktemp("kitchen"))
    # Evenly spread pictures hit those whose pose is known 17 times, all over the video; chosen by motion, 11 times.
    config = PipelineConfig(keyframe_method="uniform", keyframes=80)
    unscaled = prepare(str(VIDEO), work, replace(config, objects="none"))
    hint = length_hint(pairs_of(unscaled.scene, truth))
    return prepare(str(VIDEO), work, replace(config, scale=hint), say=print)


def pairs_of(scene: Scene, truth: dict[int, Frame]) -> list[tuple[Frame, Frame]]:
    """Frames of the scene whose true pose is known."""
    raw = {frame.id: 3 * int(frame.id.rpartition("_")[2]) for frame in scene.frames}
    return [(frame, truth[raw[frame.id]]) for frame in scene.frames if raw[frame.id] in truth]


def seen_by(frame: Frame, true: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the scene's frame [n, 2], true depths [n] and points [n, 3] in the camera of what the sensor saw."""
    assert true.depth is not None and true.depth_camera is not None
    depth = true.depth().ravel()
    points = true.depth_camera.unproject(
        true.depth_camera.pixel_centers().reshape(-1, 2)[depth > 0], depth[depth > 0].astype(float)
    )
    pixels, z = frame.camera.project(points)
    inside = frame.camera.contains(pixels)
    return pixels[inside], z[inside], points[inside]


def length_hint(pairs: list[tuple[Frame, Frame]]) -> str:
    """The farthest two points on smooth surfaces of the picture that shows most of those, and how far apart they are:
    what somebody measures with a tape along a table or a wall."""
    choices = []
    for frame, true in pairs:
        assert frame.depth is not None
        pixels, _, points = seen_by(frame, true)
        camera, known = frame.depth_camera or frame.camera, frame.depth()
        low, high = ndimage.minimum_filter(known, 15), ndimage.maximum_filter(known, 15)
        factor = np.array([camera.width / frame.camera.width, camera.height / frame.camera.height])
        column, row = (pixels * factor).astype(int).T
        smooth = np.flatnonzero(((low > 0) & (high < 1.08 * low))[row, column] & (points[:, 2] < 2.5))
        choices.append((len(smooth), frame.id, pixels, points, smooth))
    _, frame_id, pixels, points, smooth = max(choices, key=lambda choice: choice[0])
    spots = smooth[:: max(1, len(smooth) // 200)]
    apart = np.linalg.norm(points[spots, None] - points[None, spots], axis=-1)
    a, b = np.unravel_index(apart.argmax(), apart.shape)
    ends = ":".join(f"{u:.0f},{v:.0f}" for u, v in pixels[spots[[a, b]]])
    return f"length={frame_id}:{ends}={apart.max():.3f}"


def aligned(pairs: list[tuple[Frame, Frame]]) -> Similarity:
    """From the scene to the recording, by camera centres."""
    ours, theirs = (np.array([pair[k].T_world_cam[:3, 3] for pair in pairs]) for k in (0, 1))
    return similarity_alignment(ours, theirs)


def test_most_keyframes_are_posed_and_where_they_were(kitchen: Prepared, truth: dict[int, Frame]) -> None:
    poses = next(stage for stage in kitchen.stages if stage.name == "poses")
    assert poses.report["posed"] >= 0.8 * poses.report["pictures"]
    pairs = pairs_of(kitchen.scene, truth)
    fit = aligned(pairs)
    off = [np.linalg.norm(fit.apply(a.T_world_cam[:3, 3]) - b.T_world_cam[:3, 3]) for a, b in pairs]
    print(
        f"\n{len(pairs)} centres: {100 * np.median(off):.1f} cm median, {100 * np.percentile(off, 90):.1f} cm at 90 %"
    )
    assert len(pairs) >= 12 and np.median(off) < 0.06


def test_scale_level_and_heights(kitchen: Prepared, truth: dict[int, Frame]) -> None:
    scene = kitchen.scene
    assert scene.surface is not None and scene.geometry == "estimated"
    assert scene.provenance["reconstruction"]["metric"]
    fit = aligned(pairs_of(scene, truth))
    up = fit.rotation @ np.array([0.0, 0.0, 1.0])
    tilt = float(np.degrees(np.arccos(min(1.0, abs(up @ FLOOR_NORMAL) / np.linalg.norm(FLOOR_NORMAL)))))
    eyes = np.array([frame.T_world_cam[:3, 3] for frame in scene.frames])
    layers = horizontal_layers(patches_of(scene.surface, eyes), np.array([0.0, 0.0, 1.0]))
    table = max((layer for layer in layers if 0.6 < layer.height < 0.85), key=lambda layer: layer.area)
    print(f"\nscale {100 * (fit.scale - 1):+.1f} % off, up {tilt:.1f} degrees off, table top at {table.height:.3f} m")
    assert abs(fit.scale - 1) < 0.06 and tilt < 4 and abs(table.height - 0.73) < 0.06


def test_depth(kitchen: Prepared, truth: dict[int, Frame]) -> None:
    errors, shares = [], []
    for frame, true in pairs_of(kitchen.scene, truth):
        assert frame.depth is not None
        pixels, z, _ = seen_by(frame, true)
        camera, depth = frame.depth_camera or frame.camera, frame.depth()
        factor = np.array([camera.width / frame.camera.width, camera.height / frame.camera.height])
        column, row = (pixels * factor).astype(int).T
        found = depth[row, column]
        errors.append(np.abs(found / z - 1)[found > 0])
        shares.append((found > 0).mean())
    error = float(np.median(np.concatenate(errors)))
    print(f"\ndepth: {100 * error:.1f} % median relative error where known, known for {100 * np.mean(shares):.0f} %")
    assert error < 0.10


def test_it_can_be_marked(kitchen: Prepared, tmp_path: Path) -> None:
    made = mark_scene(kitchen.scene, tmp_path, MarkConfig())
    assert made.bev is not None
    seen = ~np.isnan(made.bev.height_m)
    assert seen.mean() > 0.2
    if kitchen.scene.objects:
        labels = [entry["label"] for entry in made.record["objects"]]
        print("\nmarked:", ", ".join(labels))
        assert labels.count("table") >= 1 and labels.count("chair") >= 2
