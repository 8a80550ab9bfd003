"""Which pictures are shown, and which objects are pointed at in them.

A setup is the part of a question that can be seen: frames in the order in which they are shown, and picks, each an
object in one of the images. Tasks differ in what they work out for a setup, not in how setups are found:

    single_views       one image, every object in it
    multi_views        two or three images that belong together, each of them needed; the first is the observer's
    videos             the frames of a video, every object in the frame that shows it best
    unmarked_videos    the same for questions without marks, where a label must mean one thing only

No object is picked whose label is easily confused with that of another one which it touches (`SceneViews.confused`).

All of them are endless in spirit and lazy in fact: they yield setups in random order, every frame or set of frames in
turn, until the caller stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import perm
from random import Random
from typing import TypeVar

from spaceland.questions.facts import TaskContext, round_robin, shuffled
from spaceland.questions.scene_views import CONFUSED
from spaceland.questions.viewsets import view_sets
from spaceland.scenes.scene import Frame
from spaceland.visibility.types import ObjectView

T = TypeVar("T")
_LISTED, _DRAWN = 60, 800
"""Up to so many arrangements are listed and shuffled; of more, random ones are drawn, so many at most."""
_PER_SET = 6
"""Setups of one set of images."""


@dataclass(frozen=True)
class Pick:
    """An object, and the image of the setup that points at it."""

    view: ObjectView
    image: int

    @property
    def object_id(self) -> int:
        return self.view.object_id


@dataclass(frozen=True)
class Setup:
    """Frames as shown; the first is the observer's. Picks come in the order of the task's roles."""

    frames: tuple[Frame, ...]
    picks: tuple[Pick, ...]

    @property
    def observer(self) -> Frame:
        return self.frames[0]

    def frame_of(self, pick: Pick) -> Frame:
        """The frame that points at a pick."""
        return self.frames[pick.image]


Setups = Callable[[TaskContext, Random, int], Iterator[Setup]]


def arrangements(items: Sequence[T], count: int, rng: Random) -> Iterator[tuple[T, ...]]:
    """Ordered choices of `count` different items, each at most once, in random order."""
    total = perm(len(items), count)
    if total <= _LISTED:
        yield from shuffled(permutations(items, count), rng)
        return
    seen: set[tuple[int, ...]] = set()
    for _ in range(_DRAWN):
        chosen = tuple(rng.sample(range(len(items)), count))
        if chosen not in seen:
            seen.add(chosen)
            yield tuple(items[k] for k in chosen)


def single_views(context: TaskContext, rng: Random, count: int) -> Iterator[Setup]:
    """One frame and `count` objects that are clear in it."""

    def in_frame(frame: Frame) -> Iterator[Setup]:
        views = context.views.pickable(frame.id)
        if len(views) < count:
            context.reject(f"fewer than {_NUMBER[count]} clear objects in the view", (frame.id,), value=len(views))
        for chosen in arrangements(views, count, rng):
            yield Setup((frame,), tuple(Pick(view, 0) for view in chosen))

    return round_robin(in_frame(frame) for frame in shuffled(context.scene.frames, rng))


def multi_views(context: TaskContext, rng: Random, count: int, *, observer: bool) -> Iterator[Setup]:
    """Two or three frames and `count` objects, each marked in one of them.

    Every image is needed: it is the observer's (only where the task has one), or it alone shows one of the objects
    clearly, or it joins two images that share too little with each other.
    """

    def in_set(frames: tuple[Frame, ...], joints: frozenset[int]) -> Iterator[Setup]:
        clear = [context.views.pickable(frame.id) for frame in frames]
        only_here = [
            [
                Pick(view, image)
                for view in views
                if not any(
                    view.object_id == other.object_id for k, more in enumerate(clear) if k != image for other in more
                )
            ]
            for image, views in enumerate(clear)
        ]
        needed = [k for k in range(len(frames)) if k not in joints and not (k == 0 and observer)]
        candidates = [pick for picks in only_here for pick in picks]
        if len(needed) > count or any(not only_here[k] for k in needed) or len(candidates) < count:
            context.reject("an image would not be needed", [frame.id for frame in frames])
            return
        found = 0
        for chosen in arrangements(candidates, count, rng):
            if set(needed) <= {pick.image for pick in chosen}:
                yield Setup(frames, chosen)
                found += 1
                if found == _PER_SET:
                    return

    return round_robin_lazily(in_set(frames, joints) for frames, joints in view_sets(context, rng))


def videos(context: TaskContext, rng: Random, count: int) -> Iterator[Setup]:
    """The video frames, and `count` objects, each pointed at in the frame that shows it best."""
    frames = context.video_frames()
    if frames is None:
        return
    confused = context.views.confused
    best = []
    for view in context.views.best_in(tuple(frame.id for frame in frames)).values():
        if view.object_id in confused:
            context.reject(CONFUSED, (view.frame_id,), (view.object_id,))
        else:
            best.append(view)
    index = {frame.id: k for k, frame in enumerate(frames)}
    if len(best) < count:
        context.reject_scene(f"fewer than {_NUMBER[count]} objects clear in the video", len(best))
        return
    for chosen in arrangements(best, count, rng):
        yield Setup(frames, tuple(Pick(view, index[view.frame_id]) for view in chosen))


def unmarked_videos(context: TaskContext, rng: Random, count: int) -> Iterator[Setup]:
    """As `videos`, for questions without marks: the label of each object means one thing only in the scene."""
    for setup in videos(context, rng, count):
        problems = (context.views.naming_problem(context.label(pick.object_id)) for pick in setup.picks)
        problem = next(filter(None, problems), None)
        if problem is None:
            yield setup
        else:
            context.looking_at = setup
            context.reject(problem)
            context.looking_at = None


def round_robin_lazily(iterators: Iterator[Iterator[T]], width: int = 24) -> Iterator[T]:
    """As `round_robin`, with no more than `width` of the iterators open at a time."""
    waiting: list[Iterator[T]] = []
    exhausted = False
    while True:
        while not exhausted and len(waiting) < width:
            opened = next(iterators, None)
            exhausted = opened is None
            if opened is not None:
                waiting.append(opened)
        if not waiting:
            return
        remaining = []
        for iterator in waiting:
            for item in iterator:
                remaining.append(iterator)
                yield item
                break
        waiting = remaining


_NUMBER = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
