"""Directions for a walk through the room (SPAR `nav_video`; sentence; video of 32 frames).

There are two kinds of walks: the way that the camera went, here, and ways planned over free floor (`planned`).

Worked example. The first frame looks along world y from (0, 0). From there the camera was carried to (2.1, 0) and on to
(2.1, 3.0). A lamp's centre is at (1.0, 0.8), a table's at (2.1, 4.1):

    question  Give directions for the way that the camera takes from Frame-1 to Frame-32. ...
    answer    From the view of Frame-1, turn right and walk 2.1 m, passing the lamp 0.8 m to the left, then turn left
              and walk 3.0 m, then stop 1.1 m from the table.

The path is that of the camera on the floor plan, over all frames between the two, shown or not. It is cut at its
corners into straight legs (see `legs_of`); the walker faces along the leg, wherever the camera looked. Paths are left
out when they are short, when a leg is, when a bend is neither straight on nor a clear turn, and when a finer or coarser
look at them gives other legs: such paths only wobble. Where the whole walk is not clear, the longest parts of it that
are clear and do not overlap much are asked about. Things that are named have a label of their own and are clearly seen
on the leg.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, pairwise
from random import Random

import numpy as np
from jaxtyping import Float

from spaceland.questions.answers import RouteAnswer
from spaceland.questions.camera import heading_elevation_roll
from spaceland.questions.facts import Fact, TaskContext, round_robin
from spaceland.questions.frames_seen import seen_params
from spaceland.questions.navigation_words import NAVIGATION, steps_of
from spaceland.questions.planned import planned_ways
from spaceland.questions.setups import Setup
from spaceland.questions.walks import Leg, Path, legs_of, passed_on, setback_m, turn_word, wrap_deg
from spaceland.scenes.scene import Frame, SceneObject

__all__ = ["NAVIGATION", "propose_navigation"]
_SAME_LENGTH_M, _SAME_HEADING_DEG = 0.3, 15.0
_STRETCHES = 40
"""So many parts of a walk are tried."""
_MAX_SHARED = 0.5
"""Two parts of a walk that are asked about share at most this much of the shorter one."""


def propose_navigation(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """The clear walks of the video, longest first, in turn with ways that are planned through its room."""
    frames = context.video_frames()
    if frames is not None:
        yield from round_robin([_walked(context, frames), planned_ways(context, frames, rng)])


def _walked(context: TaskContext, frames: Sequence[Frame]) -> Iterator[Fact]:
    """All of the walk, or else its longest parts from one corner to another, as far as they are clear."""
    taken: list[tuple[int, int]] = []
    for first, last in _stretches(context, frames):
        if any(_shared(one, (first, last)) > _MAX_SHARED for one in taken):
            continue
        context.looking_at = Setup((frames[first], frames[last]), ())
        fact = _of_stretch(context, frames, first, last)
        context.looking_at = None
        if fact is not None:
            taken.append((first, last))
            yield fact


def _shared(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Which share of the shorter of two parts of the video belongs to both.

    >>> _shared((0, 10), (8, 31))
    0.2
    """
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, both) / min(one[1] - one[0], other[1] - other[0])


def _stretches(context: TaskContext, frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """Places in `frames` of the first and last frame of parts of the walk: all of it, then the longest parts."""
    index = [context.views.frame_index[frame.id] for frame in frames]
    path = _path(context.scene.frames[index[0] : index[-1] + 1])
    legs = legs_of(path, context.policy.path_straight_m, context.policy)
    parts: dict[tuple[int, int], float] = {}
    for a, b in combinations_with_replacement(range(len(legs)), 2):
        inside = [k for k, n in enumerate(index) if legs[a].start <= n - index[0] <= legs[b].stop]
        if len(inside) > 1 and b - a <= context.policy.max_path_turns:
            parts.setdefault((inside[0], inside[-1]), round(sum(leg.length_m for leg in legs[a : b + 1]), 6))
    parts[0, len(frames) - 1] = float("inf")
    return sorted(parts, key=lambda part: (-parts[part], part))[:_STRETCHES]


def _path(frames: Sequence[Frame]) -> Path:
    return np.array([frame.T_world_cam[:2, 3] for frame in frames])


def _of_stretch(context: TaskContext, frames: Sequence[Frame], first: int, last: int) -> Fact | None:
    """The fact of the walk between two of the shown frames, or None after saying why not."""
    index = context.views.frame_index
    offset = index[frames[first].id]
    path = _path(context.scene.frames[offset : index[frames[last].id] + 1])
    legs = _clear_legs(context, path)
    if legs is None:
        return None
    heading, elevation, _ = heading_elevation_roll(frames[first].T_world_cam)
    if abs(elevation) > context.policy.max_elevation_deg:
        context.reject("too steep for a heading")
        return None
    turns = [wrap_deg(b - a) for a, b in pairwise([heading, *(leg.heading_deg for leg in legs)])]
    words = [turn_word(turn, context.policy) for turn in turns]
    if None in words or "straight" in words[1:]:
        context.reject("a bend that is no clear turn")
        return None
    seen_on = [_seen_on_leg(context, frames[first : last + 1], leg, offset) for leg in legs]
    goal = _goal(context, path[-1], seen_on[-1])
    if goal is None:
        return None
    thing, stop_m = goal
    named = {thing.id}
    passed: list[tuple[int, SceneObject, float]] = []
    for k, leg in enumerate(legs):
        beside = [one for one in seen_on[k] if one.id not in named]
        for other, right_m in passed_on(context.policy, path[leg.start], path[leg.stop], beside):
            named.add(other.id)
            passed.append((k, other, right_m))
    walked = context.scene.frames
    things = [other for _, other, _ in passed] + [thing]
    return Fact(
        task="nav_video",
        frames=tuple(frame.id for frame in frames),
        objects={f"object {k}": one.id for k, one in enumerate(things)},
        labels={f"object {k}": one.label for k, one in enumerate(things)},
        answer=RouteAnswer(steps_of(context.conventions.decimals, [leg.length_m for leg in legs], words, passed, goal)),
        values={
            "kind": "walked",
            "stretch": [first + 1, last + 1],
            "corners": [walked[offset + n].id for n in (*(leg.start for leg in legs), legs[-1].stop)],
            "leg_m": [round(leg.length_m, 6) for leg in legs],
            "turn_deg": [round(turn, 4) + 0.0 for turn in turns],
            "passed": [[k, other.id, round(right_m, 6)] for k, other, right_m in passed],
            "stop": [thing.id, round(stop_m, 6)],
        },
        params=_params(context),
    )


def _params(context: TaskContext) -> dict[str, object]:
    policy = context.policy
    return {
        **seen_params(context),
        "decimals": context.conventions.decimals,
        "path_straight_m": policy.path_straight_m,
        "min_leg_m": policy.min_leg_m,
        "min_path_m": policy.min_path_m,
        "turn": [policy.turn_threshold_deg, policy.turn_margin_deg],
        "half_turn": [policy.half_turn_threshold_deg, policy.turn_margin_deg],
        "max_passed_m": policy.max_passed_m,
        "min_passed_m": policy.min_passed_m,
    }


def _clear_legs(context: TaskContext, path: Path) -> list[Leg] | None:
    """The legs of a path that looks alike to a finer and a coarser eye, or None after saying why not."""
    policy = context.policy
    legs, finer, coarser = (legs_of(path, policy.path_straight_m * scale, policy) for scale in (1, 0.75, 1.25))
    if sum(leg.length_m for leg in legs) < policy.min_path_m:
        context.reject("path too short")
        return None
    if not (_alike(legs, finer) and _alike(legs, coarser)):
        context.reject("path wobbles")
        return None
    if len(legs) > policy.max_path_turns + 1:
        context.reject("too many turns")
        return None
    if min(leg.length_m for leg in legs) < policy.min_leg_m:
        context.reject("a leg too short to be named")
        return None
    if max(setback_m(path, leg) for leg in legs) > 2 * policy.path_straight_m:
        context.reject("goes back and forth")
        return None
    return legs


def _alike(legs: Sequence[Leg], others: Sequence[Leg]) -> bool:
    """Whether two looks at a path give as many legs, and about the same ones."""
    return len(legs) == len(others) and all(
        abs(leg.length_m - other.length_m) <= _SAME_LENGTH_M
        and abs(wrap_deg(leg.heading_deg - other.heading_deg)) <= _SAME_HEADING_DEG
        for leg, other in zip(legs, others, strict=True)
    )


def _seen_on_leg(context: TaskContext, frames: Sequence[Frame], leg: Leg, first: int) -> list[SceneObject]:
    """Things with a label of their own that a shown frame of the leg shows clearly, by id."""
    index = context.views.frame_index
    on_leg = [frame.id for frame in frames if leg.start <= index[frame.id] - first <= leg.stop]
    found = sorted({view.object_id for frame_id in on_leg for view in context.views.askable(frame_id)})
    return [thing for thing in map(context.thing, found) if context.scene.label_counts[thing.label] == 1]


def _goal(
    context: TaskContext, end: Float[np.ndarray, "2"], things: Sequence[SceneObject]
) -> tuple[SceneObject, float] | None:
    """The thing nearest to the end of the path, and its distance on the floor plan."""
    policy = context.policy
    ranked = sorted((round(float(np.hypot(*(thing.center[:2] - end))), 6), thing.id) for thing in things)
    if not ranked or ranked[0][0] > policy.max_passed_m or ranked[0][0] < policy.min_distance_m:
        context.reject("nothing clear to stop at")
        return None
    if len(ranked) > 1 and ranked[1][0] - ranked[0][0] < policy.min_nearest_gap_m:
        context.reject("two things equally near to the end")
        return None
    return context.thing(ranked[0][1]), ranked[0][0]
