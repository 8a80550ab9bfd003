"""Sizes of objects."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import ROUNDING, STORED, check_not_stretched, stored_close

_SIDES = ("length", "width", "height")
_ADJECTIVES = {"long": "length", "wide": "width", "high": "height"}
_SAID = re.compile(
    r"\b(?P<before>length|width|height)\b[^\d,]{0,24}\b(?P<first>\d+) cm(?! in | long| wide| high)"
    r"|\b(?P<second>\d+) cm (?:in (?P<noun>length|width|height)|(?P<adjective>long|wide|high))\b"
)
"""Either "a length of 120 cm", or "120 cm in length" and "120 cm long"."""


def check_size(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`spatial_volume_infer`: longer and shorter horizontal side and height of red's box in whole centimetres."""
    box = scene.objects_by_id[row.objects["red"]].box
    axes = np.asarray(box.rotation, dtype=np.float64)
    upright = int(np.argmax(np.abs(axes[2])))
    tilt_deg = math.degrees(math.acos(min(1.0, abs(float(axes[2, upright])))))
    stored_close("facts.values.tilt_deg", row.values.get("tilt_deg"), tilt_deg, 0.006)
    most_deg = real(row.params.get("max_box_tilt_deg"), "facts.params.max_box_tilt_deg")
    if tilt_deg > most_deg + solvers.EPSILON:
        raise Wrong(f"the box leans by {tilt_deg:.1f} degrees, more than {most_deg:g}")
    flat = [100 * float(side) for k, side in enumerate(box.size) if k != upright]
    derived = (max(flat), min(flat), 100 * float(box.size[upright]))
    least_m = real(row.params.get("min_size_m"), "facts.params.min_size_m")
    if min(derived) < 100 * least_m - solvers.EPSILON:
        raise Wrong(f"the box is only {min(derived):.1f} cm thick, less than {100 * least_m:g} cm")
    check_not_stretched(row, scene, row.objects["red"])
    _check_inside(frames[0], box.corners())
    for side, stored, size in zip(_SIDES, reals(row.value, "facts.value", 3), derived, strict=True):
        stored_close(f"facts.value ({side})", stored, size, 100 * STORED)
    stem = text.hide_mentions(text.stem_of(row), row)
    if text.numbers_in(stem) or not all(re.search(f"{a}|{n}", stem) for a, n in _ADJECTIVES.items()):
        raise Wrong("the question does not ask for length, width and height, or holds a number")
    written = _written(row)
    for side, said, size in zip(_SIDES, written, derived, strict=True):
        if abs(said - size) > 0.5 + ROUNDING:
            raise Wrong(f"{side} is written as {said:g} cm, derived {size:.4g}")


def _check_inside(frame: Frame, corners: np.ndarray) -> None:
    pixels, depth = frame.camera.project(transform_points(invert_rigid(np.asarray(frame.T_world_cam)), corners))
    size = np.array([frame.camera.width, frame.camera.height])
    if (depth <= 0).any() or (pixels < -0.01).any() or (pixels > size + 0.01).any():
        raise Wrong("the box of the object reaches beyond the image")


def _written(row: Row) -> list[float]:
    """Length, width, height as the answer says them, in centimetres."""
    if row.format == "fill":
        parts = row.answer.split(", ")
        if len(parts) != 3:
            raise Wrong(f"answer is {shown(row.answer)}, expected three whole numbers")
        return [text.read_number(part, 0) for part in parts]
    sentence = text.hide_mentions(row.answer, row)
    if text.colors_hidden(sentence) != ["red"]:
        raise Wrong("the sentence should be about the red object")
    found: dict[str, float] = {}
    for match in _SAID.finditer(sentence):
        side = (match["before"] or match["noun"] or _ADJECTIVES[match["adjective"]]).lower()
        if side in found:
            raise Wrong(f"the sentence says the {side} twice")
        found[side] = float(match["first"] or match["second"])
    if set(found) != set(_SIDES) or len(text.numbers_in(sentence)) != 3:
        raise Wrong(f"the sentence should say length, width and height in centimetres: {shown(row.answer)}")
    return [found[side] for side in _SIDES]
