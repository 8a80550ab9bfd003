"""From a scene to its objects with a detector: choose frames, detect in each, lift and merge.

    found = DetectorObjectFinder().find(scene)           # the built-in detector on 96 frames spread over the video
    found.objects[0].label, found.objects[0].box.size    # 'table', metres

Any `FrameFinder` can take the built-in detector's place, such as those of `spaceland.objects.open_vocabulary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from spaceland.errors import SceneError
from spaceland.objects.find import find_objects
from spaceland.objects.lift import LiftConfig
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.plausible import of_plausible_size
from spaceland.objects.stand import stand_on_floor
from spaceland.objects.types import Detection, Found, FrameFinder, Progress
from spaceland.sampling import evenly
from spaceland.scenes.scene import Frame, Scene

BUILT_IN_MIN_SCORE = 0.2
"""Lower than for single pictures: what is not there is seldom found again in the same place of the room."""
_METRES_PER_RADIAN = 1.0


@runtime_checkable
class BatchFinder(Protocol):
    """A `FrameFinder` that is faster on several pictures at once; the answers are those of `detect`."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    batch_size: int

    def detect_many(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[list[Detection]]:
        """Detections of each picture."""
        ...


@runtime_checkable
class VideoFinder(Protocol):
    """Finds things in pictures that follow each other, and knows them again (`Detection.track`)."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def follow(self, images: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Iterator[list[Detection]]:
        """Detections of each picture, in order."""
        ...


@dataclass(frozen=True, kw_only=True)
class FinderConfig:
    """Which frames are looked at, and how detections become objects."""

    num_frames: int = 96
    """At most so many frames."""
    choose: Literal["uniform", "spread"] = "uniform"
    """uniform: evenly spread over the video. spread: viewpoints as different as possible."""
    lift: LiftConfig = field(default_factory=lambda: LiftConfig(merge=MergeConfig(min_views=3)))
    """Detectors are often wrong in one or two frames, seldom in three at the same place."""
    plausible_sizes: bool = True
    """Leave out what is far too large for its label (`spaceland.objects.plausible`)."""
    stand: bool = True
    """Boxes of furniture whose lower part is hidden reach down to the floor (`spaceland.objects.stand`)."""

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise SceneError(f"num_frames is {self.num_frames}; objects are found in frames, so give 1 or more")
        if self.choose not in ("uniform", "spread"):
            raise SceneError(f"frames are chosen by 'uniform' or 'spread', not by '{self.choose}'")


class DetectorObjectFinder:
    """Objects of a scene from detections in its frames (an `ObjectFinder`)."""

    def __init__(self, finder: FrameFinder | VideoFinder | None = None, config: FinderConfig | None = None) -> None:
        """`finder` None: the built-in detector, which needs the extra `detect`.

        Raises:
            DependencyError: its runtime is not installed.
        """
        if finder is None:
            from spaceland.objects.detector import SsdConfig, SsdFinder

            finder = SsdFinder(SsdConfig(min_score=BUILT_IN_MIN_SCORE))
        self.finder = finder
        self.config = config or FinderConfig()
        self.name = finder.name

    def find(self, scene: Scene, progress: Progress | None = None) -> Found:
        """Find the objects of a scene; `progress` is called once for each frame.

        Frames whose picture cannot be read are counted in the report under "unreadable".

        Raises:
            SceneError: the scene has no frames, none can be read, or it has neither depth nor a surface.
        """
        if not scene.frames:
            raise SceneError(f"scene {scene.id} has no frames; a detector needs posed pictures")
        chosen = [scene.frames[k] for k in choose_views(scene.frames, self.config.num_frames, self.config.choose)]
        unreadable: dict[str, str] = {}
        detections = dict(self._detect(chosen, unreadable, progress))
        if not detections:
            frame, reason = next(iter(unreadable.items()))
            raise SceneError(f"no picture of scene {scene.id} can be used; frame {frame}: {reason}")
        found = find_objects(scene, detections, self.config.lift, self.name)
        report: dict[str, Any] = {**found.report, "frame_choice": self.config.choose, "unreadable_frames": unreadable}
        objects = of_plausible_size(found.objects) if self.config.plausible_sizes else found.objects
        report["left_out"] = {**report["left_out"], "object: of no plausible size": len(found.objects) - len(objects)}
        if not self.config.lift.merge.trust_tracks:
            objects = tuple(replace(thing, id=number) for number, thing in enumerate(objects))
        report["objects"] = len(objects)
        if self.config.stand:
            objects, longer = stand_on_floor(scene, objects, self.config.lift)
            report["made_to_stand"] = longer
        return Found(objects, report)

    def _detect(
        self, frames: Sequence[Frame], unreadable: dict[str, str], progress: Progress | None
    ) -> Iterator[tuple[str, list[Detection]]]:
        """Frame id and detections; `unreadable` fills with the reason for each frame left out."""
        read: list[str] = []

        def pictures() -> Iterator[np.ndarray]:
            for frame in frames:
                try:
                    image = frame.color()
                except SceneError as error:
                    unreadable[frame.id] = str(error)
                    continue
                read.append(frame.id)
                yield image

        for k, answer in enumerate(_answers(self.finder, pictures())):
            if progress:
                progress(1, read[k])
            yield read[k], answer


def _answers(finder: FrameFinder | VideoFinder, images: Iterator[np.ndarray]) -> Iterator[list[Detection]]:
    if isinstance(finder, VideoFinder):
        yield from finder.follow(images)
    elif isinstance(finder, BatchFinder):
        batch: list[np.ndarray] = []
        for image in images:
            batch.append(image)
            if len(batch) == finder.batch_size:
                yield from finder.detect_many(batch)
                batch = []
        if batch:
            yield from finder.detect_many(batch)
    else:
        for image in images:
            yield finder.detect(image)


def choose_views(frames: Sequence[Frame], num: int, choose: Literal["uniform", "spread"]) -> list[int]:
    """Indices of at most `num` frames, in order.

    "spread" starts with the first frame and adds the frame that differs most from all taken so far, where one metre
    between cameras counts as much as one radian between their viewing directions.
    """
    if choose == "uniform" or num >= len(frames):
        return evenly(len(frames), num)
    centers = np.stack([frame.T_world_cam[:3, 3] for frame in frames])
    forward = np.stack([frame.T_world_cam[:3, 2] for frame in frames])
    taken, gap = [0], np.full(len(frames), np.inf)
    while len(taken) < num:
        last = taken[-1]
        angle = np.arccos(np.clip(forward @ forward[last], -1, 1))
        gap = np.minimum(gap, np.linalg.norm(centers - centers[last], axis=1) + _METRES_PER_RADIAN * angle)
        gap[taken] = -1.0
        taken.append(int(np.argmax(gap)))
    return sorted(taken)
