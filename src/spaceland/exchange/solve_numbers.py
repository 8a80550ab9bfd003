"""Depths, distances, sizes, counts and areas of released answers, worked out anew.

Worked example. Two objects whose centres are 2.449 m apart: "2.4" agrees, "2.5" does not, "2.45" does.
"""

from __future__ import annotations

import numpy as np

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import SLACK, Case, Verdict
from spaceland.questions.language import plural
from spaceland.scenes.floor import floor_of


def _depth(case: Case, color: str) -> float:
    return float(case.in_camera(color, case.marked_frame(color))[2])


def depth_oc(case: Case) -> Verdict:
    return case.number(_depth(case, "blue"))


def depth_oo(case: Case) -> Verdict:
    return case.number(abs(_depth(case, "green") - _depth(case, "blue")))


def distance_oc(case: Case) -> Verdict:
    return case.number(case.from_camera_m(case.thing("red")))


def distance_oo(case: Case) -> Verdict:
    return case.number(case.between_m(case.thing("red"), case.thing("blue")))


def volume(case: Case) -> Verdict:
    """Length, width and height in centimetres; which horizontal side is the length is not asked."""
    said = answer_text.numbers(answer_text.without_names(case.claimed()))
    if len(said) != 3:
        raise UnreadableError("no three numbers in the answer")
    thing = case.thing("red")
    size, rotation = thing.box.size, thing.box.rotation
    if case.reading.center == "aabb":
        size, rotation = thing.aabb.size, np.eye(3)
    vertical = int(np.argmax(np.abs(rotation[2])))
    level = sorted(float(side) for axis, side in enumerate(size) if axis != vertical)
    derived = [100 * v for v in (*level, float(size[vertical]))]
    claimed = [*sorted(v for v, _ in said[:2]), said[2][0]]
    gaps = [abs(a - b) for a, b in zip(claimed, derived, strict=True)]
    step = 10.0 ** -max(decimals for _, decimals in said)
    return Verdict(max(gaps) <= step / 2 + SLACK, " x ".join(f"{v:.1f}" for v in derived) + " cm", max(gaps) / 100)


def count(case: Case) -> Verdict:
    text = f" {case.row.question.lower()} "
    known = case.locator.scene.label_counts
    named = [label for label in known if _says(text, label) or _says(text, plural(label).lower())]
    # "coffee tables" also holds "tables": the longest label is meant.
    named = [label for label in named if not any(label != other and label in other for other in named)]
    if len(named) != 1:
        raise UnreadableError("no single label of the scene in the question")
    return case.number(float(known[named[0]]))


def _says(text: str, words: str) -> bool:
    at = text.find(words)
    while at >= 0:
        if not text[at - 1].isalnum() and not text[at + len(words)].isalnum():
            return True
        at = text.find(words, at + 1)
    return False


def room_size(case: Case) -> Verdict:
    room = floor_of(case.locator.scene).room
    if room is None:
        raise UnreadableError("the scan has no floor outline")
    return case.number(room.area_m2)
