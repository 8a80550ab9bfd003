"""All-Angles Bench: two to four views of the same people and things, six categories.

It is scored by a fork of VLMEvalKit, which asks a language model about replies that its rule cannot read: with
`--judge` the protocol `official` does so, too. A row holds its options in the columns A, B, C, ...
"""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choice_judge import judged_protocol
from spaceland.benchmarks.choices import FIVE_WORDS, NO_JUDGE, by_letter, inferred_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.types import Protocol, Row

CATEGORIES = (
    "attribute_identification", "camera_pose_estimation", "counting", "manipulation", "relative_direction",
    "relative_distance",
)  # fmt: skip
FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule all views of the row")}
PROMPTS = {"post": "Please select the correct answer from the options above. \n"}


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The multiple-choice prompt of VLMEvalKit.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return vlmevalkit_prompt(row)


def vlmevalkit_prompt(row: Row) -> str:
    """Hint, question and options of a row with option columns, as VLMEvalKit words them."""
    hint = f"Hint: {row['hint']}\n" if is_text(row.get("hint")) else ""
    options = "".join(f"{letter}. {text}\n" for letter, text in by_letter(columns(row)).items())
    return f"{hint}Question: {row['question']}\nOptions:\n{options}{PROMPTS['post']}"


def columns(row: Row) -> list[str]:
    """Options of the columns A to F, up to the first that is empty."""
    found: list[str] = []
    for letter in "ABCDEF":
        if not is_text(row.get(letter)):
            break
        found.append(str(row[letter]))
    return found


def is_text(value: object) -> bool:
    """Tables hold nothing, NaN or "nan" where a cell is empty."""
    return value is not None and str(value).strip().lower() not in ("", "nan")


def official(judge: Judge) -> Protocol:
    """VLMEvalKit's rule, then a judge."""
    return judged_protocol(_CARD, judge, _SCORER, _MEANS, FIVE_WORDS)


_SCORER = "VLMEvalKit's multiple-choice scorer, of which All-Angles Bench (0e1d210) has a fork"
_CARD = Card(
    name="allangles",
    title="All-Angles Bench",
    fields=("question", "A", "B", "category", "answer"),
    identity=("index",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=columns,
    task_of=lambda row: str(row["category"]),
    expected_rows={"test": 2132},
)
_MEANS = TaskMeans(_CARD.task_of, overall="rows")
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official-no-judge", _SCORER,
        lambda reply, row: inferred_letter(reply, by_letter(columns(row))), _MEANS,
        {**FIVE_WORDS, **NO_JUDGE},
    ),
    _CARD.strict(_MEANS),
    judged={"official": official},
)  # fmt: skip
