"""Multiple choice with a judge, as VLMEvalKit does it: a model says which option is meant where no rule can.

All-Angles Bench and 3DSRBench are scored by VLMEvalKit, and MMSI-Bench falls back on it. Its rule (`inferred_choice`)
goes first and also knows refusals, which are wrong without being asked about. A judge sees question, options and reply
and writes one letter, or Z where the reply means none of the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from spaceland.benchmarks.cards import Card, Rule
from spaceland.benchmarks.choices import NO_OPTION, by_letter, inferred_choice
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.replies import LETTERS
from spaceland.benchmarks.types import Protocol, Reply, Row, RowScore, Summary
from spaceland.chat.types import Generation

GENERATION = Generation(max_tokens=1024, temperature=0.0)
"""Of the judge: VLMEvalKit asks its judge, GPT-3.5 by default, at temperature 0."""
JUDGE_PROMPT = """\
Somebody answered a multiple-choice question in words of their own. Say which of the options they mean, not which one \
is right. Write that option's capital letter and nothing else; write Z if the answer means none of the options.

Question: {question}
Options:
{options}
Answer: {prediction}
Letter:"""
_ANY_LETTER: Mapping[str, str] = dict.fromkeys(LETTERS[:-1], "")
_DEVIATIONS = {
    "no-guess": "the released code draws an option, unseeded, when the judge gave no letter in three tries; here "
    "scoring stops and says so",
    "judge-by-letter": "of what the judge says only the letter is read; the released code also takes an option's text",
}


def asked_about(row: Row, options: Sequence[str], reply: str) -> dict[str, str]:
    """What fills the places of the judge's prompt."""
    lines = "\n".join(f"{letter}. {text}" for letter, text in by_letter(options).items())
    return {"question": str(row["question"]), "options": lines, "prediction": reply}


def read_letter(answer: str) -> str:
    """The only lone capital of a judge's answer, near its end; Z for none of the options.

    >>> read_letter("B"), read_letter("Letter: (C)."), read_letter("Z")
    ('B', 'C', 'Z')

    Raises:
        ValueError: there is none, or more than one.
    """
    letter = inferred_choice(answer, _ANY_LETTER)
    if letter is None:
        raise ValueError("no letter")
    return letter


def judged_protocol(
    card: Card,
    judge: Judge,
    about: str,
    means: Callable[[Sequence[Row], Sequence[RowScore]], Summary],
    deviations: Mapping[str, str],
    *,
    first: Rule | None = None,
    bootstrap: bool = True,
) -> Protocol:
    """The protocol `official`: a benchmark's own rule if it has one (`first`), VLMEvalKit's rule, then the judge."""

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        letters = [
            None if reply is None else (first(reply, row) if first else None) or _by_rule(card, row, reply)
            for row, reply in zip(rows, replies, strict=True)
        ]
        open_ones = [k for k, reply in enumerate(replies) if reply is not None and letters[k] is None]
        prompts = [
            judge.fill("choice", JUDGE_PROMPT, **asked_about(rows[k], card.options_of(rows[k]), str(replies[k])))
            for k in open_ones
        ]
        for k, letter in zip(open_ones, judge.ask(prompts, read_letter, GENERATION), strict=True):
            letters[k] = letter
        return [
            RowScore(float(letter not in (None, NO_OPTION) and letter == card.letter_of(row)))
            for row, letter in zip(rows, letters, strict=True)
        ]

    told = f"{about}, with {judge.about(GENERATION)} in the place of GPT-3.5"
    return Protocol("official", told, score, means, {**deviations, **_DEVIATIONS, **judge.wording("choice")}, bootstrap)


def _by_rule(card: Card, row: Row, reply: str) -> str | None:
    return inferred_choice(reply, by_letter(card.options_of(row)))
