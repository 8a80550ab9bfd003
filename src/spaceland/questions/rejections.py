"""What the ambiguity policy turned down: a count for every reason, and the first few candidates as examples.

    log = Rejections()
    log.add("equal depths", frames=("000040",), objects=(3, 7), value=0.02)
    log.counts["equal depths"], log.examples["equal depths"]

Millions of candidates are counted in a large dataset, so counting does nothing else: a candidate is looked at only
while its reason is new. Which candidates come first is decided by the random stream of the task, so examples are the
same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spaceland.questions.marks import to_thousand
from spaceland.scenes.scene import Scene
from spaceland.visibility.types import SceneVisibility

KEPT = 6
"""Candidates of a reason that are looked at; more than are shown, so that one with pictures can be chosen."""
_MAX_FRAMES = 3
_MAX_OBJECTS = 6


@dataclass(frozen=True)
class Rejected:
    """A candidate that was turned down; without frames and objects the scene as a whole.

    `images` says for every object in which of the frames it is pointed at, -1 where nobody said; `value` is the number
    that broke the rule, in the rule's own unit.
    """

    frames: tuple[str, ...]
    objects: tuple[int, ...]
    images: tuple[int, ...]
    value: float | None = None

    def to_json(self, scene: Scene, visibility: SceneVisibility) -> dict[str, Any]:
        """Frames, labelled objects with their centres in the world (metres), and their places in the frames (0..1000).

        Of a video only the frames that an object is pointed at are named, or the first ones where there is no object.
        """
        shown: list[str] = []
        objects, marks = [], []
        for object_id, image in list(zip(self.objects, self.images, strict=True))[:_MAX_OBJECTS]:
            thing = scene.objects_by_id[object_id]
            objects.append({"label": thing.label, "center": [round(float(v), 3) + 0.0 for v in thing.center]})
            frame_id = self._frame_of(object_id, image, visibility)
            view = None if frame_id is None else visibility.view(frame_id, object_id)
            if frame_id is None or view is None:
                continue
            if frame_id not in shown and len(self.frames) > _MAX_FRAMES:
                if len(shown) == _MAX_FRAMES:
                    continue
                shown.append(frame_id)
            camera = scene.frames_by_id[frame_id].camera
            xy = [to_thousand(view.anchor_px[0], camera.width), to_thousand(view.anchor_px[1], camera.height)]
            marks.append({"frame": frame_id, "object": len(objects) - 1, "xy": xy})
        if len(self.frames) <= _MAX_FRAMES or not self.objects:
            shown = list(self.frames[:_MAX_FRAMES])
        return {
            "frames": shown,
            "num_frames": len(self.frames),
            "objects": objects,
            "marks": marks,
            "value": None if self.value is None else round(float(self.value), 4) + 0.0,
        }

    def _frame_of(self, object_id: int, image: int, visibility: SceneVisibility) -> str | None:
        """The frame that points at an object, or the first one that sees it at all."""
        if image >= 0:
            return self.frames[image]
        return next((name for name in self.frames if visibility.view(name, object_id) is not None), None)


@dataclass
class Rejections:
    """Counts by reason, and the first candidates of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Rejected]] = field(default_factory=dict)

    def is_new(self, reason: str) -> bool:
        """Count a candidate; whether it is worth a closer look as an example."""
        count = self.counts[reason] + 1
        self.counts[reason] = count
        return count <= KEPT

    def keep(self, reason: str, example: Rejected) -> None:
        """Keep a candidate as an example, unless it is there already."""
        kept = self.examples.setdefault(reason, [])
        if example not in kept:
            kept.append(example)

    def add(
        self, reason: str, frames: Sequence[str] = (), objects: Sequence[int] = (), value: float | None = None
    ) -> None:
        """Count a candidate, and keep it when the reason is new and something is known about it."""
        if self.is_new(reason) and (frames or objects):
            self.keep(reason, Rejected(tuple(frames), tuple(objects), (-1,) * len(objects), value))

    def to_json(self, scene: Scene, visibility: SceneVisibility) -> Mapping[str, list[dict[str, Any]]]:
        """The examples by reason, in the order of the reasons' names."""
        return {
            reason: [example.to_json(scene, visibility) for example in self.examples[reason]]
            for reason in sorted(self.examples)
        }
