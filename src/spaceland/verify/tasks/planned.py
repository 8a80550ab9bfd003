"""Directions for a planned way.

The way that a row names is not searched anew but tested: it begins beside the first thing with the second one straight
ahead, every leg is tried out on the free floor, the last leads straight to the goal, and no way over a grid of squares
is shorter. Lengths, turns, sides and distances are then derived from these places and the boxes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown, texts, whole
from spaceland.verify.tasks.common import decimals, stored_close
from spaceland.verify.tasks.frames_seen import may_be_seen
from spaceland.verify.tasks.free_floor import NEAR_M, FreeFloor
from spaceland.verify.tasks.walking import (
    TURNS,
    check_beside,
    check_nothing_else,
    check_written,
    read_passing,
    turn_word,
)

_DEG = 0.03
"""Turns between stored places, which are rounded to a tenth of a millimetre."""
_MAX_PLACES = 12


def check_planned(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """From beside "object 0", facing "object 1", to the last object."""
    if len(row.objects) < 3:
        raise Wrong("a planned way has a start, something that is faced, and a goal")
    things = [scene.objects_by_id[row.objects[f"object {k}"]] for k in range(len(row.objects))]
    _check_things(row, scene, frames, things)
    places = _check_way(row, scene, things[0], things[1], things[-1])
    steps = _steps(row, scene, things, places)
    if list(texts(row.value, "facts.value")) != steps:
        raise Wrong(f"facts.value is {shown(row.value)}, derived {shown(steps)}")
    named = [things[0].label, things[1].label, things[-1].label]
    _check_question(row, named)
    rest = check_written(row, steps)
    check_nothing_else(row, _hide(rest, named))


def _check_things(row: Row, scene: Scene, frames: Sequence[Frame], things: Sequence[SceneObject]) -> None:
    """Each has a label of its own, and may be seen in the video."""
    for thing in things:
        if len(solvers.object_ids_with_label(scene, thing.label)) != 1:
            raise Wrong(f"several things are labelled {shown(thing.label)}")
        others = [other.label for other in scene.objects if other.label != thing.label]
        if any(other.endswith(thing.label) or thing.label.endswith(other) for other in others):
            raise Wrong(f"the label {shown(thing.label)} is much like another one")
        if not any(may_be_seen(scene, frame, thing, row.params) for frame in frames):
            raise Wrong(f"the video does not show object {thing.id} ({shown(thing.label)}) clearly")


def _check_way(row: Row, scene: Scene, start: SceneObject, facing: SceneObject, goal: SceneObject) -> list[np.ndarray]:
    """The places of the way, every leg of which is free, and none a detour."""
    floor = FreeFloor.of(row, scene)
    names = ("way_clear_m", "route_stop_m", "min_leg_m", "min_way_m", "min_facing_distance_m")
    clear_m, stop_m, shortest, least, facing_m = (real(row.params.get(name), f"facts.params.{name}") for name in names)
    stored = row.values.get("places_m")
    if not isinstance(stored, list) or not 2 <= len(stored) <= _MAX_PLACES:
        raise Wrong(f"facts.values.places_m is {shown(stored)}, expected at least two places")
    places = [np.array(reals(place, "facts.values.places_m", 2)) for place in stored]
    away = real(row.values.get("start_gap_m"), "facts.values.start_gap_m")
    for thing, name in ((start, "the start"), (goal, "the goal")):
        floor.check_standing(row, thing.id, name)
    floor.check_place(places[0], start.center[:2], facing.center[:2], start.id, away, "the first place")
    if solvers.distance_m(places[0], facing.center[:2]) < facing_m - NEAR_M:
        raise Wrong("what is faced is too near")
    floor.check_place(places[-1], places[-2], goal.center[:2], goal.id, stop_m, "the last place")
    lengths = reals(row.values.get("leg_m"), "facts.values.leg_m", len(places) - 1)
    for stored_m, (a, b) in zip(lengths, pairwise(places), strict=True):
        stored_close("facts.values.leg_m", stored_m, solvers.distance_m(a, b), NEAR_M)
        if solvers.distance_m(a, b) < shortest - NEAR_M:
            raise Wrong(f"a leg is {solvers.distance_m(a, b):.2f} m long, less than {shortest:g} m")
        floor.check_free(a, b, clear_m, "the goal")
    if sum(lengths) < least - NEAR_M:
        raise Wrong("the way is too short")
    floor.check_no_detour(places, clear_m)
    return places


def _steps(row: Row, scene: Scene, things: Sequence[SceneObject], places: Sequence[np.ndarray]) -> list[str]:
    """What the walker does, derived from places and boxes."""
    digits, legs = decimals(row), list(pairwise(places))
    stop, stored = row.values.get("stop"), row.values.get("passed")
    if not isinstance(stop, list) or len(stop) != 2 or not isinstance(stored, list):
        raise Wrong("facts.values.stop or passed has another form than expected")
    passed = [read_passing(one, len(legs)) for one in stored]
    if [object_id for _, object_id, _ in passed] != [thing.id for thing in things[2:-1]]:
        raise Wrong("facts.objects and facts.values.passed name different things")
    if [leg for leg, _, _ in passed] != sorted(leg for leg, _, _ in passed):
        raise Wrong("things are not in the order of the legs")
    turns = reals(row.values.get("turn_deg"), "facts.values.turn_deg", len(legs))
    bearings = [_bearing(places[0], things[1].center[:2]), *(_bearing(a, b) for a, b in legs)]
    steps = []
    for k, (a, b) in enumerate(legs):
        turn = solvers.wrap_deg(bearings[k + 1] - bearings[k])
        if abs(solvers.wrap_deg(turn - turns[k])) > _DEG:
            raise Wrong(f"facts.values.turn_deg has {turns[k]:g}, derived {turn:.2f}")
        steps += [TURNS[turn_word(row, turns[k], k)], f"walk {math.dist(a, b):.{digits}f} m"]
        for leg, object_id, right_m in passed:
            if leg == k:
                thing = scene.objects_by_id[object_id]
                across = check_beside(row, thing, a, b)
                if abs(across - right_m) > NEAR_M:
                    raise Wrong(f"object {object_id} is {across:.3f} m to the right of the way, stored {right_m:g}")
                side = "right" if across > 0 else "left"
                steps.append(f"pass the {thing.label} {abs(right_m):.{digits}f} m to the {side}")
    goal = things[-1]
    gap = math.dist(places[-1], goal.center[:2])
    if whole(stop[0], "facts.values.stop") != goal.id or abs(real(stop[1], "facts.values.stop") - gap) > NEAR_M:
        raise Wrong(f"facts.values.stop is {shown(stop)}, derived {gap:.3f} m from object {goal.id}")
    if gap > real(row.params.get("max_passed_m"), "facts.params.max_passed_m") + NEAR_M:
        raise Wrong(f"one stops {gap:.2f} m from the middle of the goal")
    return [*steps, f"stop {stop[1]:.{digits}f} m from the {goal.label}"]


def _bearing(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.atan2(b[0] - a[0], b[1] - a[1]))


def _check_question(row: Row, labels: Sequence[str]) -> None:
    """The question names start, view and goal in this order, and the distances that a way keeps."""
    said = text.stem_of(row)
    hidden = _hide(said, labels)
    chars = [char for char in hidden if char in _CHARS]
    if not chars or chars != list(_CHARS) * (len(chars) // 3):
        raise Wrong("the question does not name the start, what is faced and the goal in this order")
    expected = [
        real(row.values.get("start_gap_m"), "facts.values.start_gap_m"),
        real(row.params.get("way_clear_m"), "facts.params.way_clear_m"),
        real(row.params.get("route_stop_m"), "facts.params.route_stop_m"),
    ]
    if text.numbers_in(hidden) != expected:
        raise Wrong(f"the question holds the numbers {text.numbers_in(hidden)}, expected {expected}")


_CHARS = ("\ue100", "\ue101", "\ue102")


def _hide(written: str, labels: Sequence[str]) -> str:
    """The text with "the <label>" of start, view and goal behind one private character each, longest first."""
    for label, char in sorted(zip(labels, _CHARS, strict=True), key=lambda one: -len(one[0])):
        written = re.sub(rf"\bthe {re.escape(label)}(?!\w)", char, written, flags=re.IGNORECASE)
    return written
