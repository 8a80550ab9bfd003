"""Facts, and what a task may look at to find them.

A fact is everything true that a question rests on: frames, objects in their roles, the typed answer, marks, and the
numbers behind it. It holds no wording. `TaskContext` gives a task the scene, the views that the ambiguity policy
allows, and a place to count what was rejected and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spaceland.questions.answers import Answer
from spaceland.questions.conventions import Conventions
from spaceland.questions.marks import Mark
from spaceland.questions.rejections import Rejected, Rejections
from spaceland.questions.video import uniform_frames
from spaceland.scenes.scene import Frame, SceneObject

if TYPE_CHECKING:
    from spaceland.questions.scene_views import SceneViews
    from spaceland.questions.setups import Setup

T = TypeVar("T")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


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

    def name(self, role: str) -> str:
        """How a question calls the object of a role: its label, and its mark where it has one.

        One image: "lamp (red point)". Two to eight: "lamp (red point in the second image)". A video: "lamp (red point
        in Frame-12)", counted from 1 as in the list of frames that loaders write. Without a mark: "lamp".
        """
        mark = next((mark for mark in self.marks if mark.color == role), None)
        label = self.labels[role]
        return label if mark is None else f"{label} ({mark.name}{image_phrase(mark.image_index, len(self.frames))})"


def image_phrase(index: int, num_images: int) -> str:
    """Where among the images: "" for a single one, " in the second image", " in Frame-12"."""
    if num_images == 1:
        return ""
    return f" in {image_name(index, num_images)}"


def image_name(index: int, num_images: int) -> str:
    """How texts call one of several images.

    >>> image_name(1, 3), image_name(11, 32)
    ('the second image', 'Frame-12')
    """
    return f"the {_ORDINALS[index]} image" if num_images <= len(_ORDINALS) else f"Frame-{index + 1}"


class TaskContext:
    """What one task sees of a scene; rejections are counted under the task."""

    def __init__(self, views: SceneViews, conventions: Conventions | None = None) -> None:
        self.views, self.scene, self.policy = views, views.scene, views.policy
        self.conventions = conventions or Conventions()
        self.rejected = Rejections()
        self._num_asked: Counter[frozenset[int]] = Counter()
        self.looking_at: Setup | None = None
        """The candidate that is being judged, the example of what `reject` turns down."""

    @property
    def rejections(self) -> Counter[str]:
        """How many candidates were turned down, by reason."""
        return self.rejected.counts

    def reject(
        self, reason: str, frames: Sequence[str] = (), objects: Sequence[int] = (), value: float | None = None
    ) -> None:
        """Count a candidate that the policy turned down; the first few of a reason are kept as examples.

        Args:
            reason: The rule, in a few words.
            frames: Ids of its frames; by default those of the setup that is being judged.
            objects: Ids of its objects; by default those that the setup points at.
            value: The number that broke the rule, in the rule's unit.
        """
        # Called millions of times: all but the first few calls of a reason end here.
        if not self.rejected.is_new(reason):
            return
        if frames or objects:
            example = Rejected(tuple(frames), tuple(objects), (-1,) * len(objects), value)
        elif self.looking_at is not None:
            shown, picks = self.looking_at.frames, self.looking_at.picks
            ids, images = tuple(pick.object_id for pick in picks), tuple(pick.image for pick in picks)
            example = Rejected(tuple(frame.id for frame in shown), ids, images, value)
        else:
            return
        self.rejected.keep(reason, example)

    def reject_scene(self, reason: str, value: float | None = None) -> None:
        """Count a reason that is about the scene as a whole (too few frames, say) and not about a candidate in it."""
        if self.rejected.is_new(reason):
            self.rejected.keep(reason, Rejected((), (), (), value))

    def asked_enough(self, things: frozenset[int]) -> bool:
        """Whether this task has asked about exactly these objects as often as the policy allows."""
        return bool(things) and self._num_asked[things] >= self.policy.max_same_objects

    def times_asked(self, things: frozenset[int]) -> int:
        """How many questions about exactly these objects were taken."""
        return self._num_asked[things]

    def count_asked(self, things: frozenset[int]) -> None:
        """Note that a question about exactly these objects was taken."""
        self._num_asked[things] += 1

    def thing(self, object_id: int) -> SceneObject:
        return self.scene.objects_by_id[object_id]

    def label(self, object_id: int) -> str:
        return self.scene.objects_by_id[object_id].label

    def video_frames(self) -> tuple[Frame, ...] | None:
        """The frames that stand for the video; None (and a rejection) where the scene has no video."""
        count = self.policy.num_video_frames
        if not self.scene.is_video:
            self.reject_scene("photographs, no video")
            return None
        if len(self.scene.frames) < count:
            self.reject_scene(f"fewer than {count} frames", len(self.scene.frames))
            return None
        if self.conventions.video_frames == "coverage":
            return self.views.coverage_frames(count)
        return uniform_frames(self.scene.frames, count)

    def center_cam(self, frame: Frame, object_id: int) -> np.ndarray:
        """Centre of an object in a frame's camera axes (x right, y down, z forward), metres."""
        rotation, origin = frame.T_world_cam[:3, :3], frame.T_world_cam[:3, 3]
        return (self.thing(object_id).center - origin) @ rotation


def vector(values: np.ndarray) -> list[float]:
    """A vector for JSON: metres to a tenth of a millimetre, without negative zero."""
    return [round(float(v), 4) + 0.0 for v in values]


def shuffled(items: Iterable[T], rng: Random) -> list[T]:
    """A shuffled copy; several times as fast as `Random.shuffle`, and it is called for every frame of every task."""
    result = list(items)
    keys = [rng.random() for _ in result]
    return [result[k] for k in sorted(range(len(result)), key=keys.__getitem__)]


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
