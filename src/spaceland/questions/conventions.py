"""What the numbers mean: releases of spatial questions differ here, so it is said, stored, and can be chosen.

SPAR measures between the centres of boxes, and depth along the optical axis; VSI-Bench measures between the surfaces of
boxes. Every row says in `facts.params` which one it used, and the text of the question says it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spaceland.errors import SourceError


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """How distances and depths are measured and written. The defaults are SPAR's."""

    distance: Literal["center", "surface"] = "center"
    """Between box centres, or the least distance between the solid boxes."""
    depth: Literal["z", "range"] = "z"
    """Along the optical axis, or along the line of sight."""
    decimals: int = 1
    """Decimals of written metres."""
    angle_step_deg: int = 5
    """Written angles are multiples of this."""
    video_frames: Literal["uniform", "coverage"] = "uniform"
    """How the frames of a video are chosen: evenly spread in time, or so that they see as much as possible."""

    def __post_init__(self) -> None:
        if self.distance not in ("center", "surface"):
            raise SourceError(f"distance is '{self.distance}'; known are center and surface")
        if self.depth not in ("z", "range"):
            raise SourceError(f"depth is '{self.depth}'; known are z and range")
        if not 0 <= self.decimals <= 4:
            raise SourceError(f"decimals is {self.decimals}; from 0 to 4 make sense")
        if self.angle_step_deg < 1 or 90 % self.angle_step_deg:
            raise SourceError(f"angle_step_deg is {self.angle_step_deg}; it must divide 90")
        if self.video_frames not in ("uniform", "coverage"):
            raise SourceError(f"video_frames is '{self.video_frames}'; known are uniform and coverage")
