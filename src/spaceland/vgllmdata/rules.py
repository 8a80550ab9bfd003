"""The rules of VG LLM's sets as one value, and what the paper counted with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

from spaceland.errors import SourceError
from spaceland.geometry.box9 import EulerConvention
from spaceland.tasks3d.prompts import Task

Split = Literal["train", "val"]
REMOVED_LABELS = ("wall", "ceiling", "floor", "object")
"""What detection leaves out."""
RAW_STEP = 10
"""EmbodiedScan has every so-manieth frame of a scan's video."""

PAPER: dict[tuple[Task, Split], dict[str, int]] = {
    ("grounding", "train"): {"descriptions": 36_665, "scenes": 562},
    ("grounding", "val"): {"descriptions": 9_508, "scenes": 141},
    ("captioning", "train"): {"descriptions": 36_665, "scenes": 562},
    ("captioning", "val"): {"scenes": 141},
    ("detection", "train"): {"scenes": 958, "windows per scene": 150},
    ("detection", "val"): {"scenes": 243, "windows per scene": 10},
}
"""What the paper says of its sets; `grounding` val is the whole validation split of ScanRefer."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the rows look like. The defaults are the paper's.

    Raises:
        SourceError: a number with which there are no rows.
    """

    split: Split = "train"
    num_frames: int = 32
    """Of grounding and captions."""
    samples: int = 2
    """Rows of grounding for each description of the training split, with other frames."""
    min_iou: float = 0.5
    """A described object whose best EmbodiedScan instance overlaps it less is left out of training."""
    window_frames: int = 4
    """Of detection; 6 is the other value in use, for evaluation."""
    base_interval: int = 3
    """Between the frames of a window, in frames of EmbodiedScan: 3 is one second."""
    max_windows: int | None = None
    """Windows of a scene, drawn; None: all for training, 10 for evaluation."""
    convention: EulerConvention = "ZXY"
    cameras: bool = False
    """Intrinsics and poses in training rows, too; evaluation rows always have them."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_frames", "samples", "window_frames", "base_interval", "max_windows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SourceError(f"{name.replace('_', ' ')} is {value}; give 1 or more")
        if not 0 <= self.min_iou <= 1:
            raise SourceError(f"the least overlap is {self.min_iou}; give a share from 0 to 1")

    @property
    def windows_kept(self) -> int | None:
        """How many windows of a scene stay."""
        return 10 if self.max_windows is None and self.split == "val" else self.max_windows

    def rng(self, scene: str, task: Task, key: str) -> Random:
        """Chance of one row: it depends on nothing but the seed and what the row is about."""
        return Random(f"{self.seed}|{scene}|{task}|{key}")

    def to_json(self) -> dict[str, Any]:
        """For config.json."""
        return asdict(self)


def file_name(task: Task, rules: Rules) -> str:
    """Path of a set below the output folder, as VG LLM's own files lie."""
    name, folder, frames = {
        "grounding": ("scanrefer", "scanrefer", rules.num_frames),
        "captioning": ("scan2cap", "scan2cap", rules.num_frames),
        "detection": ("scannet_det", "threedod", rules.window_frames),
    }[task]
    place = "train" if rules.split == "train" else f"evaluation/{folder}"
    return f"{place}/{name}_{rules.split}_{frames}frames.json"
