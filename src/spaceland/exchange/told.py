"""Sentences about an observer who moves: what they say of the place before and after the move.

Worked example, with the asked object as R:

    Initially, R is seen to the left. It might also be in front. After moving to G and turning to B, R is to the right.

says left and front before the move, and right after it. Sentences about two objects may add where each of them is for
the new observer ("R is in front of the new observer. Y is behind."): that is kept apart by object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from spaceland.exchange.answer_text import HIDDEN, REFERENCE, Mentions, UnreadableError, slot_words

_MOVED = re.compile(
    r"\b(?:(?:after|once|upon|when|having|by)\b[^.;]*?\b(?:mov(?:e[sd]?|ing)|go(?:es|ing)?|walk(?:s|ed|ing)?|stand(?:s|ing)?"
    r"|turn(?:s|ed|ing)?|fac(?:es?|ing)|orient\w*|shift\w*|relocat\w*|transition\w*)\b"
    r"|afterwards?\b|from the (?:new|second)\b)",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?:initially|at first|before|originally|at the (?:start|beginning))\b", re.IGNORECASE)
_PAIR = ("red", "yellow")


@dataclass
class Place:
    """Words of relation, and "front" or "behind" of single objects by colour."""

    words: set[str] = field(default_factory=set)
    ahead: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What a sentence says. `before` is None where it says nothing of the place before the move."""

    before: Place | None
    after: Place


def read_told(mentions: Mentions, *, pair: bool, moved_only: bool) -> Told:
    """Read the answer.

    Args:
        mentions: Texts with marked objects hidden.
        pair: Two objects are compared, red with yellow.
        moved_only: The task knows no place before the move.

    Raises:
        UnreadableError: the two places cannot be told apart, or the sentence contradicts itself.
    """
    before, after = _phases(hide_bare(mentions.answer, mentions.labels, mentions.names), moved_only)
    told = Told(_place(before, pair) if before else None, _place(after, pair))
    if not told.after.words and not told.after.ahead:
        raise UnreadableError("the sentence says nothing of the place after the move")
    if told.before is not None and not told.before.words and not told.before.ahead:
        return Told(None, told.after)
    return told


def hide_bare(text: str, labels: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Hide labels and names that stand without their marks: "left door" is no direction.

    >>> hide_bare("the left door is above Object3", {"red": "left door"}, {}).isascii()
    False
    """
    for color, name in names.items():
        text = re.sub(rf"\b{re.escape(name)}\b", HIDDEN[color], text, flags=re.IGNORECASE)
    known = [label for label in labels.values() if label]
    for color, label in sorted(labels.items(), key=lambda one: -len(one[1])):
        if label:
            char = HIDDEN[color] if known.count(label) == 1 else "thing"
            text = re.sub(rf"(?<![\w-])(?:the\s+)?{re.escape(label)}(?![\w-])", char, text, flags=re.IGNORECASE)
    return text


def _phases(text: str, moved_only: bool) -> tuple[str, str]:
    """What is said of the place before and after the move."""
    if moved_only:
        if _BEFORE.search(text):
            raise UnreadableError("the sentence tells a place before the move, which a video does not define")
        return "", text
    if text.count(";") == 1:
        before, _, after = text.partition(";")
        return before, after
    moved = _MOVED.search(text)
    if moved is None or _BEFORE.search(text, moved.end()):
        raise UnreadableError("the sentence does not tell before from after")
    return text[: moved.start()], text[moved.start() :]


def _place(text: str, pair: bool) -> Place:
    place, subject = Place(), ""
    for clause in re.split(r"[.;]", text):
        words = slot_words(clause)
        if pair:
            named = [color for color in _PAIR if HIDDEN[color] in clause]
            subject = min(named, key=lambda color: clause.index(HIDDEN[color])) if named else subject
            if facing := words & {"front", "behind"}:
                if not subject or place.ahead.setdefault(subject, min(facing)) not in facing:
                    raise UnreadableError("the answer contradicts itself" if subject else "the answer cannot be read")
                words -= facing
            if _compared_with_red(clause):
                words = {_OPPOSITE[word] for word in words}
        place.words |= words
    if any({word, _OPPOSITE[word]} <= place.words for word in place.words):
        raise UnreadableError("the answer contradicts itself")
    return place


_OPPOSITE = {"left": "right", "above": "below", "closer": "farther", "front": "behind"}
_OPPOSITE |= {b: a for a, b in _OPPOSITE.items()}


def _compared_with_red(clause: str) -> bool:
    phrase = rf"(?:{'|'.join(REFERENCE)}|(?:left|right) of|above|below)\s+(?:the\s+)?{HIDDEN['red']}"
    return re.search(phrase, clause, re.IGNORECASE) is not None
