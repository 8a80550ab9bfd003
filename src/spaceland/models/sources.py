"""Where the frozen parts of a `GeometryVLM` come from: what is written to disk in place of their weights."""

from __future__ import annotations

from dataclasses import dataclass

CONFIG = "geometry_vlm.json"
"""The file that makes a folder a saved `GeometryVLM`."""
VGLLM = "vgllm:"
"""Before the place of a VG-LLM checkpoint: the model in it, or as an encoder the one inside it."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Names and settings by which the parts are found again."""

    base: str | None = None
    """Folder or hub id of the model; None: it was made here, its weights are kept with the adapter."""
    base_revision: str | None = None
    encoder: str = "none"
    """As `spaceland.models.encoders.open_encoder` takes it, or "vgllm:PATH" for the one inside such a checkpoint."""
    reference_frame: str = "first"
    encoder_seed: int = 0
    """Both as `open_encoder` takes them."""
    own_base_weights: bool = False
    """The model's weights are not those of `base` any more."""
    rotation: str | None = None
    """Convention of the angles in the boxes that it was trained on: "ZXY" or "zxy"; see docs/geometry_vlm.md."""
