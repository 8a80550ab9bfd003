"""Each task's written answer against the derived one, and the numbers stored beside it.

One function for each task. It derives the answer from the scene, compares it with `facts.value`, with the numbers in
`facts.values` and in the question, and then with what is written in the format of the row. Whatever does not hold is
raised as `Wrong`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import LETTERS, Row, Wrong, real, reals, shown

STORED = 1e-4
"""Tolerance for stored exact values, which are rounded to a tenth of a millimetre or finer."""
ROUNDING = 1e-6
"""Tolerance on top of half a step for written, rounded numbers."""
Policy = Mapping[str, Any]


def check_answer(row: Row, scene: Scene, policy: Policy | None) -> None:
    """Raise `Wrong` when the answer of a row is not the one derived from the scene.

    `policy` holds the thresholds of the dataset where they are known; the row must state the same ones.
    """
    frames = [scene.frames_by_id[frame_id] for frame_id in row.frames]
    _check_params(row, policy)
    _CHECKS[row.task](row, scene, frames)


_POLICY_OF_PARAM = {
    "min_depth_gap_m": "min_depth_gap_m",
    "min_distance_m": "min_distance_m",
    "side": ("side_threshold_m", "side_margin_m"),
    "before_side": ("side_threshold_m", "side_margin_m"),
    "height": ("height_threshold_m", "height_margin_m"),
    "range": ("range_threshold_m", "range_margin_m"),
    "plane": ("imagined_threshold_m", "imagined_margin_m"),
    "max_truncated": "max_target_truncated",
    "max_occluded": "max_target_occluded",
    "max_roll_deg": "max_roll_deg",
}


def _check_params(row: Row, policy: Policy | None) -> None:
    """Thresholds in the row are those of the dataset, so that nobody can argue an unclear answer clear."""
    for name, keys in _POLICY_OF_PARAM.items():
        if policy is None or name not in row.params:
            continue
        expected = [policy.get(key) for key in keys] if isinstance(keys, tuple) else policy.get(keys)
        if row.params[name] != expected:
            raise Wrong(f"facts.params.{name} is {shown(row.params[name])}, the dataset's setting is {expected}")


def _limits(row: Row, name: str) -> tuple[float, ...]:
    """(threshold, margin) of a row; the dead zone has two sides, so the margin may not exceed the threshold."""
    threshold, margin = reals(row.params.get(name), f"facts.params.{name}", 2)
    if not 0 < margin <= threshold:
        raise Wrong(f"facts.params.{name} is {threshold:g} with margin {margin:g}; expected 0 < margin <= threshold")
    return threshold, margin


def _stored(name: str, stored: object, derived: float, tolerance: float = STORED) -> None:
    if abs(real(stored, name) - derived) > tolerance:
        raise Wrong(f"{name} is {shown(stored)}, derived {derived:.6g}")


def _rounded(name: str, written: float, derived: float, step: float) -> None:
    if abs(written - derived) > step / 2 + ROUNDING:
        raise Wrong(f"{name} is {written:g}, derived {derived:.6g}")


def _center(scene: Scene, row: Row, role: str) -> np.ndarray:
    return np.asarray(scene.objects_by_id[row.objects[role]].center, dtype=np.float64)


def _check_number(row: Row, derived: float, unit: str) -> None:
    """A number with one decimal in any of its formats."""
    _stored("facts.value", row.value, derived)
    if row.format == "fill":
        _rounded("answer", text.read_number(row.answer, 1), derived, 0.1)
    elif row.format == "select":
        _, options = text.split_options(row)
        right = [k for k, option in enumerate(options) if abs(text.read_number(option, 1) - derived) <= 0.05 + ROUNDING]
        _check_choice(row, options, right, f"{derived:.6g}")
    else:
        sentence = text.hide_mentions(row.answer, row)
        numbers = text.numbers_in(sentence)
        if len(numbers) != 1 or f"{numbers[0]:.1f} {unit}" not in sentence:
            raise Wrong(f"the sentence should hold one number in {unit}: {shown(row.answer)}")
        _rounded("number in the sentence", numbers[0], derived, 0.1)


def _check_choice(row: Row, options: Sequence[str], right: Sequence[int], derived: str) -> None:
    if len(right) != 1:
        raise Wrong(f"{len(right)} of the options {shown(list(options))} fit the derived answer {derived}")
    if LETTERS[right[0]] != row.answer:
        raise Wrong(f"answer is {row.answer}, the option that fits the derived {derived} is {LETTERS[right[0]]}")


def check_depth(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`depth_prediction_oc`: the depth of blue, where that of red is stated and must be true as well."""
    given = solvers.depth_m(frames[0], _center(scene, row, "red"))
    asked = solvers.depth_m(frames[0], _center(scene, row, "blue"))
    if given <= 0 or asked <= 0:
        raise Wrong("an object's centre is behind the camera")
    gap = real(row.params.get("min_depth_gap_m"), "facts.params.min_depth_gap_m")
    if abs(asked - given) < gap - solvers.EPSILON:
        raise Wrong(f"depths differ by {abs(asked - given):.3f} m, less than {gap:g} m")
    _stored("facts.values.given_depth_m", row.values.get("given_depth_m"), given)
    _stored("facts.values.depth_m", row.values.get("depth_m"), asked)
    stem = text.hide_mentions(text.stem_of(row), row)
    numbers = text.numbers_in(stem)
    if len(numbers) != 1:
        raise Wrong(f"the question states {len(numbers)} numbers, expected the one given depth")
    _rounded("depth in the question", numbers[0], given, 0.1)
    if text.nearest_color(stem, f"{numbers[0]:.1f}") != "red":
        raise Wrong("the question gives the depth of another object than the red one")
    if row.format == "sentence" and text.colors_hidden(text.hide_mentions(row.answer, row)) != ["blue"]:
        raise Wrong("the sentence should be about the blue object")
    _check_number(row, asked, "m")


def check_distance(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`distance_prediction_oo`: between the two centres."""
    derived = solvers.distance_m(_center(scene, row, "red"), _center(scene, row, "blue"))
    least = real(row.params.get("min_distance_m"), "facts.params.min_distance_m")
    if derived < least - solvers.EPSILON:
        raise Wrong(f"the centres are {derived:.3f} m apart, less than {least:g} m")
    _stored("facts.values.distance_m", row.values.get("distance_m"), derived)
    if text.numbers_in(text.hide_mentions(text.stem_of(row), row)):
        raise Wrong("the question holds a number")
    if row.format == "sentence" and sorted(text.colors_hidden(text.hide_mentions(row.answer, row))) != ["blue", "red"]:
        raise Wrong("the sentence should be about both objects")
    _check_number(row, derived, "m")


def check_relation(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_spatial_relation_oo`: where red is, seen from the camera, relative to blue."""
    numbers = solvers.relation_numbers(frames[0], _center(scene, row, "red"), _center(scene, row, "blue"))
    words = solvers.relation_words(numbers, _limits(row, "side"), _limits(row, "height"), _limits(row, "range"))
    for name in ("right_m", "above_m", "closer_m"):
        _stored(f"facts.values.{name}", row.values.get(name), numbers[name])
    _stored("facts.values.bearing_gap_deg", row.values.get("bearing_gap_deg"), numbers["bearing_gap_deg"], 0.006)
    _check_slots("facts.value", row.value, words)
    stem = text.hide_mentions(text.stem_of(row), row)
    if row.format == "judge":
        truth = text.read_claim(stem) in words
        if row.answer != ("Yes" if truth else "No"):
            raise Wrong(f"answer is {shown(row.answer)}, derived relation is {shown(list(words))}")
        return
    if not text.asks_red_against_blue(stem):
        raise Wrong("the question does not ask for red relative to blue")
    if row.format == "select":
        _check_slot_choice(row, words)
        return
    sentence = text.hide_mentions(row.answer, row)
    if text.colors_hidden(sentence) != ["red", "blue"]:
        raise Wrong("the sentence should say where red is relative to blue")
    if sorted(text.relation_words_in(sentence)) != sorted(filter(None, words)):
        raise Wrong(f"the sentence says {text.relation_words_in(sentence)}, derived {shown(list(words))}")


def check_imagination(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`spatial_imagination_oc`: where red is for somebody at green who faces blue."""
    stand, face, asked = (_center(scene, row, role) for role in ("green", "blue", "red"))
    numbers = solvers.imagined_numbers(stand, face, asked)
    height = _limits(row, "height")
    after = solvers.imagined_words(numbers, _limits(row, "plane"), height)
    before = solvers.words_before(frames[0], asked, _limits(row, "before_side"), height)
    for name in ("right_m", "ahead_m", "above_m"):
        _stored(f"facts.values.{name}", row.values.get(name), numbers[name])
    _check_slots("facts.values.before", row.values.get("before"), before)
    _check_slots("facts.value", row.value, after)
    stem = text.hide_mentions(text.stem_of(row), row)
    if text.read_imagined_roles(stem) != ("green", "blue"):
        raise Wrong("the question does not ask to stand at green and face blue")
    if row.format == "select":
        _check_slot_choice(row, after)
        return
    parts = text.hide_mentions(row.answer, row).split(";")
    if len(parts) != 2:
        raise Wrong("the sentence should tell the place before and the place after, parted by a semicolon")
    for name, part, words in (("before", parts[0], before), ("after", parts[1], after)):
        said = text.relation_words_in(part)
        if sorted(said) != sorted(filter(None, words)):
            raise Wrong(f"the sentence says {said} for the place {name} the move, derived {shown(list(words))}")


def _check_slots(name: str, stored: object, derived: Sequence[str]) -> None:
    if not isinstance(stored, list) or stored != list(derived):
        raise Wrong(f"{name} is {shown(stored)}, derived {shown(list(derived))}")


def _check_slot_choice(row: Row, words: Sequence[str]) -> None:
    _, options = text.split_options(row)
    derived = ", ".join(words)
    _check_choice(row, options, [k for k, option in enumerate(options) if option == derived], derived)


def check_matching(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`position_matching`: what is written is the box in `facts.value`; `marks` holds that one against the picture."""
    box = list(reals(row.value, "facts.value", 4))
    written = "[" + ", ".join(f"{v:g}" for v in box) + "]"
    text.read_box(written)
    stem = text.hide_mentions(text.stem_of(row), row)
    if "red" not in text.colors_hidden(stem):
        raise Wrong("the question does not name the marked object")
    if row.format == "fill":
        if list(text.read_box(row.answer)) != box:
            raise Wrong(f"answer is {row.answer}, facts.value is {written}")
    elif row.format == "select":
        _, options = text.split_options(row)
        boxes = [text.read_box(option) for option in options]
        _check_choice(row, options, [k for k, other in enumerate(boxes) if _iou(other, box) >= 0.5], written)
        if options[LETTERS.index(row.answer)] != written:
            raise Wrong(f"the chosen option is {options[LETTERS.index(row.answer)]}, facts.value is {written}")
    elif text.boxes_in(text.hide_mentions(row.answer, row)) != [written]:
        raise Wrong(f"the sentence should hold the box {written} and no other: {shown(row.answer)}")


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Area in common over area in all."""
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def check_view_change(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`view_change_infer`: from the first pose to the second."""
    derived = solvers.motion(frames[0], frames[1])
    most = real(row.params.get("max_roll_deg"), "facts.params.max_roll_deg")
    roll = solvers.wrap_deg(solvers.angles_deg(frames[1])[2] - solvers.angles_deg(frames[0])[2])
    if abs(roll) > most + solvers.EPSILON:
        raise Wrong(f"the views differ by {abs(roll):.1f} degrees of roll, more than {most:g}")
    for name, stored in (("facts.value", row.value), ("facts.values.motion", row.values.get("motion"))):
        for part, number in zip(reals(stored, name, 5), derived, strict=True):
            _stored(name, part, number)
    if text.asks_backwards(text.stem_of(row)):
        raise Wrong("the question asks for the way from the second image to the first")
    written = text.read_motion(row.answer) if row.format == "fill" else text.read_motion_sentence(row.answer)
    for name, number, exact, step in zip(
        ("right", "up", "forward", "turn up", "turn right"), written, derived, (0.1, 0.1, 0.1, 5, 5), strict=True
    ):
        _rounded(f"motion {name}", number, exact, step)


def check_count(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_count`: all objects of the label, each shown as evidence once (`marks` looks at the pixels)."""
    label = row.labels.get("counted", "")
    ids = solvers.object_ids_with_label(scene, label)
    if sorted(row.objects.values()) != sorted(ids):
        raise Wrong(
            f"facts.objects are {sorted(row.objects.values())}, objects labelled {shown(label)} are {sorted(ids)}"
        )
    if row.value != len(ids):
        raise Wrong(f"facts.value is {shown(row.value)}, derived {len(ids)}")
    if not text.asks_for_label(row.question, label):
        raise Wrong(f"the question does not ask for {shown(label)}")
    counts = [text.read_number(row.answer, 0)] if row.format == "fill" else text.counts_in_sentence(row.answer, label)
    if counts != [len(ids)]:
        raise Wrong(f"answer is {shown(row.answer)}, derived {len(ids)}")


def check_room_size(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`room_size`: area inside the floor outline."""
    if scene.room is None:
        raise Wrong("the scene has no floor outline")
    derived = solvers.floor_area_m2(scene.room)
    _stored("facts.values.area_m2", row.values.get("area_m2"), derived)
    _check_number(row, derived, "square metres")


_CHECKS: Mapping[str, Callable[[Row, Scene, Sequence[Frame]], None]] = {
    "depth_prediction_oc": check_depth,
    "distance_prediction_oo": check_distance,
    "obj_spatial_relation_oo": check_relation,
    "spatial_imagination_oc": check_imagination,
    "position_matching": check_matching,
    "view_change_infer": check_view_change,
    "obj_count": check_count,
    "room_size": check_room_size,
}
