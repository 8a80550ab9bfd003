"""Which object is closest or farthest, to another one or to the observer, worked out anew.

Worked example. "the second image, [619, 508, 881, 934]" is said to be what is closest to the observer of the first
image. The box is matched with an object of the second image, say a chair at 2.1 m. A lamp that the first image clearly
shows and that is 1.6 m away makes the answer wrong. Where only a sliver of the lamp is seen, nobody knows whether the
release counts it, and the row is not decided.
"""

from __future__ import annotations

import re

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import UnreadableError, normalise_label
from spaceland.exchange.case import SLACK, Case, Verdict
from spaceland.exchange.markers import NO_ID
from spaceland.exchange.unmarked import find_labels
from spaceland.questions.marks import LINE_SIZE, Mark
from spaceland.questions.nearest import BUILDING_LABELS
from spaceland.questions.policy import STRUCTURE_LABELS
from spaceland.scenes.scene import Frame, SceneObject

_FAR = {"far", "farther", "farthest", "further", "furthest"}
_NEAR = {"near", "close", "closer", "closest", "nearer", "nearest"}
_ORDINALS = ("first", "second", "third")
_IMAGE = re.compile(r"\b(first|second|third) image\b|\b[Ii]mage[- ]?(\d)\b", re.IGNORECASE)
_BOX = re.compile(r"\[[\d\s,]*\]")


def nearest_oo(case: Case) -> Verdict:
    """Which of green and blue is nearer to, or farther from, red."""
    far = _asks_far(case)
    text = case.claimed()
    chosen = [c for c in ("green", "blue") if f"{c} point" in text.lower() or answer_text.HIDDEN[c] in text]
    if len(chosen) != 1:
        raise UnreadableError("the answer names no single mark")
    gaps = {c: case.between_m(case.thing(c), case.thing("red")) for c in ("green", "blue")}
    other = "blue" if chosen[0] == "green" else "green"
    by = gaps[chosen[0]] - gaps[other] if far else gaps[other] - gaps[chosen[0]]
    return Verdict(by > 0, ", ".join(f"{c} {v:.2f} m" for c, v in gaps.items()))


def nearest_of(case: Case) -> Verdict:
    """Which of several marked objects is nearest to, or farthest from, the first one; and how far, if it is said."""
    marks = case.row.marks
    if len({mark.color for mark in marks}) != len(marks) or len(marks) < 3:
        raise UnreadableError("too few or too many marks")
    text = case.row.answer if case.row.format != "select" else case.claimed()
    named = answer_text.object_numbers(text)
    if len(named) != 1 or named[0] >= len(marks) - 1:
        raise UnreadableError("the answer names no single mark")
    first = case.thing(marks[0].color)
    gaps = [case.between_m(case.thing(mark.color), first) for mark in marks[1:]]
    best = (max if _asks_far(case) else min)(range(len(gaps)), key=gaps.__getitem__)
    told = ", ".join(f"Object{k} {gap:.2f} m" for k, gap in enumerate(gaps))
    said = answer_text.numbers(answer_text.without_names(text)) if case.row.format == "sentence" else []
    if len(said) == 1 and best == named[0]:
        (metres, decimals), error = said[0], abs(said[0][0] - gaps[best])
        return Verdict(error <= 0.5 * 10.0**-decimals + SLACK, f"{told} (said {metres:g} m)", error)
    return Verdict(best == named[0], told)


def _asks_far(case: Case) -> bool:
    words = set(re.findall("[a-z]+", case.mentions.question.lower()))
    far, near = bool(words & _FAR), bool(words & _NEAR)
    if far == near:
        raise UnreadableError("the question does not say whether near or far")
    return far


def nearest_to_observer(case: Case) -> Verdict:
    """Which of all objects that the images show, or of those that the options offer."""
    far, text = _asks_far(case), case.claimed()
    answer = _found(case, text)
    if isinstance(answer, str):
        return Verdict(False, answer)

    def beats(other: SceneObject) -> bool:
        gap = case.from_camera_m(other) - case.from_camera_m(answer)
        return gap > SLACK if far else gap < -SLACK

    def told(other: SceneObject) -> str:
        return f"{other.label} {case.from_camera_m(other):.2f} m, answer {case.from_camera_m(answer):.2f} m"

    if case.row.format == "select":
        untraced = ""
        for option in (option for option in case.row.options or () if option != text):
            try:
                other = _found(case, option)
            except UnreadableError as why:
                untraced = str(why)
                continue
            if not isinstance(other, str) and beats(other):
                return Verdict(False, told(other))
        if untraced:
            raise UnreadableError(f"another option: {untraced}")
        return Verdict(True, told(answer))
    doubtful = False
    frames = [case.frame(k) for k in range(len(case.row.frames))]
    for other in case.locator.scene.objects:
        if other.id == answer.id or other.label in BUILDING_LABELS or not beats(other):
            continue
        seen = [case.locator.sees(other, frame) for frame in frames]
        if True in seen and other.label not in STRUCTURE_LABELS:
            return Verdict(False, told(other))
        doubtful = doubtful or True in seen or None in seen
    if doubtful:
        raise UnreadableError("whether something that is barely seen counts decides the answer")
    return Verdict(True, told(answer))


def _found(case: Case, text: str) -> SceneObject | str:
    """The object of an answer such as "the third image, [619, 508, 881, 934]", or what is there in its place.

    Raises:
        UnreadableError: no single box, no image, or a box that fits no single object.
    """
    box = answer_text.one_box(text)
    frame = case.frame(_image(text) if len(case.row.frames) > 1 else 0)
    label = _label_at_box(case, text)
    if not label:
        return _in_box(case, box, frame, "")
    try:
        return _in_box(case, box, frame, label)
    except UnreadableError:
        return f"there is a {_in_box(case, box, frame, '').label}, not a {label}"


def _in_box(case: Case, box: tuple[int, int, int, int], frame: Frame, label: str) -> SceneObject:
    return case.locator.find(Mark("red", "bbox", NO_ID, 0, box, LINE_SIZE), frame, label)


def _image(text: str) -> int:
    named = {_ORDINALS.index(word.lower()) if word else int(number) - 1 for word, number in _IMAGE.findall(text)}
    if len(named) != 1:
        raise UnreadableError("the answer names no single image")
    return named.pop()


def _label_at_box(case: Case, text: str) -> str:
    """The label that stands nearest to the box; "" where there is none."""
    box = _BOX.search(text)
    assert box is not None
    if case.row.format != "sentence":
        label = normalise_label(_IMAGE.sub("", text[: box.start()])).strip(" ,:.()")
        if label.removeprefix("the ") in case.locator.scene.label_counts:
            return label.removeprefix("the ")
        if label not in ("", "the", "in the") and len(case.row.frames) == 1:
            raise UnreadableError("a label is not in the scene")
        return ""
    labels = tuple(sorted(label for label in case.locator.scene.label_counts if label not in STRUCTURE_LABELS))
    found = [(max(box.start() - end, start - box.end()), label) for label, start, end in find_labels(text, labels)]
    return min(found)[1] if found else ""
