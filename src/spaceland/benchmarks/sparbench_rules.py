"""How SPAR-Bench scores one reply: the official rules with their faults, and what is not multiple choice strictly.

Official rules (`sparbench/utils.py` of the SPAR repository):
- multiple choice: equal, or the prediction is part of the answer (so an empty one is right), or its first character is;
- numbers: MRA of the first number in the text, of the last one for tasks on several views; signs are lost;
- view_change_infer: mean MRA of five signed parts; errors are divided by the *prediction*; blanks around a key lose it.
Strict rules mend these: docs/benchmarks/sparbench.md lists every difference.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Mapping

from spaceland.benchmarks.numbers import mean_relative_accuracy, unsigned_numbers
from spaceland.benchmarks.replies import final_part

_AXES = (
    ("move_right", "move_left"), ("move_up", "move_down"), ("move_forward", "move_backward"),
    ("rotate_right", "rotate_left"), ("rotate_up", "rotate_down"),
)  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def official_choice(prediction: str, answer: str) -> float:
    """1 or 0. An empty prediction scores 1, "Because" scores for b, "The answer is B" scores 0: kept for parity."""
    said, right = prediction.lower(), answer.lower()
    return float(said == right or said in right or said[:1] == right)


def official_number(prediction: str, answer: str, task: str) -> float:
    """MRA of the first number (of the last one for `*_mv` tasks, where none counts as -1); no number scores 0."""
    found = unsigned_numbers(prediction)
    target = unsigned_numbers(answer)
    if task.endswith("_mv"):
        return mean_relative_accuracy(found[-1] if found else -1.0, target[-1])
    return mean_relative_accuracy(found[0], target[0]) if found else 0.0


def _parse_motion(text: str, clean: Callable[[str], str]) -> list[float]:
    """Signed parts right, up, forward, turn right, turn up. Raises ValueError for anything but key:number pairs."""
    values: dict[str, float] = {}
    for part in text.split(","):
        key, value = part.split(":")
        values[clean(key)] = float(value)
    return _signed(values)


def _signed(values: Mapping[str, float]) -> list[float]:
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


def vlmevalkit_motion(prediction: str, answer: str) -> float:
    """Mean MRA of five parts as VLMEvalKit has it: keys are trimmed, errors are relative to the truth, and what is no
    key:number pair is passed over, so that a reply without any counts as "no motion".
    """
    said, truth = (_signed(_readable_parts(text)) for text in (prediction, answer))
    return sum(mean_relative_accuracy(p, t) for p, t in zip(said, truth, strict=True)) / len(_AXES)


def _readable_parts(text: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in text.split(","):
        key, colon, value = part.strip().partition(":")
        if colon:
            with contextlib.suppress(ValueError):
                values[key.strip()] = float(value)
    return values


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


def accuracy_of(said: float | None, answer: str) -> float:
    """MRA of a number that was read already; None scores 0."""
    return 0.0 if said is None else mean_relative_accuracy(said, float(answer))


def is_motion(answer: str) -> bool:
    """Whether an answer is a list of key:number pairs."""
    try:
        _parse_motion(answer, str.strip)
    except ValueError:
        return False
    return True
