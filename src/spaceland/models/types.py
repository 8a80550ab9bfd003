"""What geometry encoders take and give: the one interface between them, the adapters and the reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

Head = Literal["pose", "depth", "points"]
Reference = Literal["first", "none", "auto"]


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What is known of an encoder before it sees a picture.

    `reference` says which frame is special: the "first" one (its camera is the world), "none" (all frames are alike),
    or one that the model picks by itself ("auto"). `metric`: whether its poses and depths are in metres. `licence` is
    that of the weights, in words; `commercial` whether they may be used commercially (None: not known).
    """

    name: str
    dim: int
    """Channels of a token, the same at every layer."""
    num_layers: int
    """Layers that can be asked for, counted from 0."""
    default_layers: tuple[int, ...]
    """What the adapter gets where nobody says otherwise."""
    licence: str
    patch: int = 14
    reference: Reference = "first"
    metric: bool = False
    heads: frozenset[Head] = frozenset()
    camera_dim: int | None = None
    """Channels of the camera token; None where there is none."""
    long_side_px: int = 518
    """The side the weights were trained around."""
    commercial: bool | None = None


@dataclass(frozen=True, eq=False)
class GeometryFeatures:
    """Tokens of a clip of S frames: layer -> [S, rows, cols, D] in the patch grid; `camera` [S, Dc], if there is one.

    The camera token is that of the deepest layer asked for.
    """

    tokens: Mapping[int, Float[Tensor, "s r c d"]]
    camera: Float[Tensor, "s dc"] | None = None


@dataclass(frozen=True, eq=False)
class GeometryPrediction:
    """Geometry as the heads say it, in a world of the encoder's own (see `EncoderSpec.reference` and `.metric`).

    OpenCV camera axes. `K` belongs to the frames as they were given (pixels; the centre of the first pixel is at 0.5).
    `depth` runs along the optical axis. Confidences are the model's own numbers, larger is better, at least 1 for VGGT.
    """

    T_world_cam: Float[Tensor, "s 4 4"]
    K: Float[Tensor, "s 3 3"]
    depth: Float[Tensor, "s h w"] | None = None
    depth_confidence: Float[Tensor, "s h w"] | None = None
    points: Float[Tensor, "s h w 3"] | None = None
    points_confidence: Float[Tensor, "s h w"] | None = None


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """The true geometry of a clip, which only the `oracle` encoder looks at: an upper bound, never a result.

    `points` are in the scene's world in metres, NaN where nothing is; pixels as in the frames that go to the encoder.
    """

    points: Float[Tensor, "s h w 3"]
    T_world_cam: Float[Tensor, "s 4 4"]


class GeometryEncoder(Protocol):
    """Looks at all frames of one clip together. Frozen: it has no gradients and keeps no state between clips."""

    @property
    def spec(self) -> EncoderSpec:
        """What is known before a picture is seen."""
        ...

    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """Features of a clip.

        Args:
            frames: Colours in 0..1, sides multiples of the patch; on any device, the encoder brings them to its own.
            layers: Which layers, None for `spec.default_layers`. Nothing deeper than the deepest is computed.
            truth: For the oracle alone; all others ignore it.

        Raises:
            EncoderError: a side is no multiple of the patch, a layer does not exist, no frames, values outside 0..1.
        """
        ...

    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """Poses, and where the model has heads for them depth and points.

        Raises:
            EncoderError: as `encode`, or it has no heads (`spec.heads`).
        """
        ...
