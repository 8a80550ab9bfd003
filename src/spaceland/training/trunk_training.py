"""Training of the tiny trunk (`models.encoders.tiny_trunk`) on depth and poses of sample rooms.

A clip is a few frames of a walk; the world is the first frame's camera, in metres. Losses are VGGT's (arXiv 2503.11651,
3.4): depth weighted by its own confidence, and pose encodings after every round of the camera head, later rounds
counting more. Discs are drawn on some frames, so that marks on the pictures of questions are nothing new to it. The
point head is not trained: depth and pose say the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from spaceland.chat.pictures import read_rgb
from spaceland.errors import TrainingError
from spaceland.geometry.camera import nearest_pixels
from spaceland.models.blocks import LayerScale
from spaceland.models.encoders.dpt_head import depth_of
from spaceland.models.encoders.pose_encoding import decode_pose, encode_pose
from spaceland.models.encoders.tiny_trunk import TINY_TRUNK
from spaceland.models.encoders.vggt import Vggt, VggtConfig, save_vggt
from spaceland.questions.marks import Color, Mark, draw_marks
from spaceland.training.truth import frame_depth

ALPHA = 0.2
"""Weight of the confidence's own term: without it no confidence would be the cheapest."""
ROUND_DECAY = 0.6
"""An earlier round of the camera head counts so much of the next one."""


@dataclass(frozen=True, kw_only=True)
class TrunkTraining:
    """How the trunk is trained."""

    steps: int = 2000
    clips: int = 8
    """Of a step."""
    most_frames: int = 3
    """The clips of a step have two frames to so many."""
    farthest: int = 5
    """Frames of the walk that one frame of a clip may be from the first."""
    lr: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    pose_weight: float = 1.0
    marked: float = 0.5
    """Share of clips that are drawn on."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Walk:
    """Frames of one room with their truth, in the order of the walk."""

    colors: UInt8[np.ndarray, "n h w 3"]
    depth_m: Float[np.ndarray, "n h w"]
    T_world_cam: Float[np.ndarray, "n 4 4"]
    K: Float[np.ndarray, "n 3 3"]
    numbers: tuple[int, ...]
    """Place of each frame in the whole walk."""


@dataclass(frozen=True, eq=False)
class TrunkClip:
    """A clip with its truth; the world is the first frame's camera."""

    frames: Float[Tensor, "s 3 h w"]
    depth_m: Float[Tensor, "s h w"]
    T_world_cam: Float[Tensor, "s 4 4"]
    K: Float[Tensor, "s 3 3"]


def read_walks(folder: Path, size: tuple[int, int] | None = None) -> list[Walk]:
    """All frames of a dataset folder of sample rooms.

    Args:
        folder: Of `spaceland generate`.
        size: Width and height to bring the frames to, those at which the trunk will be used; None keeps their own.

    Raises:
        TrainingError: there are no pictures of sample rooms in it, or a room has a single one.
    """
    walks = []
    for scene in sorted(path for path in (folder / "images").glob("*") if path.is_dir()):
        colors, depths, poses, Ks, numbers = [], [], [], [], []
        for path in sorted(scene.iterdir()):
            truth = frame_depth(str(path.absolute()))
            if truth is None:
                continue
            image = Image.fromarray(read_rgb(path))
            width, height = size or image.size
            colors.append(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)))
            # Depth is never averaged: across an edge the mean lies on no surface.
            rows = nearest_pixels(height, truth.depth_m.shape[0])
            cols = nearest_pixels(width, truth.depth_m.shape[1])
            depths.append(truth.depth_m[rows][:, cols].astype(np.float16))
            poses.append(truth.T_world_cam)
            Ks.append(truth.camera.scaled(width, height).K)
            numbers.append(int(path.stem))
        if len(numbers) < 2:
            raise TrainingError(f"{scene} shows {len(numbers)} frames of a room, expected at least two")
        walks.append(Walk(np.stack(colors), np.stack(depths), np.stack(poses), np.stack(Ks), tuple(numbers)))
    if not walks:
        raise TrainingError(
            f"{folder} holds no pictures of sample rooms; make some with `spaceland generate rooms:1-4`"
        )
    return walks


def draw_clip(walk: Walk, rng: Random, num: int, farthest: int, marked: bool = False) -> TrunkClip:
    """A frame of the walk and `num` - 1 others near it, in random order.

    Raises:
        TrainingError: no frame of the walk has so many near it.
    """
    near = {
        first: [k for k, n in enumerate(walk.numbers) if k != first and abs(n - number) <= farthest]
        for first, number in enumerate(walk.numbers)
    }
    able = [first for first, others in near.items() if len(others) >= num - 1]
    if not able:
        raise TrainingError(f"no frame of a walk of {len(near)} has {num - 1} others near it; give more frames")
    first = rng.choice(able)
    chosen = [first, *rng.sample(near[first], num - 1)]
    colors = walk.colors[chosen]
    if marked:
        colors = np.stack([draw_marks(color, _discs(rng)) for color in colors])
    T_first_world = np.linalg.inv(walk.T_world_cam[first])
    return TrunkClip(
        torch.from_numpy(colors).permute(0, 3, 1, 2).float() / 255,
        torch.from_numpy(walk.depth_m[chosen]).float(),
        torch.from_numpy(T_first_world @ walk.T_world_cam[chosen]).float(),
        torch.from_numpy(walk.K[chosen]).float(),
    )


def _discs(rng: Random) -> list[Mark]:
    return [
        Mark(colour, "point", -1, 0, (rng.randint(0, 1000), rng.randint(0, 1000)), rng.uniform(0.02, 0.06))
        for colour in rng.sample(get_args(Color), rng.randint(0, 3))
    ]


def new_trunk(config: VggtConfig = TINY_TRUNK, seed: int = 0) -> Vggt:
    """A network with random weights that learns within hundreds of steps.

    VGGT's layers begin with a scale of 0.01, and its special tokens with next to nothing, which suits long training.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = Vggt(config)
        for module in model.modules():
            if isinstance(module, LayerScale):
                nn.init.ones_(module.gamma)
        for token in (model.trunk.camera_token, model.trunk.register_token):
            nn.init.normal_(token, std=0.02)
    return model


def trunk_loss(model: Vggt, clips: Sequence[TrunkClip], pose_weight: float = 1.0) -> tuple[Tensor, dict[str, float]]:
    """Loss of clips of one length, and its parts for reports: mean errors of depth and of the last pose encoding."""
    height, width = clips[0].frames.shape[-2:]
    depth, confidence, rounds = depth_and_poses(model, torch.stack([clip.frames for clip in clips]))
    truth_m = torch.stack([clip.depth_m for clip in clips])
    known = truth_m > 0
    error = (depth - truth_m).abs()[known]
    sure = confidence[known]
    depth_loss = (sure * error - ALPHA * sure.log()).mean()
    truth = torch.stack([encode_pose(clip.T_world_cam, clip.K, height, width) for clip in clips])
    by_round = (rounds - truth[:, None]).abs().mean((0, 2, 3))
    weights = ROUND_DECAY ** torch.arange(len(by_round) - 1, -1, -1, dtype=by_round.dtype)
    pose_loss = (weights * by_round).sum() / weights.sum()
    return depth_loss + pose_weight * pose_loss, {
        "depth_error_m": float(error.mean().detach()),
        "pose_error": float(by_round[-1].detach()),
    }


def depth_and_poses(
    model: Vggt, frames: Float[Tensor, "b s 3 h w"]
) -> tuple[Float[Tensor, "b s h w"], Float[Tensor, "b s h w"], Float[Tensor, "b i s 9"]]:
    """Depth, its confidence and pose encodings of several clips at once, without the point head.

    The network itself takes one clip; with networks and clips as small as these most of the time would go into calls.
    """
    num, size, _, height, width = frames.shape
    patch = model.config.patch_size
    grid = (height // patch, width // patch)
    trunk = model.trunk
    x = torch.cat([trunk.special_tokens(size).repeat(num, 1, 1), model.vit(frames.flatten(0, 1))], dim=1)
    in_frame, in_clip = trunk.angles(grid, size, x)
    layers = []
    for in_frames, in_all in zip(trunk.frame_blocks, trunk.global_blocks, strict=True):
        within = in_frames(x, in_frame)
        x = in_all(within.reshape(num, -1, x.shape[-1]), in_clip).reshape(x.shape)
        layers.append(torch.cat([within, x], dim=-1))
    dense = [layers[k][:, trunk.config.num_special :] for k in model.config.dpt_layers]
    depth, confidence = depth_of(model.depth_head(dense, grid))
    poses = torch.stack([model.camera_head(tokens) for tokens in layers[-1][:, 0].unflatten(0, (num, size))])
    return depth.unflatten(0, (num, size)), confidence.unflatten(0, (num, size)), poses


def train_trunk(
    walks: Sequence[Walk],
    settings: TrunkTraining,
    *,
    config: VggtConfig = TINY_TRUNK,
    told: Callable[[int, dict[str, float]], None] = lambda step, figures: None,
) -> Vggt:
    """Train a trunk from nothing.

    Args:
        walks: Of `read_walks`.
        settings: How.
        config: Its sizes.
        told: Called after every step with its number and its mean loss and errors.

    Raises:
        TrainingError: pictures of rooms differ in size, or a side is no multiple of the patch.
    """
    sizes = {walk.depth_m.shape[1:] for walk in walks}
    if len(sizes) != 1 or any(side % config.patch_size for size in sizes for side in size):
        shown = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise TrainingError(
            f"the trunk cannot be trained on pictures of {shown} px; make all of one size, with sides that are "
            f"multiples of {config.patch_size}: rooms:1-4?width=168&height=112"
        )
    model = new_trunk(config, settings.seed)
    model.requires_grad_(True).train()
    model.point_head.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, settings))
    rng = Random(settings.seed)
    for step in range(settings.steps):
        num = rng.randint(2, settings.most_frames)
        clips = [
            draw_clip(rng.choice(walks), rng, num, settings.farthest, rng.random() < settings.marked)
            for _ in range(settings.clips)
        ]
        loss, figures = trunk_loss(model, clips, settings.pose_weight)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        told(step + 1, {"loss": float(loss.detach()), **figures})
    return model.requires_grad_(False).eval()


def _share(step: int, settings: TrunkTraining) -> float:
    warm = max(1, round(settings.warmup * settings.steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, settings.steps - warm)))


@torch.no_grad()
def held_out(
    model: Vggt, walks: Sequence[Walk], known: Sequence[Walk], *, pairs: int = 8, seed: int = 0
) -> dict[str, float]:
    """How well a trunk does on rooms that it never saw, beside what needs no looking.

    Trivial depth is the mean of each pixel over the known rooms; the trivial pose is that the camera did not move.

    Args:
        model: With its heads.
        walks: The rooms that it never saw.
        known: The rooms that it was trained on.
        pairs: Clips of two frames from each room.
        seed: Which ones.

    Returns:
        Means: `depth_abs_rel`, `depth_error_m`, `rotation_deg` and `translation_m` of the second camera seen from the
        first, each also with `_trivial` at the end; `pairs` is their number.
    """
    rng = Random(seed)
    usual = torch.from_numpy(np.mean([walk.depth_m.astype(np.float32).mean(0) for walk in known], axis=0))
    found: dict[str, list[float]] = {}
    for walk in walks:
        for _ in range(pairs):
            clip = draw_clip(walk, rng, 2, 5)
            height, width = clip.frames.shape[-2:]
            depths, _, rounds = depth_and_poses(model, clip.frames[None])
            depth = depths[0]
            poses, _ = decode_pose(rounds[0, -1], height, width)
            moved = torch.linalg.inv(poses[0]) @ poses[1]
            valid = clip.depth_m > 0
            for name, said in (("", depth), ("_trivial", usual.expand_as(depth))):
                error = (said - clip.depth_m).abs()[valid]
                found.setdefault(f"depth_error_m{name}", []).append(float(error.mean()))
                found.setdefault(f"depth_abs_rel{name}", []).append(float((error / clip.depth_m[valid]).mean()))
            for name, T in (("", moved), ("_trivial", torch.eye(4))):
                truth = clip.T_world_cam[1]
                found.setdefault(f"rotation_deg{name}", []).append(rotation_deg(T[:3, :3], truth[:3, :3]))
                found.setdefault(f"translation_m{name}", []).append(float((T[:3, 3] - truth[:3, 3]).norm()))
    return {name: float(np.mean(values)) for name, values in sorted(found.items())} | {
        "pairs": float(len(walks) * pairs)
    }


def rotation_deg(A: Float[Tensor, "3 3"], B: Float[Tensor, "3 3"]) -> float:
    """Angle between two rotations."""
    return math.degrees(math.acos(float((((A.mT @ B).trace() - 1) / 2).clamp(-1, 1))))


def save_trunk(model: Vggt, folder: Path) -> None:
    """Write it as `tiny-trunk:FOLDER` and `vggt:FOLDER` read it."""
    save_vggt(model, folder)
