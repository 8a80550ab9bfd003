"""Training of the tiny trunk on a made-up walk through a tunnel, whose depth and poses are known exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

from spaceland.errors import TrainingError
from spaceland.geometry.camera import PinholeCamera
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.encoders.pose_encoding import unproject
from spaceland.models.encoders.vggt import VggtConfig
from spaceland.training import trunk_training
from spaceland.training.trunk_training import (
    TrunkTraining,
    Walk,
    depth_and_poses,
    draw_clip,
    held_out,
    new_trunk,
    read_walks,
    rotation_deg,
    save_trunk,
    train_trunk,
    trunk_loss,
)
from spaceland.training.truth import FrameDepth

SMALL = VggtConfig(
    img_size=42, embed_dim=32, depth=2, num_heads=2, vit_depth=1, vit_num_heads=2, vit_num_registers=1,
    num_register_tokens=1, camera_depth=1, camera_num_heads=2, dpt_layers=(0, 0, 1, 1), dpt_features=8,
    dpt_widths=(8, 8, 8, 8),
)  # fmt: skip
HEIGHT, WIDTH = 28, 42


def walk(seed: int) -> Walk:
    """A camera that walks towards a wall; the nearer, the brighter."""
    rng = np.random.default_rng(seed)
    K = np.array([[40.0, 0, WIDTH / 2], [0, 40.0, HEIGHT / 2], [0, 0, 1]])
    num = 6
    ahead_m = np.sort(rng.uniform(0, 3, num))
    depth = np.broadcast_to((4 - ahead_m)[:, None, None], (num, HEIGHT, WIDTH))
    colors = np.clip(255 - 60 * depth[..., None] + rng.normal(0, 2, (num, HEIGHT, WIDTH, 3)), 0, 255)
    poses = np.broadcast_to(np.eye(4), (num, 4, 4)).copy()
    poses[:, 2, 3] = ahead_m
    return Walk(
        colors.astype(np.uint8), depth.astype(np.float16), poses, np.broadcast_to(K, (num, 3, 3)), tuple(range(num))
    )


def test_a_clip_has_its_world_in_its_first_camera() -> None:
    clip = draw_clip(walk(0), Random(1), 3, 5, marked=True)
    assert clip.frames.shape == (3, 3, HEIGHT, WIDTH) and clip.frames.min() >= 0 and clip.frames.max() <= 1
    assert torch.allclose(clip.T_world_cam[0], torch.eye(4))
    # All frames see the same wall.
    points = unproject(clip.depth_m, clip.K, clip.T_world_cam)
    assert torch.allclose(points[..., 2], points[0, 0, 0, 2], atol=5e-3)


@pytest.mark.heavy
def test_training_beats_what_needs_no_looking_and_repeats(tmp_path: Path) -> None:
    known, unseen = [walk(seed) for seed in range(4)], [walk(10), walk(11)]
    settings = TrunkTraining(steps=60, clips=4, lr=3e-3, most_frames=3)
    told: list[float] = []
    model = train_trunk(known, settings, config=SMALL, told=lambda step, figures: told.append(figures["loss"]))
    assert np.mean(told[-5:]) < 0.6 * np.mean(told[:5])
    figures = held_out(model, unseen, known, pairs=6)
    assert figures["depth_error_m"] < 0.7 * figures["depth_error_m_trivial"]
    assert figures["translation_m"] < figures["translation_m_trivial"]
    assert figures["pairs"] == 12
    save_trunk(model, tmp_path)
    clip = draw_clip(unseen[0], Random(0), 2, 5).frames
    opened = open_encoder(f"tiny-trunk:{tmp_path}")
    assert opened is not None and torch.equal(opened.encode(clip).tokens[0], model.encode(clip).tokens[0])
    short = TrunkTraining(steps=2, clips=1)
    first, second = (train_trunk(known, short, config=SMALL).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_clips_at_once_are_as_one_by_one() -> None:
    model = new_trunk(SMALL).eval()
    clips = [draw_clip(walk(seed), Random(seed), 3, 5).frames for seed in range(2)]
    with torch.no_grad():
        depth, confidence, rounds = depth_and_poses(model, torch.stack(clips))
        for k, frames in enumerate(clips):
            raw = model.heads(model(frames, model.head_layers), (HEIGHT // 14, WIDTH // 14))
            assert torch.allclose(raw.depth, depth[k], atol=1e-5)
            assert torch.allclose(raw.depth_confidence, confidence[k], atol=1e-5)
            assert torch.allclose(raw.pose_encodings, rounds[k], atol=1e-5)


def test_the_loss_knows_where_there_is_no_depth() -> None:
    clip = draw_clip(walk(0), Random(0), 2, 5)
    clip.depth_m[:, :5] = 0
    loss, figures = trunk_loss(new_trunk(SMALL).requires_grad_(True), [clip])
    loss.backward()
    assert torch.isfinite(loss) and figures["depth_error_m"] > 0


def test_angles_between_rotations() -> None:
    turned = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert rotation_deg(torch.eye(3), turned) == pytest.approx(90, abs=1e-3)


def test_a_folder_without_rooms(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pictures of sample rooms"):
        read_walks(tmp_path)


def test_frames_of_another_size_show_the_same_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    # Steps of four pixels: every pixel of the half-sized frame lies inside one.
    depth = np.kron(rng.uniform(1, 4, (7, 9)), np.ones((4, 4))).astype(np.float32)
    truth = FrameDepth(depth, PinholeCamera(36, 28, 30, 30, 18, 14), np.eye(4))
    scene = tmp_path / "images" / "room1"
    scene.mkdir(parents=True)
    for number in range(2):
        Image.fromarray(np.full((28, 36, 3), 90, np.uint8)).save(scene / f"{number}.jpg")
    monkeypatch.setattr(trunk_training, "frame_depth", lambda path: truth)
    whole, half = read_walks(tmp_path)[0], read_walks(tmp_path, (18, 14))[0]
    assert whole.colors.shape == (2, 28, 36, 3) and half.colors.shape == (2, 14, 18, 3)

    def points(walk: Walk) -> torch.Tensor:
        return unproject(*(torch.from_numpy(x).float() for x in (walk.depth_m, walk.K, walk.T_world_cam)))

    # Its pixels lie between those of the whole frame, at the same depth.
    middle = points(whole).unflatten(1, (14, 2)).unflatten(3, (18, 2)).mean((2, 4))
    assert torch.allclose(points(half), middle, atol=2e-3)


def test_pictures_that_are_no_whole_patches() -> None:
    cut = walk(0)
    cut = replace(cut, colors=cut.colors[:, :20], depth_m=cut.depth_m[:, :20])
    with pytest.raises(TrainingError, match="pictures of 42x20 px"):
        train_trunk([cut], TrunkTraining(steps=1), config=SMALL)
