"""Mean relative accuracy, and numbers in text.

MRA (VSI-Bench, section 4): the share of ten thresholds c = 0.50, 0.55, ..., 0.95 for which the relative error is at
most 1 - c. At most 5 % error scores 1, more than 50 % scores 0.

>>> mean_relative_accuracy(1.6, 1.5), mean_relative_accuracy(2.1, 1.5), mean_relative_accuracy(1.95, 1.5)
(0.9, 0.2, 0.5)
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left

import numpy as np

# The released scorers make the thresholds like this; 1 - c then carries float noise that decides borderline cases
# (4 against 5 is 20 % off and misses c = 0.8), so the same expression must be used.
THRESHOLDS = np.linspace(0.5, 0.95, int((0.95 - 0.5) / 0.05 + 2))
_ALLOWED = sorted((1 - THRESHOLDS).tolist())

_UNSIGNED = re.compile(r"(?<!\^)\d+\.\d+|(?<!\^)\d+")
_SIGNED = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")
_UNIT = re.compile(r"\s{0,3}(cm|centimet|mm|millimet|km|kilomet|met(?:er|re)|m(?![a-z\d])|feet|foot|ft(?![a-z])|inch)")
_UNIT_IN_M = {
    "cm": 0.01, "centimet": 0.01, "mm": 0.001, "millimet": 0.001, "km": 1000.0, "kilomet": 1000.0, "m": 1.0,
    "meter": 1.0, "metre": 1.0, "feet": 0.3048, "foot": 0.3048, "ft": 0.3048, "inch": 0.0254,
}  # fmt: skip
_ASKED_IN_M = {"m": 1.0, "cm": 0.01}
_LOWER_WORD = re.compile(r"[a-z]+")
SMALL_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORDS = {word: k for k, word in enumerate(SMALL_NUMBERS)} | {word: 10 * k for k, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 100, "thousand": 1000}


def mean_relative_accuracy(prediction: float, target: float) -> float:
    """MRA of one prediction, 0 to 1. A target of 0 is compared by absolute error; NaN and infinity score 0."""
    error = abs(prediction - target)
    if target != 0:
        error /= abs(target)
    if not math.isfinite(error):
        return 0.0
    return (len(_ALLOWED) - bisect_left(_ALLOWED, error)) / len(_ALLOWED)


def unsigned_numbers(text: str) -> list[float]:
    """All numbers as the SPAR-Bench scorer finds them: signs are lost, digits right after ^ are skipped."""
    return [float(match) for match in _UNSIGNED.findall(text)]


def stated_number(text: str, unit: str | None = None) -> float | None:
    """The number that a reply states: the last one in it, with its sign, its thousands commas, and its unit of length
    where the answer is asked for in metres ("m") or centimetres ("cm").

    >>> stated_number("I first thought 3, but the answer is -1,250.5"), stated_number("about 150 cm", "m")
    (-1250.5, 1.5)
    """
    last = None
    for match in _SIGNED.finditer(text):
        last = match
    if last is None:
        return None
    value = float(last[0].replace(",", ""))
    found = _UNIT.match(text, last.end()) if unit in _ASKED_IN_M else None
    if found is None or _UNIT_IN_M[found[1]] == _ASKED_IN_M[str(unit)]:
        return value
    return value * _UNIT_IN_M[found[1]] / _ASKED_IN_M[str(unit)]


def number_words(text: str) -> tuple[int, float] | None:
    """Where the first number in English words begins, and its value; None where there is none.

    The words of a number follow each other or "and"; what is not a lower-case letter is passed over. This is how
    lmms-eval reads them; text is expected in lower case.

    >>> number_words("about twenty-one chairs"), number_words("three hundred and five"), number_words("some")
    ((6, 21.0), (0, 305.0), None)
    """
    start, total, current = -1, 0.0, 0.0
    for match in _LOWER_WORD.finditer(text):
        word = match[0]
        if word in _NUMBER_WORDS:
            current += _NUMBER_WORDS[word]
        elif word == "hundred":
            current = max(current, 1.0) * _SCALES[word]
        elif word == "thousand":
            total += max(current, 1.0) * _SCALES[word]
            current = 0.0
        elif start < 0 or word == "and":
            continue
        else:
            break
        start = match.start() if start < 0 else start
    return None if start < 0 else (start, total + current)
