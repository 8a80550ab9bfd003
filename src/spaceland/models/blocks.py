"""The transformer block that the geometry encoders share, with the parameter names of their released files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spaceland.models.rope import RopeTable, apply_rope


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Sizes of a block. `qk_norm_eps` None: queries and keys are not normalised; `layer_scale` None: no layer scale."""

    dim: int
    num_heads: int
    mlp_dim: int
    norm_eps: float = 1e-5
    qk_norm_eps: float | None = None
    layer_scale: float | None = 0.01
    mlp: Literal["gelu", "swiglu"] = "gelu"
    qkv_bias: bool = True


class Attention(nn.Module):
    """Self-attention over all tokens of a row of the batch, through `scaled_dot_product_attention`."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        head_dim = config.dim // config.num_heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=config.qkv_bias)
        norm = config.qk_norm_eps
        self.q_norm = nn.LayerNorm(head_dim, eps=norm) if norm is not None else nn.Identity()
        self.k_norm = nn.LayerNorm(head_dim, eps=norm) if norm is not None else nn.Identity()
        self.proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Float[Tensor, "b n d"], rope: RopeTable | None = None) -> Float[Tensor, "b n d"]:
        """Attend; positions only where a table is given. A table of n tokens serves any batch."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = apply_rope(q, rope), apply_rope(k, rope)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Each token on its own."""
        return self.fc2(F.gelu(self.fc1(x)))


class SwiGlu(nn.Module):
    """A gated layer, as the giant DINOv2 has; `w12` holds gate and value."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(dim, 2 * hidden)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Each token on its own."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class LayerScale(nn.Module):
    """A learnt factor per channel."""

    def __init__(self, dim: int, init: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), init))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Scale."""
        return x * self.gamma


class Block(nn.Module):
    """x += ls1 attn(norm1 x); x += ls2 mlp(norm2 x)."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        scale = config.layer_scale
        self.norm1 = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.dim, scale) if scale is not None else nn.Identity()
        self.norm2 = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.mlp = (Mlp if config.mlp == "gelu" else SwiGlu)(config.dim, config.mlp_dim)
        self.ls2 = LayerScale(config.dim, scale) if scale is not None else nn.Identity()

    def forward(self, x: Float[Tensor, "b n d"], rope: RopeTable | None = None) -> Float[Tensor, "b n d"]:
        """Tokens in, tokens out."""
        x = x + self.ls1(self.attn(self.norm1(x), rope))
        return x + self.ls2(self.mlp(self.norm2(x)))
