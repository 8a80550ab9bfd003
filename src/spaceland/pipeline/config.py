"""Everything that decides how a capture becomes a scene with objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spaceland.errors import SourceError
from spaceland.pipeline.estimators import check_poses

PLAIN_FINDERS = ("auto", "none", "detector")
MODEL_FINDERS = ("dino", "sam3")
PATH_FINDERS = ("masks", "mask3d", *MODEL_FINDERS)
MASK_MAKERS = ("sam2", "sam3", "follow")


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
    poses: str = "sfm"
    """What poses the pictures of a plain video. sfm: structure from motion, without weights. vggt:PATH_OR_ID or
    da3:PATH_OR_ID: a network that gives poses, lens and depth in one pass (extra model)."""
    depth: str = "stereo"
    """stereo: from the poses, without weights. mono:ID: a depth model of Hugging Face, by id or folder."""
    scale: str | None = None
    """A length that you know: camera-height=1.45, door-height=FRAME:x,y:x,y=2.03, length=FRAME:x,y:x,y=0.80 or
    travel=12.5. Without one the scale of a plain video is unknown, and a camera height of 1.5 m is assumed."""
    objects: str = "auto"
    """auto: the source's own, else the built-in detector. none, detector, masks:PATH or mask3d:PATH; dino:ID_OR_PATH
    (boxes) or sam3:ID_OR_PATH (masks): a model of Hugging Face that looks for the things in find."""
    find: tuple[str, ...] = ()
    """Names of the things to look for; by default common indoor things (docs/objects.md), and for the built-in detector
    all of its classes that belong into a room."""
    masks_by: str | None = None
    """sam2:ID_OR_PATH, sam3:ID_OR_PATH: masks in the boxes that were found. follow:ID_OR_PATH: masks that a video model
    follows from frame to frame."""
    max_frames: int = 300
    """Frames of a posed recording that are fused and kept, evenly spread, at most."""

    def __post_init__(self) -> None:
        if self.keyframes < 2:
            raise SourceError(f"{self.keyframes} keyframes cannot show depth; use 20 or more")
        if self.focal_px is not None and not 1 <= self.focal_px < 1e6:
            raise SourceError(f"a focal length of {self.focal_px} px is none; give it in pixels, or leave it out")
        if self.max_frames < 1:
            raise SourceError(f"max_frames is {self.max_frames}; at least one frame is needed")
        check_poses(self.poses)
        if self.depth != "stereo" and not self.depth.removeprefix("mono:"):
            raise SourceError("depth 'mono:' names no model; use mono:ID of a depth model of Hugging Face, or stereo")
        if self.depth != "stereo" and not self.depth.startswith("mono:"):
            raise SourceError(f"depth '{self.depth}' is unknown; use stereo, or mono:ID of a depth model")
        if self.scale is not None:
            from spaceland.reconstruct.scale import ScaleHint

            ScaleHint.parse(self.scale)  # a slip is told before the stages that take minutes
        self._check_objects()

    def _check_objects(self) -> None:
        kind, _, location = self.objects.partition(":")
        if self.objects not in PLAIN_FINDERS and kind not in PATH_FINDERS:
            raise SourceError(
                f"objects '{self.objects}' is unknown; use {', '.join(PLAIN_FINDERS)}, masks:PATH, mask3d:PATH, "
                "dino:ID_OR_PATH or sam3:ID_OR_PATH"
            )
        if kind in MODEL_FINDERS and not location:
            raise SourceError(f"objects '{self.objects}' names no model; use {kind}:ID_OR_PATH of Hugging Face weights")
        looks = kind in ("auto", "detector", *MODEL_FINDERS)
        if self.find and not looks:
            raise SourceError(
                f"objects '{self.objects}' looks for nothing in pictures, so find has no use; leave it out, or use "
                "detector, dino:ID_OR_PATH or sam3:ID_OR_PATH"
            )
        if self.masks_by is None:
            return
        maker, _, weights = self.masks_by.partition(":")
        if maker not in MASK_MAKERS or not weights:
            raise SourceError(
                f"masks_by '{self.masks_by}' is unknown; use {', '.join(f'{name}:ID_OR_PATH' for name in MASK_MAKERS)}"
            )
        if not looks or (kind == "sam3" and maker != "follow"):
            raise SourceError(
                f"objects '{self.objects}' gives no boxes that masks could be made in; leave masks_by out, or use "
                "detector or dino:ID_OR_PATH"
            )


DEFAULTS = PipelineConfig()


def given(config: PipelineConfig, *names: str) -> list[str]:
    """Those of the settings that are not at their default, as options: `--keyframe-method`."""
    changed = [name for name in names if getattr(config, name) != getattr(DEFAULTS, name)]
    return [f"--{name.replace('_', '-')}" for name in changed]
