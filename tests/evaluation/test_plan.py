"""What is asked of every benchmark: each protocol has words for each row, and a policy for pictures."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import KNOWN, ScoreError, benchmark_module
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


def test_a_number_of_frames_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    rows = importlib.import_module("rows_mindcube").make_rows(4, 1)
    (tmp_path / "a.png").write_bytes(b"any")
    own = [{**row, "images": ["a.png"]} for row in rows]
    assert len(make_plan("mindcube", own, tmp_path).items) == 4
    with pytest.raises(ScoreError, match="bring their own pictures"):
        make_plan("mindcube", own, tmp_path, frames=8)
    # With a video among them the number means something.
    (tmp_path / "v.mp4").write_bytes(b"any")
    mixed = [{**own[0], "images": None, "video": "v.mp4"}, *own[1:]]
    plan = make_plan("mindcube", mixed, tmp_path, frames=8)
    assert plan.policy is not None and plan.policy.num == 8


def test_limits_are_nested_and_the_same_for_all(rows: list[dict[str, object]]) -> None:
    small, large = (make_plan("vsibench", rows, None, limit=limit) for limit in (5, 12))
    assert small.rows.keys() < large.rows.keys() and len(large.items) == 12
    again = make_plan("vsibench", rows[::-1], None, limit=5)
    assert again.rows.keys() == small.rows.keys()
