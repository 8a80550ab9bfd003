"""Routes through a room: the places at which one stops, the free floor between them, and the turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import center, limits, stored_close
from spaceland.verify.tasks.free_floor import NEAR_M, FreeFloor
from spaceland.verify.tasks.vsi import check_unique, check_words

_TURN_DEG = 0.03
_WORDS = {"left": "Turn Left", "right": "Turn Right", "back": "Turn Back"}
_MAX_TURNS = 3


def check_vsi_route(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_route_planning`: from red, facing blue, to green, yellow and purple, as many as there are."""
    turns = len(row.objects) - 2
    roles = list(row.rules.roles[: turns + 2])
    if not 1 <= turns <= _MAX_TURNS or sorted(row.objects) != sorted(roles):
        raise Wrong(f"facts.objects has the roles {shown(sorted(row.objects))}, expected {', '.join(roles)}")
    check_unique(row, scene)
    form = row.params.get("form")
    if form not in ("straight", "turn"):
        raise Wrong(f"facts.params.form is {shown(form)}, expected straight or turn")
    targets = roles[1:] if form == "straight" else roles[2:]
    stored = row.values.get("places_m")
    if not isinstance(stored, list) or len(stored) != len(targets) + 1:
        raise Wrong(f"facts.values.places_m is {shown(stored)}, expected {len(targets) + 1} places")
    places = [np.array(reals(place, "facts.values.places_m", 2)) for place in stored]
    _check_ways(row, scene, places, targets)
    _check_turns(row, scene, places, targets)
    _check_plan(row, ["red", "blue", roles[-1], *targets], turns)


def _check_ways(row: Row, scene: Scene, places: list[np.ndarray], targets: list[str]) -> None:
    """Every place is where one stops, and nothing is in between."""
    names = ("route_stop_m", "route_body_m", "min_route_leg_m")
    stop_m, body_m, least = (real(row.params.get(name), f"facts.params.{name}") for name in names)
    floor = FreeFloor.of(row, scene)
    for role, object_id in row.objects.items():
        floor.check_standing(row, object_id, role)
    red, blue = (center(scene, row, role)[:2] for role in ("red", "blue"))
    floor.check_place(places[0], red, blue, row.objects["red"], stop_m + body_m, "first place")
    legs = reals(row.values.get("legs_m"), "facts.values.legs_m", len(targets))
    for k, (role, (start, stop)) in enumerate(zip(targets, pairwise(places), strict=True)):
        middle = center(scene, row, role)[:2]
        floor.check_place(stop, start, middle, row.objects[role], stop_m, f"place at {role}")
        length = solvers.distance_m(start, stop)
        stored_close("facts.values.legs_m", legs[k], length, NEAR_M)
        if length < least - NEAR_M:
            raise Wrong(f"the way to {role} is {length:.2f} m, less than {least:g} m")
        floor.check_free(start, stop, body_m, role)


def _check_turns(row: Row, scene: Scene, places: list[np.ndarray], targets: list[str]) -> None:
    """The turns: by how much, and the words for them."""
    turn, turn_margin = limits(row, "route_turn")
    half, half_margin = limits(row, "route_back")
    headings = [center(scene, row, "blue")[:2] - places[0]]
    headings += [center(scene, row, role)[:2] - place for place, role in zip(places, targets, strict=False)]
    if targets[0] == "blue":
        headings = headings[1:]
    bearings = [math.degrees(math.atan2(float(ahead[1]), float(ahead[0]))) for ahead in headings]
    stored = reals(row.values.get("turns_left_deg"), "facts.values.turns_left_deg", len(bearings) - 1)
    words = []
    for said, (before, after) in zip(stored, pairwise(bearings), strict=True):
        left = solvers.wrap_deg(after - before)
        if abs(solvers.wrap_deg(said - left)) > _TURN_DEG:
            raise Wrong(f"facts.values.turns_left_deg has {said:g}, derived {left:.2f}")
        size = abs(left)
        if size >= half + half_margin - _TURN_DEG:
            words.append(_WORDS["back"])
        elif turn + turn_margin - _TURN_DEG <= size <= half - half_margin + _TURN_DEG:
            words.append(_WORDS["left" if left > 0 else "right"])
        else:
            raise Wrong(f"a turn of {size:.1f} degrees is not clear")
    check_words(row, words)
    _, options = text.split_options(row)
    allowed = {", ".join(several) for several in product(_WORDS.values(), repeat=len(words))}
    if not set(options) <= allowed:
        raise Wrong(f"the options {shown(list(options))} are not all {len(words)} turns")


def _check_plan(row: Row, order: list[str], turns: int) -> None:
    """The question names start, view and end, then the things in the order of the steps, with the turns left out."""
    said = text.hide_mentions(text.stem_of(row), row)
    roles = {char: color for color, char in text.HIDDEN.items()}
    named = [roles[char] for char in said if char in roles]
    if named != order:
        raise Wrong(f"the question names {shown(named)}, the route is {shown(order)}")
    steps = said[: said.rfind(text.HIDDEN[order[-1]])]
    plan = [number for number in range(1, 2 * turns + 2) if f" {number}. [turn]" in f" {steps}"]
    first = 2 if row.params.get("form") == "straight" else 1
    if plan != list(range(first, first + 2 * turns, 2)):
        raise Wrong(f"the turns stand at the steps {shown(plan)} of the plan")
