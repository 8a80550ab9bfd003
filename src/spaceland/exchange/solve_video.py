"""When things are seen in a video, worked out anew.

A frame shows something clearly, clearly not, or neither (`Locator.sees`); only what is clear can be contradicted. Texts
count frames from 1 ("Frame-12", as loaders write) or from 0: bare numbers may be either, so long as all of them fit.

Worked example. A lamp is clearly seen from the 3rd frame on, and a little of it in the 2nd; a chair from the 4th on.
"lamp, chair" agrees, "lamp (Frame-2), chair (Frame-4)" too, and "chair, lamp" disagrees.
"""

from __future__ import annotations

import re
from itertools import combinations

from spaceland.exchange.answer_text import UnreadableError, normalise_label
from spaceland.exchange.case import Case, Verdict
from spaceland.exchange.told import hide_bare
from spaceland.exchange.unmarked import find_labels
from spaceland.questions.marks import COLORS
from spaceland.questions.policy import STRUCTURE_LABELS

_FRAME = re.compile(r"\b(Frame-|frame )?(\d+)\b", re.IGNORECASE)
_RANGE = re.compile(r"\d\s*(?:-|to|through|until)\s*(?:Frame-|frame )?\d", re.IGNORECASE)


def frames_said(text: str, num_frames: int) -> list[list[int]]:
    """The frames that a text names, counted from 0, in each way of counting that is possible.

    >>> frames_said("in Frame-1 and Frame-3", 32), frames_said("at 1 and 3", 32), frames_said("at 0 and 3", 32)
    ([[0, 2]], [[0, 2], [1, 3]], [[0, 3]])
    """
    found = _FRAME.findall(text)
    numbers = [int(number) for _, number in found]
    if not numbers or _RANGE.search(text):
        raise UnreadableError("no list of frames in the answer")
    from_one = all(1 <= n <= num_frames for n in numbers)
    from_zero = all(n < num_frames for n in numbers) and not (from_one and all(word for word, _ in found))
    if not from_one and not from_zero:
        raise UnreadableError("a frame number beyond the video")
    return [[n - 1 for n in numbers]] * from_one + [numbers] * from_zero


def frames_of_object(case: Case) -> Verdict:
    """All frames that show the marked object."""
    thing = case.thing("red")
    text = hide_bare(case.mentions.answer, case.mentions.labels, case.mentions.names)
    readings = frames_said(text, len(case.row.frames))
    states = [case.locator.sees(thing, case.frame(k)) for k in range(len(case.row.frames))]
    if True not in states:
        raise UnreadableError("no frame shows the object clearly")
    good = any(all(state is None or state == (k in said) for k, state in enumerate(states)) for said in readings)
    clear = [f"Frame-{k + 1}" for k, state in enumerate(states) if state]
    either = [f"Frame-{k + 1}" for k, state in enumerate(states) if state is None]
    return Verdict(good, ", ".join(clear) + (f"; unclear {', '.join(either)}" if either else ""))


def appearance_order(case: Case) -> Verdict:
    """In which order labels come into view; sentences may name the frames."""
    labels = _order_said(case)
    first = [_first(case, label) for label in labels]
    told = ", ".join(f"{label} Frame-{clear + 1}" for label, (_, clear) in zip(labels, first, strict=True))
    if any(b < a_glimpse for (a_glimpse, _), (_, b) in combinations(first, 2)):
        return Verdict(False, told)
    if case.row.format == "sentence":
        text = hide_bare(case.row.answer, dict(zip(COLORS, labels, strict=False)), {})
        readings = frames_said(text, len(case.row.frames)) if _FRAME.search(text) else []
        if any(len(said) != len(labels) for said in readings):
            raise UnreadableError("not one frame for each kind of things")
        if readings and not any(
            all(glimpse <= k <= clear for k, (glimpse, clear) in zip(said, first, strict=True)) for said in readings
        ):
            return Verdict(False, told)
    if any(b_glimpse <= a for (_, a), (b_glimpse, _) in combinations(first, 2)):
        raise UnreadableError("two kinds of things come into view at about the same time")
    return Verdict(True, told)


def _order_said(case: Case) -> list[str]:
    known = case.locator.scene.label_counts
    if case.row.format == "fill":
        labels = [normalise_label(part).strip(". ").removeprefix("the ") for part in case.row.answer.split(",")]
    else:
        asked = {label for label, _, _ in find_labels(case.row.question, tuple(sorted(known)))}
        wanted = tuple(sorted(asked - set(STRUCTURE_LABELS))) or tuple(sorted(known))
        labels = [label for label, _, _ in find_labels(case.row.answer, wanted)]
    if any(label not in known for label in labels):
        raise UnreadableError("a label is not in the scene")
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise UnreadableError("the answer is no list of different labels")
    return labels


def _first(case: Case, label: str) -> tuple[int, int]:
    """The first frame (from 0) that shows even a little of a label, and the first that clearly shows it."""
    things = [thing for thing in case.locator.scene.objects if thing.label == label]
    glimpse = None
    for k in range(len(case.row.frames)):
        states = [case.locator.sees(thing, case.frame(k)) for thing in things]
        if glimpse is None and (True in states or None in states):
            glimpse = k
        if True in states:
            assert glimpse is not None
            return glimpse, k
    raise UnreadableError("a kind of things is never clearly seen")
