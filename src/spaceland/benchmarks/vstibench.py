"""VSTI-Bench (VLM-3R): how camera and objects stand to each other over a video, as letters or numbers, ten types.

The scorer is that of VSI-Bench before its direction types were joined: overall is the plain mean of the types that have
rows. Letters are compared with `mc_answer`, numbers with `ground_truth`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.cards import bare_letter, check_protocol
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.numbers import mean_relative_accuracy
from spaceland.benchmarks.replies import LETTERS, strict_choice, strict_number
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore
from spaceland.benchmarks.vsibench import first_token, official_number

NUMBERS = ("camera_obj_abs_dist", "camera_displacement", "camera_obj_dist_change")
CHOICES = (
    "obj_obj_relative_pos_nf", "obj_obj_relative_pos_ud", "obj_obj_relative_pos_lr", "camera_obj_rel_dist_v1",
    "camera_obj_rel_dist_v2", "camera_obj_rel_dist_v3", "camera_movement_direction",
)  # fmt: skip
GROUPS = {
    "relative position": CHOICES[:3], "relative distance": CHOICES[3:6], "Numerical": NUMBERS,
    "Multiple-choice": CHOICES,
}  # fmt: skip
FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(rule="linspace", published="num 32, rule linspace(0, n - 1, num), cut to whole numbers")
}
PROMPTS = {
    "pre": "These are frames of a video.",
    "choice": "Answer with the option's letter from the given choices directly.",
    "number": "Please answer the question using a single word or phrase.",
    "number (official, gemini_api and gpt4v)": "Do not response anything other than a single number!",
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
_LETTERED = re.compile(r"[A-Z]\.\s*")


def prompt(row: Row, protocol: str = "official") -> str:
    """The text of a question; both protocols share it.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    if row["question_type"] in NUMBERS:
        return "\n".join([PROMPTS["pre"], str(row["question"]), PROMPTS["number"]])
    return "\n".join([PROMPTS["pre"], str(row["question"]), "Options:", *map(str, row["options"]), PROMPTS["choice"]])


def official_accuracy(said: float | None, target: float) -> float:
    """MRA with the released denominator: the target with its sign. Any number is right where that is negative.

    >>> official_accuracy(4.0, 5.0), official_accuracy(100.0, -1.0), official_accuracy(0.0, 0.0)
    (0.6, 1.0, 0.0)
    """
    if said is None or target == 0 or said != said:
        return 0.0
    return 1.0 if target < 0 else mean_relative_accuracy(said, target)


def _problem(row: Row) -> str | None:
    kind = row.get("question_type")
    if kind is not None and kind not in (*NUMBERS, *CHOICES):
        return f"has the question type '{kind}', which VSTI-Bench does not have"
    lacking = [name for name in ("id", "question_type") if row.get(name) is None]
    asked = ("ground_truth",) if kind in NUMBERS else ("mc_answer", "options")
    lacking += [name for name in asked if row.get(name) is None]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    if kind in NUMBERS:
        number = _NUMBER.fullmatch(str(row["ground_truth"]).strip())
        return None if number else f"has the ground truth '{str(row['ground_truth'])[:40]}', which is no number"
    letter = bare_letter(row["mc_answer"])
    return None if letter and letter in LETTERS[: len(row["options"])] else "has an answer that is none of its options"


def _gold(row: Row) -> str:
    return str(row["ground_truth" if row["question_type"] in NUMBERS else "mc_answer"])


def _scorer(
    choice: Callable[[str, Row], float], number: Callable[[str, Row], float]
) -> Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]:
    def one(row: Row, reply: str) -> float:
        return number(reply, row) if row["question_type"] in NUMBERS else choice(reply, row)

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        return [RowScore(0.0 if reply is None else one(row, reply)) for row, reply in zip(rows, replies, strict=True)]

    return score


def _strict_letter(reply: str, row: Row) -> float:
    options = [_LETTERED.sub("", str(option), count=1) for option in row["options"]]
    return strict_choice(reply, str(row["mc_answer"]), options)


_MEANS = TaskMeans(
    lambda row: str(row["question_type"]), tasks={kind: (kind,) for kind in (*NUMBERS, *CHOICES)}, groups=GROUPS
)
BENCHMARK = Benchmark(
    name="vstibench",
    title="VSTI-Bench",
    protocols=(
        Protocol(
            "official", "the scorer that VLM-3R added to thinking-in-space",
            _scorer(
                lambda reply, row: float(first_token(reply).lower() == str(row["mc_answer"]).lower()),
                lambda reply, row: official_accuracy(official_number(reply), float(row["ground_truth"])),
            ),
            _MEANS,
            {
                "first-token": "only the text before the first blank counts, without final full stops",
                "ten-thresholds": "ten thresholds with float noise, compared by <=: 4 for 5 scores 0.6",
                "types": "overall is the plain mean of types: relative distance counts three times",
                "negative-target": "the error is divided by the target with its sign: of -1 any number scores 1",
                "zero-target": "the released code stops at a target of 0; here it scores 0",
            },
        ),
        Protocol(
            "strict", "what the reply says, as a person would read it; lengths in metres",
            _scorer(_strict_letter, lambda reply, row: strict_number(reply, str(row["ground_truth"]), "m")), _MEANS,
        ),
    ),
    row_id=lambda row: str(row["id"]),
    task_of=lambda row: str(row["question_type"]),
    problem_of=_problem,
    expected_rows={"test since July 2026 (by others)": 5736, "test before (by others)": 6042},
    num_options=lambda row: None if row["question_type"] in NUMBERS else len(row["options"]),
    baseline=Baselines(
        gold=_gold,
        pool_of=lambda row: str(row["question_type"]),
        choices=lambda row: None if row["question_type"] in NUMBERS else LETTERS[: len(row["options"])],
        gain=lambda reply, row: (
            official_accuracy(official_number(reply), float(row["ground_truth"]))
            if row["question_type"] in NUMBERS
            else None
        ),
    ),
)  # fmt: skip
