"""The truth behind rows of sample rooms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

from PIL import Image

from spaceland.errors import TrainingError
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.rooms import build_room
from spaceland.training.samples import Clip, Sample, Still, View
from spaceland.training.truth import frame_depth, room_truth, world_points

SPEC = "rooms:3-4?width=64&height=64"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"sources": [SPEC]}))
    for name in ("000003", "bev"):
        path = tmp_path / f"images/room0004/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64)).save(path)
    return tmp_path


def sample(*paths: Path) -> Sample:
    return Sample("s", "s", "3d", (), tuple(Still(path) for path in paths))


def view(width: int = 64, height: int = 64, camera: PinholeCamera | None = None) -> View:
    return View(Image.new("RGB", (width, height)), camera)


def test_points_are_those_of_the_room(folder: Path) -> None:
    paths = [folder / f"images/room0004/{name}.jpg" for name in ("000003", "bev")]
    found, bev = room_truth(sample(*paths), [view(), view()])
    frame = build_room(4, width=64, height=64).frames[3]
    assert np.allclose(found.T_world_cam, frame.T_world_cam)
    seen = frame.depth()[40, 20]
    local = np.linalg.inv(frame.T_world_cam) @ np.append(found.points[40, 20], 1)
    assert local[2] == pytest.approx(seen, abs=1e-4)
    pixel, _ = frame.camera.project(local[:3])
    assert np.allclose(pixel, [20.5, 40.5], atol=1e-3)
    assert np.isnan(bev.points).all() and np.array_equal(bev.T_world_cam, np.eye(4))
    # The second time nothing is rendered, and the answer is the same.
    frame_depth.cache_clear()
    again = room_truth(sample(paths[0]), [view()])[0]
    assert np.array_equal(again.points, found.points) and np.array_equal(again.K, found.K)
    # Half as large: points of the pixels in the middle of each four.
    small = room_truth(sample(paths[0]), [view(32, 32)])[0]
    assert np.array_equal(small.points[20, 10], found.points[41, 21])


def test_no_depth_is_no_point() -> None:
    depth = np.array([[0.0, 2.0]], np.float32)
    points = world_points(depth, PinholeCamera(2, 1, 1.0, 1.0, 1.0, 0.5), np.eye(4), 2, 1)
    assert np.isnan(points[0, 0]).all() and np.allclose(points[0, 1], [1, 0, 2])


def test_a_broken_sample_among_others_has_a_truth_that_is_nowhere(folder: Path, tmp_path: Path) -> None:
    from training_data import save_model
    from transformers import AutoConfig

    from spaceland.chat.image_processor import load_processor
    from spaceland.chat.types import Message
    from spaceland.models.encoders.oracle import Oracle
    from spaceland.models.families import family_of
    from spaceland.models.processor import GeometryProcessor
    from spaceland.training.collate import SKIPPED, Collator, Item

    saved = save_model(tmp_path / "model")
    family = family_of(AutoConfig.from_pretrained(saved))
    processor = GeometryProcessor(
        load_processor(str(saved)), family, family.token_grid(long_side_cells=2), geometry=True
    )
    (picture,) = room_truth(sample(folder / "images/room0004/000003.jpg"), [view()])
    whole = Item("whole", (Message("user", (picture, "x")), Message("assistant", ("1",))))
    batch = Collator.of(processor)([whole, Item("broken", None, "a damaged picture")])
    assert batch[SKIPPED] == [("broken", "a damaged picture")] and (batch["labels"][1] == -100).all()
    found, nowhere = (
        Oracle().encode(frames, truth=truth).tokens[0][..., -2]
        for frames, truth in zip(batch["geometry_frames"], batch["geometry_truth"], strict=True)
    )
    assert found.any() and not nowhere.any()


def test_what_it_refuses(folder: Path, tmp_path: Path) -> None:
    path = folder / "images/room0004/000003.jpg"
    with pytest.raises(TrainingError, match="augment = false"):
        room_truth(sample(path), [view(camera=PinholeCamera.from_fov(64, 64, 40.0))])
    with pytest.raises(TrainingError, match="a video"):
        room_truth(Sample("s", "s", "3d", (), (Clip(path, 2),)), [view(), view()])
    with pytest.raises(TrainingError, match="no sample room 'room0009'"):
        room_truth(sample(folder / "images/room0009/000003.jpg"), [view()])
    with pytest.raises(TrainingError, match="does not say what it was made from"):
        room_truth(sample(tmp_path / "x/images/room0004/000003.jpg"), [view()])
