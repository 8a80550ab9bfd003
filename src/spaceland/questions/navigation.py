"""Directions for the way that a video was filmed on (SPAR `nav_video`; sentence; video of 32 frames).

Worked example. The first frame looks along world y from (0, 0). From there the camera was carried to (2.1, 0) and on to
(2.1, 3.0). A lamp's centre is at (1.0, 0.8), a table's at (2.1, 4.1):

    question  Give directions for the way that the camera takes from Frame-1 to Frame-32. ...
    answer    From the view of Frame-1, turn right and walk 2.1 m, passing the lamp 0.8 m to the left, then turn left
              and walk 3.0 m, then stop 1.1 m from the table.

The path is that of the camera on the floor plan, over all frames between the two, shown or not. It is cut at its
corners into straight legs (see `legs_of`); the walker faces along the leg, wherever the camera looked. Paths are left
out when they are short, when a leg is, when a bend is neither straight on nor a clear turn, and when a finer or coarser
look at them gives other legs: such paths only wobble. Where the whole walk is not clear, the longest part of it that is
is asked about. Things that are named have a label of their own and are clearly seen on the leg.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, pairwise
from random import Random

import numpy as np
from jaxtyping import Float

from spaceland.questions.answers import RouteAnswer
from spaceland.questions.camera import heading_elevation_roll
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.frames_seen import seen_params
from spaceland.questions.language import capitalise
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.setups import Setup
from spaceland.questions.walks import Leg, Path, legs_of, right_of, setback_m, turn_word, wrap_deg
from spaceland.scenes.scene import Frame, SceneObject

_END_M = 0.2
"""A thing is passed when it lies beside a leg, at least this far from the leg's ends."""
_PASSED_PER_LEG = 2
_STRETCHES = 40
"""So many parts of a walk are tried."""
_TURNS = {"right": "turn right", "left": "turn left", "round": "turn round", "straight": "look straight ahead"}


def propose_navigation(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """The longest clear walk of the video: all of it, or a part from one of its corners to another."""
    frames = context.video_frames()
    if frames is None:
        return
    for first, last in _stretches(context, frames):
        context.looking_at = Setup((frames[first], frames[last]), ())
        fact = _of_stretch(context, frames, first, last)
        context.looking_at = None
        if fact is not None:
            yield fact
            return


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
        for other, right_m in _passed(context.policy, path, leg, [one for one in seen_on[k] if one.id not in named]):
            named.add(other.id)
            passed.append((k, other, right_m))
    walked = context.scene.frames
    things = [other for _, other, _ in passed] + [thing]
    return Fact(
        task="nav_video",
        frames=tuple(frame.id for frame in frames),
        objects={f"object {k}": one.id for k, one in enumerate(things)},
        labels={f"object {k}": one.label for k, one in enumerate(things)},
        answer=RouteAnswer(_steps(context.conventions.decimals, legs, words, passed, goal)),
        values={
            "stretch": [first + 1, last + 1],
            "corners": [walked[offset + n].id for n in (*(leg.start for leg in legs), legs[-1].stop)],
            "leg_m": [round(leg.length_m, 6) for leg in legs],
            "turn_deg": [round(turn, 4) + 0.0 for turn in turns],
            "passed": [[k, other.id, round(right_m, 6)] for k, other, right_m in passed],
            "stop": [thing.id, round(stop_m, 6)],
        },
        params=_params(context),
    )


def _steps(
    places: int,
    legs: Sequence[Leg],
    words: Sequence[str | None],
    passed: Sequence[tuple[int, SceneObject, float]],
    goal: tuple[SceneObject, float],
) -> tuple[str, ...]:
    """What the walker does, one thing after the other."""
    steps: list[str] = []
    for k, (leg, word) in enumerate(zip(legs, words, strict=True)):
        assert word is not None
        steps += [_TURNS[word], f"walk {leg.length_m:.{places}f} m"]
        for number, other, right_m in passed:
            if number == k:
                side = "right" if right_m > 0 else "left"
                steps.append(f"pass the {other.label} {abs(right_m):.{places}f} m to the {side}")
    return (*steps, f"stop {goal[1]:.{places}f} m from the {goal[0].label}")


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
    if not len(finer) == len(legs) == len(coarser):
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


def _seen_on_leg(context: TaskContext, frames: Sequence[Frame], leg: Leg, first: int) -> list[SceneObject]:
    """Things with a label of their own that a shown frame of the leg shows clearly, by id."""
    index = context.views.frame_index
    on_leg = [frame.id for frame in frames if leg.start <= index[frame.id] - first <= leg.stop]
    found = sorted({view.object_id for frame_id in on_leg for view in context.views.askable(frame_id)})
    return [thing for thing in map(context.thing, found) if context.scene.label_counts[thing.label] == 1]


def _passed(
    policy: AmbiguityPolicy, path: Path, leg: Leg, things: Sequence[SceneObject]
) -> list[tuple[SceneObject, float]]:
    """Things wholly on one side of a leg, and how far their centres are to its right, in the order of passing."""
    right = right_of(leg.heading_deg)
    ahead = (path[leg.stop] - path[leg.start]) / leg.length_m
    found = []
    for thing in things:
        offset = thing.center[:2] - path[leg.start]
        along, across = float(offset @ ahead), float(offset @ right)
        sides = (thing.box.corners()[:, :2] - path[leg.start]) @ right * np.sign(across)
        if (
            _END_M <= along <= leg.length_m - _END_M
            and policy.min_passed_m <= abs(across) <= policy.max_passed_m
            and sides.min() >= policy.side_margin_m
        ):
            found.append((round(abs(across), 6), thing.id, along, across, thing))
    nearest = sorted(found)[:_PASSED_PER_LEG]
    return [(thing, across) for _, _, _, across, thing in sorted(nearest, key=lambda one: (round(one[2], 6), one[1]))]


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


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, RouteAnswer)
    flowing, lines = "", []
    for step in fact.answer.value:
        verb = step.split(" ")[0]
        if verb == "walk":
            flowing += f" and {step}"
            lines[-1] += f" and {step}"
        elif verb == "pass":
            # Of several things passed on one leg, the second and later ones are joined by "and".
            flowing += (" and" if lines[-1].startswith("pass ") else ", passing") + step.removeprefix("pass")
            lines.append(step)
        else:
            flowing += f", then {step}" if flowing else step
            lines.append(step)
    first, last = fact.values["stretch"]
    return {
        "from": f"Frame-{first}",
        "to": f"Frame-{last}",
        "route": flowing,
        "Steps": ". ".join(capitalise(line) for line in lines),
    }


NAVIGATION = Wording(
    fields=_fields,
    stems={
        "*": (
            "give directions for the way that the camera takes from {from} to {to}.",
            "somebody wants to walk the way that the video shows from {from} to {to}. What should they do?",
            "describe the walk from {from} to {to} as instructions for another person.",
            "write down how to follow the path of this video from {from} to {to}.",
            "how would you guide somebody along the path of the camera from {from} to {to}?",
            "turn the walk from {from} to {to} into directions: where to turn, how far to go, what to pass and where "
            "to stop.",
        )
    },
    notes=(
        "The walker starts where {from} was taken and looks the same way; left and right are the walker's. Give "
        "distances in metres, to the centres of things.",
        "Begin with the view of {from}. Sides are those of the walker, who looks ahead; measure in metres on the "
        "floor, to the middle of things.",
        "Start from the view of {from} and take left and right as the walker would, with metres on the floor plan to "
        "the centres of things.",
    ),
    sentences=(
        "from the view of {from}, {route}.",
        "{Steps}.",
        "start where {from} was taken: {route}.",
        "start with the view of {from}. {Steps}.",
        "to follow the video from {from} to {to}, {route}.",
        "here is the way. {Steps}.",
    ),
)
