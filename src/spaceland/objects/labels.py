"""Which labels may name one thing, and what a thing is called after many frames have had their say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GROUPS: tuple[tuple[str, ...], ...] = (
    ("chair", "office chair", "armchair", "stool", "desk chair", "dining chair", "folding chair"),
    ("couch", "sofa", "loveseat", "armchair"),
    ("table", "desk", "dining table", "coffee table", "side table", "end table", "kitchen table", "office desk"),
    ("bed", "bunk bed", "sofa bed"),
    ("cabinet", "cupboard", "kitchen cabinet", "file cabinet", "sideboard", "dresser", "chest of drawers"),
    ("wardrobe", "closet", "cabinet", "armoire"),
    ("shelf", "bookshelf", "bookcase", "shelves", "rack"),
    ("tv", "television", "monitor", "computer monitor", "screen", "display"),
    ("cup", "mug", "coffee cup", "coffee mug", "glass"),
    ("trash can", "trash bin", "garbage bin", "bin", "waste basket", "recycling bin"),
    ("lamp", "floor lamp", "table lamp", "desk lamp", "light"),
    ("picture", "painting", "poster", "picture frame", "photo"),
    ("plant", "potted plant", "houseplant"),
    ("refrigerator", "fridge"),
    ("sink", "sink cabinet", "washbasin"),
    ("backpack", "bag", "handbag", "suitcase"),
    ("laptop", "notebook computer"),
)
"""Names that finders give to one and the same thing. A label may stand in several groups."""


class Labels:
    """Whether two labels may name one thing: they are the same, or one group holds both.

    >>> known = Labels()
    >>> known.alike("desk", "table"), known.alike("desk", "lamp")
    (True, False)
    """

    def __init__(self, groups: Sequence[Sequence[str]] | None = None) -> None:
        self._groups: dict[str, set[int]] = {}
        for number, group in enumerate(GROUPS if groups is None else groups):
            for label in group:
                self._groups.setdefault(label, set()).add(number)

    def alike(self, a: str, b: str) -> bool:
        """Whether both may name one thing."""
        return a == b or not self._groups.get(a, set()).isdisjoint(self._groups.get(b, set()))


def vote(said: Iterable[tuple[str, float]]) -> tuple[str, dict[str, int]]:
    """The label with the highest total weight (of equals, the first in the alphabet), and how often each was said.

    >>> vote([("chair", 0.4), ("table", 0.5), ("chair", 0.3)])
    ('chair', {'chair': 2, 'table': 1})
    """
    weights: dict[str, list[float]] = {}
    for label, weight in said:
        weights.setdefault(label, []).append(weight)
    # Sorted before adding, so that the order in which votes come changes no digit of the sum.
    totals = {label: sum(sorted(found)) for label, found in weights.items()}
    best = min(totals, key=lambda label: (-totals[label], label))
    order = sorted(weights, key=lambda label: (-len(weights[label]), label))
    return best, {label: len(weights[label]) for label in order}
