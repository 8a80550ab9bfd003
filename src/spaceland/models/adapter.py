"""The trainable part: features of a geometry encoder, and rays if asked for, become an addition to visual tokens.

One merger per layer of the encoder. With `deepstack` layer k's tokens go to the k-th early layer of the language
model; with all other fusions the layers are summed and meet the visual tokens before it. A camera token is projected
and added to every geometry token of its frame, as is an embedding of each cell's ray: both are about the frame or cell
as a whole, cost no place in the sequence, and mean that cell i stays cell i.

Masking in training (GeoSR's idea: visual tokens alone are so informative that geometry is not used): with some
probability per clip most of its visual tokens are set to zero, so that only geometry is left there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.models.fusion import CrossAttention, GatedFusion
from spaceland.models.grid import MERGE
from spaceland.models.merger import GeometryMerger, MergerKind
from spaceland.models.types import EncoderSpec, GeometryFeatures

Fusion = Literal["add", "gated", "cross_attention", "deepstack"]


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What the adapter is made of. The defaults are those of VG LLM, but for the zero start."""

    merger: MergerKind = "mlp"
    merger_dim: int = 4096
    fusion: Fusion = "add"
    layers: tuple[int, ...] | None = None
    """Layers of the encoder; None: its own default."""
    camera_token: bool = False
    rays: bool = False
    ray_dim: int = 256
    num_heads: int = 8
    """Of `cross_attention`."""
    mask_probability: float = 0.0
    """In training: how often the visual tokens of a clip are masked. GeoSR has 0.5."""
    mask_ratio: float = 0.8
    """How many of them then."""

    def __post_init__(self) -> None:
        """Lists, as JSON has them, become tuples; numbers are checked."""
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(int(k) for k in self.layers))
            if not self.layers or len(set(self.layers)) != len(self.layers):
                raise EncoderError(f"layers {self.layers}: name each layer of the encoder once, and at least one")
        for name, known in (("merger", ("mlp", "avg")), ("fusion", ("add", "gated", "cross_attention", "deepstack"))):
            if getattr(self, name) not in known:
                raise EncoderError(
                    f"'{getattr(self, name)}' is no {name} of the adapter: choose from {', '.join(known)}"
                )
        if not (0 <= self.mask_probability <= 1 and 0 <= self.mask_ratio <= 1):
            raise EncoderError("mask_probability and mask_ratio are shares between 0 and 1")


class FrameTokens(NamedTuple):
    """Visual tokens of one picture: those of its cells, row by row, and the same for each deepstack level."""

    tokens: Float[Tensor, "n h"]
    deepstack: tuple[Float[Tensor, "n h"], ...] = ()


class GeometryAdapter(nn.Module):
    """See the module. `spec` None: no encoder, rays alone."""

    def __init__(self, config: AdapterConfig, spec: EncoderSpec | None, hidden: int) -> None:
        """Make it; random numbers come from torch.

        Args:
            config: What it is made of.
            spec: The encoder it is for.
            hidden: Channels of the model's tokens.

        Raises:
            EncoderError: a layer that the encoder has not, a camera token where there is none, nothing to add.
        """
        super().__init__()
        if spec is None and not config.rays:
            raise EncoderError("without an encoder an adapter has only rays to add: give an encoder, or rays=True")
        layers = () if spec is None else config.layers or spec.default_layers
        if spec is not None:
            config = dataclasses.replace(config, layers=layers)
            wrong = [k for k in layers if not 0 <= k < spec.num_layers]
            if wrong:
                raise EncoderError(f"{spec.name} has layers 0 to {spec.num_layers - 1}, not {wrong}")
        if config.fusion == "cross_attention" and hidden % config.num_heads:
            raise EncoderError(f"{config.num_heads} heads do not divide tokens of {hidden} channels")
        self.config, self.layers = config, layers
        dim = spec.dim if spec is not None else 0
        self.mergers = nn.ModuleList(GeometryMerger(dim, config.merger_dim, hidden, config.merger) for _ in layers)
        self.camera = self.rays = self.mix = None
        if config.camera_token and spec is not None:
            if spec.camera_dim is None:
                raise EncoderError(f"{spec.name} has no camera token; leave camera_token out")
            self.camera = nn.Sequential(
                nn.LayerNorm(spec.camera_dim), nn.Linear(spec.camera_dim, hidden), nn.GELU(), nn.Linear(hidden, hidden)
            )
        if config.rays:
            self.rays = nn.Sequential(nn.Linear(3, config.ray_dim), nn.GELU(), nn.Linear(config.ray_dim, hidden))
        if config.fusion == "gated":
            self.mix = GatedFusion(hidden)
        elif config.fusion == "cross_attention":
            self.mix = CrossAttention(hidden, config.num_heads)
        last = [self.camera, self.rays]
        # Behind the attention there is a zero layer already; a second one would keep gradients from both.
        if config.fusion != "cross_attention":
            last += [merger.mlp for merger in self.mergers]
        for stack in last:
            if stack is not None:
                nn.init.zeros_(stack[-1].weight)
                nn.init.zeros_(stack[-1].bias)

    def forward(
        self,
        frames: Sequence[FrameTokens],
        features: GeometryFeatures | None,
        cells: Int[Tensor, "s 4"],
        rays: Float[Tensor, "s r c 3"] | None = None,
    ) -> list[FrameTokens]:
        """Fuse the tokens of one clip.

        Args:
            frames: Visual tokens of each picture.
            features: What the encoder saw, on a canvas (`ClipGrid`); None without an encoder.
            cells: Where each picture stands on it: first row, first column, rows, columns.
            rays: Unit directions of the cells of the canvas in camera axes, zeros where they are not known.

        Raises:
            EncoderError: the features do not cover the cells, or lack a layer or the camera token.
        """
        levels = self._levels(features, rays)
        places = [tuple(int(n) for n in row) for row in cells.tolist()]
        if len(places) != len(frames):
            raise EncoderError(f"{len(frames)} pictures and {len(places)} places on the canvas; they must agree")
        fused = []
        frames = self._masked(frames)
        for index, (frame, (top, left, rows, cols)) in enumerate(zip(frames, places, strict=True)):
            parts = [level[index, top : top + rows, left : left + cols].flatten(0, 1) for level in levels]
            if any(len(part) != len(frame.tokens) for part in parts):
                raise EncoderError(
                    f"picture {index} has {len(frame.tokens)} tokens of the model and {len(parts[0])} of the encoder; "
                    "the frames were not sized by one TokenGrid"
                )
            fused.append(self._fuse(frame, parts, (rows, cols)))
        return fused

    def _levels(self, features: GeometryFeatures | None, rays: Tensor | None) -> list[Float[Tensor, "s r c h"]]:
        """Geometry tokens of the canvas, one map per level."""
        own = next(self.parameters())
        levels = []
        for layer, merger in zip(self.layers, self.mergers, strict=True):
            if features is None or layer not in features.tokens:
                raise EncoderError(f"the encoder gave no features of layer {layer}, which the adapter was made for")
            levels.append(merger(features.tokens[layer].to(own)))
        if self.config.fusion != "deepstack" and len(levels) > 1:
            levels = [sum(levels[1:], levels[0])]
        if self.rays is not None and rays is not None:
            rays = rays.to(own)
            known = rays.square().sum(-1, keepdim=True) > 0
            extra = self.rays(rays) * known
            levels = [levels[0] + extra, *levels[1:]] if levels else [extra]
        if self.camera is not None:
            if features is None or features.camera is None:
                raise EncoderError("the encoder gave no camera token, which the adapter was made for")
            levels[0] = levels[0] + self.camera(features.camera.to(own))[:, None, None]
        return levels

    def _fuse(self, frame: FrameTokens, parts: list[Tensor], shape: tuple[int, int]) -> FrameTokens:
        if not parts:
            return frame
        if self.config.fusion == "deepstack":
            deep = list(frame.deepstack)
            for k, part in enumerate(parts):
                if k < len(deep):
                    deep[k] = deep[k] + part.to(deep[k].dtype)
                else:
                    deep.append(part.to(frame.tokens.dtype))
            return FrameTokens(frame.tokens, tuple(deep))
        addition = parts[0]
        if isinstance(self.mix, GatedFusion):
            addition = self.mix(frame.tokens.to(addition.dtype), addition)
        elif isinstance(self.mix, CrossAttention):
            addition = self.mix(frame.tokens.to(addition.dtype), addition, shape)
        return FrameTokens(frame.tokens + addition.to(frame.tokens.dtype), frame.deepstack)

    def _masked(self, frames: Sequence[FrameTokens]) -> Sequence[FrameTokens]:
        """In training: visual tokens of a share of the cells set to zero, now and then."""
        config = self.config
        if not self.training or config.mask_probability == 0 or torch.rand(()) >= config.mask_probability:
            return frames
        out = []
        for frame in frames:
            kept = (torch.rand(len(frame.tokens), 1) >= config.mask_ratio).to(frame.tokens)
            out.append(FrameTokens(frame.tokens * kept, tuple(level * kept for level in frame.deepstack)))
        return out


def needed_patches(cells: Int[Tensor, "s 4"]) -> tuple[int, int]:
    """Rows and columns of patches that the cells of a clip need on the canvas."""
    places = cells.tolist()
    return max(p[0] + p[2] for p in places) * MERGE, max(p[1] + p[3] for p in places) * MERGE
