"""Patch tokens of single frames from a DINOv2 with registers, a few frames at a time.

The network is Hugging Face's `Dinov2WithRegistersModel`; its table of positions is interpolated in float32 (bicubic,
antialiased, no offset), as VGGT and Pi3 do it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FRAMES_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """Sizes of the ViT; the defaults are DINOv2-L/14 with 4 registers. `image_px` is the side of its position table."""

    dim: int = 1024
    num_layers: int = 24
    num_heads: int = 16
    mlp_ratio: int = 4
    patch: int = 14
    image_px: int = 518
    num_registers: int = 4


class PatchVit(nn.Module):
    """Frames in 0..1 to normalised patch tokens. Frames do not see each other, so any number at once gives the same."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(
                hidden_size=config.dim,
                num_hidden_layers=config.num_layers,
                num_attention_heads=config.num_heads,
                mlp_ratio=config.mlp_ratio,
                patch_size=config.patch,
                image_size=config.image_px,
                num_register_tokens=config.num_registers,
                layer_norm_eps=1e-6,
                qkv_bias=True,
                layerscale_value=1.0,
                attn_implementation="sdpa",
            )
        )

    def forward(self, frames: Float[Tensor, "s 3 h w"], frames_at_once: int = FRAMES_AT_ONCE) -> Float[Tensor, "s n d"]:
        """Tokens of all patches, row by row, without class token and registers.

        Args:
            frames: Colours in 0..1 on any device; they go to that of the weights a few at a time.
            frames_at_once: Bounds the memory.
        """
        weight = self.model.embeddings.cls_token
        num_extra = 1 + self.config.num_registers
        out = []
        for chunk in frames.split(frames_at_once):
            # Without waiting: the loop never stops the device.
            chunk = chunk.to(weight.device, torch.float32, non_blocking=True)
            pixels = imagenet_normalised(chunk).to(weight.dtype)
            out.append(self.model(pixels).last_hidden_state[:, num_extra:])
        return torch.cat(out)


def imagenet_normalised(frames: Float[Tensor, "s 3 h w"]) -> Float[Tensor, "s 3 h w"]:
    """Colours in 0..1 as DINOv2 was trained on them. Plain numbers: no tensor is sent to the device for them."""
    planes = zip(frames.unbind(1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.stack([(plane - mean) / std for plane, mean, std in planes], dim=1)
