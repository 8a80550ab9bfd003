"""Facts, and what a task may look at to find them.

A fact is everything true that a question rests on: frames, objects in their roles, the typed answer, marks, and the
numbers behind it. It holds no wording. `TaskContext` gives a task the scene, the views that the ambiguity policy
allows, and a place to count what was rejected and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, TypeVar

import numpy as np

from spaceland.questions.answers import Answer
from spaceland.questions.marks import Mark
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.visibility.types import ObjectView, SceneVisibility

T = TypeVar("T")


@dataclass(frozen=True)
class Fact:
    """One thing that can be asked.

    `objects` maps a role (mostly the colour of its mark) to an object id. `values` are the numbers that the question
    states or the answer comes from, `params` the thresholds and conventions used: with the scene they are enough to
    derive the answer anew.
    """

    task: str
    frames: tuple[str, ...]
    objects: Mapping[str, int]
    labels: Mapping[str, str]
    answer: Answer
    marks: tuple[Mark, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


class SceneViews:
    """A scene with its visibility and the views that may be asked about; shared by all tasks."""

    def __init__(self, scene: Scene, visibility: SceneVisibility, policy: AmbiguityPolicy) -> None:
        self.scene, self.visibility, self.policy = scene, visibility, policy
        self.rejections: Counter[str] = Counter()
        self._askable: dict[str, list[ObjectView]] = {}
        self._excluded = frozenset(policy.excluded_labels)

    @cached_property
    def frame_index(self) -> dict[str, int]:
        return {frame.id: index for index, frame in enumerate(self.scene.frames)}

    def is_excluded(self, thing: SceneObject) -> bool:
        """Whether the policy leaves this label out."""
        return thing.label in self._excluded

    def askable(self, frame_id: str) -> list[ObjectView]:
        """Views of a frame that show their object clearly; the others are counted once under their reason."""
        if frame_id not in self._askable:
            good = []
            for view in self.visibility.in_frame(frame_id):
                reason = self._view_problem(self.scene.frames_by_id[frame_id], view)
                if reason:
                    self.rejections[reason] += 1
                else:
                    good.append(view)
            self._askable[frame_id] = good
        return self._askable[frame_id]

    def askable_view(self, frame_id: str, object_id: int) -> ObjectView | None:
        """The view of one object in one frame, if it may be asked about."""
        return next((view for view in self.askable(frame_id) if view.object_id == object_id), None)

    def _view_problem(self, frame: Frame, view: ObjectView) -> str | None:
        policy, camera = self.policy, frame.camera
        if self.is_excluded(self.scene.objects_by_id[view.object_id]):
            return "excluded label"
        if view.visible_px < policy.min_area_share * camera.width * camera.height:
            return "too small in the image"
        if view.occluded > policy.max_occluded:
            return "hidden by something"
        if view.contradicted > policy.max_contradicted:
            return "picture and scan differ there"
        if view.truncated > policy.max_truncated:
            return "cut off by the image border"
        if view.visible_fraction < policy.min_visible_fraction:
            return "too little of it visible"
        if view.anchor_clearance_px < policy.min_clearance_share * camera.width:
            return "too thin for a mark"
        if not policy.min_depth_m <= view.center_depth_m <= policy.max_depth_m:
            return "too near or too far"
        if not camera.contains(np.array(view.center_px)):
            return "centre outside the image"
        return None


class TaskContext:
    """What one task sees of a scene; rejections are counted under the task."""

    def __init__(self, views: SceneViews) -> None:
        self.views, self.scene, self.policy = views, views.scene, views.policy
        self.rejections: Counter[str] = Counter()

    def reject(self, reason: str) -> None:
        """Count a candidate that the policy turned down."""
        self.rejections[reason] += 1

    def thing(self, object_id: int) -> SceneObject:
        return self.scene.objects_by_id[object_id]

    def label(self, object_id: int) -> str:
        return self.scene.objects_by_id[object_id].label

    def center_cam(self, frame: Frame, object_id: int) -> np.ndarray:
        """Centre of an object in a frame's camera axes (x right, y down, z forward), metres."""
        rotation, origin = frame.T_world_cam[:3, :3], frame.T_world_cam[:3, 3]
        return (self.thing(object_id).center - origin) @ rotation


def vector(values: np.ndarray) -> list[float]:
    """A vector for JSON: metres to a tenth of a millimetre, without negative zero."""
    return [round(float(v), 4) + 0.0 for v in values]


def shuffled(items: Iterable[T], rng: Random) -> list[T]:
    """A shuffled copy."""
    result = list(items)
    rng.shuffle(result)
    return result


def round_robin(iterators: Iterable[Iterator[T]]) -> Iterator[T]:
    """One item of each in turn until all are used up, so that every frame gets its share of the questions."""
    waiting = list(iterators)
    while waiting:
        remaining = []
        for iterator in waiting:
            try:
                item = next(iterator)
            except StopIteration:
                continue
            remaining.append(iterator)
            yield item
        waiting = remaining
