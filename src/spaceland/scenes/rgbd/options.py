"""What can be said about an RGB-D folder on the command line: `rgbd:kitchen?up=0,-1,0&stride=5`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.errors import SourceError
from spaceland.scenes.images import count_option, number_option
from spaceland.scenes.rgbd.calibration import Intrinsics
from spaceland.scenes.rgbd.layouts import LAYOUTS
from spaceland.scenes.sources import check_options

_CAMERA = ("fx", "fy", "cx", "cy")
KNOWN = (
    *_CAMERA,
    *(f"depth_{name}" for name in _CAMERA),
    "depth_scale",
    "up",
    "stride",
    "max_frames",
    "pose",
    "layout",
)


@dataclass(frozen=True, eq=False)
class RgbdOptions:
    """Parsed options; None means that the folder itself decides.

    `up` is the direction of up in the file's world ("auto": find the floor). `pose` tells whether pose files map the
    camera to the world (c2w) or the other way (w2c).
    """

    color: Intrinsics | None = None
    depth: Intrinsics | None = None
    depth_scale: float | None = None
    up: Float[np.ndarray, "3"] | Literal["auto"] | None = None
    stride: int = 1
    max_frames: int | None = None
    pose: str = "c2w"
    layout: str | None = None


def parse_options(options: dict[str, str]) -> RgbdOptions:
    """Options from a source specification.

    Raises:
        SourceError: an unknown option, or a value that makes no sense.
    """
    check_options("rgbd", options, KNOWN)
    pose = options.get("pose", "c2w")
    if pose not in ("c2w", "w2c"):
        raise SourceError(f"rgbd: pose={pose}, expected c2w (camera to world) or w2c (world to camera)")
    layout = options.get("layout")
    if layout is not None and layout not in LAYOUTS:
        raise SourceError(f"rgbd: unknown layout '{layout}'; known are {', '.join(LAYOUTS)}")
    scale = number_option(options, "depth_scale", "rgbd")
    if scale is not None and scale <= 0:
        raise SourceError(f"rgbd: depth_scale={scale} must be positive: how many counts make a metre, 1000 for mm")
    return RgbdOptions(
        color=_intrinsics(options, ""),
        depth=_intrinsics(options, "depth_"),
        depth_scale=scale,
        up=parse_up(options.get("up")),
        stride=count_option(options, "stride", "rgbd") or 1,
        max_frames=count_option(options, "max_frames", "rgbd"),
        pose=pose,
        layout=layout,
    )


def _intrinsics(options: dict[str, str], prefix: str) -> Intrinsics | None:
    values = [number_option(options, prefix + name, "rgbd") for name in _CAMERA]
    given = [value for value in values if value is not None]
    if not given:
        return None
    if len(given) < 4:
        missing = ", ".join(prefix + name for name, value in zip(_CAMERA, values, strict=True) if value is None)
        raise SourceError(f"rgbd: {missing} missing; give all four of {', '.join(prefix + n for n in _CAMERA)}")
    if given[0] <= 0 or given[1] == 0:
        raise SourceError(f"rgbd: focal lengths {given[0]}, {given[1]}: fx must be positive, fy not zero")
    return Intrinsics(*given)


def parse_up(text: str | None) -> Float[np.ndarray, "3"] | Literal["auto"] | None:
    """The `up` option of sources: a unit vector, or "auto".

    Raises:
        SourceError: anything else.
    """
    if text is None or text == "auto":
        return "auto" if text else None
    try:
        up = np.array([float(word) for word in text.split(",")])
        if up.shape != (3,) or not np.isfinite(up).all() or np.linalg.norm(up) < 1e-6:
            raise ValueError
    except ValueError:
        raise SourceError(f"up={text}, expected three numbers such as up=0,-1,0, or up=auto") from None
    return up / np.linalg.norm(up)
