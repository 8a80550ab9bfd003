"""3DSRBench: heights, places, orientations and relations of objects in pictures, plain and circular.

In the circular release every question comes with its options turned round and with its picture mirrored: "VIN6MS3J",
"VIN6MS3J-1", "VIN6MS3J-flip", "VIN6MS3J-flip-1". `official-no-judge` counts a question only when all of them are right;
`plain` and `lmms-eval` average rows. All give all four figures as groups; on rows without variants they are the same.
VLMEvalKit asks a language model about replies that its rule cannot read; with `--judge` the protocol `official` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from spaceland.benchmarks.allangles import PROMPTS as PROMPTS
from spaceland.benchmarks.allangles import columns, vlmevalkit_prompt
from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choice_judge import judged_protocol
from spaceland.benchmarks.choices import FIVE_WORDS, NO_JUDGE, by_letter, inferred_letter, pattern_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.types import Protocol, Row, RowScore, Summary

MAIN = ("height", "location", "orientation", "multi_object")
FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(rule="all", published="rule the picture of the row, mirrored in -flip rows")
}
_TURN = re.compile(r"-\d+$")


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The multiple-choice prompt of VLMEvalKit, which lmms-eval repeats.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return vlmevalkit_prompt(row)


def main_category(row: Row) -> str:
    """height, location, orientation or multi_object, from a name such as location_above; else "other"."""
    return next((name for name in MAIN if str(row["category"]).startswith(f"{name}_")), "other")


def unturned(row: Row) -> str:
    """The question and its mirroring, whatever the turn of the options: "VIN6MS3J-flip-1" to "VIN6MS3J-flip"."""
    return _TURN.sub("", _qid(row))


def unmirrored(row: Row) -> str:
    """The question and its turn, mirrored or not: "VIN6MS3J-flip-1" to "VIN6MS3J-1"."""
    return _qid(row).replace("-flip", "")


def base(row: Row) -> str:
    """The question, whatever its variant."""
    return _TURN.sub("", unmirrored(row))


def _qid(row: Row) -> str:
    return str(row.get("qid") or row["index"])


def summarise(rows: Sequence[Row], scores: Sequence[RowScore], counted: str = "plain") -> Summary:
    """Rows, or questions of which all variants are right; categories are means of the same."""
    keys: dict[str, Callable[[Row], str]] = {
        "plain": lambda row: _CARD.row_id(row),
        "circular": unturned,
        "flip": unmirrored,
        "circular and flip": base,
    }

    def share(key: Callable[[Row], str], keep: Callable[[Row], bool] = lambda row: True) -> float | None:
        right: dict[str, bool] = {}
        for row, score in zip(rows, scores, strict=True):
            if keep(row):
                right[key(row)] = right.get(key(row), True) and score.score == 1
        return 100 * sum(right.values()) / len(right) if right else None

    tasks = sorted({_CARD.task_of(row) for row in rows})
    mains = [name for name in (*MAIN, "other") if any(main_category(row) == name for row in rows)]
    chosen = keys[counted]
    return Summary(
        share(chosen),
        {task: share(chosen, lambda row, task=task: _CARD.task_of(row) == task) for task in tasks},
        {name: share(chosen, lambda row, name=name: main_category(row) == name) for name in mains}
        | {name: share(key) for name, key in keys.items()},
    )


def official(judge: Judge) -> Protocol:
    """VLMEvalKit's rule, then a judge; a question counts when all its variants in the file are right."""
    about = "VLMEvalKit's multiple-choice scorer; a question counts when all its variants in the file are right"
    return judged_protocol(_CARD, judge, about, _all_variants, {**FIVE_WORDS, **_VARIANTS}, bootstrap=False)


def _all_variants(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    return summarise(rows, scores, "circular and flip")


_CARD = Card(
    name="3dsrbench",
    title="3DSRBench",
    fields=("question", "A", "B", "category", "answer"),
    identity=("index",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=columns,
    task_of=lambda row: str(row["category"]),
    expected_rows={"circular (by others)": 11686},
)
_INFER = {**FIVE_WORDS, **NO_JUDGE}
_VARIANTS = {"all-variants": "one wrong variant makes a question wrong: four guesses of two options give 6.25"}
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official-no-judge", "VLMEvalKit's rule; a question counts when all its variants in the file are right",
        lambda reply, row: inferred_letter(reply, by_letter(columns(row))), _all_variants,
        {**_INFER, **_VARIANTS},
        bootstrap=False,
    ),
    _CARD.protocol(
        "plain", "VLMEvalKit's rule, mean of rows",
        lambda reply, row: inferred_letter(reply, by_letter(columns(row))), summarise, _INFER, bootstrap=False,
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7: seven patterns, mean of rows", lambda reply, row: pattern_letter(reply), summarise,
        {"seven-patterns": "the first pattern that matches decides: 'A chair, so (B)' names A"},
        bootstrap=False,
    ),
    _CARD.strict(_all_variants, bootstrap=False),
    judged={"official": official},
)  # fmt: skip
