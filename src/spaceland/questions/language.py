"""Small English: articles, plurals and lists for object labels.

>>> with_article("umbrella"), with_article("unicorn poster"), plural("box of tissues"), plural("curtains")
('an umbrella', 'a unicorn poster', 'boxes of tissues', 'curtains')
"""

from __future__ import annotations

from collections.abc import Sequence

_IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "foot": "feet",
    "shelf": "shelves", "bookshelf": "bookshelves", "knife": "knives", "loaf": "loaves", "leaf": "leaves",
    "piano": "pianos", "photo": "photos", "radio": "radios", "scarf": "scarves",
}  # fmt: skip
_UNCOUNTED = {
    "clothes",
    "clothing",
    "furniture",
    "paper",
    "toilet paper",
    "luggage",
    "stairs",
    "scissors",
    "laundry",
}
_SAME_SOUND_AS_YOU = ("uni", "use", "usual", "uten", "euro", "one", "once")
_SILENT_H = ("hour", "honest", "heir")
# Singular words that end in s.
_SINGULAR_S = {
    "bus",
    "gas",
    "glass",
    "mattress",
    "chess",
    "dress",
    "canvas",
    "cactus",
    "compass",
    "bass",
    "iris",
    "lens",
}


def is_plural(label: str) -> bool:
    """Whether a label names several things or a mass ("curtains", "clothes"): it takes "are" and no article.

    >>> is_plural("curtains"), is_plural("mattress"), is_plural("pair of shoes"), is_plural("lens")
    (True, False, False, False)
    """
    head = label.split(" of ")[0].split()[-1] if label.split() else label
    if head in ("clothes", "stairs", "scissors"):
        return True
    return head.endswith("s") and head not in _SINGULAR_S and not head.endswith(("ss", "us", "is"))


def with_article(label: str) -> str:
    """The label with a or an; plural labels get none."""
    if is_plural(label) or label in _UNCOUNTED:
        return label
    first = label[:1].lower()
    vowel = first in "aeiou"
    if label.startswith(_SAME_SOUND_AS_YOU):
        vowel = False
    if label.startswith(_SILENT_H):
        vowel = True
    return f"{'an' if vowel else 'a'} {label}"


def plural(label: str) -> str:
    """The plural of a label; in "x of y" the x changes. Labels that are plural already stay."""
    head, of, tail = label.partition(" of ")
    if of:
        return f"{plural(head)} of {tail}"
    words = label.split(" ")
    last = words[-1]
    if label in _UNCOUNTED or is_plural(label):
        return label
    if last in _IRREGULAR:
        changed = _IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        changed = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        changed = last[:-1] + "ies"
    else:
        changed = last + "s"
    return " ".join([*words[:-1], changed])


def counted(label: str, count: int) -> str:
    """A number with its noun.

    >>> counted("chair", 1), counted("chair", 3), counted("curtains", 2)
    ('1 chair', '3 chairs', '2 curtains')
    """
    return f"{count} {label if count == 1 else plural(label)}"


def is_are(label: str) -> str:
    """The verb that goes with "the <label>"."""
    return "are" if is_plural(label) else "is"


def join_words(words: Sequence[str]) -> str:
    """Comma list with "and".

    >>> join_words(["left", "above", "closer"]), join_words(["left"])
    ('left, above and closer', 'left')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def may_mean(label: str, other: str) -> bool:
    """Whether somebody who reads one label may look for the other: one is a kind of the other.

    >>> [may_mean("table", other) for other in ("coffee table", "table", "table lamp")]
    [True, False, False]
    """
    return label != other and (label.endswith(other) or other.endswith(label))


def capitalise(sentence: str) -> str:
    """First letter in upper case, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]
