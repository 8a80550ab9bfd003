"""VSI-Bench: ten question types about a video of a room, as letters (MCA) or numbers (NA).

Worked example: for a released answer of 5, the reply "4 chairs" is read as 4 by all protocols and scores 0.6; "There
are 4 chairs" is no number to the official scorer and scores 0, while the others read 4.

Rows come as released (question_type, ground_truth), as re-packed for training (original_question_type, solution), or as
`spaceland generate` writes them (tasks vsi_*; its other tasks are left out).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.numbers import mean_relative_accuracy, number_words
from spaceland.benchmarks.replies import LETTERS, strict_choice, strict_number
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore
from spaceland.benchmarks.vlmevalkit import option_letter, stated_value

NUMBERS = ("object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation")
DIRECTIONS = tuple(f"object_rel_direction_{level}" for level in ("easy", "medium", "hard"))
CHOICES = ("object_rel_distance", *DIRECTIONS, "route_planning", "obj_appearance_order")
TASKS = {
    task: DIRECTIONS if task == "object_rel_direction" else (task,)
    for task in (*NUMBERS, "object_rel_distance", "object_rel_direction", "route_planning", "obj_appearance_order")
}
GROUPS = {"Numerical": NUMBERS, "Multiple-choice": tuple(TASKS)[4:]}
EXPECTED_ROWS = {"full": 5131, "full (older releases)": 5130, "debiased": 2363}
UNITS = {"object_abs_distance": "m", "object_size_estimation": "cm"}
FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(
        rule="linspace",
        published="num 32, rule linspace(0, n - 1, num), cut to whole numbers; 8 for InternVL2, 16 for GPT-4o",
    ),
    "lmms-eval": FramePolicy(rule="linspace", published="num 32, rule linspace(0, n - 1, num), cut to whole numbers"),
    "vlmevalkit": FramePolicy(
        rule="linspace-last", published="num 32, rule the same, and the last frame besides where it is not among them"
    ),
}
PROMPTS = {
    "pre": "These are frames of a video.",
    "choice": "Answer with the option's letter from the given choices directly.",
    "number": "Please answer the question using a single word or phrase.",
    "number (official, gemini_api and gpt4v)": "Do not response anything other than a single number!",
    "number (vlmevalkit)": "Answer briefly and directly in one float number.",
}
_ANSWER_TAG = re.compile(r"<answer>([^<]*)</answer>")
_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")
_LETTERED = re.compile(r"[A-Z]\.\s*")


def prompt(row: Row, protocol: str = "official") -> str:
    """The text of a question as the code of a protocol words it; `strict` asks as `official` does.

    Raises:
        KeyError: there is no such protocol.
    """
    BENCHMARK.protocol(protocol)
    row = _adapt(row)
    parts = [PROMPTS["pre"], str(row["question"])]
    if row["question_type"] in NUMBERS:
        parts.append(PROMPTS["number (vlmevalkit)" if protocol == "vlmevalkit" else "number"])
    else:
        parts += [] if protocol == "vlmevalkit" else ["Options:"]
        parts += [*row["options"], PROMPTS["choice"]]
    return "\n".join(parts)


def _adapt(row: Row) -> Row:
    if "original_question_type" in row:
        return _repacked(row)
    task = row.get("task")
    if isinstance(task, str) and task.startswith("vsi_") and "question_type" not in row:
        return _ours(row, task.removeprefix("vsi_"))
    return row


def _repacked(row: Row) -> Row:
    """A question re-packed for training; the ground truth stands in <answer> tags."""
    answer = _ANSWER_TAG.search(str(row.get("solution", "")))
    path = PurePosixPath(str(row.get("path", "")))
    return {
        "id": row.get("problem_id"),
        "dataset": path.parent.name,
        "scene_name": path.stem,
        "question_type": row["original_question_type"],
        "question": row.get("problem"),
        "options": row.get("options"),
        "ground_truth": answer[1].strip() if answer else None,
    }


def _ours(row: Row, question_type: str) -> Row:
    """A row of ours. Its question ends with its options, which VSI-Bench keeps apart, with their letters."""
    question, options = str(row.get("question", "")), row.get("options")
    if options:
        options = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
        question = question.removesuffix("\n" + "\n".join(options))
    return {
        "id": row.get("id"),
        "dataset": "spaceland",
        "scene_name": row.get("scene"),
        "question_type": question_type,
        "question": question,
        "options": options,
        "ground_truth": row.get("answer"),
    }


def _left_out(row: Row) -> str | None:
    """Rows of ours whose task VSI-Bench does not have."""
    return None if "question_type" in row else f"{row['task']}/{row.get('format')}"


def _problem(row: Row) -> str | None:
    if "question_type" not in row and "task" in row:
        return None if row.get("id") is not None else "has no id"
    lacking = [key for key in ("id", "question_type", "ground_truth") if row.get(key) is None]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    kind, truth = row["question_type"], str(row["ground_truth"]).strip()
    if kind in NUMBERS:
        return None if _DIGITS.fullmatch(truth) else f"has the ground truth '{truth[:40]}', which is no number"
    if kind not in CHOICES:
        return f"has the question type '{kind}', which VSI-Bench does not have"
    letters = LETTERS[: len(row.get("options") or "ABCD")]
    return None if len(truth) == 1 and truth in letters else f"has the ground truth '{truth[:40]}', which is no option"


def first_token(reply: str) -> str:
    """What the official scorer looks at: up to the first blank, without final full stops, then without white space."""
    return reply.split(" ", 1)[0].rstrip(".").strip()


def official_number(reply: str) -> float | None:
    """The first token as Python reads a float ("1e3", "1_000" and "nan" are numbers); None otherwise."""
    try:
        return float(first_token(reply))
    except ValueError:
        return None


def lmms_eval_number(reply: str) -> float | None:
    """lmms-eval from 0.7.3: the first number, in digits or in English words."""
    text = reply.strip().lower()
    digits, words = _DIGITS.search(text), number_words(text)
    if digits and (words is None or digits.start() < words[0]):
        return float(digits[0])
    return None if words is None else words[1]


def _accuracy(said: float | None, row: Row) -> float:
    return 0.0 if said is None else mean_relative_accuracy(said, float(row["ground_truth"]))


def _same_letter(reply: str, row: Row) -> float:
    return float(first_token(reply).lower() == str(row["ground_truth"]).lower())


def _strict_letter(reply: str, row: Row) -> float:
    options = [_LETTERED.sub("", str(option), count=1) for option in row.get("options") or ()]
    return strict_choice(reply, str(row["ground_truth"]), options)


def _strict_value(reply: str, row: Row) -> float:
    return strict_number(reply, str(row["ground_truth"]), UNITS.get(row["question_type"]))


def _scorer(
    choice: Callable[[str, Row], float], number: Callable[[str, Row], float]
) -> Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        return [
            RowScore(
                0.0 if reply is None else number(reply, row) if row["question_type"] in NUMBERS else choice(reply, row)
            )
            for row, reply in zip(rows, replies, strict=True)
        ]

    return score


def _task_of(row: Row) -> str:
    kind = str(row["question_type"])
    return "object_rel_direction" if kind in DIRECTIONS else kind


def _num_options(row: Row) -> int | None:
    return None if row["question_type"] in NUMBERS else len(row.get("options") or "ABCD")


def _gain(reply: str, row: Row) -> float | None:
    return _accuracy(official_number(reply), row) if row["question_type"] in NUMBERS else None


def _choices(row: Row) -> Sequence[str] | None:
    number = _num_options(row)
    return None if number is None else LETTERS[:number]


def _means(**more: Any) -> TaskMeans:
    return TaskMeans(lambda row: str(row["question_type"]), tasks=TASKS, groups=GROUPS, **more)


_FIRST_TOKEN = (
    "only the text before the first blank counts, without final full stops: '(A)', 'A,' and 'The answer is A' fail"
)
_ZERO_TARGET = {
    "zero-target": "the released code divides by a ground truth of 0 and stops; here the absolute error counts"
}
_DEVIATIONS = {
    "first-token": _FIRST_TOKEN,
    "leading-blank": "a reply that begins with a blank is empty",
    "ten-thresholds": "ten thresholds with float noise, compared by <=: 4 for 5 scores 0.6, 95 for 100 scores 1",
    "python-float": "'1e3' and '1_000' are numbers; '4m', '**4**', '1,200' and 'four' are none",
    **_ZERO_TARGET,
    "direction-mean": "the direction task is the plain mean of easy, medium and hard, whatever their row counts",
}
_LMMS_EVAL = {
    "first-token": "letters only: " + _FIRST_TOKEN,
    "first-number": "the first number counts, in digits or English words, also inside <think>; '1,200' is 1",
    **_ZERO_TARGET,
    "subsets": "the released code stops where a direction type has no rows, and rounds to six decimals; not so here",
}
_VLMEVALKIT = {
    "last-number": "the last number counts, '1,200' is 200; words up to twenty are numbers",
    "list": "a reply in square brackets has to be a Python list (here of at most 1,000 characters): its first entry",
    "conclusion-case": "'the answer is a chair' names A: letters after 'answer' count in any case",
    "small-letter-and-stop": "'a.' names nothing, 'a' and 'A.' do",
    "direction-whole": "without rows of all three direction types, those that are there count as tasks of their own",
}
BENCHMARK = Benchmark(
    name="vsibench",
    title="VSI-Bench",
    protocols=(
        Protocol(
            "official", "the scorer of thinking-in-space (51e089c)",
            _scorer(_same_letter, lambda reply, row: _accuracy(official_number(reply), row)), _means(), _DEVIATIONS,
        ),
        Protocol(
            "lmms-eval", "lmms-eval 0.7.3, whose numbers are read otherwise than the official ones",
            _scorer(_same_letter, lambda reply, row: _accuracy(lmms_eval_number(reply), row)), _means(), _LMMS_EVAL,
        ),
        Protocol(
            "vlmevalkit", "VLMEvalKit (e8e78f0), by rules without a judge",
            _scorer(
                lambda reply, row: float(option_letter(reply) == row["ground_truth"]),
                lambda reply, row: _accuracy(stated_value(reply), row),
            ),
            _means(whole=("object_rel_direction",)), _VLMEVALKIT,
        ),
        Protocol(
            "strict", "what the reply says, as a person would read it; lengths in the unit that is named",
            _scorer(_strict_letter, _strict_value), _means(),
        ),
    ),
    row_id=lambda row: str(row["id"]),
    task_of=_task_of,
    problem_of=_problem,
    expected_rows=EXPECTED_ROWS,
    adapt=_adapt,
    left_out=_left_out,
    subsets={"debiased": lambda row: row.get("pruned") is False, "pruned": lambda row: row.get("pruned") is True},
    num_options=_num_options,
    baseline=Baselines(
        gold=lambda row: str(row["ground_truth"]),
        pool_of=lambda row: str(row["question_type"]),
        choices=_choices,
        gain=_gain,
    ),
)  # fmt: skip
