"""Geometry encoders as estimators of a reconstruction: an encoder that knows a sample room must give back that room.

Everything between the encoder and the scene is proven so (sizes, pixels, cameras, depth, confidence); networks with
weights of chance only show that they can be plugged in.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

sys.path.insert(0, str(Path(__file__).parent / "encoders"))
from da3_weights import BASE_LIKE, released, write
from tiny_vggt import tiny_vggt

from spaceland.errors import EncoderError, ReconstructionError, SceneError, SourceError
from spaceland.files import encode_png, write_bytes
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.models.encoders.vggt import save_vggt
from spaceland.models.estimator import EncoderEstimator, EncoderEstimatorSettings, frame_size
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.estimators import ESTIMATORS, pose_estimator
from spaceland.pipeline.run import prepare
from spaceland.reconstruct.types import CaptureImage
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

UNITS_PER_METRE = 0.4
ROOM, TABLE = 4, "table"
SPEC = EncoderSpec(
    name="truth",
    dim=8,
    num_layers=1,
    default_layers=(0,),
    licence="none",
    heads=frozenset({"pose", "depth"}),
    long_side_px=154,
)


@cache
def room(width: int = 160, height: int = 120, frames: int = 16) -> Scene:
    """A sample room with a table, some of its frames rendered once."""
    scene = open_scene(f"rooms:{ROOM}?width={width}&height={height}&frames=32")
    kept = []
    for frame in scene.frames[:: 32 // frames]:
        assert frame.depth is not None
        color, depth = frame.color(), frame.depth()
        kept.append(replace(frame, color=partial(_same, color), depth=partial(_same, depth)))
    return replace(scene, frames=tuple(kept))


def few() -> Scene:
    """Four frames of it."""
    return room(frames=4)


def _same(value: Any) -> Any:
    return value


class TruthEncoder:
    """Says what a perfect network would say of a room: the world is the first camera, the unit no metre."""

    def __init__(self, scene: Scene, confidence: float = 7.0, spec: EncoderSpec = SPEC) -> None:
        self.scene, self.confidence, self.spec = scene, confidence, spec
        self.seen: torch.Tensor | None = None

    def encode(
        self, frames: torch.Tensor, layers: Sequence[int] | None = None, *, truth: FrameTruth | None = None
    ) -> GeometryFeatures:
        raise NotImplementedError

    def predict(self, frames: torch.Tensor) -> GeometryPrediction:
        self.seen = frames
        height, width = frames.shape[-2:]
        T_first_world = invert_rigid(self.scene.frames[0].T_world_cam)
        poses, lenses, depths = [], [], []
        for frame in self.scene.frames[: len(frames)]:
            T = T_first_world @ frame.T_world_cam
            T[:3, 3] *= UNITS_PER_METRE
            assert frame.depth is not None
            depth = frame.depth()
            rows = ((np.arange(height) + 0.5) * depth.shape[0] / height).astype(int)
            cols = ((np.arange(width) + 0.5) * depth.shape[1] / width).astype(int)
            poses.append(T)
            lenses.append(frame.camera.scaled(width, height).K)
            depths.append(UNITS_PER_METRE * depth[rows[:, None], cols])
        depth = torch.tensor(np.array(depths), dtype=torch.float32)
        return GeometryPrediction(
            T_world_cam=torch.tensor(np.array(poses), dtype=torch.float32),
            K=torch.tensor(np.array(lenses), dtype=torch.float32),
            depth=depth,
            depth_confidence=torch.full_like(depth, self.confidence),
        )


def pictures(scene: Scene) -> list[CaptureImage]:
    return [
        CaptureImage(f"{k:03d}", k, frame.camera.width, frame.camera.height, frame.color)
        for k, frame in enumerate(scene.frames)
    ]


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((640, 480), 518, (518, 392)),
        ((480, 640), 518, (392, 518)),
        ((1080, 1920), 504, (280, 504)),
        ((4000, 100), 518, (518, 14)),
        ((30, 20), 518, (518, 350)),
        ((640, 480), 5, (14, 14)),
    ],
)
def test_pictures_keep_their_shape(size: tuple[int, int], long_side: int, expected: tuple[int, int]) -> None:
    assert frame_size(*size, long_side, 14) == expected


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(160, 120, (154, 112)), pytest.param(120, 160, (112, 154), marks=pytest.mark.heavy)],
)
def test_cameras_poses_and_depth_come_back_in_the_pixels_of_the_pictures(
    width: int, height: int, shown: tuple[int, int]
) -> None:
    scene = few() if width > height else room(width=width, height=height, frames=2)
    encoder, steps = TruthEncoder(scene), []
    estimate = EncoderEstimator(encoder).estimate(pictures(scene), lambda n, note: steps.append(n))
    assert (
        sum(steps) == len(scene.frames)
        and not estimate.metric
        and estimate.scale_source == "unknown"
        and not estimate.lost
    )
    assert estimate.report["frame_px"] == list(shown) and estimate.report["posed_share"] == 1
    assert encoder.seen is not None and encoder.seen.shape == (len(scene.frames), 3, shown[1], shown[0])
    assert 0 <= float(encoder.seen.min()) <= float(encoder.seen.max()) <= 1
    T_first_world = invert_rigid(scene.frames[0].T_world_cam)
    for view, frame, small in zip(estimate.views, scene.frames, encoder.seen, strict=True):
        truth = frame.camera
        assert (view.camera.width, view.camera.height) == (width, height)
        assert np.allclose(view.camera.K, truth.K, rtol=1e-6)
        expected = T_first_world @ frame.T_world_cam
        expected[:3, 3] *= UNITS_PER_METRE
        assert np.allclose(view.T_world_cam, expected, atol=1e-6)
        assert view.depth is not None and view.depth_camera is not None and view.depth.shape == shown[::-1]
        assert view.depth_camera == replace(view.depth_camera, width=shown[0], height=shown[1])
        # The same surface point whichever camera is asked: lifted from the depth, seen in the picture.
        points = view.depth_camera.pixel_rays() * view.depth[..., None]
        pixels, _ = view.camera.project(points)
        assert np.allclose(pixels, view.depth_camera.pixel_centers() * [width / shown[0], height / shown[1]], atol=1e-3)
        # The picture is upright and not mirrored.
        corner = frame.color()[: height // 2, : width // 2].mean((0, 1)) / 255
        assert np.allclose(small[:, : shown[1] // 2, : shown[0] // 2].mean((1, 2)).numpy(), corner, atol=0.02)


def test_confidence_compares_with_the_clip_and_removes_what_is_weak() -> None:
    scene = few()

    class Unsure(TruthEncoder):
        def predict(self, frames: torch.Tensor) -> GeometryPrediction:
            said = super().predict(frames)
            assert said.depth_confidence is not None and said.depth is not None
            said.depth_confidence[:, :20] = 1 + 0.5 * 6  # half of what the others have: a third
            said.depth_confidence[:, 20:30] = 1 + 0.4 * 6  # below 0.3
            said.depth_confidence[0, 30:40] = 1.0  # none
            said.depth[1, 40:45] = float("nan")
            return said

    estimate = EncoderEstimator(Unsure(scene)).estimate(pictures(scene))
    first, second = estimate.views[0], estimate.views[1]
    assert first.confidence is not None and first.depth is not None and second.depth is not None
    assert np.allclose(first.confidence[50:], 0.5) and np.allclose(first.confidence[:20], 1 / 3)
    assert (first.confidence[30:40] == 0).all()
    assert (first.depth[:20] > 0).all() and (first.depth[20:40] == 0).all() and (first.depth[40:] > 0).all()
    assert (second.depth[40:45] == 0).all() and np.isfinite(second.depth).all()
    assert estimate.report["median_raw_confidence"] == 7.0
    assert estimate.report["covered_share"] == round(1 - (10 + 2.5 + 1.25) / 112, 4)
    lower = EncoderEstimator(Unsure(scene), EncoderEstimatorSettings(min_confidence=0.25))
    assert (lower.estimate(pictures(scene)).views[0].depth[20:30] > 0).all()  # type: ignore[index]


@pytest.mark.heavy
def test_the_room_comes_out_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain pictures of a room become a level scene whose cameras, depth and table are where they are."""
    for module in ("cv2", "pycolmap", "open3d"):
        pytest.importorskip(module, reason="reconstruction needs the extra recon", exc_type=ImportError)
    scene = room()
    monkeypatch.setitem(ESTIMATORS, "truth", lambda config: EncoderEstimator(TruthEncoder(scene)))
    for k, frame in enumerate(scene.frames):
        write_bytes(tmp_path / f"photos/{k:03d}.png", encode_png(frame.color()))
    camera_height = float(np.median([frame.T_world_cam[2, 3] for frame in scene.frames]))
    config = PipelineConfig(
        poses="truth", keyframe_method="uniform", objects="none", scale=f"camera-height={camera_height}"
    )
    made = prepare(str(tmp_path / "photos"), tmp_path / "work", config)
    assert [stage.name for stage in made.stages] == ["keyframes", "poses", "scene"]  # depth is there already
    assert len(made.scene.frames) == len(scene.frames) and made.scene.surface is not None

    record: Any = made.scene.provenance["reconstruction"]
    T_scene_estimate = np.array(record["T_scene_source"])
    T_first_world = invert_rigid(scene.frames[0].T_world_cam)

    def moved(points: np.ndarray) -> np.ndarray:
        """From the room's world to that of the scene that was made."""
        return transform_points(T_scene_estimate, UNITS_PER_METRE * transform_points(T_first_world, points))

    true, ours = (np.array([frame.T_world_cam[:3, 3] for frame in s.frames]) for s in (scene, made.scene))
    assert np.abs(moved(true) - ours).max() < 1e-3
    assert np.abs(ours[:, 2] - true[:, 2]).max() < 0.02  # heights are true: floor and scale are
    table = next(thing for thing in scene.objects if thing.label == TABLE)
    top = table.box.center + [0, 0, table.box.size[2] / 2]
    place = moved(top[None])[0]
    near = made.scene.surface.vertices[
        np.linalg.norm(made.scene.surface.vertices[:, :2] - place[:2], axis=1) < min(table.box.size[:2]) / 3
    ]
    surface = near[np.abs(near[:, 2] - top[2]) < 0.05, 2]
    assert len(surface) > 50 and abs(float(np.median(surface)) - top[2]) < 0.015
    for frame, known in zip(made.scene.frames, scene.frames, strict=True):
        assert np.allclose(frame.camera.K, known.camera.K, rtol=1e-5)
        assert frame.depth is not None and known.depth is not None
        found = frame.depth()
        rows = ((np.arange(found.shape[0]) + 0.5) * 120 / found.shape[0]).astype(int)
        cols = ((np.arange(found.shape[1]) + 0.5) * 160 / found.shape[1]).astype(int)
        assert np.median(np.abs(found / known.depth()[rows[:, None], cols] - 1)) < 0.02


def test_refusals_say_what_to_do() -> None:
    scene = few()
    given = pictures(scene)
    limited = EncoderEstimator(TruthEncoder(scene), EncoderEstimatorSettings(max_pictures=3))
    with pytest.raises(ReconstructionError, match=r"4 pictures, .* --keyframes 3"):
        limited.estimate(given)
    with pytest.raises(EncoderError, match="needed are pose and depth"):
        EncoderEstimator(TruthEncoder(scene, spec=replace(SPEC, heads=frozenset())))
    with pytest.raises(ReconstructionError, match=r"2 sizes \(160x100, 160x120\)"):
        EncoderEstimator(TruthEncoder(scene)).estimate([given[0], replace(given[1], height=100)])

    class Broken(TruthEncoder):
        def predict(self, frames: torch.Tensor) -> GeometryPrediction:
            said = super().predict(frames)
            said.T_world_cam[1, 0, 0] = float("nan")
            return said

    with pytest.raises(ReconstructionError, match="not numbers"):
        EncoderEstimator(Broken(scene)).estimate(given)
    with pytest.raises(ReconstructionError, match="no depth at all"):
        EncoderEstimator(TruthEncoder(scene, confidence=1.0)).estimate(given)


def test_a_picture_that_cannot_be_read_is_lost_and_said() -> None:
    scene = few()

    def damaged() -> np.ndarray:
        raise SceneError("damaged")

    shorter = replace(scene, frames=tuple(frame for k, frame in enumerate(scene.frames) if k != 2))
    given = [replace(image, color=damaged) if k == 2 else image for k, image in enumerate(pictures(scene))]
    estimate = EncoderEstimator(TruthEncoder(shorter)).estimate(given)
    assert [view.id for view in estimate.views] == ["000", "001", "003"] and list(estimate.lost) == ["002"]
    assert estimate.report["posed_share"] == 0.75
    with pytest.raises(ReconstructionError, match="none of 1 pictures"):
        EncoderEstimator(TruthEncoder(scene)).estimate(given[2:3])


def test_the_unit_is_said_by_the_encoder() -> None:
    scene = few()
    metric = EncoderEstimator(TruthEncoder(scene, spec=replace(SPEC, metric=True))).estimate(pictures(scene))
    assert metric.metric and metric.scale_source == "metric model truth"


@pytest.mark.parametrize("kind", ["da3", "vggt"])
def test_networks_on_disk_pose_pictures(kind: str, tmp_path: Path) -> None:
    if kind == "da3":
        write(released(BASE_LIKE), tmp_path)
    else:
        save_vggt(tiny_vggt(), tmp_path)
    scene = few()
    small = [
        replace(image, width=80, height=20, color=lambda image=image: image.color()[40:80:2, ::2])
        for image in pictures(scene)
    ]
    estimator = pose_estimator(PipelineConfig(poses=f"{kind}:{tmp_path}"))
    assert estimator.name.startswith(kind)
    estimate = estimator.estimate(small[:2])
    assert len(estimate.views) == 2 and not estimate.metric
    for view in estimate.views:
        assert view.depth is not None and view.confidence is not None and view.depth_camera is not None
        assert isinstance(view.camera, PinholeCamera) and (view.camera.width, view.camera.height) == (80, 20)
        assert view.depth.shape == view.confidence.shape and np.isfinite(view.depth).all()
        assert (view.depth[view.confidence < 0.3] == 0).all() and 0.4 < float(np.median(view.confidence)) < 0.6
        R = view.T_world_cam[:3, :3]
        assert np.allclose(R @ R.T, np.eye(3), atol=1e-5) and np.linalg.det(R) > 0


def test_poses_by_name() -> None:
    for name in ("vggt", "da3:", "da3-base:"):
        with pytest.raises(SourceError, match="names no weights"):
            PipelineConfig(poses=name)
    for name in ("sfm:x", "pi3:x", "nothing"):
        with pytest.raises(SourceError, match="is unknown; known are: sfm, vggt:PATH_OR_ID"):
            PipelineConfig(poses=name)
    assert PipelineConfig(poses="da3-base:depth-anything/DA3-BASE").poses.startswith("da3-base")
    with pytest.raises(EncoderError, match="no folder or file /nowhere"):
        pose_estimator(PipelineConfig(poses="da3:/nowhere"))
