"""What a released answer claims: the number, words or box in a fill-in answer, an option, a verdict or a sentence.

Worked example. "The lamp (red point) is about 2.4 m from the tv (blue point)." claims 2.4, with one decimal. Labels are
free text ("left door", "rj45 outlet"), so mentions of marked objects are hidden first.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from spaceland.exchange.markers import named_marks
from spaceland.exchange.spar7m_read import SparRow
from spaceland.questions.marks import COLORS, Mark
from spaceland.scenes.scene import normalise_label as _normalise

HIDDEN = {color: chr(0xE100 + k) for k, color in enumerate(COLORS)}
"""A private character stands for "<label> (<mark>)"."""
ANONYMOUS = "object"
"""Label of an object that the release calls ObjectN: any object will do."""
normalise_label = lru_cache(maxsize=50_000)(_normalise)
"""The same words come in row after row."""
_MAX_LABEL_WORDS = 10
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.(\d+))?(?![\w])")
_BOX = re.compile(r"\[\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\]")
_NOISE = re.compile(r"\([^()]*\)|\b(?:Frame|Object|object|point|Image|image)-?\d+\b")
_OBJECT_N = re.compile(r"object\d+")
_SLOTS = (
    ("left", "right"),
    ("below", "above"),
    ("farther", "closer"),
    ("behind", "front"),
)  # fmt: skip
_SAME = {
    "under": "below",
    "over": "above",
    "nearer": "closer",
    "further": "farther",
    "near": "closer",
    "far": "farther",
}


class UnreadableError(Exception):
    """A row that cannot be recomputed; the text says why."""


@dataclass(frozen=True)
class Mentions:
    """A row's texts with marked objects hidden, and the label that stands beside each mark ("" where none does)."""

    question: str
    answer: str
    labels: Mapping[str, str]
    order: tuple[str, ...]
    """Colours in the order in which the question mentions them."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What stands in place of a label: "Object35 (red bbox)"."""


def read_mentions(row: SparRow, known: Container[str]) -> Mentions:
    """Find "<label> (<mark>)" for every mark; labels are the longest ones that the scene knows.

    Raises:
        UnreadableError: a mark stands beside a label that the scene does not have.
    """
    names = {mark.color: name for mark, name in _named(row)}
    labels: dict[str, str] = {}
    called: dict[str, str] = {}
    texts = {"question": row.question, "answer": " ".join((row.answer, *(row.options or ())))}
    hidden = {}
    for where, text in texts.items():
        for mark in row.marks:
            text = _hide(text, mark, names.get(mark.color), known, labels, called)
        hidden[where] = text
    missing = [mark.color for mark in row.marks if mark.color not in labels]
    if missing and row.task in ("position_matching", "spatial_volume_infer"):
        labels["red"] = _label_inside(row.question, known)
    places = [(hidden["question"].find(char), color) for color, char in HIDDEN.items() if char in hidden["question"]]
    answer = row.answer
    for mark in row.marks:
        answer = _hide(answer, mark, names.get(mark.color), known, {}, {})
    return Mentions(
        hidden["question"],
        answer,
        {mark.color: labels.get(mark.color, "") for mark in row.marks},
        tuple(color for _, color in sorted(places)),
        called,
    )


def _named(row: SparRow) -> list[tuple[Mark, str]]:
    try:
        return named_marks(row.task, row.marks)
    except ValueError as reason:
        raise UnreadableError(str(reason)) from None


def _hide(
    text: str, mark: Mark, name: str | None, known: Container[str], labels: dict[str, str], called: dict[str, str]
) -> str:
    """Put the private character where a mark's object is mentioned; note its label, or the name in place of one."""
    shape = "point" if mark.shape == "point" else "(?:bounding box|bbox|box)"
    mention = rf"{mark.color} {shape}\b"
    if name:
        # Texts say Object3 or point3 where loaders write object3.
        mention = rf"(?:{mention}|{re.escape(name)}\b|{re.escape(name.replace('Object', 'point'))}\b)"
    behind = re.compile(rf"\((?:in [^()]*, )?\s*{mention}[^()]*\)", re.IGNORECASE)
    parts, last = [], 0
    for found in behind.finditer(text):
        before = text[last : found.start()]
        label, size = label_before(before, known)
        if label:
            labels.setdefault(mark.color, label)
        if label == ANONYMOUS and _OBJECT_N.fullmatch(before[len(before) - size :].strip().lower()):
            called.setdefault(mark.color, before[len(before) - size :].strip())
        parts.append(before[: len(before) - size] + HIDDEN[mark.color])
        last = found.end()
    text = "".join(parts) + text[last:]
    # The other way round: "green point (towel)".
    turned = re.search(rf"\b{mention}\s*\(([^()]*)\)", text, re.IGNORECASE)
    if turned and normalise_label(turned[1]) in known:
        labels.setdefault(mark.color, normalise_label(turned[1]))
        text = text.replace(turned[0], HIDDEN[mark.color])
    # Or "the red center of the flower pot (in Frame-30)".
    middle = re.search(rf"\b{mark.color} cent(?:er|re) of (?:the )?([^()?.,]+?)\s*\(in [^()]*\)", text, re.IGNORECASE)
    if middle and normalise_label(middle[1]) in known:
        labels.setdefault(mark.color, normalise_label(middle[1]))
        text = text.replace(middle[0], HIDDEN[mark.color])
    return text


def label_before(text: str, known: Container[str]) -> tuple[str, int]:
    """The label that ends a text, and how many characters it takes.

    Raises:
        UnreadableError: there are words, but none of them ends in a label of the scene.
    """
    words = list(re.finditer(r"\S+", text))
    for start in range(max(0, len(words) - _MAX_LABEL_WORDS), len(words)):
        begin = words[start].start()
        label = normalise_label(text[begin:])
        if label in known:
            return label, len(text) - begin
    if not words:
        return "", 0
    last = normalise_label(words[-1][0])
    if _OBJECT_N.fullmatch(last) or last in ("the", "is", "object"):
        return ANONYMOUS, len(text) - words[-1].start()
    raise UnreadableError("a label is not in the scene")


def _label_inside(text: str, known: Container[str]) -> str:
    """The longest label of the scene among the words of a text."""
    words = [word.removesuffix("'s") for word in re.findall(r"[^\s,.?!]+", text)]
    for size in range(min(_MAX_LABEL_WORDS, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            label = normalise_label(" ".join(words[start : start + size]))
            if label in known:
                return label
    return ANONYMOUS


def claimed_text(row: SparRow, mentions: Mentions) -> str:
    """The answer, or the option that it names."""
    if row.format != "select":
        return mentions.answer if row.format == "sentence" else row.answer
    letter = row.answer.strip()[:1]
    if not row.options or letter not in "ABCD" or len(row.options) <= "ABCD".index(letter):
        raise UnreadableError("the options cannot be read")
    return row.options["ABCD".index(letter)]


def one_number(text: str) -> tuple[float, int]:
    """The only number of a text, and its decimals.

    >>> one_number("It is about 2.4 meters from Object3 (in Frame-30).")
    (2.4, 1)
    """
    found = list(_NUMBER.finditer(without_names(text)))
    if len(found) != 1:
        raise UnreadableError("no single number in the answer")
    return float(found[0][0]), len(found[0][1] or "")


def without_names(text: str) -> str:
    """A text without brackets and without Frame-3, Object2 and the like."""
    return _NOISE.sub(" ", text)


def numbers(text: str) -> list[tuple[float, int]]:
    """All numbers with their decimals."""
    return [(float(m[0]), len(m[1] or "")) for m in _NUMBER.finditer(text)]


def object_numbers(text: str) -> list[int]:
    """The numbers of ObjectN (or pointN) in a text.

    >>> object_numbers("The object farthest to couch is sofa chair (Object2), which is 4.2 meters away.")
    [2]
    """
    return [int(n) for n in re.findall(r"\b(?:[Oo]bject|point)(\d+)\b", text)]


def one_box(text: str) -> tuple[int, int, int, int]:
    """The only box of a text."""
    found = _BOX.findall(text)
    if len(found) != 1:
        raise UnreadableError("no single box in the answer")
    x0, y0, x1, y1 = (int(v) for v in found[0])
    return x0, y0, x1, y1


def slot_words(text: str) -> set[str]:
    """Direction words, each axis at most once.

    >>> sorted(slot_words("appears to the left below, and also seems to the front"))
    ['below', 'front', 'left']
    """
    words = {_SAME.get(word, word) for word in re.findall(r"[a-z]+", text.lower())}
    found = {word for pair in _SLOTS for word in pair if word in words}
    if any(set(pair) <= found for pair in _SLOTS):
        raise UnreadableError("the answer contradicts itself")
    return found


_UNIT = r"(m|meters?|metres?|degrees?)"
_WAY = r"(right|left|up|down|upward|downward|forward|backward)s?"
_AMOUNT_WAY = re.compile(rf"(\d+(?:\.\d+)?) {_UNIT}\b (?:to the )?{_WAY}\b")
_WAY_AMOUNT = re.compile(rf"\b{_WAY}(?: by| about)? (\d+(?:\.\d+)?) {_UNIT}\b")


def motion_parts(text: str) -> dict[str, tuple[float, int]]:
    """Moves and turns that a sentence tells: key -> (amount, decimals).

    >>> motion_parts("The camera moved 0.8 m to the left and then turned 15 degrees up.")
    {'move_left': (0.8, 1), 'rotate_up': (15.0, 0)}
    >>> motion_parts("make camera rotate down 5 degrees and rotate left 15 degrees.")
    {'rotate_down': (5.0, 0), 'rotate_left': (15.0, 0)}
    """
    text = text.lower()
    found = [(amount, unit, way) for amount, unit, way in _AMOUNT_WAY.findall(text)]
    found = found or [(amount, unit, way) for way, amount, unit in _WAY_AMOUNT.findall(text)]
    parts = {}
    for amount, unit, way in found:
        way = way.removesuffix("ward") if way in ("upward", "downward") else way
        parts[f"{'rotate' if unit.startswith('d') else 'move'}_{way}"] = float(amount), len(amount.partition(".")[2])
    if not parts or len(parts) != len(_NUMBER.findall(text)):
        raise UnreadableError("the motion cannot be read")
    return parts


REFERENCE = (
    "relative to", "in relation to", "with respect to", "compared with", "compared to", "starting from", "that of",
    "placed against", "as against", "than",
)  # fmt: skip


def asked_and_reference(mentions: Mentions, colors: Sequence[str]) -> tuple[str, str]:
    """Which of two marks is asked about, and which it is compared with: phrases tell, else the order of colours."""
    for color in colors:
        phrase = rf"(?:{'|'.join(REFERENCE)})\s+(?:the\s+|object\s+)*{HIDDEN[color]}"
        if re.search(phrase, mentions.question, re.IGNORECASE):
            return next(c for c in colors if c != color), color
    return colors[0], colors[1]


def claim_between(mentions: Mentions) -> tuple[str, str, str]:
    """(word, asked colour, reference colour) of a yes-or-no question: the words between the two objects tell."""
    if len(mentions.order) != 2:
        raise UnreadableError("the claim cannot be read")
    first, second = mentions.order
    text = mentions.question
    words = slot_words(text[text.find(HIDDEN[first]) : text.find(HIDDEN[second])])
    if len(words) != 1:
        raise UnreadableError("the claim cannot be read")
    return words.pop(), first, second
