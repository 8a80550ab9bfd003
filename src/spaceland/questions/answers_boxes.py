"""Answers that hold boxes in 3D, in the text formats of grounding and detection. See `answers`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class GroundingAnswer:
    """A thing found in a video: frame (from 1), its centre there (0 to 1000), depth and size in metres.

    >>> GroundingAnswer(12, (412, 530), 2.306, (0.52, 0.9, 0.61)).text
    'Frame-12,(412,530),2.31,(0.52,0.90,0.61)'
    """

    kind: ClassVar[str] = "grounding"
    frame: int
    xy: tuple[int, int]
    depth_m: float
    size_m: tuple[float, float, float]
    """Width, height, length."""

    @property
    def value(self) -> list[float]:
        return [self.frame, *self.xy, self.depth_m, *self.size_m]

    @property
    def text(self) -> str:
        size = ",".join(f"{side:.2f}" for side in self.size_m)
        return f"Frame-{self.frame},({self.xy[0]},{self.xy[1]}),{self.depth_m:.2f},({size})"


@dataclass(frozen=True)
class FrameBoxAnswer:
    """A box of nine numbers (see `geometry.box9`) in the axes of one frame of a video, counted from 0; as JSON.

    >>> FrameBoxAnswer(3, (0.1, -0.204, 2.5, 1.0, 0.4, 2.0, 0.0, 1.5708, 0.0)).text.splitlines()[1].strip()
    '{"frame": 3, "bbox_3d": [0.1, -0.2, 2.5, 1.0, 0.4, 2.0, 0.0, 1.57, 0.0]}'
    """

    kind: ClassVar[str] = "box3d"
    frame: int
    box: tuple[float, ...]

    @property
    def value(self) -> list[float]:
        return [self.frame, *self.box]

    @property
    def text(self) -> str:
        return f"```json\n\t{json.dumps({'frame': self.frame, 'bbox_3d': two_decimals(self.box)})}\n```"


@dataclass(frozen=True)
class BoxListAnswer:
    """Labels and boxes of nine numbers in the axes of one camera, as a JSON list."""

    kind: ClassVar[str] = "boxes3d"
    labels: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...]

    @property
    def value(self) -> list[dict[str, Any]]:
        return [
            {"label": label, "bbox_3d": [round(v, 6) for v in box]}
            for label, box in zip(self.labels, self.boxes, strict=True)
        ]

    @property
    def text(self) -> str:
        lines = [
            json.dumps({"label": label, "bbox_3d": two_decimals(box)}, ensure_ascii=False)
            for label, box in zip(self.labels, self.boxes, strict=True)
        ]
        return "```json\n[\n\t" + ",\n\t".join(lines) + "\n]\n```"


def two_decimals(values: Sequence[float]) -> list[float]:
    """Rounded to 0.01, without negative zero."""
    return [round(float(v), 2) + 0.0 for v in values]
