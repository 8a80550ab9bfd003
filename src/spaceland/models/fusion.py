"""Ways to bring geometry tokens into visual tokens of the same cells. Each changes nothing at the start of training.

| fusion | result for token i of a frame |
|---|---|
| `add` | visual_i + geometry_i |
| `gated` | visual_i + g_i * geometry_i, g_i a gate per channel from both, normalised |
| `cross_attention` | visual_i + what it finds among all geometry tokens of its frame |

Under `add` and `gated` the last layer that makes the geometry tokens is zero at the start, in `cross_attention` the one
behind the attention: the sum then is the visual token to the bit, and gradients reach that layer from the first step.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class GatedFusion(nn.Module):
    """A gate per channel, from both tokens."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm_visual, self.norm_geometry = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.gate = nn.Linear(2 * hidden, hidden)

    def forward(self, visual: Float[Tensor, "n h"], geometry: Float[Tensor, "n h"]) -> Float[Tensor, "n h"]:
        """What is to be added to the visual tokens."""
        both = torch.cat([self.norm_visual(visual), self.norm_geometry(geometry)], dim=-1)
        return torch.sigmoid(self.gate(both)) * geometry


class CrossAttention(nn.Module):
    """Visual tokens look among the geometry tokens of their own frame; both know their cell."""

    def __init__(self, hidden: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_visual, self.norm_geometry = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.q, self.k, self.v = (nn.Linear(hidden, hidden) for _ in range(3))
        self.proj = nn.Linear(hidden, hidden)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(
        self, visual: Float[Tensor, "n h"], geometry: Float[Tensor, "n h"], shape: tuple[int, int]
    ) -> Float[Tensor, "n h"]:
        """What is to be added to the visual tokens; `shape` is rows and columns of the frame."""
        where = cell_positions(*shape, visual.shape[-1]).to(visual)
        query = self.norm_visual(visual) + where
        key = self.norm_geometry(geometry)
        q, k, v = (
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(0, 1)
            for layer, x in ((self.q, query), (self.k, key + where), (self.v, key))
        )
        out = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
        return self.proj(out.transpose(0, 1).flatten(1))


def cell_positions(rows: int, cols: int, dim: int) -> Float[Tensor, "n d"]:
    """Sines and cosines of row and column of each cell, half of the channels each; zeros fill what is left."""
    quarter = dim // 4
    frequency = torch.exp(-math.log(10000.0) * torch.arange(quarter) / max(1, quarter))
    parts = []
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    for place in (y, x):
        angle = place.reshape(-1, 1) * frequency
        parts += [angle.sin(), angle.cos()]
    return F.pad(torch.cat(parts, dim=-1), (0, dim - 4 * quarter))
