"""What every encoder checks before it starts: frames that it can take, layers that it has."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from spaceland.errors import EncoderError
from spaceland.models.types import EncoderSpec

_ROUNDING = 1e-3  # bicubic resizing in bfloat16 leaves values this far outside 0..1


def check_frames(frames: Tensor, patch: int) -> tuple[int, int]:
    """Rows and columns of patches of a clip [s, 3, h, w] with colours in 0..1.

    Raises:
        EncoderError: another shape, a side that is no multiple of `patch`, integers, NaN, or values outside 0..1.
    """
    shape = list(frames.shape)
    if frames.ndim != 4 or shape[1] != 3:
        raise EncoderError(f"frames have shape {shape}, expected [frames, 3, height, width] of one clip")
    if shape[0] == 0:
        raise EncoderError("the clip has no frames; give at least one")
    height, width = shape[2:]
    if not height or not width or height % patch or width % patch:
        raise EncoderError(
            f"frames are {width}x{height} px (width x height), expected multiples of {patch}; resize them first, "
            "as TokenGrid does"
        )
    if not frames.is_floating_point():
        raise EncoderError(f"frames are {frames.dtype}, expected floating point colours in 0..1; divide by 255")
    low, high = (value.item() for value in frames.aminmax())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN fails too
        raise EncoderError(
            f"colours run from {low:.4g} to {high:.4g}, expected 0..1 without NaN; "
            "give plain RGB, neither 0..255 nor normalised by mean and deviation"
        )
    return height // patch, width // patch


def check_layers(spec: EncoderSpec, layers: Sequence[int] | None, num_built: int | None = None) -> tuple[int, ...]:
    """The layers asked for, once each and in order; `num_built` where fewer exist here than in the architecture.

    Raises:
        EncoderError: none, or one that does not exist, or that is no whole number.
    """
    wanted = tuple(sorted(set(spec.default_layers if layers is None else layers)))
    if not wanted:
        raise EncoderError(f"no layers of {spec.name} were asked for; leave them out for {list(spec.default_layers)}")
    if not all(isinstance(layer, int) for layer in wanted) or wanted[0] < 0 or wanted[-1] >= spec.num_layers:
        raise EncoderError(f"{spec.name} has layers 0 to {spec.num_layers - 1}, found {list(wanted)}")
    if num_built is not None and wanted[-1] >= num_built:
        raise EncoderError(
            f"layer {wanted[-1]} of {spec.name} was not loaded, only 0 to {num_built - 1} were; "
            f"open the encoder with layers=[{wanted[-1]}], or with its heads"
        )
    return wanted


def check_heads(spec: EncoderSpec) -> None:
    """Refuse predictions of an encoder without heads.

    Raises:
        EncoderError: it has none here.
    """
    if not spec.heads:
        raise EncoderError(f"{spec.name} was opened without its heads; open it with heads=True")
