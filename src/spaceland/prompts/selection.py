"""Which objects carry a number: by label, by number, by what a question names, and for ablations a share less.

Numbers are given before anything is left out by number, question or share, so an object keeps its number whatever else
is marked. Whoever is left out is counted by reason.

    query "Is the sofa nearer to the doors or to the TV?" keeps objects labelled sofa, door, tv
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from spaceland.errors import SceneError
from spaceland.scenes.scene import Scene, SceneObject

_MAX_NUMBER = 999
_PLURALS = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot",
    "shelves": "shelf", "bookshelves": "bookshelf", "knives": "knife", "loaves": "loaf", "leaves": "leaf",
    "scarves": "scarf",
}  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """Object id -> number of what may be marked, and why the others may not: reason -> numbers (or how many).

    `query_labels` are the labels that the query names; None without a query, and empty when it names none, in which
    case all objects stay.
    """

    numbers: Mapping[int, int]
    num_unwanted: int
    not_listed: tuple[int, ...] = ()
    not_asked: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    query_labels: tuple[str, ...] | None = None


def select_objects(
    scene: Scene,
    *,
    labels: Sequence[str],
    room_labels: Sequence[str],
    only: Sequence[int],
    query: str | None,
    drop_share: float,
    seed: int,
) -> Selection:
    """Choose the objects of a scene that may be marked.

    Args:
        scene: The scene.
        labels: Only objects with these labels; empty: all but the room itself.
        room_labels: Labels of the room itself.
        only: Only objects with these numbers; empty: all.
        query: Only objects whose label occurs in this text; all if it names none.
        drop_share: Leave out this share of what is left, chosen by chance, the same on all pictures.
        seed: Of that chance.

    Raises:
        SceneError: a label or number that the scene does not have.
    """
    things = markable_objects(scene, labels, room_labels)
    numbers = mark_numbers(things)
    num_unwanted = len(scene.objects) - len(things)
    missing = sorted(set(only) - set(numbers.values()))
    if missing:
        known = ", ".join(str(n) for n in sorted(numbers.values())[:60]) or "none"
        raise SceneError(
            f"scene {scene.id} has no object with number {', '.join(map(str, missing))}; its numbers are: {known}"
        )
    not_listed: list[int] = []
    if only:
        not_listed = sorted(n for n in numbers.values() if n not in only)
        numbers = {k: n for k, n in numbers.items() if n in only}
    named: tuple[str, ...] | None = None
    not_asked: list[int] = []
    if query is not None:
        label_of = {thing.id: thing.label for thing in things}
        named = tuple(sorted({label_of[k] for k in numbers if label_occurs(label_of[k], query)}))
        if named:
            not_asked = sorted(n for k, n in numbers.items() if label_of[k] not in named)
            numbers = {k: n for k, n in numbers.items() if label_of[k] in named}
    ids = sorted(numbers)
    # Half a mark does not exist: the nearest whole number of marks goes.
    gone = set(Random(f"{seed} marks of {scene.id}").sample(ids, round(drop_share * len(ids))))
    dropped = sorted(numbers[k] for k in gone)
    numbers = {k: n for k, n in numbers.items() if k not in gone}
    return Selection(numbers, num_unwanted, tuple(not_listed), tuple(not_asked), tuple(dropped), named)


def markable_objects(scene: Scene, labels: Sequence[str], room_labels: Sequence[str]) -> list[SceneObject]:
    """Objects with these labels; without labels all but the room itself.

    Raises:
        SceneError: a label does not occur in the scene.
    """
    unknown = [label for label in labels if label not in scene.label_counts]
    if unknown:
        known = ", ".join(sorted(scene.label_counts)) or "none"
        raise SceneError(f"scene {scene.id} has no object labelled {', '.join(unknown)}; its labels are: {known}")
    if labels:
        return [thing for thing in scene.objects if thing.label in labels]
    return [thing for thing in scene.objects if thing.label not in room_labels]


def mark_numbers(things: Sequence[SceneObject]) -> dict[int, int]:
    """Object id -> number to draw."""
    ids = sorted(thing.id for thing in things)
    if not ids or ids[-1] <= _MAX_NUMBER:
        return {k: k for k in ids}
    return {k: number for number, k in enumerate(ids)}


def label_occurs(label: str, text: str) -> bool:
    """Whether a text names a label as whole words, in singular or plural, whatever the case.

    >>> label_occurs("book shelf", "Which bookshelf ..."), label_occurs("shelf", "How many SHELVES?")
    (False, True)
    >>> label_occurs("chair", "the chairman"), label_occurs("curtains", "a curtain"), label_occurs("glass", "glasses")
    (False, True, True)
    """
    wanted, words = _words(label), _words(text)
    if not wanted:
        return False
    starts = range(len(words) - len(wanted) + 1)
    return any(all(_same_word(a, b) for a, b in zip(wanted, words[k:], strict=False)) for k in starts)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _same_word(a: str, b: str) -> bool:
    """Whether two words are the same or one is the plural of the other."""
    return a == b or a in _singulars(b) or b in _singulars(a)


def _singulars(word: str) -> set[str]:
    """What a word may be the plural of."""
    found = {_PLURALS[word]} if word in _PLURALS else set()
    if len(word) > 4 and word.endswith("ies"):
        found.add(word[:-3] + "y")
    if len(word) > 3 and word.endswith("es"):
        found.add(word[:-2])
    if len(word) > 2 and word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    return found
