"""The alternating trunk that VGGT and Pi3 share: attention within each frame, then over all frames, and so on.

A layer is a pair of blocks. What comes out of it is the frame block's and the global block's tokens side by side; the
global ones go on to the next layer. Nothing deeper than the deepest wanted layer is run, and no other layer is kept.
Source: VGGT (arXiv 2503.11651, 3.2); Pi3 (arXiv 2507.13347, 3.2) is the same without a camera token and with tokens
that are alike for all frames: no frame is the reference.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spaceland.models.blocks import Block, BlockConfig
from spaceland.models.rope import BASE, RopeTable, patch_positions, rope_table

TOKEN_STD = 1e-6
"""Deviation of the special tokens before training."""


@dataclass(frozen=True, kw_only=True)
class TrunkConfig:
    """What an alternating trunk is made of.

    `num_layers` counts pairs of blocks (Pi3's 36 blocks are 18 pairs). Special tokens stand before the patches of every
    frame: a camera token if `camera_token`, then `num_register_tokens`. With `first_frame_differs` frame 0 has learnt
    special tokens of its own, which makes it the reference; otherwise all frames have the same.
    """

    block: BlockConfig
    num_layers: int
    num_register_tokens: int = 4
    camera_token: bool = True
    first_frame_differs: bool = True
    rope_base: float = BASE

    @property
    def num_special(self) -> int:
        """Tokens of a frame that are no patches."""
        return self.num_register_tokens + self.camera_token


class AlternatingTrunk(nn.Module):
    """Pairs of a frame block and a global block over the tokens of one clip.

    Args:
        config: The architecture.
        num_built: How many of its layers exist here (and can be run); None for all.
    """

    def __init__(self, config: TrunkConfig, num_built: int | None = None) -> None:
        super().__init__()
        self.config = config
        built = config.num_layers if num_built is None else num_built
        slots, dim = 1 + config.first_frame_differs, config.block.dim
        if config.camera_token:
            self.camera_token = nn.Parameter(torch.randn(1, slots, 1, dim) * TOKEN_STD)
        self.register_token = nn.Parameter(torch.randn(1, slots, config.num_register_tokens, dim) * TOKEN_STD)
        self.frame_blocks = nn.ModuleList(Block(config.block) for _ in range(built))
        self.global_blocks = nn.ModuleList(Block(config.block) for _ in range(built))

    def forward(
        self, patches: Float[Tensor, "s n d"], grid: tuple[int, int], layers: Collection[int]
    ) -> dict[int, Float[Tensor, "s p d2"]]:
        """Tokens of the wanted layers: `num_special` special ones, then the patches; frame channels, then global ones.

        Args:
            patches: Patch tokens of the S frames of a clip, row by row.
            grid: Rows and columns of patches.
            layers: Wanted layers from 0; all of them are built.
        """
        num_frames = len(patches)
        x = torch.cat([self.special_tokens(num_frames), patches], dim=1)
        in_frame, in_clip = self.angles(grid, num_frames, x)
        out: dict[int, Tensor] = {}
        for index in range(max(layers) + 1):
            x = self.frame_blocks[index](x, in_frame)
            within = x if index in layers else None
            x = self.global_blocks[index](x.reshape(1, -1, x.shape[-1]), in_clip).reshape(x.shape)
            if within is not None:
                out[index] = torch.cat([within, x], dim=-1)
        return out

    def special_tokens(self, num_frames: int) -> Float[Tensor, "s t d"]:
        """What stands before the patches of every frame."""
        token = self.register_token
        if self.config.camera_token:
            token = torch.cat([self.camera_token, token], dim=2)
        rest = token[0, -1:].expand(num_frames - 1, -1, -1)
        return torch.cat([token[0, :1], rest])

    def angles(self, grid: tuple[int, int], num_frames: int, x: Tensor) -> tuple[RopeTable, RopeTable]:
        """Angles for the tokens of one frame, and for those of the whole clip: a frame has no position in time."""
        positions = patch_positions(*grid, self.config.num_special, x.device)
        head_dim = self.config.block.dim // self.config.block.num_heads
        table = rope_table(positions, head_dim, self.config.rope_base)
        cos, sin = table.cos.to(x.dtype), table.sin.to(x.dtype)
        return RopeTable(cos, sin), RopeTable(cos.repeat(num_frames, 1), sin.repeat(num_frames, 1))
