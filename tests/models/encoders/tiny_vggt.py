"""A VGGT of some thousand weights, and frames for it."""

from __future__ import annotations

import torch

from spaceland.models.encoders.vggt import Vggt, VggtConfig

TINY = VggtConfig(
    img_size=56,
    embed_dim=32,
    depth=4,
    num_heads=2,
    mlp_ratio=2,
    vit_depth=2,
    vit_num_heads=2,
    camera_depth=2,
    camera_num_heads=2,
    dpt_layers=(0, 1, 2, 3),
    dpt_features=16,
    dpt_widths=(8, 16, 16, 16),
)


def tiny_vggt(seed: int = 0, **options) -> Vggt:
    """Random weights, all of them of a size that matters: fresh layer scales and tokens would hide most mistakes."""
    torch.manual_seed(seed)
    model = Vggt(TINY, **options)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("gamma", "lambda1", "norm.weight", "norm1.weight", "norm2.weight")):
                value.uniform_(0.5, 1.5)
            elif "token" in name or name.endswith("bias"):
                value.normal_(std=0.3)
    return model.requires_grad_(False).eval()


def frames(num: int = 3, height: int = 42, width: int = 70, seed: int = 1) -> torch.Tensor:
    """Noise in 0..1."""
    return torch.rand(num, 3, height, width, generator=torch.Generator().manual_seed(seed))
