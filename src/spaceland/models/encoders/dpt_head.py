"""The dense heads of VGGT and Depth Anything 3: tokens of four layers to one value per pixel and how sure it is.

Four feature pyramids are fused from coarse to fine, with maps of image positions added. Sources: DPT (arXiv
2103.13413), VGGT (arXiv 2503.11651, 3.3); parameter names as in the released weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FRAMES_AT_ONCE = 4
_POSITION_WEIGHT = 0.1
_POSITION_BASE = 100.0
HIDDEN = 32


@dataclass(frozen=True, kw_only=True)
class DptConfig:
    """Sizes of a dense head; `widths` are the channels of its four levels, finest first.

    With `rectified_skip` a residual unit adds its *rectified* input: VGGT's rectifies in place and was trained so.
    """

    dim: int
    features: int = 256
    widths: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    patch: int = 14
    rectified_skip: bool = True


class DptHead(nn.Module):
    """Raw values per pixel: `num_out` channels, the last of which is the confidence before its activation."""

    def __init__(self, config: DptConfig, num_out: int) -> None:
        super().__init__()
        self.config = config
        w = config.widths
        self.norm = nn.LayerNorm(config.dim)
        self.projects = nn.ModuleList(nn.Conv2d(config.dim, width, 1) for width in w)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(w[0], w[0], 4, stride=4),
                nn.ConvTranspose2d(w[1], w[1], 2, stride=2),
                nn.Identity(),
                nn.Conv2d(w[3], w[3], 3, stride=2, padding=1),
            ]
        )
        self.scratch = _Scratch(config, num_out)

    def forward(
        self,
        tokens: Sequence[Float[Tensor, "s n d"]],
        grid: tuple[int, int],
        frames_at_once: int = FRAMES_AT_ONCE,
    ) -> Float[Tensor, "s c h w"]:
        """Patch tokens (no special ones) of four layers, shallow to deep; a few frames at a time bound the memory."""
        chunks = zip(*(t.split(frames_at_once) for t in tokens), strict=True)
        return torch.cat([self._chunk(chunk, grid) for chunk in chunks])

    def _chunk(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        return self._values(self._levels(tokens, grid), grid)

    def _levels(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> list[Tensor]:
        """The pyramid, finest first, all of `features` channels."""
        rows, cols = grid
        weight = self.norm.weight
        levels = []
        for x, project, resize in zip(tokens, self.projects, self.resize_layers, strict=True):
            x = self.norm(x.to(weight.dtype)).mT.unflatten(-1, (rows, cols))
            levels.append(resize(with_positions(project(x), cols / rows)))
        return self.scratch.narrowed(levels)

    def _values(self, levels: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        rows, cols = grid
        x = self.scratch.fuse(levels)
        size = (rows * self.config.patch, cols * self.config.patch)
        x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        return self.scratch.output_conv2(with_positions(x, cols / rows))


def depth_of(raw: Float[Tensor, "s 2 h w"]) -> tuple[Float[Tensor, "s h w"], Float[Tensor, "s h w"]]:
    """Depth and its confidence (above 1) of a depth head's raw values."""
    return raw[:, 0].exp(), 1 + raw[:, 1].exp()


def points_of(raw: Float[Tensor, "s 4 h w"]) -> tuple[Float[Tensor, "s h w 3"], Float[Tensor, "s h w"]]:
    """World points and their confidence (above 1) of a point head's raw values."""
    xyz = raw[:, :3].movedim(1, -1)
    return xyz.sign() * xyz.abs().expm1(), 1 + raw[:, 3].exp()


class _ResidualConv(nn.Module):
    def __init__(self, features: int, rectified_skip: bool) -> None:
        super().__init__()
        self.rectified_skip = rectified_skip
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rectified = F.relu(x)
        return (rectified if self.rectified_skip else x) + self.conv2(F.relu(self.conv1(rectified)))


class Fusion(nn.Module):
    """Adds a finer level to what came from the coarser ones, and brings the sum to the next size."""

    def __init__(self, config: DptConfig, *, coarsest: bool = False) -> None:
        super().__init__()
        features, rectified_skip = config.features, config.rectified_skip
        self.out_conv = nn.Conv2d(features, features, 1)
        if not coarsest:
            self.resConfUnit1 = _ResidualConv(features, rectified_skip)
        self.resConfUnit2 = _ResidualConv(features, rectified_skip)

    def forward(self, x: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        if finer is not None:
            x = x + self.resConfUnit1(finer)
        return self.out_conv(F.interpolate(self.resConfUnit2(x), size, mode="bilinear", align_corners=True))


class _Scratch(nn.Module):
    def __init__(self, config: DptConfig, num_out: int) -> None:
        super().__init__()
        n = config.features
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(width, n, 3, padding=1, bias=False) for width in config.widths
        )
        self.refinenet1, self.refinenet2, self.refinenet3 = (Fusion(config) for _ in range(3))
        self.refinenet4 = Fusion(config, coarsest=True)
        self.output_conv1 = nn.Conv2d(n, n // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(n // 2, HIDDEN, 3, padding=1), nn.ReLU(), nn.Conv2d(HIDDEN, num_out, 1)
        )

    def narrowed(self, levels: Sequence[Tensor]) -> list[Tensor]:
        convs = (self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn)
        return [conv(level) for conv, level in zip(convs, levels, strict=True)]

    def fuse(self, levels: Sequence[Tensor]) -> Tensor:
        chain = (self.refinenet1, self.refinenet2, self.refinenet3, self.refinenet4)
        return self.output_conv1(fused(levels, chain))


def fused(levels: Sequence[Float[Tensor, "s c _ _"]], chain: Sequence[Fusion]) -> Float[Tensor, "s c h w"]:
    """A pyramid merged from coarse to fine by `chain` (both finest first), twice the size of its finest level."""
    height, width = levels[0].shape[-2:]
    sizes = [(2 * height, 2 * width), *(level.shape[-2:] for level in levels[:-1])]
    x = chain[-1](levels[-1], None, sizes[-1])
    for fusion, level, size in reversed(list(zip(chain[:-1], levels[:-1], sizes[:-1], strict=True))):
        x = fusion(x, level, size)
    return x


def with_positions(x: Float[Tensor, "s c h w"], aspect: float) -> Float[Tensor, "s c h w"]:
    """`x` plus a tenth of sines and cosines of where each cell is in the picture (half of the diagonal is 1)."""
    _, channels, height, width = x.shape
    diagonal = (1 + aspect**2) ** 0.5
    count = channels // 4
    frequency = _POSITION_BASE ** -(torch.arange(count, dtype=torch.float32, device=x.device) / count)

    def waves(num: int, half_side: float) -> Tensor:
        reach = half_side * (num - 1) / num
        angle = frequency[:, None] * torch.linspace(-reach, reach, num, device=x.device)
        return torch.cat([angle.sin(), angle.cos()])

    across = waves(width, aspect / diagonal)[:, None, :].expand(-1, height, -1)
    down = waves(height, 1 / diagonal)[:, :, None].expand(-1, -1, width)
    return x + (_POSITION_WEIGHT * torch.cat([across, down])).to(x.dtype)
