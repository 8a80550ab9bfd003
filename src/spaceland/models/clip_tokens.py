"""Tokens of the pictures of a chat: what the model's own encoder makes, geometry added, how they enter the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from spaceland.errors import EncoderError
from spaceland.models.adapter import FrameTokens, GeometryAdapter, needed_patches
from spaceland.models.families import Family
from spaceland.models.types import FrameTruth, GeometryEncoder

ClipTokens = tuple[FrameTokens, ...]
"""Fused tokens of all pictures of a chat, ready for any question about them."""


def visual_tokens(vlm: Any, batch: Mapping[str, Any]) -> list[FrameTokens]:
    """Tokens of every picture as the model's own image encoder makes them.

    Args:
        vlm: The Hugging Face model.
        batch: Of a `GeometryProcessor`, on the model's device.
    """
    pixels = batch.get("pixel_values")
    if pixels is None:
        return []
    model = vlm.model
    how = {"image_grid_thw": batch["image_grid_thw"]} if batch.get("image_grid_thw") is not None else {}
    trained = any(p.requires_grad for n, p in model.named_parameters() if not n.startswith("language_model"))
    with torch.set_grad_enabled(torch.is_grad_enabled() and trained):
        out = model.get_image_features(pixels, **how, return_dict=True)
    levels = getattr(out, "deepstack_features", None) or ()
    return [FrameTokens(tokens, tuple(level[k] for level in levels)) for k, tokens in enumerate(out.pooler_output)]


def fused_tokens(
    adapter: GeometryAdapter,
    encoder: GeometryEncoder | None,
    frames: list[FrameTokens],
    index: int,
    batch: Mapping[str, Any],
) -> list[FrameTokens]:
    """The pictures of one chat with geometry.

    Args:
        adapter: Trained or not.
        encoder: The one that the adapter is for; None for rays alone.
        frames: Visual tokens of each picture.
        index: Of the chat in the batch.
        batch: Of a `GeometryProcessor`.

    Raises:
        EncoderError: the batch has no frames for the encoder, or they were made for another one.
    """
    cells = batch["geometry_cells"][index]
    features = None
    if encoder is not None:
        if batch.get("geometry_frames") is None:
            raise EncoderError("the batch has no geometry_frames; its processor was made with geometry=False")
        truth: Sequence[FrameTruth | None] | None = batch.get("geometry_truth")
        with torch.no_grad():
            features = encoder.encode(
                batch["geometry_frames"][index], adapter.layers, truth=truth[index] if truth else None
            )
        rows, cols = needed_patches(cells)
        for layer, tokens in features.tokens.items():
            if tokens.shape[1] < rows or tokens.shape[2] < cols:
                raise EncoderError(
                    f"layer {layer} of {encoder.spec.name} has {tokens.shape[1]} x {tokens.shape[2]} patches, "
                    f"{rows} x {cols} are needed; make the batch with a grid for patches of {encoder.spec.patch} pixels"
                )
    rays = batch["geometry_rays"][index] if batch.get("geometry_rays") is not None else None
    return adapter(frames, features, cells, rays)


def image_output(clips: Sequence[ClipTokens], family: Family, device: torch.device) -> Any:
    """The clips of a batch as the image encoder would give them: a new object, since `generate` writes into it."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    frames = [frame for clip in clips for frame in clip]
    tokens: Any = tuple(frame.tokens.to(device) for frame in frames)
    if family.fixed is not None:
        tokens = torch.stack(tokens)
    out = BaseModelOutputWithPooling(pooler_output=tokens)
    if family.deepstack:
        levels = range(len(frames[0].deepstack))
        out.deepstack_features = [tuple(f.deepstack[k].to(device) for f in frames) for k in levels]
    return out
