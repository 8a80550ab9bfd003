"""Where objects are for an observer who moved."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, shown
from spaceland.verify.tasks.common import (
    center,
    check_names_one_thing,
    check_slot_choice,
    check_slots,
    limits,
    stored_close,
)
from spaceland.verify.tasks.relation import derive_place, derive_relation

Words = tuple[str, str, str]


def check_imagination_oc(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`spatial_imagination_oc` and its kin: where red is for somebody at green who faces blue."""
    stand, face, asked = (center(scene, row, role) for role in ("green", "blue", "red"))
    numbers = solvers.imagined_numbers(stand, face, asked)
    after = solvers.imagined_words(numbers, limits(row, "plane"), limits(row, "height"))
    least_deg = real(row.params.get("min_axis_angle_deg"), "facts.params.min_axis_angle_deg")
    solvers.check_diagonal(numbers["right_m"], numbers["ahead_m"], after, least_deg)
    for name in ("right_m", "ahead_m", "above_m"):
        stored_close(f"facts.values.{name}", row.values.get(name), numbers[name])
    before = None
    if row.rules.views != "video":
        before, _ = derive_place(row, scene, frames[0], "red", "before_side", "before_side")
        if not before[2]:
            raise Wrong("the asked object is neither ahead nor behind before the move")
    _check_reach(row, numbers["reach_m"])
    _check_words(row, scene, before, after)


def check_imagination_oo(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`spatial_imagination_oo` and its kin: where red is against yellow for somebody at green who faces blue."""
    stand, face, asked, other = (center(scene, row, role) for role in ("green", "blue", "red", "yellow"))
    numbers = solvers.imagined_pair_numbers(stand, face, asked, other)
    least_deg, most_deg, share = (
        real(row.params.get(name), f"facts.params.{name}")
        for name in ("min_bearing_gap_deg", "max_bearing_gap_deg", "min_range_share")
    )
    after = solvers.imagined_pair_words(
        numbers, limits(row, "plane"), limits(row, "height"), limits(row, "range"), share, (least_deg, most_deg)
    )
    for name in ("right_m", "above_m", "closer_m"):
        stored_close(f"facts.values.{name}", row.values.get(name), numbers[name])
    stored_close("facts.values.bearing_gap_deg", row.values.get("bearing_gap_deg"), numbers["bearing_gap_deg"], 0.006)
    _check_reach(row, numbers["reach_m"])
    before = None
    if row.rules.views != "video":
        before, _ = derive_relation(row, scene, frames[0], "red", "yellow", "before_side")
    _check_words(row, scene, before, after)


def _check_reach(row: Row, reach_m: float) -> None:
    """Nobody stands on what is asked about."""
    least_m = real(row.params.get("min_imagined_distance_m"), "facts.params.min_imagined_distance_m")
    if reach_m < least_m - solvers.EPSILON:
        raise Wrong(f"an asked object is {reach_m:.3f} m from the imagined place, less than {least_m:g} m")


def _check_words(row: Row, scene: Scene, before: Words | None, after: Words) -> None:
    """Stored slots, the roles in the question, and the words of the answer."""
    if not row.marks:
        check_names_one_thing(row, scene)
    check_slots("facts.values.before", row.values.get("before"), before or ())
    check_slots("facts.value", row.value, after)
    stem = text.hide_mentions(text.stem_of(row), row)
    if text.read_imagined_roles(stem) != ("green", "blue"):
        raise Wrong("the question does not ask to stand at green and face blue")
    if "yellow" in row.objects and not text.asks_red_against(stem, "yellow"):
        raise Wrong("the question does not ask for red relative to yellow")
    if row.format == "select":
        check_slot_choice(row, after)
        return
    sentence = text.hide_mentions(row.answer, row)
    parts = sentence.split(";") if before is not None else [sentence]
    expected = [("before", before), ("after", after)] if before is not None else [("after", after)]
    if len(parts) != len(expected):
        raise Wrong("the sentence should tell the place before and the place after, parted by a semicolon")
    for part, (name, words) in zip(parts, expected, strict=True):
        said = text.relation_words_in(part)
        if sorted(said) != sorted(filter(None, words or ())):
            raise Wrong(f"the sentence says {said} for the place {name} the move, derived {shown(list(words or ()))}")
