"""Directions for a walk.

The corners that a row names are not searched anew but tested: between two of them the camera must keep to their line,
and at each of them it must clearly turn. Lengths, turns, sides and distances are then derived from poses and boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown, texts, whole
from spaceland.verify.tasks.common import decimals, stored_close
from spaceland.verify.tasks.frames_seen import FRAME, frame_numbers, may_be_seen
from spaceland.verify.tasks.planned import check_planned
from spaceland.verify.tasks.walking import (
    TURNS,
    across_m,
    check_beside,
    check_nothing_else,
    check_written,
    read_passing,
    turn_word,
)


def check_navigation(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`nav_video`: legs, turns, things passed, and the end of a walk of either kind."""
    kind = row.values.get("kind")
    if kind not in ("walked", "planned"):
        raise Wrong(f"facts.values.kind is {shown(kind)}, expected walked or planned")
    (check_walked if kind == "walked" else check_planned)(row, scene, frames)


def check_walked(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """The way that the camera went."""
    stretch = frame_numbers(row.values.get("stretch"), "facts.values.stretch", row)
    if len(stretch) != 2 or stretch[0] >= stretch[1]:
        raise Wrong(f"facts.values.stretch is {shown(stretch)}, expected a first and a later frame")
    first, last = frames[stretch[0] - 1], frames[stretch[1] - 1]
    corners = _corners(row, scene, first, last)
    ends = [_place(scene.frames[k]) for k in corners]
    legs = list(pairwise(ends))
    _check_straight(row, scene, corners)
    lengths = reals(row.values.get("leg_m"), "facts.values.leg_m", len(legs))
    shortest = real(row.params.get("min_leg_m"), "facts.params.min_leg_m")
    for stored, (a, b) in zip(lengths, legs, strict=True):
        stored_close("facts.values.leg_m", stored, math.dist(a, b))
        if math.dist(a, b) < shortest - solvers.EPSILON:
            raise Wrong(f"a leg is {math.dist(a, b):.2f} m long, less than {shortest:g} m")
    if sum(lengths) < real(row.params.get("min_path_m"), "facts.params.min_path_m") - 1e-3:
        raise Wrong("the walk is too short")
    steps = _steps(row, scene, first, corners, legs)
    if list(texts(row.value, "facts.value")) != steps:
        raise Wrong(f"what is seen on the way differs: facts.value is {shown(row.value)}, derived {shown(steps)}")
    if [int(n) for n in FRAME.findall(text.stem_of(row))] != [*stretch, stretch[0]]:
        raise Wrong(f"the question is not about the walk from Frame-{stretch[0]} to Frame-{stretch[1]}")
    rest = check_written(row, steps)
    named = [int(number) for number in FRAME.findall(rest)]
    if named != list(stretch)[: len(named)]:
        raise Wrong(f"the answer names the frames {shown(named)}, expected {shown(stretch)}")
    check_nothing_else(row, FRAME.sub("", rest))


def _corners(row: Row, scene: Scene, first: Frame, last: Frame) -> list[int]:
    """Places of the corners among the frames of the scene."""
    index = {frame.id: k for k, frame in enumerate(scene.frames)}
    ids = texts(row.values.get("corners"), "facts.values.corners")
    if len(ids) < 2 or not all(frame_id in index for frame_id in ids):
        raise Wrong(f"facts.values.corners is {shown(ids)}, expected frames of the scene")
    corners = [index[frame_id] for frame_id in ids]
    if corners != sorted(set(corners)) or ids[0] != first.id or ids[-1] != last.id:
        raise Wrong(f"facts.values.corners is {shown(ids)}, expected to lead from {first.id} to {last.id}")
    return corners


def _check_straight(row: Row, scene: Scene, corners: Sequence[int]) -> None:
    """Between two corners no frame is far from their line."""
    most = 2 * real(row.params.get("path_straight_m"), "facts.params.path_straight_m")
    for a, b in pairwise(corners):
        start, stop = _place(scene.frames[a]), _place(scene.frames[b])
        ahead = (stop - start) / max(math.dist(start, stop), solvers.EPSILON)
        farthest = 0.0
        for frame in scene.frames[a : b + 1]:
            reached = float((_place(frame) - start) @ ahead)
            farthest = max(farthest, reached)
            if farthest - reached > most + solvers.EPSILON:
                raise Wrong(f"at frame {frame.id} the camera has gone back by {farthest - reached:.2f} m")
            off = abs(across_m(start, stop, _place(frame)))
            if off > most + solvers.EPSILON:
                raise Wrong(f"at frame {frame.id} the camera is {off:.2f} m off the leg, more than {most:g} m")


def _steps(
    row: Row, scene: Scene, first: Frame, corners: Sequence[int], legs: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[str]:
    """What the walker does, derived from the scene."""
    digits = decimals(row)
    turns = reals(row.values.get("turn_deg"), "facts.values.turn_deg", len(legs))
    heading = solvers.angles_deg(first)[0]
    stop = row.values.get("stop")
    if not isinstance(stop, list) or len(stop) != 2 or not isinstance(row.values.get("passed"), list):
        raise Wrong("facts.values.stop or passed has another form than expected")
    passed = [read_passing(one, len(legs)) for one in row.values["passed"]]
    goal = whole(stop[0], "facts.values.stop")
    named = [object_id for _, object_id, _ in passed] + [goal]
    if len(set(named)) != len(named) or [leg for leg, _, _ in passed] != sorted(leg for leg, _, _ in passed):
        raise Wrong("a thing is named twice, or things are not in the order of the legs")
    if dict(row.objects) != {f"object {k}": object_id for k, object_id in enumerate(named)}:
        raise Wrong(f"facts.objects are {shown(dict(row.objects))}, facts.values name {shown(named)}")
    steps = []
    for k, (a, b) in enumerate(legs):
        onward = math.degrees(math.atan2(b[0] - a[0], b[1] - a[1]))
        turn = solvers.wrap_deg(onward - heading)
        stored_close("facts.values.turn_deg", turns[k], turn, 1e-3)
        steps += [TURNS[turn_word(row, turn, k)], f"walk {math.dist(a, b):.{digits}f} m"]
        heading = onward
        for leg, object_id, right_m in passed:
            if leg == k:
                thing = _thing(row, scene, object_id, corners[k], corners[k + 1])
                across = check_beside(row, thing, a, b)
                if abs(across - right_m) > 1e-4:
                    raise Wrong(
                        f"what is seen beside the way differs: object {object_id} is {across:.3f} m to its right"
                    )
                side = "right" if across > 0 else "left"
                steps.append(f"pass the {thing.label} {abs(across):.{digits}f} m to the {side}")
    thing = _thing(row, scene, goal, corners[-2], corners[-1])
    away = math.dist(legs[-1][1], thing.center[:2])
    most = real(row.params.get("max_passed_m"), "facts.params.max_passed_m")
    if abs(real(stop[1], "facts.values.stop") - away) > 1e-4 or away > most + solvers.EPSILON:
        raise Wrong(f"what is seen at the end differs: object {goal} is {away:.3f} m from it")
    return [*steps, f"stop {away:.{digits}f} m from the {thing.label}"]


def _thing(row: Row, scene: Scene, object_id: int, start: int, stop: int) -> SceneObject:
    """An object with a label of its own that a shown frame of a leg shows."""
    thing = scene.objects_by_id.get(object_id)
    if thing is None:
        raise Wrong(f"object {object_id} is not in the scene")
    if len(solvers.object_ids_with_label(scene, thing.label)) != 1:
        raise Wrong(f"several things are labelled {shown(thing.label)}")
    on_leg = [frame for frame in scene.frames[start : stop + 1] if frame.id in row.frames]
    if not any(may_be_seen(scene, frame, thing, row.params) for frame in on_leg):
        raise Wrong(f"no shown frame of the leg does see object {object_id}: the walker does not see it")
    return thing


def _place(frame: Frame) -> np.ndarray:
    return np.asarray(frame.T_world_cam, dtype=np.float64)[:2, 3]
