"""Routes through a room: the places at which one stops, the free floor between them, and the turns.

Every way is tried out step by step, a centimetre at a time, against the footprints of all things that stand in the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from spaceland.geometry import polygons
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.footprints import footprint_sides
from spaceland.scenes.scene import Frame, Room, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import center, limits, stored_close
from spaceland.verify.tasks.video import known_room
from spaceland.verify.tasks.vsi import check_unique, check_words

_STEP_M = 0.01
_NEAR_M = 1e-3
"""Stored places are rounded to a tenth of a millimetre."""
_TURN_DEG = 0.03
_IN_THE_WAY_M = (0.1, 1.8)
_WORDS = {"left": "Turn Left", "right": "Turn Right", "back": "Turn Back"}


def check_vsi_route(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_route_planning`: from red, facing blue, past green to yellow."""
    check_unique(row, scene)
    form = row.params.get("form")
    if form not in ("straight", "turn"):
        raise Wrong(f"facts.params.form is {shown(form)}, expected straight or turn")
    targets = ["blue", "green", "yellow"] if form == "straight" else ["green", "yellow"]
    stored = row.values.get("places_m")
    if not isinstance(stored, list) or len(stored) != len(targets) + 1:
        raise Wrong(f"facts.values.places_m is {shown(stored)}, expected {len(targets) + 1} places")
    places = [np.array(reals(place, "facts.values.places_m", 2)) for place in stored]
    _check_on_floor(row, scene)
    _check_ways(row, scene, places, targets)
    _check_turns(row, scene, places, targets)
    _check_plan(row, ["red", "blue", "yellow", *targets])


def _check_ways(row: Row, scene: Scene, places: list[np.ndarray], targets: list[str]) -> None:
    """Every place is where one stops, and nothing is in between."""
    names = ("route_stop_m", "route_body_m", "min_route_leg_m")
    stop_m, body_m, least = (real(row.params.get(name), f"facts.params.{name}") for name in names)
    room = known_room(row, scene)
    if row.params.get("in_the_way_m") != list(_IN_THE_WAY_M):
        raise Wrong(f"facts.params.in_the_way_m is not {shown(list(_IN_THE_WAY_M))}")
    prints = {
        thing.id: footprint
        for thing in scene.objects
        if (footprint := _footprint(thing.box, room.floor_z_m)) is not None
    }
    red, blue = (center(scene, row, role)[:2] for role in ("red", "blue"))
    _check_place(places[0], red, blue, prints[row.objects["red"]], stop_m + body_m, "first place")
    legs = reals(row.values.get("legs_m"), "facts.values.legs_m", len(targets))
    for k, (role, (start, stop)) in enumerate(zip(targets, pairwise(places), strict=True)):
        middle = center(scene, row, role)[:2]
        _check_place(stop, start, middle, prints[row.objects[role]], stop_m, f"place at {role}")
        length = solvers.distance_m(start, stop)
        stored_close("facts.values.legs_m", legs[k], length, _NEAR_M)
        if length < least - _NEAR_M:
            raise Wrong(f"the way to {role} is {length:.2f} m, less than {least:g} m")
        _check_free(start, stop, list(prints.values()), room, body_m, role)


def _check_place(
    place: np.ndarray, start: np.ndarray, end: np.ndarray, sides: Float[np.ndarray, "m 3"], gap_m: float, name: str
) -> None:
    """Whether a place lies on the straight way from start to end, and at the edge of the grown footprint."""
    along = end - start
    share = float((place - start) @ along / max(float(along @ along), 1e-12))
    if solvers.distance_m(place, start + share * along) > _NEAR_M or not 0 < share < 1:
        raise Wrong(f"{name} is not on the straight way")
    if abs(float((sides[:, :2] @ place + sides[:, 2]).max()) - gap_m) > _NEAR_M:
        raise Wrong(f"{name} is not {gap_m:g} m away from its thing")


def _check_free(
    start: np.ndarray, stop: np.ndarray, prints: list[np.ndarray], room: Room, body_m: float, role: str
) -> None:
    count = max(2, math.ceil(solvers.distance_m(start, stop) / _STEP_M) + 1)
    steps = start + np.linspace(0, 1, count)[:, None] * (stop - start)
    for sides in prints:
        if ((steps @ sides[:, :2].T + sides[:, 2]).max(1) < body_m - _NEAR_M).any():
            raise Wrong(f"something is in the way to {role}")
    outline = np.asarray(room.floor_polygon, dtype=np.float64)
    if len(outline) < 3 or not polygons.contains(outline, steps).all():
        raise Wrong(f"the way to {role} leaves the floor")
    a, b = outline, np.roll(outline, -1, axis=0)
    along = b - a
    share = ((steps[:, None] - a) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-12)
    gaps = np.linalg.norm(steps[:, None] - a - np.clip(share, 0, 1)[..., None] * along, axis=-1)
    if gaps.min() < body_m - _NEAR_M:
        raise Wrong(f"the way to {role} touches a wall")


def _footprint(box: OrientedBox, floor_z: float) -> Float[np.ndarray, "m 3"] | None:
    """Half-planes n @ p + d <= 0 of a box seen from above; None for what is not in the way."""
    heights = np.round(box.corners()[:, 2] - floor_z, 6)
    if heights.max() <= _IN_THE_WAY_M[0] or heights.min() >= _IN_THE_WAY_M[1]:
        return None
    normals, offsets = footprint_sides(Boxes.stack([box]))
    sides = np.column_stack([normals[0], -offsets[0]])
    return sides[np.isfinite(offsets[0])]


def _check_on_floor(row: Row, scene: Scene) -> None:
    room = known_room(row, scene)
    highest = real(row.params.get("max_route_lift_m"), "facts.params.max_route_lift_m")
    for role, object_id in row.objects.items():
        box = scene.objects_by_id[object_id].box
        lift = float(box.corners()[:, 2].min()) - room.floor_z_m
        if lift > highest + _NEAR_M or _footprint(box, room.floor_z_m) is None:
            raise Wrong(f"{role} does not stand on the floor")


def _check_turns(row: Row, scene: Scene, places: list[np.ndarray], targets: list[str]) -> None:
    """The two turns: by how much, and the words for them."""
    turn, turn_margin = limits(row, "route_turn")
    half, half_margin = limits(row, "route_back")
    headings = [center(scene, row, "blue")[:2] - places[0]]
    headings += [center(scene, row, role)[:2] - place for place, role in zip(places, targets, strict=False)]
    if targets[0] == "blue":
        headings = headings[1:]
    bearings = [math.degrees(math.atan2(float(ahead[1]), float(ahead[0]))) for ahead in headings]
    stored = reals(row.values.get("turns_left_deg"), "facts.values.turns_left_deg", 2)
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
    allowed = {f"{one}, {other}" for one in _WORDS.values() for other in _WORDS.values()}
    if not set(options) <= allowed:
        raise Wrong(f"the options {shown(list(options))} are not all two turns")


def _check_plan(row: Row, order: list[str]) -> None:
    """The question names start, view and end, then the things in the order of the steps, with the turns left out."""
    said = text.hide_mentions(text.stem_of(row), row)
    roles = {char: color for color, char in text.HIDDEN.items()}
    named = [roles[char] for char in said if char in roles]
    if named != order:
        raise Wrong(f"the question names {shown(named)}, the route is {shown(order)}")
    steps = said[: said.rfind(text.HIDDEN["yellow"])]
    plan = [number for number in "12345" if f"{number}. [turn]" in steps]
    if plan != (["2", "4"] if len(order) == 6 else ["1", "3"]):
        raise Wrong(f"the turns stand at the steps {shown(plan)} of the plan")
