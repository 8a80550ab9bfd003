"""The F-value of ScanQA: shared words of an answer and a reference, with plural nouns taken as singular.

The released scorer asks the WordNet lemmatiser (as if every word were a noun) what a word's base form is. WordNet is
not at hand here; the rules below give the same base form for each of the 3,241 different words in the questions and
answers of ScanQA val and OpenEQA, with its oddities: "has" becomes "ha", "as" becomes "a", words with a capital stay.
"""

from __future__ import annotations

from collections.abc import Sequence

# What WordNet makes of words that look like plurals and are none, or are irregular.
_SPECIAL = {
    "has": "ha", "as": "a", "was": "wa", "us": "u", "does": "doe", "pass": "pas", "uses": "us", "goes": "go",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "mice": "mouse", "men": "man", "women": "woman",
    "children": "child", "lives": "life", "leaves": "leaf", "knives": "knife", "wives": "wife", "buses": "bus",
    "shoes": "shoe", "toes": "toe", "canoes": "canoe", "tomatoes": "tomato", "potatoes": "potato", "axes": "ax",
}  # fmt: skip
_KEPT = """
    is this his yes gas bus sits besides towards appears trashcans sideways allows whiteboards clothes canvas happens
    extends others contains nightstands connects upstairs downstairs indoors outdoors seems news scissors enters
    themselves barstools physics always perhaps afterwards teirs ahs chaos atlas christmas alas whereas
"""
_SINGULAR = frozenset(_KEPT.split())
_TO_F = ("elves", "halves", "loaves", "scarves", "calves", "thieves", "wolves", "hooves")


def noun_base(word: str) -> str:
    """The singular of a plural noun, other words as they are.

    >>> [noun_base(word) for word in ("shelves", "boxes", "Chairs", "glass", "has")]
    ['shelf', 'box', 'Chairs', 'glass', 'ha']
    """
    if word in _SPECIAL:
        return _SPECIAL[word]
    if not word.endswith("s") or len(word) < 3 or not (word.isascii() and word.isalpha() and word.islower()):
        return word
    if word.endswith(("ss", "us", "is")) or word in _SINGULAR:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(_TO_F):
        return word[:-3] + "f"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]


def f_value(answer: str, references: Sequence[str]) -> float:
    """1 for an answer that is a reference; else the best harmonic mean of the shares of words found in one another.

    An answer without words scores 0; the released scorer divides by zero there.
    """
    if answer in references:
        return 1.0
    mine = [noun_base(word) for word in answer.split()]
    best = 0.0
    for reference in references:
        others = [noun_base(word) for word in reference.split()]
        if mine and others:
            known, known_others = set(mine), set(others)
            precision = sum(word in known_others for word in mine) / len(mine)
            recall = sum(word in known for word in others) / len(others)
            best = max(best, 2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return best
