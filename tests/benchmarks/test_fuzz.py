"""Hostile replies: nothing is raised, every score lies in 0 to 1, and time grows no faster than length."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import ModuleType

import pytest

from spaceland.benchmarks import find_benchmark

_BATCH = 40


def _fuzz(benchmark: str, protocol: str, rows_of: Callable[[str], ModuleType], replies: list[str]) -> None:
    chosen = find_benchmark(benchmark)
    rule = chosen.protocol(protocol)
    given = rows_of(benchmark).make_rows(_BATCH, 11)
    rows = [chosen.adapt(row) if chosen.adapt else row for row in given]
    for start in range(0, len(replies), _BATCH):
        batch = replies[start : start + _BATCH]
        # Turned on by one row a batch, so that every kind of row meets every kind of reply.
        turn = start // _BATCH % _BATCH
        shown = (rows[turn:] + rows[:turn])[: len(batch)]
        scores = rule.score(shown, batch)
        assert all(0 <= score.score <= 1 for score in scores)
        summary = rule.summarise(shown, scores)
        assert summary.overall is None or math.isfinite(summary.overall)


def test_two_thousand_hostile_replies(
    benchmark: str, protocol: str, rows_of: Callable[[str], ModuleType], hostile: Callable[[int, int], list[str]]
) -> None:
    _fuzz(benchmark, protocol, rows_of, hostile(2_000, 7))


@pytest.mark.heavy
def test_a_hundred_thousand_hostile_replies(
    benchmark: str, protocol: str, rows_of: Callable[[str], ModuleType], hostile: Callable[[int, int], list[str]]
) -> None:
    _fuzz(benchmark, protocol, rows_of, hostile(100_000, 7))


@pytest.mark.heavy
def test_long_replies_cost_no_more_than_linear_time(
    benchmark: str, protocol: str, rows_of: Callable[[str], ModuleType], monsters: list[str]
) -> None:
    """60,000 characters: a quadratic rule would need 3.6 billion steps, minutes; a linear one milliseconds."""
    chosen = find_benchmark(benchmark)
    rule = chosen.protocol(protocol)
    first_of_task = {}
    for row in rows_of(benchmark).make_rows(_BATCH, 11):
        row = chosen.adapt(row) if chosen.adapt else row
        first_of_task.setdefault(chosen.task_of(row), row)
    rows = list(first_of_task.values())[:12]
    for monster in monsters:
        started = time.process_time()
        rule.score(rows, [monster] * len(rows))
        assert time.process_time() - started < 6, f"{monster[:20]!r}..."
