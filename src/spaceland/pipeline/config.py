"""Everything that decides how a capture becomes a scene with objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spaceland.errors import SourceError


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """Settings of all stages; on the command line each is an option of the verbs that open a capture."""

    keyframes: int = 80
    """Pictures of a plain video that are reconstructed, at most."""
    keyframe_method: Literal["motion", "sharp", "uniform"] = "motion"
    """motion: where the view has changed enough. sharp: the sharpest of equal parts. uniform: evenly spread, as in the
    paper."""
    focal_px: float | None = None
    """Focal length of the video in pixels, where it is known."""
    depth: str = "stereo"
    """stereo: from the poses, without weights. mono:ID: a depth model of Hugging Face, by id or folder."""
    scale: str | None = None
    """A length that you know: camera-height=1.45, door-height=FRAME:x,y:x,y=2.03, length=FRAME:x,y:x,y=0.80 or
    travel=12.5. Without one the scale of a plain video is unknown, and a camera height of 1.5 m is assumed."""
    objects: str = "auto"
    """auto: the source's own, else the built-in detector. none, detector, masks:PATH or mask3d:PATH."""
    max_frames: int = 300
    """Frames of a posed recording that are fused and kept, evenly spread, at most."""

    def __post_init__(self) -> None:
        if self.keyframes < 2:
            raise SourceError(f"{self.keyframes} keyframes cannot show depth; use 20 or more")
        if self.focal_px is not None and not 1 <= self.focal_px < 1e6:
            raise SourceError(f"a focal length of {self.focal_px} px is none; give it in pixels, or leave it out")
        if self.max_frames < 1:
            raise SourceError(f"max_frames is {self.max_frames}; at least one frame is needed")
        if self.depth != "stereo" and not self.depth.removeprefix("mono:"):
            raise SourceError("depth 'mono:' names no model; use mono:ID of a depth model of Hugging Face, or stereo")
        if self.depth != "stereo" and not self.depth.startswith("mono:"):
            raise SourceError(f"depth '{self.depth}' is unknown; use stereo, or mono:ID of a depth model")
        if self.scale is not None:
            from spaceland.reconstruct.scale import ScaleHint

            ScaleHint.parse(self.scale)  # a slip is told before the stages that take minutes
        kinds = ("auto", "none", "detector")
        if self.objects not in kinds and not self.objects.startswith(("masks:", "mask3d:")):
            raise SourceError(f"objects '{self.objects}' is unknown; use {', '.join(kinds)}, masks:PATH or mask3d:PATH")
