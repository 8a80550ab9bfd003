"""Rotary positions in two dimensions, as DUSt3R's descendants have them (VGGT, Pi3, Depth Anything 3).

A head's channels are split in two halves; the first is turned by the row, the second by the column of a token. In a
half of n channels, channel pair k (channels k and k + n/2) turns by position * base^(-2k/n).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

BASE = 100.0


class RopeTable(NamedTuple):
    """Cosines and sines of every token's angles, [n, head_dim], in float32."""

    cos: Float[Tensor, "n d"]
    sin: Float[Tensor, "n d"]


def rope_table(positions: Int[Tensor, "n 2"], head_dim: int, base: float = BASE) -> RopeTable:
    """Angles of tokens at (row, column) positions; `head_dim` is a multiple of 4."""
    half = head_dim // 2
    frequency = base ** -(torch.arange(0, half, 2, dtype=torch.float32, device=positions.device) / half)
    angle = positions[:, :, None].float() * frequency  # [n, 2, half / 2]
    angle = torch.cat([angle, angle], dim=-1).reshape(len(positions), head_dim)
    return RopeTable(angle.cos(), angle.sin())


def apply_rope(x: Float[Tensor, "b heads n d"], table: RopeTable) -> Float[Tensor, "b heads n d"]:
    """Turn queries or keys by the positions of their tokens."""
    quarters = x.unflatten(-1, (2, 2, x.shape[-1] // 4))
    turned = torch.stack([-quarters[..., 1, :], quarters[..., 0, :]], dim=-2).flatten(-3)
    return x * table.cos.to(x.dtype) + turned * table.sin.to(x.dtype)


def patch_positions(rows: int, cols: int, num_special: int, device: torch.device | str = "cpu") -> Int[Tensor, "n 2"]:
    """(row, column) of the tokens of one frame: special tokens at (0, 0), patches counted from 1."""
    y, x = torch.meshgrid(
        torch.arange(1, rows + 1, device=device), torch.arange(1, cols + 1, device=device), indexing="ij"
    )
    patches = torch.stack([y, x], dim=-1).reshape(-1, 2)
    return torch.cat([patches.new_zeros(num_special, 2), patches])
