"""Where the frozen parts of a `GeometryVLM` come from: what is written to disk in place of their weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spaceland.errors import ChatError

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


def model_folder(where: str) -> str:
    """Where the model lies: `where` itself, or the finished model inside it if it is the folder of a training run.

    Raises:
        ChatError: that run has not finished.
    """
    folder = Path(where)
    if (folder / CONFIG).is_file() or not (folder / "plan.json").is_file():
        return where
    if not (folder / "model" / CONFIG).is_file():
        raise ChatError(f"{where} is a training run that has not finished; go on with it: spaceland train ... --resume")
    return str(folder / "model")
