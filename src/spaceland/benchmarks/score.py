"""From rows and predictions to a result: do they fit together, what was missing, figures, intervals, provenance.

    rows = [{"id": 1, "question_type": "object_counting", "ground_truth": "4"}]
    score_benchmark("vsibench", rows, {"1": "4."}).overall  # 100.0

Rows are put in the order of their ids before a protocol sees them, so no figure depends on the order of a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.benchmarks.known import ScoreError, find_benchmark
from spaceland.benchmarks.means import TaskMeans, figures, interval
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary
from spaceland.version import __version__

_RESAMPLES = 1000
_RESAMPLED_ROWS = 2_000_000
_FEWEST_RESAMPLES = 100
Interval = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """One scored row; `score` is 0 to 1, `metrics` are the protocol's others."""

    id: str
    task: str
    score: float
    missing: bool
    metrics: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"id": self.id, "score": self.score, "task": self.task}
        if self.metrics:
            found["metrics"] = dict(self.metrics)
        return found | {"missing": True} if self.missing else found


@dataclass(frozen=True)
class ScoreResult:
    """All figures are 0 to 100 (unless the protocol says); intervals are 95 % percentile bootstrap.

    `other` holds rows that the benchmark does not have, `counts` and `missing` rows by task, `unscored` counts rows
    without a rule. `samples` keep the order of the rows. `provenance` says what the figures were made from.
    """

    benchmark: str
    protocol: str
    overall: float | None
    overall_interval: Interval | None
    tasks: dict[str, float | None]
    groups: dict[str, float | None]
    intervals: dict[str, Interval]
    group_intervals: dict[str, Interval]
    other: dict[str, float | None]
    counts: dict[str, int]
    missing: dict[str, int]
    unscored: dict[str, int]
    samples: tuple[Sample, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The result file; docs/scoring.md describes its keys."""
        names = (
            "benchmark", "protocol", "overall", "overall_interval", "tasks", "groups", "intervals", "group_intervals",
            "other", "counts", "missing", "unscored", "provenance",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"per_sample": [s.to_json() for s in self.samples]}


def score_benchmark(
    benchmark: Benchmark | str,
    rows: Sequence[Row],
    predictions: Mapping[str, Reply],
    protocol: str | None = None,
    *,
    subset: str | None = None,
    seed: int = 0,
    resamples: int = _RESAMPLES,
) -> ScoreResult:
    """Score predictions.

    Args:
        benchmark: A benchmark or its name.
        rows: Rows in the released field names.
        predictions: Reply text by row id. A row without one (or with None) is missing: it scores 0 and is counted.
        protocol: Name of a protocol; without one the benchmark's default.
        subset: A part of the rows by name; predictions for the others are put aside.
        seed: Of the bootstrap.
        resamples: Of the bootstrap; 0 for no intervals.

    Raises:
        ScoreError: unknown benchmark, protocol or subset; broken or duplicate rows; predictions for unknown rows.
    """
    benchmark = find_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    rule = find_protocol(benchmark, protocol)
    every = prepare_rows(benchmark, rows)
    unknown = sorted(set(predictions) - every.keys())
    if unknown:
        raise ScoreError(
            f"{len(unknown)} predictions are for rows that do not exist, the first is '{unknown[0]}'; "
            "are these the predictions of other rows?"
        )
    kept, unscored = _kept(benchmark, every, subset)
    ids = sorted(kept)
    ordered = [kept[row_id] for row_id in ids]
    replies = [predictions.get(row_id) for row_id in ids]
    scores = rule.score(ordered, replies)
    _check_scores(rule, ids, scores)
    summary = rule.summarise(ordered, scores)
    tasks = [benchmark.task_of(row) for row in ordered]
    draws = _draws(rule, ordered, scores, tasks, seed, resamples) if ordered else {}
    intervals = {figure: interval(values) for figure, values in draws.items()}
    samples = {
        row_id: Sample(row_id, task, score.score, reply is None, score.metrics)
        for row_id, task, score, reply in zip(ids, tasks, scores, replies, strict=True)
    }
    return ScoreResult(
        benchmark=benchmark.name,
        protocol=rule.name,
        overall=summary.overall,
        overall_interval=intervals.get(("overall", "")),
        tasks=dict(summary.tasks),
        groups=dict(summary.groups),
        intervals={name: found for (part, name), found in intervals.items() if part in ("tasks", "other")},
        group_intervals={name: found for (part, name), found in intervals.items() if part == "groups"},
        other=dict(summary.other),
        counts=dict(sorted(Counter(tasks).items())),
        missing=dict(sorted(Counter(samples[i].task for i in ids if samples[i].missing).items())),
        unscored=dict(sorted(unscored.items())),
        samples=tuple(samples[row_id] for row_id in kept),
        provenance={
            "version": __version__,
            "protocol_id": f"{benchmark.name}@{rule.name}",
            "protocol": rule.about,
            "deviations": dict(rule.deviations),
            "subset": subset,
            "num_rows": len(every),
            "num_scored": len(ids),
            "num_missing": sum(reply is None for reply in replies),
            "expected_rows": dict(benchmark.expected_rows),
            "notes": list(benchmark.notes(ordered)) if benchmark.notes else [],
            "rows_sha256": rows_sha256(every),
            "predictions_sha256": predictions_sha256(predictions),
            "bootstrap": {"seed": seed, "resamples": len(next(iter(draws.values()))) if draws else 0},
        },
    )


def find_protocol(benchmark: Benchmark, name: str | None = None) -> Protocol:
    """A protocol by name, the default without one.

    Raises:
        ScoreError: the benchmark has no such protocol.
    """
    try:
        return benchmark.protocol(name)
    except KeyError:
        known = ", ".join(protocol.name for protocol in benchmark.protocols)
        if name in benchmark.judged:
            raise ScoreError(
                f"the protocol '{name}' of {benchmark.name} needs a judge model: --judge openai:NAME@URL, or "
                f"with_judge in Python; without one it has {known}"
            ) from None
        raise ScoreError(f"{benchmark.name} has no protocol '{name}'; it has {known}") from None


def complete_rows(benchmark: Benchmark, rows: Sequence[Row], files: Mapping[str, Path]) -> Sequence[Row]:
    """Rows with what side files (paths by name) hold about them.

    Raises:
        ScoreError: the benchmark has no use for such a file, or it holds something else.
    """
    unknown = sorted(set(files) - set(benchmark.side_files))
    if unknown:
        known = ", ".join(benchmark.side_files) or "none"
        raise ScoreError(f"{benchmark.name} has no use for a file of '{unknown[0]}'; it takes {known}")
    return benchmark.complete(rows, files) if files and benchmark.complete else rows


def prepare_rows(benchmark: Benchmark, rows: Sequence[Row]) -> dict[str, Row]:
    """Rows in released field names by id, in their order.

    Raises:
        ScoreError: a row is broken, or two have the same id.
    """
    found: dict[str, Row] = {}
    for number, given in enumerate(rows, 1):
        row = benchmark.adapt(given) if benchmark.adapt else given
        problem = benchmark.problem_of(row)
        if problem:
            raise ScoreError(f"row {number} {problem}; is this a rows file of {benchmark.name}?")
        row_id = benchmark.row_id(row)
        if row_id in found:
            raise ScoreError(f"row {number} has the id '{row_id}' of a row before it; ids must not occur twice")
        found[row_id] = row
    return found


def scored_rows(benchmark: Benchmark, rows: Sequence[Row], subset: str | None = None) -> dict[str, Row]:
    """The rows that are scored, by id: of the subset, and with a rule.

    Raises:
        ScoreError: broken or duplicate rows, or an unknown subset.
    """
    return _kept(benchmark, prepare_rows(benchmark, rows), subset)[0]


def _kept(benchmark: Benchmark, rows: Mapping[str, Row], subset: str | None) -> tuple[dict[str, Row], Counter[str]]:
    """Rows to score by id, and how many of each kind have no rule."""
    if subset is not None and subset not in benchmark.subsets:
        known = ", ".join(benchmark.subsets) or "none"
        raise ScoreError(f"{benchmark.name} has no subset '{subset}'; it has {known}")
    inside = benchmark.subsets[subset] if subset else lambda row: True
    kept: dict[str, Row] = {}
    unscored: Counter[str] = Counter()
    for row_id, row in rows.items():
        if not inside(row):
            continue
        kind = benchmark.left_out(row) if benchmark.left_out else None
        if kind is None:
            kept[row_id] = row
        else:
            unscored[kind] += 1
    if subset and not kept:
        raise ScoreError(f"none of the {len(rows)} rows belongs to the subset '{subset}' of {benchmark.name}")
    return kept, unscored


def _check_scores(rule: Protocol, ids: Sequence[str], scores: Sequence[RowScore]) -> None:
    """A protocol that breaks its promise is a fault of ours, not of the user."""
    if len(scores) != len(ids):
        raise ValueError(f"protocol {rule.name} gave {len(scores)} scores for {len(ids)} rows")
    for row_id, score in zip(ids, scores, strict=True):
        if not 0 <= score.score <= 1:
            raise ValueError(f"protocol {rule.name} gave row '{row_id}' the score {score.score}")


def _draws(
    rule: Protocol, rows: Sequence[Row], scores: Sequence[RowScore], tasks: Sequence[str], seed: int, num: int
) -> dict[tuple[str, str], np.ndarray]:
    """Resampled values of every figure; none where the protocol has no bootstrap."""
    if not rule.bootstrap or num <= 0:
        return {}
    rng = np.random.default_rng(seed)
    if isinstance(rule.summarise, TaskMeans):
        return rule.summarise.resampled(rows, scores, num, rng)
    members: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        members.setdefault(task, []).append(index)
    parts = [np.array(members[task]) for task in sorted(members)]
    num = min(num, max(_FEWEST_RESAMPLES, _RESAMPLED_ROWS // len(rows)))
    known: dict[tuple[str, str], list[float]] = {}
    for _ in range(num):
        drawn = np.concatenate([part[rng.integers(0, len(part), len(part))] for part in parts]).tolist()
        summary: Summary = rule.summarise([rows[i] for i in drawn], [scores[i] for i in drawn])
        for figure, value in figures(summary).items():
            if value is not None:
                known.setdefault(figure, []).append(value)
    return {figure: np.array(values) for figure, values in known.items()}


def rows_sha256(rows: Mapping[str, Row]) -> str:
    """Hash of rows by id, whatever their order and the order of their keys."""
    digest = hashlib.sha256()
    encoder = json.JSONEncoder(sort_keys=True, check_circular=False, default=_encode)
    for row_id in sorted(rows):
        digest.update(f"{encoder.encode(dict(rows[row_id]))}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _encode(value: Any) -> str:
    """What JSON does not know: pictures as hashes of their bytes, anything else as printed."""
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


def predictions_sha256(predictions: Mapping[str, Reply]) -> str:
    """Hash of predictions by id, whatever their order; a missing one is as if it were not there."""
    digest = hashlib.sha256()
    for row_id in sorted(predictions):
        reply = predictions[row_id]
        if reply is not None:
            # Lengths keep "a", "bc" apart from "ab", "c".
            digest.update(f"{len(row_id)}:{row_id}{len(reply)}:{reply}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
