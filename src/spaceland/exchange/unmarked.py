"""Objects that a text names without any mark, as the questions about videos without marks do.

Two ways of naming are read. Where the release numbers the objects, "trash can (Object2)", the number says which role it
has, as the numbers beside the marks do in videos with marks. Otherwise, as in our own questions, labels are found in
the text and the words before them tell the role:

    Take the place of the bed with your eyes on the lamp: starting from the desk, where is the chair?
                          green                     blue                    yellow             red

Such an object must be the only one of its label in the scene: there is nothing else to tell it by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from spaceland.exchange.answer_text import ANONYMOUS, HIDDEN, REFERENCE, Mentions, UnreadableError, label_before
from spaceland.exchange.spar7m_read import SparRow
from spaceland.questions.policy import STRUCTURE_LABELS

ROLES = ("green", "blue", "red", "yellow")
"""Stood at, faced, asked about, compared with: the order in which the release numbers them."""
_NUMBERED = re.compile(r"\(\s*(?:in [^()]*,\s*)?[Oo]bject(\d+)[^()]*\)")
_STAND = r"(?:cent(?:er|re) of|middle of|place of|(?:walk|go|mov|stand|be|stay)(?:s|es|e|ing)? (?:to|at|by|beside))"
_FACE = (
    r"(?:fac(?:es?|ing)|look(?:s|ing)? (?:at|towards?)|turn(?:s|ed|ing)? (?:to|towards?)|point(?:s|ing)? (?:to|at)"
    r"|eyes on|view (?:to|towards?|on)|orient(?:s|ed|ing)? (?:to|towards?))"
)


def read_unmarked(row: SparRow, known: Mapping[str, int], num_roles: int) -> Mentions:
    """The texts with three or four unmarked objects hidden behind the characters of their roles.

    Raises:
        UnreadableError: an object cannot be told from others.
    """
    mentions = _numbered(row, known, ROLES[:num_roles]) if _NUMBERED.search(row.question) else None
    mentions = mentions or _named(row, known, ROLES[:num_roles])
    for label in mentions.labels.values():
        if label == ANONYMOUS:
            raise UnreadableError("an object has neither a mark nor a label")
        if known[label] != 1:
            raise UnreadableError("several objects have the label of one without a mark")
    return mentions


def _numbered(row: SparRow, known: Mapping[str, int], roles: Sequence[str]) -> Mentions:
    labels: dict[str, str] = {}
    hidden = []
    for text in (row.question, row.answer):
        parts, last = [], 0
        for found in _NUMBERED.finditer(text):
            if int(found[1]) >= len(roles):
                raise UnreadableError("an object number that the task does not have")
            role, before = roles[int(found[1])], text[last : found.start()]
            label, size = label_before(before, known)
            if label and labels.setdefault(role, label) != label:
                raise UnreadableError("an object number stands beside two labels")
            parts.append(before[: len(before) - size] + HIDDEN[role])
            last = found.end()
        hidden.append("".join(parts) + text[last:])
    if set(labels) != set(roles):
        raise UnreadableError("the question does not number all objects")
    return Mentions(hidden[0], hidden[1], labels, ())


def _named(row: SparRow, known: Mapping[str, int], roles: Sequence[str]) -> Mentions:
    labels = tuple(sorted(label for label in known if label not in STRUCTURE_LABELS))
    found = find_labels(row.question, labels)
    named = list(dict.fromkeys(label for label, _, _ in found))
    if len(named) != len(roles):
        raise UnreadableError("which objects are meant cannot be told without marks")
    by_role: dict[str, str] = {}
    for label, start, _ in found:
        before = row.question[:start].rstrip()
        for role, phrase in (("green", _STAND), ("blue", _FACE), ("yellow", f"(?:{'|'.join(REFERENCE)})")):
            if role in roles and re.search(rf"\b{phrase}$", before, re.IGNORECASE):
                if by_role.setdefault(role, label) != label:
                    raise UnreadableError("the roles of unmarked objects cannot be told")
                break
    rest = [label for label in named if label not in by_role.values()]
    if len(rest) != 1 or len(set(by_role.values())) != len(roles) - 1:
        raise UnreadableError("the roles of unmarked objects cannot be told")
    by_role["red"] = rest[0]
    chars = {label: HIDDEN[role] for role, label in by_role.items()}
    return Mentions(_hide(row.question, chars), _hide(row.answer, chars), by_role, ())


def _hide(text: str, chars: Mapping[str, str]) -> str:
    for label, start, end in reversed(find_labels(text, tuple(sorted(chars)))):
        text = text[:start] + chars[label] + text[end:]
    return text


def find_labels(text: str, labels: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """(label, start, end) of labels in a text, in order; of labels that overlap the longest one. "the" belongs to it.

    >>> find_labels("First the coffee table, then a lamp.", ("lamp", "table", "coffee table"))
    [('coffee table', 6, 22), ('lamp', 31, 35)]
    """
    if not labels:
        return []
    return [(" ".join(m[1].lower().split()), m.start(), m.end()) for m in _pattern(labels).finditer(text)]


@lru_cache(maxsize=16)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    words = [re.escape(label).replace(r"\ ", r"\s+") for label in sorted(labels, key=len, reverse=True)]
    return re.compile(rf"(?<![\w-])(?:the\s+)?({'|'.join(words)})(?![\w-])", re.IGNORECASE)
