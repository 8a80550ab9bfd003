"""Depth of objects."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, shown
from spaceland.verify.tasks.common import (
    center,
    check_number,
    check_options_in_room,
    decimals,
    marked_frame,
    rounded,
    stored_close,
)

_BETWEEN = re.compile(r"\b(lies? between|apart|behind|in front of)\b", re.IGNORECASE)


def check_depth_oc(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`depth_prediction_oc`, `_mv`: the depth of blue, where that of red is stated and must be true as well."""
    given, asked = (_depth_m(row, scene, frames, role) for role in ("red", "blue"))
    _check_gap(row, given, asked)
    stored_close("facts.values.given_depth_m", row.values.get("given_depth_m"), given)
    stored_close("facts.values.depth_m", row.values.get("depth_m"), asked)
    _check_given(row, given)
    if row.format == "sentence" and text.colors_hidden(text.hide_mentions(row.answer, row)) != ["blue"]:
        raise Wrong("the sentence should be about the blue object")
    check_options_in_room(row, scene, "min_depth_m", given)
    check_number(row, asked, "m")


def check_depth_oo(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`depth_prediction_oo`, `_mv`: by how much green and blue differ, where the depth of red is stated."""
    given, base, asked = (_depth_m(row, scene, frames, role) for role in ("red", "blue", "green"))
    _check_gap(row, base, asked)
    for name, derived in (("given_depth_m", given), ("base_depth_m", base), ("depth_m", asked)):
        stored_close(f"facts.values.{name}", row.values.get(name), derived)
    _check_given(row, given)
    said = text.hide_mentions(text.stem_of(row) + (" " + row.answer if row.format == "sentence" else ""), row)
    if _image(row, "blue") != _image(row, "green") and _BETWEEN.search(said):
        raise Wrong("depths of two images have nothing between them, and none is behind the other")
    if row.format == "sentence":
        sentence = text.hide_mentions(row.answer, row)
        if sorted(text.colors_hidden(sentence)) != ["blue", "green"]:
            raise Wrong("the sentence should be about the blue and the green object")
        said = text.words_in(sentence, ("greater", "smaller", "behind", "in front of"))
        if said not in (["greater"], ["behind"]) if asked > base else said not in (["smaller"], ["in front of"]):
            raise Wrong(f"the sentence says {shown(said)}, green's depth is {asked - base:+.3f} m more than blue's")
    check_options_in_room(row, scene, "min_depth_gap_m")
    check_number(row, abs(asked - base), "m")


def _image(row: Row, role: str) -> int:
    return next(mark.image_index for mark in row.marks if mark.color == role)


def _depth_m(row: Row, scene: Scene, frames: Sequence[Frame], role: str) -> float:
    """Depth of a role's centre in the image with its mark."""
    local = solvers.in_camera(marked_frame(row, frames, role), center(scene, row, role))
    if local[2] <= 0:
        raise Wrong("an object's centre is behind the camera")
    measure = row.params.get("measure")
    if measure not in ("z", "range"):
        raise Wrong(f"facts.params.measure is {shown(measure)}, expected z or range")
    return float(local[2]) if measure == "z" else math.hypot(*local)


def _check_gap(row: Row, a: float, b: float) -> None:
    gap = real(row.params.get("min_depth_gap_m"), "facts.params.min_depth_gap_m")
    if abs(a - b) < gap - solvers.EPSILON:
        raise Wrong(f"depths differ by {abs(a - b):.3f} m, less than {gap:g} m")


def _check_given(row: Row, given: float) -> None:
    """The question states one number, the depth of red."""
    stem = text.hide_mentions(text.stem_of(row), row)
    numbers = text.numbers_in(stem)
    if len(numbers) != 1:
        raise Wrong(f"the question states {len(numbers)} numbers, expected the one given depth")
    rounded("depth in the question", numbers[0], given, 10.0 ** -decimals(row))
    if text.nearest_color(stem, f"{numbers[0]:.{decimals(row)}f}") != "red":
        raise Wrong("the question gives the depth of another object than the red one")
