"""Batches: as many tokens as cells, both branches see the same pixels, truth and rays, hostile chats."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from PIL import Image
from tiny_models import chat, picture, tiny_vlm

from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.models.families import family_of
from spaceland.models.processor import CameraPicture, GeometryProcessor

KINDS = ["qwen2_5_vl", "qwen3_vl", "internvl"]
SHAPES = [(640, 480), (1280, 720), (480, 640), (333, 333), (900, 100)]


def processor(kind: str = "qwen2_5_vl", *, rays: bool = False, max_tokens: int | None = None, **grid: Any) -> Any:
    vlm, own = tiny_vlm(kind)
    family = family_of(vlm.config)
    return GeometryProcessor(
        own, family, family.token_grid(**{"long_side_cells": 6, **grid}), rays=rays, max_tokens=max_tokens
    )


def vlm_tokens(made: Any, batch: dict[str, Any]) -> Any:
    """Mean colour in 0..1 of what stands behind each visual token, all pictures one after the other."""
    pixels, own = batch["pixel_values"], made.processor.image_processor
    mean, std = torch.tensor(own.image_mean), torch.tensor(own.image_std)
    if pixels.ndim == 4:
        side = made.family.token_px
        colours = torch.nn.functional.avg_pool2d(pixels, side).permute(0, 2, 3, 1).reshape(-1, 3)
    else:
        colours = pixels.reshape(len(pixels) // 4, 4, 3, -1).mean((1, 3))
    return colours * std + mean


def geometry_tokens(batch: dict[str, Any]) -> Any:
    """The same of the encoder's frames."""
    out = []
    for frames, cells in zip(batch["geometry_frames"], batch["geometry_cells"], strict=True):
        if not len(frames):
            continue
        maps = torch.nn.functional.avg_pool2d(frames, 28).permute(0, 2, 3, 1)
        for frame, (top, left, rows, cols) in zip(maps, cells.tolist(), strict=True):
            out.append(frame[top : top + rows, left : left + cols].reshape(-1, 3))
    return torch.cat(out)


@pytest.mark.parametrize(
    ("kind", "preset"), [*((kind, "native") for kind in KINDS), ("qwen2_5_vl", "vgllm"), ("qwen3_vl", "vgllm")]
)
def test_tokens_equal_cells_and_both_branches_see_the_same(kind: str, preset: str) -> None:
    made = processor(kind, preset=preset)
    for size in SHAPES:
        image = picture(*size)
        batch = made([[Message("user", [image, "?"])]], add_generation_prompt=True)  # type: ignore[list-item]
        cells = batch["geometry_cells"][0]
        rows, cols = cells[0, 2:].tolist()
        assert int((batch["input_ids"] == made.processor.image_token_id).sum()) == rows * cols
        a, b = vlm_tokens(made, batch), geometry_tokens(batch)
        assert a.shape == b.shape == (rows * cols, 3)
        # Two resizes of one picture: equal colours per token, up to what interpolation and rounding do.
        assert (a - b).abs().max() < (0.08 if made.family.token_px == 32 else 0.02), size


@pytest.mark.parametrize("kind", KINDS)
def test_a_coloured_patch_lands_on_the_same_token_of_both(kind: str) -> None:
    made = processor(kind)
    clip = made.grid.clip([(600, 400)])
    rows, cols = clip.frames[0].shape
    for place in range(0, rows * cols, 3):
        image = np.zeros((400, 600, 3), np.uint8)
        row, col = divmod(place, cols)
        image[row * 400 // rows : (row + 1) * 400 // rows, col * 600 // cols : (col + 1) * 600 // cols] = (255, 0, 0)
        batch = made([[Message("user", [Image.fromarray(image), "?"])]], add_generation_prompt=True)  # type: ignore[list-item]
        for colours in (vlm_tokens(made, batch), geometry_tokens(batch)):
            assert int(colours[:, 0].argmax()) == place


def test_unlike_pictures_of_one_chat_keep_their_alignment() -> None:
    made = processor()
    chats = [
        [Message("user", [picture(640, 480, 1), picture(480, 640, 2), "and", picture(500, 300, 3), "?"])],
        [Message("user", ["no picture"])],
        [Message("user", [picture(300, 300, 4)]), Message("assistant", ["yes"]), Message("user", [picture(seed=5)])],
    ]
    batch = made(chats, add_generation_prompt=True)
    assert [len(c) for c in batch["geometry_cells"]] == [3, 0, 2]
    assert [len(f) for f in batch["geometry_frames"]] == [3, 0, 2]
    assert (vlm_tokens(made, batch) - geometry_tokens(batch)).abs().max() < 0.02
    image = batch["input_ids"] == made.processor.image_token_id
    assert image.sum(1).tolist() == [int((c[:, 2] * c[:, 3]).sum()) for c in batch["geometry_cells"]]
    # Canvases are white where no frame stands, and padding is at the left.
    assert (batch["geometry_frames"][0][0, :, 0] == 1).all()
    assert (batch["attention_mask"].diff(dim=1) >= 0).all() and (batch["attention_mask"][:, -1] == 1).all()
    assert torch.equal(batch["mm_token_type_ids"].bool(), image)


def test_pictures_come_as_bytes_pil_or_with_a_camera() -> None:
    made = processor()
    image = picture(64, 48)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    kinds = [Picture(buffer.getvalue(), "image/png", 64, 48), image, image.convert("RGBA"), CameraPicture(image)]
    batches = [made([[Message("user", [kind, "?"])]], add_generation_prompt=True) for kind in kinds]  # type: ignore[list-item]
    for batch in batches[1:]:
        assert torch.equal(batch["pixel_values"], batches[0]["pixel_values"])
        assert torch.equal(batch["geometry_frames"][0], batches[0]["geometry_frames"][0])


@pytest.mark.parametrize("preset", ["native", "vgllm"])
def test_truth_and_rays_agree_with_the_pixels(preset: str) -> None:
    """Points of a plane in front of the camera: the point at a cell's centre lies on the cell's ray."""
    made = processor(rays=True, preset=preset)
    width, height = 120, 200
    K = np.array([[150.0, 0, 66], [0, 140, 92], [0, 0, 1]])
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    depth = 2 + 0.002 * u
    points = np.stack([(u - K[0, 2]) / K[0, 0] * depth, (v - K[1, 2]) / K[1, 1] * depth, depth], -1)
    view = CameraPicture(Image.fromarray(np.zeros((height, width, 3), np.uint8)), K, points, np.eye(4))
    batch = made([[Message("user", [view, "?"])]], add_generation_prompt=True)  # type: ignore[list-item]
    truth, (rays,), (cells,) = batch["geometry_truth"][0], batch["geometry_rays"], batch["geometry_cells"]
    assert truth.points.shape[1:3] == batch["geometry_frames"][0].shape[2:] and truth.T_world_cam.shape == (1, 4, 4)
    top, left, rows, cols = cells[0].tolist()
    seen = truth.points[0, 14::28, 14::28][:rows, :cols]
    unit = seen / seen.norm(dim=-1, keepdim=True)
    # Nearest pixels: off by half a pixel of the source at most.
    assert (unit - rays[0, top : top + rows, left : left + cols]).norm(dim=-1).max() < 1.0 / 140
    torch.testing.assert_close(rays.norm(dim=-1), torch.ones(rays.shape[:-1]))


def test_truth_needs_all_pictures_and_rays_are_zero_without_intrinsics() -> None:
    made = processor(rays=True)
    points = np.zeros((60, 80, 3))
    known = CameraPicture(picture(), np.diag([80.0, 80, 1]), points, np.eye(4))
    batch = made([[Message("user", [known, picture(), "?"])]], add_generation_prompt=True)  # type: ignore[list-item]
    assert "geometry_truth" not in batch
    assert (batch["geometry_rays"][0][1] == 0).all() and (batch["geometry_rays"][0][0].norm(dim=-1) > 0.99).all()


@pytest.mark.parametrize("kind", KINDS)
def test_split_gives_the_tokens_behind_the_last_picture(kind: str) -> None:
    made = processor(kind)
    one = chat(2, "A question, with words?")
    ids = made([one], add_generation_prompt=True)["input_ids"][0].tolist()
    head, tail = made.split(one, add_generation_prompt=True)
    last = len(ids) - 1 - ids[::-1].index(made.processor.image_token_id)
    assert ids[last + 1 :] == tail and head.endswith(made.processor.image_token)
    assert made.split(chat(2, "Other"), add_generation_prompt=True)[0] == head
    with pytest.raises(ChatError, match="no picture"):
        made.split([Message("user", ["hello"])], add_generation_prompt=True)


def test_hostile_chats_get_a_reason() -> None:
    made = processor(max_tokens=100)

    def refused(content: list[Any], says: str) -> None:
        with pytest.raises(ChatError, match=says):
            made([[Message("user", content)]], add_generation_prompt=True)

    refused([Image.new("RGB", (1, 5000)), "?"], "1 x 5000 pixels")
    refused([Picture(b"nothing", "image/png", 1, 1, "x"), "?"], "cannot be decoded")
    refused([picture(), "what is <|image_pad|>?"], "stands for a picture")
    refused([picture(), "what is <|image_", "pad|>?"], "stands for a picture")
    refused([np.zeros((4, 4, 3)), "?"], "ndarray is no picture")
    refused([*[picture()] * 9, "?"], r"tokens long, \d+ of them for 9 pictures; the model takes 100")
    refused(["words " * 60], "the model takes 100")
    refused([CameraPicture(picture(), None, np.zeros((2, 2, 3)), np.eye(4)), "?"], "one point per pixel")
    with pytest.raises(ChatError, match="at least one"):
        made([], add_generation_prompt=True)
    vlm, own = tiny_vlm("qwen3_vl")
    with pytest.raises(ChatError, match="do not fit a model of type 'qwen3_vl'"):
        GeometryProcessor(own, family_of(vlm.config), made.grid)


def test_one_frame_and_no_frames_are_fine() -> None:
    made = processor()
    batch = made([chat(1)], add_generation_prompt=True)
    assert len(batch["geometry_frames"][0]) == 1
    batch = made([[Message("user", ["hello"])]], add_generation_prompt=True)
    assert "pixel_values" not in batch and batch["geometry_frames"][0].shape == (0, 3, 0, 0)


def test_models_that_cannot_be_used_are_named() -> None:
    from transformers import AutoConfig

    with pytest.raises(ChatError, match="no part that sees"):
        family_of(AutoConfig.for_model("qwen2"))
    with pytest.raises(ChatError, match=r"'llava'.*Qwen-VL"):
        family_of(AutoConfig.for_model("llava"))
