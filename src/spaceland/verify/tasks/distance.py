"""Distances of objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, shown
from spaceland.verify.tasks.common import center, check_number, check_options_in_room, stored_close


def check_distance_oo(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`distance_prediction_oo`, `_mv`, `_video`: between red and blue."""
    if _measure(row) == "center":
        derived = solvers.distance_m(center(scene, row, "red"), center(scene, row, "blue"))
    else:
        one, other = (Boxes.stack([scene.objects_by_id[row.objects[role]].box]) for role in ("red", "blue"))
        derived = float(box_distance(one, other)[0])
    _check(row, scene, derived, ["blue", "red"])


def check_distance_oc(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`distance_prediction_oc`, `_mv`: between red and the camera of the first image."""
    eye = np.asarray(frames[0].T_world_cam, dtype=np.float64)[:3, 3]
    box = scene.objects_by_id[row.objects["red"]].box
    if _measure(row) == "center":
        derived = solvers.distance_m(eye, center(scene, row, "red"))
    else:
        nearest = np.clip(box.to_box_frame(eye), -box.size / 2, box.size / 2)
        derived = solvers.distance_m(box.to_box_frame(eye), nearest)
    _check(row, scene, derived, ["red"])


def _measure(row: Row) -> str:
    measure = row.params.get("measure")
    if measure not in ("center", "surface"):
        raise Wrong(f"facts.params.measure is {shown(measure)}, expected center or surface")
    return measure


def _check(row: Row, scene: Scene, derived: float, colors: list[str]) -> None:
    least = real(row.params.get("min_distance_m"), "facts.params.min_distance_m")
    if derived < least - solvers.EPSILON:
        raise Wrong(f"they are {derived:.3f} m apart, less than {least:g} m")
    stored_close("facts.values.distance_m", row.values.get("distance_m"), derived)
    if text.numbers_in(text.hide_mentions(text.stem_of(row), row)):
        raise Wrong("the question holds a number")
    if row.format == "sentence" and sorted(text.colors_hidden(text.hide_mentions(row.answer, row))) != colors:
        raise Wrong(f"the sentence should be about {' and '.join(colors)}")
    check_options_in_room(row, scene, "min_distance_m")
    check_number(row, derived, "m")
