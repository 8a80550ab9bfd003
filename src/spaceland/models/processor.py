"""Chats become what a `GeometryVLM` takes: token ids, the model's pixels, and the same views for the geometry encoder.

All sizes come from one `TokenGrid`; the model's own image processor is told not to resize. No model is needed, so this
runs in the workers of a data loader.

| key | for all chats together, unless it is a list with one entry per chat |
|---|---|
| `input_ids`, `attention_mask` | [b, n], padded at the left |
| `mm_token_type_ids` | [b, n], where the family has them: without them positions are silently wrong |
| `pixel_values`, `image_grid_thw` | as the family has them, all pictures one after the other; absent without pictures |
| `geometry_cells` | list of [S, 4]: where each picture stands on the canvas (`ClipGrid.cells`); S may be 0 |
| `geometry_frames` | list of [S, 3, H, W] in 0..1, or [0, 3, 0, 0]; only with `geometry` |
| `geometry_rays` | list of [S, R, C, 3]; only with `rays`; zeros where intrinsics are not known |
| `geometry_truth` | list of `FrameTruth` or None; only if some chat has the true points of all its pictures |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from spaceland.chat.pictures import decode_picture
from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.geometry.camera import PinholeCamera, nearest_pixels
from spaceland.models.families import Family
from spaceland.models.grid import MERGE, ClipGrid, FrameGrid, TokenGrid
from spaceland.models.types import FrameTruth

Chat = Sequence[Message]


@dataclass(frozen=True, eq=False)
class CameraPicture:
    """A picture in a chat with what is known of its camera; stands wherever a `Picture` may."""

    image: Image.Image
    K: Float[np.ndarray, "3 3"] | None = None
    """Intrinsics in pixels of the image."""
    points: Float[np.ndarray, "h w 3"] | None = None
    """True world points in metres, NaN where nothing is, in the image's size; for the `oracle` encoder alone."""
    T_world_cam: Float[np.ndarray, "4 4"] | None = None
    """True pose, OpenCV axes; with `points`."""


class GeometryProcessor:
    """See the module."""

    def __init__(
        self,
        processor: Any,
        family: Family,
        grid: TokenGrid,
        *,
        geometry: bool = True,
        rays: bool = False,
        max_tokens: int | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            processor: The model's own (`spaceland.chat.image_processor.load_processor`).
            family: How the model counts picture tokens.
            grid: Decides sizes; made by `family.token_grid`.
            geometry: Whether there is an encoder to make frames for.
            rays: Whether the adapter takes rays.
            max_tokens: Longest chat in tokens; None: what the model says of itself.

        Raises:
            ChatError: the grid is for a model with other tokens.
        """
        if grid.token_px != family.token_px or grid.fixed != family.fixed:
            raise ChatError(
                f"sizes for tokens of {grid.token_px} pixels do not fit a model of type '{family.model_type}' with "
                f"tokens of {family.token_px} pixels; make them with its family's token_grid"
            )
        self.processor, self.family, self.grid = processor, family, grid
        self.geometry, self.rays = geometry, rays
        self.max_tokens = max_tokens if max_tokens is not None else family.context

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self.processor.tokenizer

    def __call__(self, chats: Sequence[Chat], *, add_generation_prompt: bool) -> dict[str, Any]:
        """Make a batch; keys as in the module.

        Args:
            chats: Each a sequence of messages. Pictures may be `Picture`, PIL images, or `CameraPicture`.
            add_generation_prompt: End with the words that begin an answer.

        Raises:
            ChatError: no chats, a broken or far too narrow picture, a picture token in a text, a chat longer than the
                model's context.
        """
        if not chats:
            raise ChatError("there is no chat to prepare; give at least one")
        pictures = [[_camera_picture(part) for part in _pictures(chat)] for chat in chats]
        clips = [self.grid.clip([p.image.size for p in own]) if own else None for own in pictures]
        texts = [self.text(chat, add_generation_prompt=add_generation_prompt) for chat in chats]
        images = [
            _vlm_image(picture.image, frame)
            for own, clip in zip(pictures, clips, strict=True)
            if clip is not None
            for picture, frame in zip(own, clip.frames, strict=True)
        ]
        batch = self._tokens(texts, images)
        self._check_length(batch, clips)
        batch["geometry_cells"] = [
            torch.tensor(clip.cells if clip else (), dtype=torch.long).reshape(-1, 4) for clip in clips
        ]
        both = list(zip(pictures, clips, strict=True))
        if self.geometry:
            batch["geometry_frames"] = [
                _canvas([p.image for p in own], clip) if clip else torch.zeros(0, 3, 0, 0) for own, clip in both
            ]
            truth = [_truth(own, clip) if clip else None for own, clip in both]
            if any(t is not None for t in truth):
                batch["geometry_truth"] = truth
        if self.rays:
            batch["geometry_rays"] = [
                _rays(own, clip, MERGE * self.grid.patch_px) if clip else torch.zeros(0, 0, 0, 3) for own, clip in both
            ]
        return batch

    def text(self, chat: Chat, *, add_generation_prompt: bool) -> str:
        """The chat in the words of the model's template, one placeholder for each picture.

        Raises:
            ChatError: a text holds the model's own token for a picture, or the template takes no such chat.
        """
        turns = [
            {
                "role": message.role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                    for part in message.content
                ],
            }
            for message in chat
        ]
        try:
            text = self.processor.apply_chat_template(
                turns, add_generation_prompt=add_generation_prompt, tokenize=False
            )
        except (ValueError, TypeError, KeyError, IndexError, ImportError) as error:
            raise ChatError(f"the model's chat template takes no such chat: {error}") from error
        except Exception as error:  # jinja2's own errors, which are raised by templates on purpose
            if type(error).__module__.startswith("jinja2"):
                raise ChatError(f"the model's chat template takes no such chat: {error}") from error
            raise
        # Counted at the end: a token may also be put together from the end of one text and the beginning of the next.
        token = self.processor.image_token
        if text.count(token) != len(_pictures(chat)):
            raise ChatError(f"a text holds '{token}', which stands for a picture; take it out")
        return text

    def split(self, chat: Chat, *, add_generation_prompt: bool) -> tuple[str, list[int]]:
        """The chat's words up to its last picture, and the tokens of what follows; no picture is opened.

        Two chats with the same beginning and the same pictures have the same tokens up to there (`models.prefix`).

        Raises:
            ChatError: see `text`; or the chat has no picture.
        """
        text = self.text(chat, add_generation_prompt=add_generation_prompt)
        head, token, tail = text.rpartition(self.processor.image_token)
        if not token:
            raise ChatError("the chat has no picture")
        # InternVL's placeholder stands for the tokens of a picture and the marks around them.
        end = getattr(self.processor, "end_image_token", "")
        return head + token, self.tokenizer(end + tail, add_special_tokens=False)["input_ids"]

    def _tokens(self, texts: list[str], images: list[Image.Image]) -> dict[str, Any]:
        """The model's own part of the batch."""
        how: dict[str, Any] = {"return_tensors": "pt", "padding": True, "padding_side": "left"}
        if images:
            how |= {"images": images, "do_resize": False}
            if self.family.fixed is not None:
                how["crop_to_patches"] = False
        try:
            batch = dict(self.processor(text=texts, **how))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ChatError(f"the model's processor cannot take {len(images)} pictures: {error}") from error
        # Some families count patches for themselves only; the model does not know the key.
        batch.pop("num_patches", None)
        return batch

    def _check_length(self, batch: dict[str, Any], clips: Sequence[ClipGrid | None]) -> None:
        lengths = batch["attention_mask"].sum(1).tolist()
        longest = int(max(lengths))
        if self.max_tokens is not None and longest > self.max_tokens:
            clip = clips[lengths.index(longest)]
            seen = f", {clip.num_tokens} of them for {len(clip.frames)} pictures" if clip else ""
            raise ChatError(
                f"a chat is {longest} tokens long{seen}; the model takes {self.max_tokens}: give fewer pictures, or "
                "lower max_frame_tokens or max_clip_tokens"
            )


def _pictures(chat: Chat) -> list[Any]:
    return [part for message in chat for part in message.content if not isinstance(part, str)]


def _camera_picture(part: Any) -> CameraPicture:
    if isinstance(part, CameraPicture):
        return (
            part
            if part.image.mode == "RGB"
            else CameraPicture(part.image.convert("RGB"), part.K, part.points, part.T_world_cam)
        )
    if isinstance(part, Picture):
        K = None if part.K is None else PinholeCamera(part.width, part.height, *part.K).K
        return CameraPicture(decode_picture(part), K)
    if isinstance(part, Image.Image):
        return CameraPicture(part.convert("RGB"))
    raise ChatError(f"a {type(part).__name__} is no picture; give a Picture, a PIL image or a CameraPicture")


def _vlm_image(image: Image.Image, frame: FrameGrid) -> Image.Image:
    """The cells' part of the frame in the model's size."""
    whole = frame.cells_box == (0, 0, *frame.resized_px)
    if whole:
        return _resized(image, frame.vlm_px)
    # As in the released models the picture is resized once, for both branches, and then cropped.
    return _resized(_resized(image, frame.resized_px).crop(frame.cells_box), frame.vlm_px)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _canvas(images: Sequence[Image.Image], clip: ClipGrid) -> Float[Tensor, "s 3 h w"]:
    """All frames as the encoder sees them."""
    width, height = clip.canvas_px
    out = np.full((len(images), height, width, 3), 255, np.uint8)
    for k, (image, frame) in enumerate(zip(images, clip.frames, strict=True)):
        left, top = _corner(clip, k)
        seen = _resized(image, frame.resized_px).crop(frame.geometry_box)
        out[k, top : top + seen.height, left : left + seen.width] = np.asarray(seen)
    return torch.from_numpy(out).permute(0, 3, 1, 2).float() / 255


def _corner(clip: ClipGrid, k: int) -> tuple[int, int]:
    """Left and top of frame k on the canvas, in pixels."""
    frame, (row, col, _, _) = clip.frames[k], clip.cells[k]
    left, top, right, bottom = frame.cells_box
    return col * ((right - left) // frame.cols), row * ((bottom - top) // frame.rows)


def _truth(pictures: Sequence[CameraPicture], clip: ClipGrid) -> FrameTruth | None:
    """True points as the encoder sees the frames; only where all pictures have them."""
    if any(p.points is None or p.T_world_cam is None for p in pictures):
        return None
    width, height = clip.canvas_px
    points = np.full((len(pictures), height, width, 3), np.nan, np.float32)
    for k, (picture, frame) in enumerate(zip(pictures, clip.frames, strict=True)):
        source = np.asarray(picture.points)
        if source.shape[:2] != (picture.image.height, picture.image.width):
            raise ChatError(
                f"points of shape {source.shape} do not belong to a picture of {picture.image.width} x "
                f"{picture.image.height} pixels; give one point per pixel"
            )
        # Points are never averaged: across an edge the mean lies on no surface.
        left, top, right, bottom = frame.geometry_box
        x = nearest_pixels(frame.resized_px[0], frame.source_px[0])[left:right]
        y = nearest_pixels(frame.resized_px[1], frame.source_px[1])[top:bottom]
        at_x, at_y = _corner(clip, k)
        points[k, at_y : at_y + len(y), at_x : at_x + len(x)] = source[y[:, None], x[None]]
    poses = np.stack([np.asarray(p.T_world_cam, np.float32) for p in pictures])
    return FrameTruth(torch.from_numpy(points), torch.from_numpy(poses))


def _rays(pictures: Sequence[CameraPicture], clip: ClipGrid, cell: int) -> Float[Tensor, "s r c 3"]:
    """Unit directions through the centres of the cells, in camera axes; zeros where intrinsics are not known."""
    rows, cols = clip.canvas_px[1] // cell, clip.canvas_px[0] // cell
    out = np.zeros((len(pictures), rows, cols, 3), np.float32)
    for k, (picture, frame) in enumerate(zip(pictures, clip.frames, strict=True)):
        if picture.K is None:
            continue
        K = frame.geometry_K(np.asarray(picture.K, float))
        top, left, _, _ = clip.cells[k]
        u, v = np.meshgrid((np.arange(frame.cols) + 0.5) * cell, (np.arange(frame.rows) + 0.5) * cell)
        rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        out[k, top : top + frame.rows, left : left + frame.cols] = rays
    return torch.from_numpy(out)
