"""Where objects are for an observer."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, shown
from spaceland.verify.tasks.common import center, check_slot_choice, check_slots, limits, stored_close


def derive_relation(row: Row, scene: Scene, frame: Frame, asked: str, other: str, side: str = "side") -> tuple:
    """Slots of one role against another for the camera of a frame, and the numbers behind them."""
    numbers = solvers.relation_numbers(frame, center(scene, row, asked), center(scene, row, other))
    gap_deg = real(row.params.get("min_bearing_gap_deg"), "facts.params.min_bearing_gap_deg")
    share = real(row.params.get("min_range_share"), "facts.params.min_range_share")
    words = solvers.relation_words(
        numbers, limits(row, side), limits(row, "height"), limits(row, "range"), share, gap_deg
    )
    return words, numbers


def check_relation_oo(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_spatial_relation_oo`, `_mv`: where red is, seen from the first camera, relative to blue."""
    words, numbers = derive_relation(row, scene, frames[0], "red", "blue")
    for name in ("right_m", "above_m", "closer_m"):
        stored_close(f"facts.values.{name}", row.values.get(name), numbers[name])
    stored_close("facts.values.bearing_gap_deg", row.values.get("bearing_gap_deg"), numbers["bearing_gap_deg"], 0.006)
    check_slots("facts.value", row.value, words)
    stem = text.hide_mentions(text.stem_of(row), row)
    if row.format == "judge":
        truth = text.read_claim(stem) in words
        if row.answer != ("Yes" if truth else "No"):
            raise Wrong(f"answer is {shown(row.answer)}, derived relation is {shown(list(words))}")
        return
    if not text.asks_red_against(stem, "blue"):
        raise Wrong("the question does not ask for red relative to blue")
    if row.format == "select":
        check_slot_choice(row, words)
        return
    check_relation_sentence(row, row.answer, words, ["red", "blue"])


def check_relation_oc(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_spatial_relation_oc_mv`: where red is for the observer of the first image."""
    words, numbers = derive_place(row, scene, frames[0], "red", "side", "ahead")
    for name in ("right_m", "above_m", "ahead_m", "level_ahead_m"):
        stored_close(f"facts.values.{name}", row.values.get(name), numbers[name])
    check_slots("facts.value", row.value, words)
    if row.format == "select":
        check_slot_choice(row, words)
        return
    check_relation_sentence(row, row.answer, words, ["red"])


def derive_place(row: Row, scene: Scene, frame: Frame, asked: str, side: str, ahead: str) -> tuple:
    """Slots of a role for the camera of a frame, clearly off its axes, and the numbers behind them."""
    words, numbers = solvers.words_for_observer(
        frame, center(scene, row, asked), limits(row, side), limits(row, "height"), limits(row, ahead)
    )
    least_deg = real(row.params.get("min_axis_angle_deg"), "facts.params.min_axis_angle_deg")
    for ahead_m in (numbers["ahead_m"], numbers["level_ahead_m"]):
        solvers.check_diagonal(numbers["right_m"], ahead_m, words, least_deg)
    return words, numbers


def check_relation_sentence(row: Row, written: str, words: Sequence[str], colors: list[str]) -> None:
    """A sentence names these objects in this order and says these words and no others."""
    sentence = text.hide_mentions(written, row)
    if text.colors_hidden(sentence) != colors:
        raise Wrong(f"the sentence should be about {', '.join(colors)} in that order")
    said = text.relation_words_in(sentence)
    if sorted(said) != sorted(filter(None, words)):
        raise Wrong(f"the sentence says {said}, derived {shown(list(words))}")
