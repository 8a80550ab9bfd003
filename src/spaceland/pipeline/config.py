"""Everything that decides how a capture becomes a scene with objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spaceland.errors import SourceError

DEPTHS = ("stereo", "none")


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """Settings of all stages.

    `depth` is "stereo" (no weights), "none" (sparse points alone), or mono:ID with a Hugging Face id or folder of a
    metric-depth model. `objects` is "auto" (the source's own where it has some, else the built-in detector where it can
    run), "none", "detector", masks:PATH (PNG folder or COCO-RLE JSON) or mask3d:PATH.
    """

    keyframes: int = 80
    """Pictures of a plain video that are reconstructed, at most."""
    keyframe_method: Literal["motion", "sharp", "uniform"] = "motion"
    focal_px: float | None = None
    """Of the video's pictures, where it is known; else it is estimated."""
    depth: str = "stereo"
    scale: str | None = None
    """A length that the user knows, such as camera-height=1.45 (see `spaceland.reconstruct.scale`)."""
    objects: str = "auto"
    max_frames: int = 300
    """Frames of a posed recording that are fused and kept, evenly spread, at most."""

    def __post_init__(self) -> None:
        if self.keyframes < 2:
            raise SourceError(f"{self.keyframes} keyframes cannot show depth; use 20 or more")
        if self.max_frames < 1:
            raise SourceError(f"max_frames is {self.max_frames}; at least one frame is needed")
        if self.depth not in DEPTHS and not self.depth.startswith("mono:"):
            raise SourceError(f"depth '{self.depth}' is unknown; use stereo, none or mono:ID of a metric-depth model")
        kinds = ("auto", "none", "detector")
        if self.objects not in kinds and not self.objects.startswith(("masks:", "mask3d:")):
            raise SourceError(f"objects '{self.objects}' is unknown; use {', '.join(kinds)}, masks:PATH or mask3d:PATH")
