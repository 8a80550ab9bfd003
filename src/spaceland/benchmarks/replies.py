"""What a reply says, read as a person would: the strict rules of all benchmarks.

>>> said_option("I thought of A, but the answer is (C).", 4), said_option("A chair, I think", 4)
('C', None)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from spaceland.benchmarks.numbers import mean_relative_accuracy, number_words, stated_number

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTER = re.compile(r"(?<![A-Za-z0-9])\(?([A-Z])(?![A-Za-z0-9'])\)?")
_BARE_LETTER = re.compile(r"\W{0,6}([A-Za-z])\W{0,6}$")


def final_part(prediction: str) -> str:
    """The reply without a leading block of thinking."""
    return prediction[prediction.rfind("</think>") + 8 :].strip() if "</think>" in prediction else prediction.strip()


def said_option(prediction: str, num_options: int, options: Sequence[str] = ()) -> str | None:
    """The letter of the option that a reply names, or whose text it repeats (and that of no other); else None."""
    text = final_part(prediction)
    letter = stated_letter(text, num_options)
    if letter is None and options:
        said = text.strip(" .\n").lower()
        same = [i for i, option in enumerate(options) if option.strip().lower() == said]
        letter = LETTERS[same[0]] if len(same) == 1 else None
    return letter


def strict_choice(prediction: str, answer: str, options: Sequence[str] = ()) -> float:
    """1 when the reply clearly names the right letter, or repeats the right option and no other."""
    letter = said_option(prediction, len(options) or len(LETTERS), options)
    return float(letter is not None and letter == answer.strip().upper())


def stated_letter(text: str, num_options: int) -> str | None:
    """The option letter that a reply names: alone ("b", "(B)", "**B**"), or the last capital that stands by itself.

    A lone "A" at the start of a sentence is an article, so it counts only when it is followed by punctuation or
    nothing.

    >>> stated_letter("The answer is (B).", 4), stated_letter("A chair is left", 4), stated_letter("C. left, above", 4)
    ('B', None, 'C')
    """
    allowed = set(LETTERS[:num_options])
    alone = _BARE_LETTER.match(text) if len(text) <= 13 else None
    if alone:
        return alone[1].upper() if alone[1].upper() in allowed else None
    if text[:1] in allowed and text[1:2] in (".", ")", ":", ","):
        return text[0]
    found = None
    for match in _LETTER.finditer(text):
        follows = text[match.end() : match.end() + 2]
        is_article = match[1] in "AI" and "(" not in match[0] and follows[:1] == " " and follows[1:2].isalpha()
        if match[1] in allowed and not is_article:
            found = match[1]
    return found


def strict_number(prediction: str, answer: str, unit: str | None = None) -> float:
    """MRA of the number that the reply states: sign, unit of length ("m", "cm") and number words included."""
    text = final_part(prediction)
    said, target = stated_number(text, unit), stated_number(answer)
    if said is None:
        words = number_words(text.lower())
        said = words[1] if words else None
    return 0.0 if said is None or target is None else mean_relative_accuracy(said, target)
