"""SPAR-Bench: the official scorer with its faults, and a strict one.

Official rules (`sparbench/utils.py` of the SPAR repository):
- multiple choice: equal, or the prediction is part of the answer (so an empty one is right), or its first character is;
- numbers: MRA of the first number in the text, of the last one for tasks on several views; signs are lost;
- view_change_infer: mean MRA of five signed parts; errors are divided by the *prediction*; blanks around a key lose it.
Strict rules mend these: docs/scoring.md lists every difference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from spaceland.benchmarks.numbers import mean_relative_accuracy, stated_number, unsigned_numbers

LOW = tuple(
    f"{what}_prediction_{pair}{views}"
    for what in ("depth", "distance")
    for pair in ("oc", "oo")
    for views in ("", "_mv")
)
MIDDLE = ("position_matching", "camera_motion_infer", "view_change_infer")
HIGH = (
    "distance_infer_center_oo", "distance_infer_center_oo_mv", "obj_spatial_relation_oc_mv", "obj_spatial_relation_oo",
    "obj_spatial_relation_oo_mv", "spatial_imagination_oc", "spatial_imagination_oc_mv", "spatial_imagination_oo",
    "spatial_imagination_oo_mv",
)  # fmt: skip
TASKS = (*LOW, *MIDDLE, *HIGH)
GROUPS = {"Low": LOW, "Middle": MIDDLE, "High": HIGH}
MIDDLE_BUG = "Middle without view_change_infer"
"""What the released aggregator prints as Middle: a suffix that it strips wrongly drops the third task."""

_AXES = (
    ("move_right", "move_left"), ("move_up", "move_down"), ("move_forward", "move_backward"),
    ("rotate_right", "rotate_left"), ("rotate_up", "rotate_down"),
)  # fmt: skip
_LETTER = re.compile(r"(?<![A-Za-z0-9])\(?([A-Z])(?![A-Za-z0-9'])\)?")
_BARE_LETTER = re.compile(r"\W{0,6}([A-Za-z])\W{0,6}$")
_THINKING = re.compile(r"^.*</think>", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def official_choice(prediction: str, answer: str) -> float:
    """1 or 0. An empty prediction scores 1, "Because" scores for b, "The answer is B" scores 0: kept for parity."""
    said, right = prediction.lower(), answer.lower()
    return float(said == right or said in right or said[:1] == right)


def strict_choice(prediction: str, answer: str, options: Sequence[str] = ()) -> float:
    """1 when the reply clearly names the right letter, or repeats the right option and no other."""
    text = final_part(prediction)
    letter = stated_letter(text, len(options) or 26)
    if letter is None and options:
        same = [i for i, option in enumerate(options) if option.strip().lower() == text.strip(" .\n").lower()]
        letter = chr(ord("A") + same[0]) if len(same) == 1 else None
    return float(letter is not None and letter == answer.strip().upper())


def final_part(prediction: str) -> str:
    """The reply without a leading block of thinking."""
    return _THINKING.sub("", prediction).strip() if "</think>" in prediction else prediction.strip()


def stated_letter(text: str, num_options: int) -> str | None:
    """The option letter that a reply names: alone ("b", "(B)", "**B**"), or the last capital that stands by itself.

    A lone "A" at the start of a sentence is an article, so it counts only when it is followed by punctuation or
    nothing.

    >>> stated_letter("The answer is (B).", 4), stated_letter("A chair is left", 4), stated_letter("C. left, above", 4)
    ('B', None, 'C')
    """
    allowed = {chr(ord("A") + i) for i in range(num_options)}
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


def official_number(prediction: str, answer: str, task: str) -> float:
    """MRA of the first number (of the last one for `*_mv` tasks, where none counts as -1); no number scores 0."""
    found = unsigned_numbers(prediction)
    target = unsigned_numbers(answer)
    if task.endswith("_mv"):
        return mean_relative_accuracy(found[-1] if found else -1.0, target[-1])
    return mean_relative_accuracy(found[0], target[0]) if found else 0.0


def strict_number(prediction: str, answer: str, unit: str | None = None) -> float:
    """MRA of the number that the reply states, sign and unit included."""
    said, target = stated_number(final_part(prediction), unit), stated_number(answer)
    return 0.0 if said is None or target is None else mean_relative_accuracy(said, target)


def _parse_motion(text: str, clean: Callable[[str], str]) -> list[float]:
    """Signed parts right, up, forward, turn right, turn up. Raises ValueError for anything but key:number pairs."""
    values: dict[str, float] = {}
    for part in text.split(","):
        key, value = part.split(":")
        values[clean(key)] = float(value)
    return [values.get(positive, 0.0) - values.get(negative, 0.0) for positive, negative in _AXES]


def official_motion(prediction: str, answer: str) -> float:
    """Mean MRA of five parts with prediction and truth exchanged, as released; a parse error scores 0."""
    try:
        said = _parse_motion(prediction, lambda key: key)
    except ValueError:
        return 0.0
    truth = _parse_motion(answer, lambda key: key)
    return sum(mean_relative_accuracy(t, p) for p, t in zip(said, truth, strict=True)) / len(_AXES)


def strict_motion(prediction: str, answer: str) -> float:
    """Mean MRA of five parts; keys are trimmed, errors are relative to the truth, one key at least must be known."""
    text = final_part(prediction).strip(" .`\n")
    try:
        said = _parse_motion(text, lambda key: key.strip().lower())
    except ValueError:
        return 0.0
    known = {name for axis in _AXES for name in axis}
    if not any(part.split(":")[0].strip().lower() in known for part in text.split(",")):
        return 0.0
    truth = _parse_motion(answer, str.strip)
    return sum(mean_relative_accuracy(p, t) for p, t in zip(said, truth, strict=True)) / len(_AXES)


def box_score(prediction: str, answer: str) -> float:
    """IoU of two boxes x1, y1, x2, y2; a reply without exactly four numbers, or with an empty box, scores 0."""
    found = [float(number) for number in _NUMBER.findall(final_part(prediction))]
    if len(found) != 4 or not all(map(math.isfinite, found)):
        return 0.0
    a, b = found, [float(number) for number in _NUMBER.findall(answer)]
    if a[2] <= a[0] or a[3] <= a[1]:
        return 0.0
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / total if total > 0 and math.isfinite(total) else 0.0


def exact_score(prediction: str, answer: str) -> float:
    """1 when the reply equals the answer but for case, white space and a final full stop (yes or no, lists)."""
    return float(_plain(final_part(prediction)) == _plain(answer))


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".").strip()
