"""Sets of two or three images that belong together: linked by what they share, and no two of them nearly the same.

The search works on the overlap matrix of the scene: `overlap[i, j]` is the share of the surface of frame i that frame j
sees as well. Two frames are linked when either sees enough of the other's surface and their viewpoints differ enough
but not too much, and when both show some annotated thing: tiles and carpets look the same everywhere. A set is a pair
of linked frames, or a third frame linked to one of such a pair. Where the third frame is linked to both and they share
too little with each other, it is the joint: without it they do not hang together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from random import Random

import numpy as np

from spaceland.questions.facts import TaskContext, shuffled
from spaceland.scenes.scene import Frame
from spaceland.visibility import close_up_frames, spread_frames

_TRIES_PER_FRAME = 12
_SECONDS = 60


class Links:
    """Which frames of a scene go together; computed once for all tasks."""

    def __init__(self, context: TaskContext) -> None:
        policy, frames = context.policy, context.scene.frames
        self.chosen = np.array(spread_frames(len(frames)), dtype=np.int64)
        self.frames = [frames[int(k)] for k in self.chosen]
        poses = np.array([frame.T_world_cam for frame in self.frames]).reshape(-1, 4, 4)
        overlap = context.views.visibility.overlap[np.ix_(self.chosen, self.chosen)]
        self.shared = np.minimum(overlap, overlap.T)
        centers, rotations = poses[:, :3, 3], poses[:, :3, :3]
        self.baseline_m = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
        traces = np.einsum("iab,jab->ij", rotations, rotations)
        self.angle_deg = np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))
        apart = (self.baseline_m >= policy.min_baseline_m) | (self.angle_deg >= policy.min_rotation_deg)
        self.differ = apart & (self.shared <= policy.max_overlap)
        self.landmark = self._landmarks(context)
        self.linked = self.differ & (self.shared >= policy.min_overlap) & (self.baseline_m <= policy.max_baseline_m)
        self.linked &= self.landmark
        np.fill_diagonal(self.linked, False)
        self.linked_to = [np.flatnonzero(row).tolist() for row in self.linked]

    def _landmarks(self, context: TaskContext) -> np.ndarray:
        """Which frames show a thing in common, large enough in both; all of them where nothing is annotated."""
        visibility, least = context.views.visibility, context.policy.min_landmark_share
        if not visibility.views:
            return np.ones((len(self.frames), len(self.frames)), dtype=bool)
        column = {thing.id: k for k, thing in enumerate(context.scene.objects)}
        shows = np.zeros((len(self.frames), len(column)), dtype=np.float32)
        for row, frame in enumerate(self.frames):
            least_px = least * frame.camera.width * frame.camera.height
            views = visibility.in_frame(frame.id)
            shows[row, [column[view.object_id] for view in views if view.visible_px >= least_px]] = 1
        return shows @ shows.T > 0

    def problem(self, first: int, second: int, context: TaskContext) -> str:
        """Why two frames do not go together."""
        policy = context.policy
        if self.shared[first, second] < policy.min_overlap:
            return "views share too little"
        if self.shared[first, second] > policy.max_overlap:
            return "views share almost everything"
        if self.baseline_m[first, second] > policy.max_baseline_m:
            return "viewpoints too far apart"
        if self.differ[first, second] and not self.landmark[first, second]:
            return "views share no landmark"
        return "viewpoints almost the same"


def _links(context: TaskContext) -> Links:
    """The links of a scene; a scene of one view is counted as such."""
    links = context.views.links(context)
    if len(links.frames) < 2:
        context.reject_scene("fewer than two views", len(links.frames))
    return links


def _linked(context: TaskContext, links: Links, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Frame, Frame]]:
    """Those of some pairs of frame numbers that go together; the others are counted under their reason."""
    for first, second in pairs:
        if links.linked[first, second]:
            yield links.frames[first], links.frames[second]
        else:
            context.reject(links.problem(first, second, context), (links.frames[first].id, links.frames[second].id))


def _close_ups(context: TaskContext, links: Links) -> list[int]:
    """Numbers of the frames that may be looked at closely."""
    row = {frame.id: k for k, frame in enumerate(links.frames)}
    return [row[frame.id] for frame in close_up_frames(context.scene, context.views.visibility.config)]


def view_pairs(context: TaskContext, rng: Random) -> Iterator[tuple[Frame, Frame]]:
    """Ordered pairs of frames in random order; every frame is first in a few of them before any is first in more."""
    links = _links(context)
    yield from _linked(context, links, _tries(links, rng))


def close_up_pairs(context: TaskContext, rng: Random) -> Iterator[tuple[Frame, Frame]]:
    """As `view_pairs`, for tasks that look at pixels: pairs among the frames that may be looked at so closely."""
    links = _links(context)
    yield from _linked(context, links, shuffled(permutations(_close_ups(context, links), 2), rng))


def close_up_firsts(context: TaskContext, rng: Random) -> Iterator[tuple[Frame, Frame]]:
    """Linked pairs of which the first frame may be looked at closely, at most `_SECONDS` with the same one."""
    links = _links(context)
    pairs = []
    for first in _close_ups(context, links):
        linked = links.linked_to[first]
        pairs += [(first, second) for second in rng.sample(linked, min(len(linked), _SECONDS))]
    yield from _linked(context, links, shuffled(pairs, rng))


def view_sets(context: TaskContext, rng: Random) -> Iterator[tuple[tuple[Frame, ...], frozenset[int]]]:
    """Sets of two and of three images in turn, with the places (0, 1, 2) of those that join the other two."""
    links = _links(context)
    seen: set[tuple[int, ...]] = set()
    for number, (first, second) in enumerate(_tries(links, rng)):
        if number % 2 == 0:
            if links.linked[first, second]:
                yield (links.frames[first], links.frames[second]), frozenset()
            else:
                context.reject(links.problem(first, second, context), (links.frames[first].id, links.frames[second].id))
            continue
        chosen = _triple(links, first, rng)
        if chosen is None:
            context.reject("no third view that fits", (links.frames[first].id,))
        elif chosen not in seen:
            seen.add(chosen)
            yield tuple(links.frames[k] for k in chosen), _joints(links, chosen, context.policy.min_overlap)


def _tries(links: Links, rng: Random) -> Iterator[tuple[int, int]]:
    """Pairs of frame numbers: for every frame a linked one first, then others, at most a dozen of each."""
    count = len(links.frames)
    candidates: dict[int, list[int]] = {}

    def tries_of(first: int) -> list[int]:
        linked = links.linked_to[first]
        good = rng.sample(linked, min(len(linked), _TRIES_PER_FRAME))
        others = [k for k in rng.sample(range(count), min(count, 3)) if k != first and not links.linked[first, k]]
        return (good + others)[:_TRIES_PER_FRAME]

    for attempt in range(_TRIES_PER_FRAME):
        for first in shuffled(range(count), rng):
            if first not in candidates:
                candidates[first] = tries_of(first)
            if attempt < len(candidates[first]):
                yield first, candidates[first][attempt]


def _triple(links: Links, first: int, rng: Random) -> tuple[int, int, int] | None:
    """A linked second frame, and a third one linked to either, all three clearly different; None if there is none."""
    seconds = np.flatnonzero(links.linked[first])
    if len(seconds) == 0:
        return None
    second = int(rng.choice(seconds.tolist()))
    fits = (links.linked[first] | links.linked[second]) & links.differ[first] & links.differ[second]
    fits[[first, second]] = False
    thirds = np.flatnonzero(fits)
    if len(thirds) == 0:
        return None
    third = int(rng.choice(thirds.tolist()))
    return (first, second, third) if rng.random() < 0.5 else (first, third, second)


def _joints(links: Links, chosen: tuple[int, int, int], min_overlap: float) -> frozenset[int]:
    """Places of the images without which the other two are not linked."""
    found = set()
    for place in range(3):
        a, b = (chosen[k] for k in range(3) if k != place)
        middle = chosen[place]
        if links.shared[a, b] < min_overlap and links.linked[a, middle] and links.linked[middle, b]:
            found.add(place)
    return frozenset(found)
