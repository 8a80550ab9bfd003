"""MMSI-Bench: 1,000 questions on two to ten pictures, eleven types; options stand inside the question.

A reply without a letter goes to a language model in the released code, "by the default settings of VLMEvalKit". The
default here, `official-no-judge`, counts it as wrong; with `--judge` the protocol `official` asks one.
"""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choice_judge import judged_protocol
from spaceland.benchmarks.choices import FIVE_WORDS, options_in_text, quoted_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.types import Protocol, Row
from spaceland.benchmarks.vlmevalkit import option_letter

FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule all pictures of the row")}
PROMPTS = {
    "post": (
        "\nAnswer with the option's letter from the given choices directly. Enclose the option's letter within ``."
    ),
}


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The question with its options, and how to answer.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return str(row["question"]) + PROMPTS["post"]


def official(judge: Judge) -> Protocol:
    """The released rule, then VLMEvalKit's, then a judge."""
    return judged_protocol(
        _CARD,
        judge,
        "the scorer of MMSI-Bench (InternRobotics, 2025-08-08)",
        _MEANS,
        {
            **_QUOTED,
            **FIVE_WORDS,
            "options-of-the-question": "rows have no fields of options; VLMEvalKit's rule and the judge get those that "
            "stand in the question",
        },
        first=lambda reply, row: quoted_letter(reply),
    )


def _task_of(row: Row) -> str:
    """Category names hold an en dash in the release; a hyphen is the same."""
    return str(row["question_type"]).replace("\u2013", "-")


_CARD = Card(
    name="mmsi",
    title="MMSI-Bench",
    fields=("id", "question_type", "question", "answer"),
    identity=("id",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: options_in_text(str(row["question"])),
    task_of=_task_of,
    expected_rows={"test": 1000},
)
_MEANS = TaskMeans(_task_of, overall="rows")
_QUOTED = {
    "quotes": "the first ``..``, then the first `..`, then the first {..} in it is all that is looked at",
    "word-after": "a capital with a blank and a letter after it does not count: '``B is right``' names nothing",
}
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official-no-judge", "the scorer of MMSI-Bench (InternRobotics, 2025-08-08) without its language model",
        lambda reply, row: quoted_letter(reply), _MEANS,
        {**_QUOTED, "no-judge": "a model would be asked about replies without a letter; here they are wrong"},
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7: the same with the letters A to D",
        lambda reply, row: quoted_letter(reply, "A-D"), _MEANS, _QUOTED,
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit (EASI, not circular) by rules without a judge",
        lambda reply, row: option_letter(reply), _MEANS,
    ),
    _CARD.strict(_MEANS),
    judged={"official": official},
)  # fmt: skip
