"""The one vision transformer of Depth Anything 3, whose later blocks look at one frame and at all frames in turn.

Up to `alt_start` it is a plain DINOv2: every block sees one frame. From there on even blocks see one frame and odd
blocks all of them; queries and keys are normalised and turned by position, and a camera token (one for the reference
frame, another for the rest) takes the place of the class token. Blocks that see all frames are told of every patch the
same position, so they cannot tell where in a picture it was. The reference frame is chosen by the model itself from
the class tokens where there are three frames or more; with fewer it is the first (arXiv 2511.10647, section 3.2).

Hugging Face's DINOv2 is not used here: it has no such blocks, and it stretches the position table differently.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from spaceland.models.blocks import Block, BlockConfig
from spaceland.models.encoders.vit import FRAMES_AT_ONCE, imagenet_normalised
from spaceland.models.rope import RopeTable, patch_positions, rope_table

MIN_FRAMES_TO_CHOOSE = 3
"""With fewer frames the first one is the reference."""
TOKEN_STD = 0.02
"""Deviation of tokens and positions before training, as those of DINOv2 begin."""
STRETCH_OFFSET = 0.1
"""Added to the wanted size when the position table is stretched, as in the first DINOv2."""


@dataclass(frozen=True, kw_only=True)
class Da3VitConfig:
    """Sizes of the transformer; `alt_start` is the first block that may see all frames."""

    dim: int
    depth: int
    num_heads: int
    alt_start: int
    mlp: Literal["gelu", "swiglu"] = "gelu"
    mlp_dim: int
    table_side: int = 37
    patch: int = 14


class PatchProjection(nn.Module):
    """Cuts pictures into patches; a class of its own because of the parameter names."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)

    def forward(self, frames: Float[Tensor, "s 3 h w"]) -> Float[Tensor, "s n d"]:
        """One token per patch, row by row."""
        return self.proj(frames).flatten(2).transpose(1, 2)


class Da3Vit(nn.Module):
    """The transformer with its first `num_blocks` blocks (all by default), with the parameter names of the release."""

    def __init__(self, config: Da3VitConfig, num_blocks: int | None = None) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchProjection(config.dim, config.patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.dim) * TOKEN_STD)
        self.camera_token = nn.Parameter(torch.randn(1, 2, config.dim) * TOKEN_STD)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + config.table_side**2, config.dim) * TOKEN_STD)
        depth = config.depth if num_blocks is None else num_blocks
        self.blocks = nn.ModuleList(Block(_block_config(config, index)) for index in range(depth))
        self.norm = nn.LayerNorm(config.dim)

    def forward(
        self, frames: Float[Tensor, "s 3 h w"], layers: Collection[int], frames_at_once: int = FRAMES_AT_ONCE
    ) -> dict[int, Float[Tensor, "s n d2"]]:
        """Tokens after each of `layers`, camera token first, then the patches row by row; 2 * dim channels.

        The first half is what the last block that saw one frame gave, the second half what the block itself gave.
        Blocks after the deepest layer are not run.

        Args:
            frames: Colours in 0..1 on any device, sides multiples of the patch.
            layers: Counted from 0.
            frames_at_once: Bounds the memory of blocks that look at single frames.
        """
        alt_start, num_frames = self.config.alt_start, len(frames)
        rows, cols = (side // self.config.patch for side in frames.shape[-2:])
        in_frame, in_clip = self._tables((rows, cols), num_frames)
        stretched = self._positions(rows, cols)

        x = torch.cat([self._tokens(part, stretched) for part in frames.split(frames_at_once)])
        back: Tensor | None = None
        one_frame = x
        found = {}
        for index, block in enumerate(self.blocks[: max(layers) + 1]):
            if index == alt_start - 1 and num_frames >= MIN_FRAMES_TO_CHOOSE:
                order = reference_first(x[:, 0])
                back = order.argsort()
                x = x[order]
            if index == alt_start:
                x = one_frame = torch.cat([self._camera_tokens(num_frames), x[:, 1:]], dim=1)
            if index >= alt_start and index % 2 == 1:
                x = block(x.flatten(0, 1)[None], in_clip).view_as(x)
            else:
                rope = in_frame if index >= alt_start else None
                x = one_frame = torch.cat([block(part, rope) for part in x.split(frames_at_once)])
            if index in layers:
                out = torch.cat([one_frame, x], dim=-1)
                found[index] = out if back is None else out[back]
        return found

    def normed(self, tokens: Float[Tensor, "s n d2"]) -> Float[Tensor, "s n d2"]:
        """Tokens of a layer with the second half normalised, as the heads take the patches (but not the camera)."""
        one_frame, x = tokens.chunk(2, dim=-1)
        return torch.cat([one_frame, self.norm(x)], dim=-1)

    def _tokens(self, frames: Tensor, positions: Tensor) -> Float[Tensor, "s n d"]:
        frames = frames.to(self.cls_token.device, torch.float32, non_blocking=True)
        pixels = imagenet_normalised(frames).to(self.cls_token.dtype)
        patches = self.patch_embed(pixels)
        return torch.cat([self.cls_token.expand(len(frames), -1, -1), patches], dim=1) + positions

    def _tables(self, grid: tuple[int, int], num_frames: int) -> tuple[RopeTable, RopeTable]:
        """Angles within a frame, and over the clip, where all patches are at (1, 1)."""
        positions = patch_positions(*grid, 1, self.cls_token.device)
        tables = []
        for places, times in ((positions, 1), (positions.clamp(max=1), num_frames)):
            table = rope_table(places, self.config.dim // self.config.num_heads)
            tables.append(RopeTable(*(part.to(self.cls_token.dtype).repeat(times, 1) for part in table)))
        return tables[0], tables[1]

    def _camera_tokens(self, num_frames: int) -> Float[Tensor, "s 1 d"]:
        reference, rest = self.camera_token[0]
        return torch.cat([reference[None], rest.expand(num_frames - 1, -1)])[:, None]

    def _positions(self, rows: int, cols: int) -> Float[Tensor, "1 n d"]:
        """The learnt position table at the size of the patch grid, stretched in float32 unless the size is its own."""
        side = self.config.table_side
        if rows == cols == side:
            return self.pos_embed
        table = self.pos_embed.float()
        grid = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        scale = ((rows + STRETCH_OFFSET) / side, (cols + STRETCH_OFFSET) / side)
        grid = F.interpolate(grid, scale_factor=scale, mode="bicubic")
        return torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2)], dim=1).to(self.pos_embed.dtype)


def _block_config(config: Da3VitConfig, index: int) -> BlockConfig:
    return BlockConfig(
        dim=config.dim,
        num_heads=config.num_heads,
        mlp_dim=config.mlp_dim,
        norm_eps=1e-6,
        qk_norm_eps=1e-5 if index >= config.alt_start else None,
        layer_scale=1.0,
        mlp=config.mlp,
    )


def reference_first(class_tokens: Float[Tensor, "s d"]) -> Int[Tensor, "s"]:
    """The order of the frames with the reference frame first and the others as they were.

    The reference is the frame that is nearest to the middle of the range in three things at once: how alike its class
    token is to the others, how long that is, and how much its direction varies over the channels. Everything stays on
    the device.
    """
    tokens = class_tokens.float()
    length = tokens.norm(dim=-1)
    direction = tokens / length[:, None]
    alike = (direction @ direction.T).fill_diagonal_(0.0).sum(dim=-1)
    measures = torch.stack([alike / (len(tokens) - 1), length, direction.var(dim=-1)])
    lowest = measures.amin(dim=1, keepdim=True)
    spread = measures.amax(dim=1, keepdim=True) - lowest
    off_middle = ((measures - lowest) / (spread + 1e-8) - 0.5).abs().sum(dim=0)
    frame = torch.arange(len(tokens), device=tokens.device)
    return torch.argsort((frame != off_middle.argmin()).int(), stable=True)
