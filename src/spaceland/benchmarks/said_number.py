"""Which number a reply states, as a person would read it.

The number that is said to be the answer ("the answer is 4 (see image 3)") comes before all others. Else it is the last
one outside brackets, since what stands in brackets explains ("4 chairs (2 black, 2 white)"); then the last one at all;
and where there are no digits the first number in English words.

>>> said_number("Answer: 4\\nConfidence: 90%"), said_number("4 chairs (2 black, 2 white)"), said_number("2 or 3")
(4.0, 4.0, 3.0)
"""

from __future__ import annotations

import re

from spaceland.benchmarks.numbers import number_words, stated_number

_STATED = re.compile(
    r"\b(?:answer|estimate)[\s*_`]{0,4}(?:is|was|would\s+be|should\s+be|must\s+be|[:=]|->|\n)[\s*_`:]{0,6}"
    r"(?:(?:about|approximately|approx\.?|roughly|around|nearly|probably|likely|therefore|thus|clearly)\s+){0,2}"
    r"[\s*_`\"'(\[{$~\u2248]{0,6}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?(?:\d[\d,]{0,400}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_UNIT = re.compile(r"\s{0,2}[A-Za-z]{1,12}\.?[\u00b2\u00b3]?(?:\^\d)?")
# "2 or 3", "4 x 5 = 20": the number is said to its end.
_GOES_ON = re.compile(r"\s{0,2}(?:[x*\u00d7+=/\u2013-]|or\b|to\b)\s{0,2}(?=[-+.]?\d)", re.IGNORECASE)
_ASIDE = re.compile(r"\([^()]*\)")
_WORDS = 60


def said_number(text: str, unit: str | None = None) -> float | None:
    """The number that a reply states; see above.

    Args:
        text: The reply, without thinking.
        unit: "m" or "cm" where lengths are asked for in it; others are converted.
    """
    stated = None
    for cue in _STATED.finditer(text):
        found = _number_at(text, cue.end(), unit)
        stated = stated if found is None else found
    if stated is not None:
        return stated
    outside = stated_number(_ASIDE.sub(" ", text), unit)
    value = stated_number(text, unit) if outside is None else outside
    words = number_words(text.lower()) if value is None else None
    return words[1] if words else value


def _number_at(text: str, start: int, unit: str | None) -> float | None:
    """The number at a place, in digits or words, with what it goes on with."""
    end = _end_of_number(text, start)
    if end == start:
        words = number_words(text[start : start + _WORDS].lower())
        return words[1] if words and words[0] == 0 else None
    last = start
    while True:
        measure = _UNIT.match(text, end)
        further = _GOES_ON.match(text, end) or (_GOES_ON.match(text, measure.end()) if measure else None)
        if further is None:
            return stated_number(text[last : measure.end() if measure else end], unit)
        last, end = further.end(), _end_of_number(text, further.end())


def _end_of_number(text: str, start: int) -> int:
    match = _NUMBER.match(text, start)
    return match.end() if match else start
