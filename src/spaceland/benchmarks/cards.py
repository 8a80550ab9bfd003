"""Multiple-choice benchmarks as cards: a few facts, from which the checks, baselines and protocols are made.

CARD = Card(name="demo", title="Demo", identity=("idx",), letter_of=lambda row: row["answer"], ...)
BENCHMARK = CARD.benchmark(CARD.protocol("official", "...", lambda reply, row: first_letter(reply), MEANS))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.replies import LETTERS, said_option
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

Rule = Callable[[str, Row], str | None]
"""The letter that a reply names, as a scorer reads it."""


@dataclass(frozen=True)
class GroupedMeans(TaskMeans):
    """`TaskMeans` with further groups that are means of rows: by data set, by kind of scene. None: in no group."""

    by: Callable[[Row], str | None] = lambda row: None

    def __call__(self, rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
        found = super().__call__(rows, scores)
        kept = self._inside(rows, scores)
        more = TaskMeans(lambda row: str(self.by(row)), metric=self.metric)(*kept).tasks
        return Summary(found.overall, found.tasks, {**found.groups, **more}, found.other)

    def resampled(
        self, rows: Sequence[Row], scores: Sequence[RowScore], num: int, rng: np.random.Generator
    ) -> dict[tuple[str, str], Float[np.ndarray, "num"]]:
        found = super().resampled(rows, scores, num, rng)
        kept = self._inside(rows, scores)
        more = TaskMeans(lambda row: str(self.by(row)), metric=self.metric).resampled(*kept, num, rng)
        return found | {("groups", name): values for (part, name), values in more.items() if part == "tasks"}

    def _inside(self, rows: Sequence[Row], scores: Sequence[RowScore]) -> tuple[list[Row], list[RowScore]]:
        kept = [(row, score) for row, score in zip(rows, scores, strict=True) if self.by(row) is not None]
        return [row for row, _ in kept], [score for _, score in kept]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What makes a multiple-choice benchmark.

    Args:
        fields: What a row must have, besides its identity.
        identity: The field that tells rows apart; several are hashed. A field "id" comes before them.
        letter_of: The right letter; None where the row has none.
        options_of: Texts of the options, without letters.
        task_of: The part that a row is reported under.
        most_options: How many there may be where `options_of` finds none.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    identity: tuple[str, ...]
    letter_of: Callable[[Row], str | None]
    options_of: Callable[[Row], Sequence[str]]
    task_of: Callable[[Row], str]
    most_options: int = 4
    expected_rows: Mapping[str, int] = field(default_factory=dict)

    def row_id(self, row: Row) -> str:
        """`id` where there is one; else the identity field, or the hash of several."""
        if row.get("id") is not None:
            return str(row["id"])
        if len(self.identity) == 1:
            return str(row[self.identity[0]])
        told = json.dumps([row.get(name) for name in self.identity], default=str)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def num_options(self, row: Row) -> int:
        """How many options a row has."""
        return len(self.options_of(row)) or self.most_options

    def problem_of(self, row: Row) -> str | None:
        """What is wrong with a row."""
        lacking = [name for name in self.fields if row.get(name) is None]
        if row.get("id") is None and len(self.identity) == 1 and row.get(self.identity[0]) is None:
            lacking.insert(0, self.identity[0])
        if lacking:
            return f"has no {' and no '.join(lacking)}"
        letter = self.letter_of(row)
        if letter is None or len(letter) != 1 or letter not in LETTERS[: self.num_options(row)]:
            return f"has an answer that is none of its {self.num_options(row)} options"
        return None

    def protocol(
        self,
        name: str,
        about: str,
        rule: Rule,
        means: Callable[[Sequence[Row], Sequence[RowScore]], Summary],
        deviations: Mapping[str, str] | None = None,
        *,
        bootstrap: bool = True,
    ) -> Protocol:
        """A protocol by the letter that its rule reads: 1 for the right one, else 0."""

        def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
            return [
                RowScore(float(reply is not None and rule(reply, row) == self.letter_of(row)))
                for row, reply in zip(rows, replies, strict=True)
            ]

        return Protocol(name, about, score, means, deviations or {}, bootstrap)

    def strict(self, means: Callable[[Sequence[Row], Sequence[RowScore]], Summary], **more: Any) -> Protocol:
        """The same with the letter, or the only option text, that a person would read."""

        def said(reply: str, row: Row) -> str | None:
            return said_option(reply, self.num_options(row), self.options_of(row))

        return self.protocol("strict", "what the reply says, as a person would read it", said, means, **more)

    def benchmark(self, *protocols: Protocol, **more: Any) -> Benchmark:
        """The benchmark; `more` are further fields of `Benchmark`."""
        return Benchmark(
            name=self.name,
            title=self.title,
            protocols=protocols,
            row_id=self.row_id,
            task_of=self.task_of,
            problem_of=self.problem_of,
            expected_rows=self.expected_rows,
            num_options=self.num_options,
            baseline=Baselines(
                gold=lambda row: str(self.letter_of(row)),
                pool_of=lambda row: (self.task_of(row), self.num_options(row)),
                choices=lambda row: LETTERS[: self.num_options(row)],
            ),
            **more,
        )


def check_protocol(benchmark: Benchmark, name: str) -> None:
    """For prompts, which exist for protocols that need a judge too.

    Raises:
        KeyError: the benchmark has no such protocol.
    """
    if name not in benchmark.judged:
        benchmark.protocol(name)


def bare_letter(value: Any) -> str | None:
    """The letter of an answer in any released form: "(C)", "C", "C. left", or a number that counts from 0.

    >>> bare_letter("(C)"), bare_letter("A. left"), bare_letter(2), bare_letter("left")
    ('C', 'A', 'C', None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return LETTERS[value] if 0 <= value < len(LETTERS) else None
    text = str(value).strip().lstrip("(")
    return text[0] if text[:1] in set(LETTERS) and not text[1:2].isalnum() else None
