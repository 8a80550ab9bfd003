"""What finding objects hands over: detections in frames, and objects in space.

frames with geometry -> FrameFinder -> Detection per frame -> lift -> merge -> FoundObject
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.scene import Scene

Progress = Callable[[int, str], None]


@dataclass(frozen=True, eq=False)
class Detection:
    """Something seen in one frame: a box (x0, y0, x1, y1) in pixels of the colour image, and a mask where known.

    `mask` is of the colour image's field of view at any resolution. `track` joins detections of one thing over frames,
    where the finder follows things through the video; -1 where it does not.
    """

    label: str
    score: float
    box_px: tuple[float, float, float, float]
    mask: Bool[np.ndarray, "h w"] | None = None
    track: int = -1


class FrameFinder(Protocol):
    """Finds things in one picture at a time."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Detections in a picture, best first."""
        ...


@dataclass(frozen=True, eq=False)
class FoundObject:
    """A thing in space: points [n, 3] in world metres, an upright box around them (`fit_box`), and who shows it.

    `id` counts from 0 in order of score, unless the user's masks bring ids, and never changes once given. `score` is 0
    to 1. `frames` are the ids of the frames that show it. `votes` counts the labels that detections gave it.
    """

    id: int
    label: str
    score: float
    points: Float[np.ndarray, "n 3"]
    box: OrientedBox
    frames: tuple[str, ...]
    votes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Found:
    """Objects of a scene, and a small JSON report: which finder, thresholds, what was left out and why."""

    objects: tuple[FoundObject, ...]
    report: Mapping[str, Any]


class ObjectFinder(Protocol):
    """Finds the objects of a scene whose frames have poses and depth (or whose surface can be ray-cast)."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def find(self, scene: Scene, progress: Progress | None = None) -> Found:
        """Find the objects.

        Raises:
            SceneError: the scene has neither depth nor a surface, or masks do not fit its frames.
        """
        ...
