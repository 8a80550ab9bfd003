"""Sizes, distances and directions in VSI-Bench's manner: things without marks, in its units and decimals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import (
    center,
    check_choice,
    check_names_one_thing,
    check_not_stretched,
    check_number,
    decimals,
    stored_close,
)

CHOICES = ("blue", "green", "yellow", "purple")
BACK_DEG = 135.0


def check_unique(row: Row, scene: Scene) -> None:
    """Things without a mark must be the only ones of their label."""
    for role, label in row.labels.items():
        if len(solvers.object_ids_with_label(scene, label)) != 1:
            raise Wrong(f"{role} is one of several objects labelled {shown(label)}")


def check_vsi_size(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_object_size_estimation`: the longest side of the box, whole centimetres."""
    check_names_one_thing(row, scene)
    derived = 100 * max(float(side) for side in scene.objects_by_id[row.objects["red"]].box.size)
    least = 100 * real(row.params.get("vsi_min_size_m"), "facts.params.vsi_min_size_m")
    if derived < least - solvers.EPSILON:
        raise Wrong(f"its longest side is {derived:.1f} cm, less than {least:g} cm")
    check_not_stretched(row, scene, row.objects["red"])
    stored_close("facts.values.longest_side_cm", row.values.get("longest_side_cm"), derived)
    _check_written(row, derived, 0, "centimetres")


def check_vsi_distance(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_object_abs_distance`: between the nearest points of two boxes, metres with one decimal."""
    check_names_one_thing(row, scene)
    derived = _gap_m(scene, row, "red", "blue")
    least = real(row.params.get("vsi_min_distance_m"), "facts.params.vsi_min_distance_m")
    if derived < least - solvers.EPSILON:
        raise Wrong(f"they are {derived:.3f} m apart, less than {least:g} m")
    stored_close("facts.values.distance_m", row.values.get("distance_m"), derived)
    _check_written(row, derived, 1, "metres")


def _check_written(row: Row, derived: float, places: int, unit: str) -> None:
    if decimals(row) != places:
        raise Wrong(f"facts.params.decimals is {decimals(row)}, expected {places}")
    said = text.hide_mentions(text.stem_of(row), row)
    if text.numbers_in(said):
        raise Wrong("the question holds a number")
    if not text.words_in(said, (unit,)):
        raise Wrong(f"the question does not ask for {unit}")
    check_number(row, derived, unit)


def check_vsi_nearest(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_object_rel_distance`: which of four boxes is nearest to that of red."""
    check_names_one_thing(row, scene)
    derived = [_gap_m(scene, row, "red", role) for role in CHOICES]
    for stored, gap in zip(reals(row.values.get("distances_m"), "facts.values.distances_m", 4), derived, strict=True):
        stored_close("facts.values.distances_m", stored, gap)
    margin_m, ratio = reals(row.params.get("tie"), "facts.params.tie", 2)
    if margin_m <= 0 or ratio < 1:
        raise Wrong(f"facts.params.tie is {margin_m:g} m and {ratio:g}; expected more than 0 and at least 1")
    nearest, second = sorted(derived)[:2]
    least = real(row.params.get("vsi_min_distance_m"), "facts.params.vsi_min_distance_m")
    if nearest < least - solvers.EPSILON:
        raise Wrong(f"the nearest is {nearest:.3f} m away, less than {least:g} m")
    if second - nearest < margin_m - solvers.EPSILON or second < nearest * ratio - solvers.EPSILON:
        raise Wrong(f"the second nearest at {second:.3f} m is too near to a tie with {nearest:.3f} m")
    role = CHOICES[derived.index(nearest)]
    if row.value != role:
        raise Wrong(f"facts.value is {shown(row.value)}, the nearest is {role}")
    _, options = text.split_options(row)
    if sorted(options) != sorted(row.labels[choice] for choice in CHOICES):
        raise Wrong("the options are not the four things to choose from")
    label = row.labels[role]
    check_choice(row, options, [k for k, option in enumerate(options) if option == label], label)


def _gap_m(scene: Scene, row: Row, a: str, b: str) -> float:
    one, other = (Boxes.stack([scene.objects_by_id[row.objects[role]].box]) for role in (a, b))
    return float(box_distance(one, other)[0])


def check_vsi_direction(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`vsi_object_rel_direction_easy|medium|hard`: where red is for somebody at green who faces blue, from above."""
    check_names_one_thing(row, scene)
    stand, face, asked = (center(scene, row, role)[:2] for role in ("green", "blue", "red"))
    for name, there in (("min_facing_distance_m", face), ("min_imagined_distance_m", asked)):
        if solvers.distance_m(stand, there) < real(row.params.get(name), f"facts.params.{name}") - solvers.EPSILON:
            raise Wrong(f"things are nearer to each other than {name}")
    bearings = [math.degrees(math.atan2(*(there - stand)[::-1])) for there in (face, asked)]
    left = solvers.wrap_deg(bearings[1] - bearings[0])
    stored_close("facts.values.turn_left_deg", row.values.get("turn_left_deg"), left)
    level = row.task.rsplit("_", 1)[-1]
    if row.params.get("level") != level:
        raise Wrong(f"facts.params.level is {shown(row.params.get('level'))}, expected {level}")
    side, ahead = "left" if left > 0 else "right", abs(left)
    edges, words = [0.0, 180.0], ["left", "right"]
    word = side
    if level == "medium":
        edges, words = [0.0, BACK_DEG], ["left", "right", "back"]
        word = "back" if ahead >= BACK_DEG else side
    elif level == "hard":
        edges = [0.0, 90.0, 180.0]
        words = [f"{along}-{across}" for along in ("front", "back") for across in ("left", "right")]
        word = f"{'front' if ahead < 90 else 'back'}-{side}"
    margin = real(row.params.get("min_axis_angle_deg"), "facts.params.min_axis_angle_deg")
    if margin <= 0 or min(abs(ahead - edge) for edge in edges) < margin - solvers.EPSILON:
        raise Wrong(f"{ahead:.1f} degrees are within {margin:g} degrees of another direction")
    if text.read_imagined_roles(text.hide_mentions(text.stem_of(row), row)) != ("green", "blue"):
        raise Wrong("the question does not stand at green and face blue")
    check_words(row, [word])
    _, options = text.split_options(row)
    if sorted(options) != sorted(words):
        raise Wrong(f"the options are {shown(list(options))}, expected {shown(words)}")


def check_words(row: Row, words: Sequence[str]) -> None:
    """The stored words, and the option that says them."""
    if row.value != list(words):
        raise Wrong(f"facts.value is {shown(row.value)}, derived {shown(list(words))}")
    _, options = text.split_options(row)
    derived = ", ".join(words)
    check_choice(row, options, [k for k, option in enumerate(options) if option == derived], derived)
