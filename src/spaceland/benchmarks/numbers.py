"""Mean relative accuracy, and numbers in text.

MRA (VSI-Bench, section 4): the share of ten thresholds c = 0.50, 0.55, ..., 0.95 for which the relative error is at
most 1 - c. At most 5 % error scores 1, more than 50 % scores 0.

>>> mean_relative_accuracy(1.6, 1.5), mean_relative_accuracy(2.1, 1.5), mean_relative_accuracy(1.95, 1.5)
(0.9, 0.2, 0.5)
"""

from __future__ import annotations

import math
import re

import numpy as np

# The released scorers make the thresholds like this; 1 - c then carries float noise that decides borderline cases
# (4 against 5 is 20 % off and misses c = 0.8), so the same expression must be used.
THRESHOLDS = np.linspace(0.5, 0.95, int((0.95 - 0.5) / 0.05 + 2))
_ALLOWED = 1 - THRESHOLDS

_UNSIGNED = re.compile(r"(?<!\^)\d+\.\d+|(?<!\^)\d+")
_SIGNED = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|[-+]?\.\d+")
_UNIT = re.compile(r"\s{0,3}(cm|centimet|mm|millimet|km|kilomet)")
_UNIT_IN_M = {"cm": 0.01, "centimet": 0.01, "mm": 0.001, "millimet": 0.001, "km": 1000.0, "kilomet": 1000.0}


def mean_relative_accuracy(prediction: float, target: float) -> float:
    """MRA of one prediction, 0 to 1. A target of 0 is compared by absolute error; NaN and infinity score 0."""
    error = abs(prediction - target)
    if target != 0:
        error /= abs(target)
    return float(np.mean(error <= _ALLOWED)) if math.isfinite(error) else 0.0


def unsigned_numbers(text: str) -> list[float]:
    """All numbers as the SPAR-Bench scorer finds them: signs are lost, digits right after ^ are skipped."""
    return [float(match) for match in _UNSIGNED.findall(text)]


def stated_number(text: str, unit: str | None = None) -> float | None:
    """The number that a reply states: the last one in it, with its sign, thousands commas and (for metres) its unit.

    >>> stated_number("I first thought 3, but the answer is -1,250.5"), stated_number("about 150 cm", "m")
    (-1250.5, 1.5)
    """
    last = None
    for match in _SIGNED.finditer(text):
        last = match
    if last is None:
        return None
    value = float(last[0].replace(",", ""))
    found = _UNIT.match(text, last.end())
    return value * _UNIT_IN_M[found[1]] if found and unit == "m" else value
