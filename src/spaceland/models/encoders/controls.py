"""Encoders that tell whether geometry is what helps: same shapes as another encoder, but not its features.

A model that is as good with these as with the real encoder did not use geometry. `Zeros` says nothing; `Mean` says the
same everywhere, so only the clip as a whole is left; `Shuffled` gives features of the right clip to the wrong frames.
Random weights are no class of their own: every architecture can be opened with weights drawn from a seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.models.encoders.frames import check_frames, check_layers
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryEncoder, GeometryFeatures, GeometryPrediction


class _Control(nn.Module):
    """What all controls share: the specification of another encoder without its heads."""

    def __init__(self, name: str, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = replace(spec, name=f"{name}:{spec.name}", heads=frozenset())

    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """Controls know no geometry.

        Raises:
            EncoderError: always.
        """
        raise EncoderError(f"{self.spec.name} is a control and predicts no geometry; open the encoder itself")


class Zeros(_Control):
    """Zeros in the shape of an encoder's features; needs no weights."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__("zeros", spec)
        self.spec = replace(self.spec, licence="none needed", commercial=True)
        # Empty, so it holds no value that loading could lose; `to` moves it, and it knows device and type from then on.
        self.register_buffer("like", torch.empty(0), persistent=False)

    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`."""
        rows, cols = check_frames(frames, self.spec.patch)
        wanted = check_layers(self.spec, layers)
        tokens = self.like.new_zeros(len(frames), rows, cols, self.spec.dim)
        dim = self.spec.camera_dim
        return GeometryFeatures(
            dict.fromkeys(wanted, tokens), None if dim is None else self.like.new_zeros(len(frames), dim)
        )


class Mean(_Control):
    """Every token, of all frames, replaced by the mean over the clip; layer by layer."""

    def __init__(self, inner: GeometryEncoder) -> None:
        super().__init__("mean", inner.spec)
        self.inner = inner

    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`."""
        found = self.inner.encode(frames, layers, truth=truth)
        return GeometryFeatures(
            {layer: _averaged(x) for layer, x in found.tokens.items()},
            None if found.camera is None else _averaged(found.camera),
        )


class Shuffled(_Control):
    """The frames in another order, and the features left in that order: right clip, wrong frames.

    The order follows from the frames themselves and the seed, so the same clip always gets the same one. A clip of one
    frame stays as it is; with more, some frame always moves.
    """

    def __init__(self, inner: GeometryEncoder, seed: int = 0) -> None:
        super().__init__("shuffled", inner.spec)
        self.inner, self.seed = inner, seed

    def extra_repr(self) -> str:
        """All that changes features beside the inner encoder."""
        return f"seed={self.seed}"

    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`. Features at place i are those of frame `order(frames)[i]`."""
        order = self.order(frames)
        if truth is not None:
            at = order.to(truth.points.device)
            truth = FrameTruth(truth.points[at], truth.T_world_cam[at.to(truth.T_world_cam.device)])
        return self.inner.encode(frames[order.to(frames.device)], layers, truth=truth)

    def order(self, frames: Float[Tensor, "s 3 h w"]) -> Int[Tensor, "s"]:
        """Which frame stands at each place."""
        digest = hashlib.sha256(frames.detach().float().cpu().contiguous().numpy().tobytes()).digest()
        seed = (int.from_bytes(digest[:7], "big") + self.seed) % 2**56
        generator = torch.Generator().manual_seed(seed)
        natural = torch.arange(len(frames))
        order = torch.randperm(len(frames), generator=generator)
        while len(frames) > 1 and torch.equal(order, natural):
            order = torch.randperm(len(frames), generator=generator)
        return order


def _averaged(x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
    return x.float().flatten(0, -2).mean(0).to(x.dtype).expand_as(x).contiguous()
