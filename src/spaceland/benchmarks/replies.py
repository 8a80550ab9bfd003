"""What a reply says, read as a person would: the strict rules of all benchmarks.

>>> said_option("I thought of A, but the answer is (C).", 4), said_option("A chair, I think", 4)
('C', None)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from spaceland.benchmarks.numbers import mean_relative_accuracy, stated_number
from spaceland.benchmarks.said_letter import LETTERS, stated_letter
from spaceland.benchmarks.said_number import said_number

_TAG = re.compile(r"<answer>|\\boxed\s?\{", re.IGNORECASE)
_TAG_END = re.compile(r"</answer>|\}", re.IGNORECASE)
_LATEX = re.compile(r"\\(?:text|math)[a-z]{0,6}\s?\{|\\[,;! ]")


def final_part(prediction: str) -> str:
    """The reply without a leading block of thinking."""
    return prediction[prediction.rfind("</think>") + 8 :].strip() if "</think>" in prediction else prediction.strip()


def answer_part(prediction: str) -> str:
    """What a reply marks as its answer, in <answer> tags or \\boxed{}, the last one; else all of it but thinking.

    >>> answer_part("A? </think> B <answer>C</answer>"), answer_part("so \\\\boxed{\\\\text{B}}"), answer_part("B")
    ('C', 'B', 'B')
    """
    text = final_part(prediction)
    tags = list(_TAG.finditer(text))
    if not tags:
        return text
    inside = _LATEX.sub(" ", text[tags[-1].end() :])
    closed = _TAG_END.search(inside)
    return (inside[: closed.start()] if closed else inside).strip() or text


def said_option(prediction: str, num_options: int, options: Sequence[str] = ()) -> str | None:
    """The letter of the option that a reply names, or whose text it repeats (and that of no other); else None."""
    text = answer_part(prediction)
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


def strict_number(prediction: str, answer: str, unit: str | None = None) -> float:
    """MRA of the number that the reply states: sign, unit of length ("m", "cm") and number words included."""
    said, target = said_number(answer_part(prediction), unit), stated_number(answer)
    return 0.0 if said is None or target is None else mean_relative_accuracy(said, target)
