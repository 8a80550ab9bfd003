"""What holds for every protocol of every known benchmark, on generated rows."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from spaceland.benchmarks import ScoreError, ScoreResult, find_benchmark, score_benchmark
from spaceland.benchmarks.known import KNOWN, benchmark_module

RowsOf = Callable[[str], ModuleType]
ById = Callable[[Any, list[dict[str, Any]], list[str]], dict[str, str]]


def _gold(benchmark: str, rows_of: RowsOf, by_id: ById, num: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    module = rows_of(benchmark)
    rows = module.make_rows(num, 3)
    return rows, by_id(find_benchmark(benchmark), rows, [module.gold(row) for row in rows])


def _mean_of_rows(result: ScoreResult) -> float:
    return 100 * math.fsum(sample.score for sample in result.samples) / len(result.samples)


def test_gold_scores_its_maximum(benchmark: str, protocol: str, rows_of: RowsOf, by_id: ById) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 80)
    result = score_benchmark(benchmark, rows, predictions, protocol, resamples=20)
    least = getattr(rows_of(benchmark), "MAXIMUM", {}).get(protocol, 1.0)
    assert min(sample.score for sample in result.samples) >= least - 1e-9
    if least == 1.0 and result.overall is not None:
        assert result.overall == pytest.approx(100)
    assert result.missing == {}
    assert result.provenance["num_scored"] == len(result.samples) == 80


def test_shuffled_gold_scores_near_chance(benchmark: str, protocol: str, rows_of: RowsOf, by_id: ById) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 300)
    chosen = find_benchmark(benchmark)
    released = [chosen.adapt(row) if chosen.adapt else row for row in rows]
    parts: dict[str, list[str]] = {}
    for row in released:
        parts.setdefault(chosen.task_of(row), []).append(chosen.row_id(row))
    rng, shuffled = random.Random(5), {}
    for ids in parts.values():
        others = list(ids)
        rng.shuffle(others)
        shuffled |= {one: predictions[other] for one, other in zip(ids, others, strict=True)}
    low, high = getattr(rows_of(benchmark), "CHANCE", (0.0, 60.0))
    best = _mean_of_rows(score_benchmark(benchmark, rows, predictions, protocol, resamples=0))
    found = _mean_of_rows(score_benchmark(benchmark, rows, shuffled, protocol, resamples=0))
    assert low <= found <= high
    assert found < best


def test_order_of_rows_does_not_matter(
    benchmark: str, protocol: str, rows_of: RowsOf, by_id: ById, hostile: Callable[[int, int], list[str]]
) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 60)
    predictions |= dict(zip(list(predictions)[::3], hostile(20, 8), strict=True))
    first = score_benchmark(benchmark, rows, predictions, protocol, resamples=20).to_json()
    mixed = list(rows)
    random.Random(2).shuffle(mixed)
    second = score_benchmark(benchmark, mixed, dict(reversed(predictions.items())), protocol, resamples=20).to_json()
    samples = [{sample["id"]: sample for sample in result.pop("per_sample")} for result in (first, second)]
    assert samples[0] == samples[1]
    assert first == second

    # The protocol itself does not hang on the order either: the core's sorting hides nothing.
    chosen = find_benchmark(benchmark)
    rule = chosen.protocol(protocol)
    released = [chosen.adapt(row) if chosen.adapt else row for row in rows]
    replies = [predictions.get(chosen.row_id(row)) for row in released]
    forward = rule.score(released, replies)
    backward = rule.score(released[::-1], replies[::-1])[::-1]
    assert [score.score for score in forward] == pytest.approx([score.score for score in backward])
    sums = [rule.summarise(released, forward), rule.summarise(released[::-1], forward[::-1])]
    assert sums[0].overall == pytest.approx(sums[1].overall)


def test_missing_predictions_are_counted_and_score_nothing(
    benchmark: str, protocol: str, rows_of: RowsOf, by_id: ById
) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 40)
    gone = sorted(predictions)[:7]
    some: dict[str, str | None] = {key: None if key in gone else value for key, value in predictions.items()}
    result = score_benchmark(benchmark, rows, some, protocol, resamples=0)
    assert sum(result.missing.values()) == result.provenance["num_missing"] == 7
    assert {sample.id for sample in result.samples if sample.missing} == set(gone)
    assert all(sample.score == 0 for sample in result.samples if sample.missing)
    absent = {key: value for key, value in predictions.items() if key not in gone}
    assert score_benchmark(benchmark, rows, absent, protocol, resamples=0) == result
    nothing = score_benchmark(benchmark, rows, {}, protocol, resamples=5)
    assert all(sample.score == 0 and sample.missing for sample in nothing.samples)
    json.dumps(nothing.to_json(), allow_nan=False)


def test_ids_must_be_known_and_unique(benchmark: str, rows_of: RowsOf, by_id: ById) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 12)
    with pytest.raises(ScoreError, match="1 predictions are for rows that do not exist, the first is 'nobody'"):
        score_benchmark(benchmark, rows, predictions | {"nobody": "A"})
    with pytest.raises(ScoreError, match=r"row 13 has the id .* of a row before it"):
        score_benchmark(benchmark, [*rows, rows[3]], predictions)
    with pytest.raises(ScoreError, match="row 1 "):
        score_benchmark(benchmark, [{}], {})


def test_result_file_holds_what_is_promised(benchmark: str, protocol: str, rows_of: RowsOf, by_id: ById) -> None:
    rows, predictions = _gold(benchmark, rows_of, by_id, 40)
    result = json.loads(
        json.dumps(score_benchmark(benchmark, rows, predictions, protocol, resamples=20).to_json(), allow_nan=False)
    )
    assert (result["benchmark"], result["protocol"]) == (benchmark, protocol)
    assert all(set(sample) >= {"id", "score"} and 0 <= sample["score"] <= 1 for sample in result["per_sample"])
    provenance = result["provenance"]
    assert provenance["protocol_id"] == f"{benchmark}@{protocol}"
    assert provenance["num_rows"] == 40
    assert provenance["expected_rows"] == dict(find_benchmark(benchmark).expected_rows)
    assert len(provenance["rows_sha256"]) == len(provenance["predictions_sha256"]) == 64
    for name, (low, high) in result["intervals"].items():
        value = {**result["tasks"], **result["other"]}[name]
        assert low - 1e-9 <= value <= high + 1e-9


def test_every_protocol_has_a_prompt_and_says_what_is_odd(benchmark: str, protocol: str, rows_of: RowsOf) -> None:
    rule = find_benchmark(benchmark).protocol(protocol)
    assert rule.about
    assert all(name == name.lower() and " " not in name and line for name, line in rule.deviations.items())
    for row in rows_of(benchmark).make_rows(24, 1):
        text = benchmark_module(benchmark).prompt(row, protocol)
        assert isinstance(text, str)
        assert text.strip()


def test_names_of_protocols() -> None:
    for name in KNOWN:
        benchmark = find_benchmark(name)
        names = [protocol.name for protocol in benchmark.protocols]
        assert benchmark.name == name
        assert names[0] in ("official", "official-no-judge")
        assert len(set(names)) == len(names)
        assert "strict" in names


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(ScoreError, match="unknown benchmark 'vsibensh'; did you mean 'vsibench'"):
        score_benchmark("vsibensh", [], {})
    with pytest.raises(ScoreError, match="vsibench has no protocol 'kind'; it has official, lmms-eval"):
        score_benchmark("vsibench", [], {}, "kind")
    with pytest.raises(ScoreError, match="sparbench has no subset 'debiased'; it has none"):
        score_benchmark("sparbench", [], {}, subset="debiased")
