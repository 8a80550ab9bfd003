"""The heads of Depth Anything 3: camera from the camera token, depth and rays from the patches of four layers.

The dense head has two towers on one pyramid, which merge it with weights of their own. One ends in depth; the other, of
which nothing is built unless it is wanted, in rays: per pixel a direction and an origin in the world, so that a surface
point is origin + depth * direction (arXiv 2511.10647, 3.1 and 3.2). Parameter names are those of the release.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spaceland.models.encoders.dpt_head import HIDDEN, DptConfig, DptHead, Fusion, depth_of, fused, with_positions

RAY_CHANNELS = 6
UNUSED_LEVELS = 3
"""Coarser levels at which the tower of the rays was taught; only the finest is asked in the end."""


class CameraDecoder(nn.Module):
    """Camera token to pose encoding: three linear answers after a small network."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.fc_t = nn.Linear(dim, 3)
        self.fc_qvec = nn.Linear(dim, 4)
        self.fc_fov = nn.Sequential(nn.Linear(dim, 2), nn.ReLU())

    def forward(self, camera: Float[Tensor, "s d"]) -> Float[Tensor, "s 9"]:
        """As `pose_encoding` has it, but where the camera is in the world instead of the world in the camera."""
        x = self.backbone(camera)
        return torch.cat([self.fc_t(x), self.fc_qvec(x), self.fc_fov(x)], dim=-1)


class DualDptHead(DptHead):
    """Patch tokens to depth, and with `rays` to surface points."""

    def __init__(self, config: DptConfig, rays: bool) -> None:
        super().__init__(config, num_out=2)
        self.rays = rays
        if not rays:
            return
        wide, narrow = config.features, config.features // 2
        for level in (1, 2, 3, 4):
            self.scratch.add_module(f"refinenet{level}_aux", Fusion(config, coarsest=level == 4))
        neck = [nn.Conv2d(*sizes, 3, padding=1) for sizes in [(wide, narrow), (narrow, wide)] * 2 + [(wide, narrow)]]
        last = [
            nn.Conv2d(narrow, HIDDEN, 3, padding=1),
            nn.Identity(),
            _ChannelNorm(HIDDEN),
            nn.Identity(),
            nn.ReLU(),
            nn.Conv2d(HIDDEN, RAY_CHANNELS + 1, 1),
        ]
        unused = [nn.Identity()] * UNUSED_LEVELS
        self.scratch.add_module("output_conv1_aux", nn.ModuleList([*unused, nn.Sequential(*neck)]))
        self.scratch.add_module("output_conv2_aux", nn.ModuleList([*unused, nn.Sequential(*last)]))

    def _chunk(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> Float[Tensor, "s c h w"]:
        levels = self._levels(tokens, grid)
        depth = self._values(levels, grid)
        if not self.rays:
            return depth
        rays = F.interpolate(self._rays(levels, grid), depth.shape[-2:], mode="bilinear")
        return torch.cat([depth, rays], dim=1)

    def _rays(self, levels: Sequence[Tensor], grid: tuple[int, int]) -> Float[Tensor, "s 7 h w"]:
        """Direction, origin and raw confidence, 8 x 8 per patch."""
        parts = dict(self.scratch.named_children())
        x = fused(levels, [parts[f"refinenet{level}_aux"] for level in (1, 2, 3, 4)])
        x = parts["output_conv1_aux"][-1](x)
        return parts["output_conv2_aux"][-1](with_positions(x, grid[1] / grid[0]))


def points_of_rays(
    raw: Float[Tensor, "s 9 h w"],
) -> tuple[Float[Tensor, "s h w 3"], Float[Tensor, "s h w"]]:
    """World points and their confidence (above 1) of the raw values of a head with rays."""
    depth, _ = depth_of(raw[:, :2])
    direction, origin = raw[:, 2:5], raw[:, 5:8]
    return (origin + depth[:, None] * direction).movedim(1, -1), 1 + raw[:, 8].exp()


class _ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of a map."""

    def forward(self, input: Float[Tensor, "s c h w"]) -> Float[Tensor, "s c h w"]:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)
