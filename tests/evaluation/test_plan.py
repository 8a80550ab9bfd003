"""What is asked of every benchmark: each protocol has words for each row, and a policy for pictures."""

from __future__ import annotations

import importlib

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import KNOWN, benchmark_module
from spaceland.evaluation.frames import policy_of
from spaceland.evaluation.plan import make_plan


@pytest.mark.parametrize("benchmark", sorted(KNOWN))
def test_every_protocol_can_be_asked(benchmark: str) -> None:
    rows = importlib.import_module(f"rows_{benchmark.replace('-', '_')}").make_rows(12, 4)
    for rule in find_benchmark(benchmark).protocols:
        plan = make_plan(benchmark, rows, None, protocol=rule.name)
        assert plan.items and all(item.prompt.strip() for item in plan.items)
        assert len({item.prompt_sha256 for item in plan.items}) == len({item.prompt for item in plan.items})
        policy = policy_of(benchmark_module(benchmark), rule.name)
        assert policy.indices(200) == sorted(policy.indices(200)) and 1 <= policy.num <= 64
        assert policy.to_json()["rule"]


def test_limits_are_nested_and_the_same_for_all(rows: list[dict[str, object]]) -> None:
    small, large = (make_plan("vsibench", rows, None, limit=limit) for limit in (5, 12))
    assert small.rows.keys() < large.rows.keys() and len(large.items) == 12
    again = make_plan("vsibench", rows[::-1], None, limit=5)
    assert again.rows.keys() == small.rows.keys()
