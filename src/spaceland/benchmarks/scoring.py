"""From rows and predictions to scores: which rule a row falls under, means, groups, intervals, and what was missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spaceland.benchmarks import sparbench
from spaceland.errors import SpacelandError
from spaceland.version import __version__

PROTOCOLS = {"sparbench": ("official", "strict")}
_RESAMPLES = 1000
_BOX = re.compile(r"\[\s*-?\d[^\[\]]*\]")


class ScoreError(SpacelandError):
    """Rows or predictions that do not fit together."""


@dataclass(frozen=True)
class Sample:
    """One scored row; `score` is 0 to 1. `block` is the task it counts for, or "task/format" outside the benchmark."""

    id: str
    task: str
    block: str
    score: float
    missing: bool


@dataclass(frozen=True)
class ScoreResult:
    """All percentages are 0 to 100; intervals are 95 % percentile bootstrap over the rows of each task.

    `overall` is the unweighted mean over the benchmark's tasks that are present (None when none is), `other` holds rows
    in formats or tasks that the benchmark does not have, `unscored` counts rows without a rule (sentences).
    """

    benchmark: str
    protocol: str
    overall: float | None
    overall_interval: tuple[float, float] | None
    tasks: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    groups: dict[str, float]
    other: dict[str, float]
    counts: dict[str, int]
    missing: dict[str, int]
    unscored: dict[str, int]
    samples: tuple[Sample, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark,
            "protocol": self.protocol,
            "overall": self.overall,
            "overall_interval": self.overall_interval,
            "tasks": self.tasks,
            "groups": self.groups,
            "intervals": self.intervals,
            "other": self.other,
            "counts": self.counts,
            "missing": self.missing,
            "unscored": self.unscored,
            "provenance": self.provenance,
            "per_sample": [
                {"id": s.id, "score": s.score, "task": s.block, **({"missing": True} if s.missing else {})}
                for s in self.samples
            ],
        }


def score_rows(
    benchmark: str,
    rows: Sequence[Mapping[str, Any]],
    predictions: Mapping[str, str],
    protocol: str = "official",
    *,
    seed: int = 0,
) -> ScoreResult:
    """Score predictions.

    Args:
        benchmark: "sparbench".
        rows: Our rows or released SPAR-Bench rows: `id`, `task`, `answer`, and `format` or `format_type`.
        predictions: Reply text by row id. A row without one scores 0 and is counted as missing.
        protocol: "official" or "strict".
        seed: Of the bootstrap.

    Raises:
        ScoreError: unknown benchmark or protocol, duplicate rows, or predictions for rows that do not exist.
    """
    if benchmark not in PROTOCOLS:
        raise ScoreError(f"unknown benchmark '{benchmark}'; known are {', '.join(PROTOCOLS)}")
    if protocol not in PROTOCOLS[benchmark]:
        raise ScoreError(f"{benchmark} has no protocol '{protocol}'; it has {', '.join(PROTOCOLS[benchmark])}")
    for index, row in enumerate(rows, 1):
        lacking = [key for key in ("id", "task", "answer") if key not in row]
        if lacking:
            raise ScoreError(f"row {index} has no {' and no '.join(lacking)}; is this a rows file of {benchmark}?")
    ids = [str(row["id"]) for row in rows]
    doubled = [i for i, n in Counter(ids).items() if n > 1]
    if doubled:
        raise ScoreError(f"{len(doubled)} row ids occur twice, the first is '{doubled[0]}'")
    unknown = sorted(set(predictions) - set(ids))
    if unknown:
        raise ScoreError(f"{len(unknown)} predictions are for rows that do not exist, the first is '{unknown[0]}'")
    samples: list[Sample] = []
    unscored: Counter[str] = Counter()
    for row_id, row in zip(ids, rows, strict=True):
        kind = answer_kind(row)
        if kind is None:
            unscored[f"{row['task']}/{row_format(row)}"] += 1
            continue
        reply = predictions.get(row_id)
        score = 0.0 if reply is None else _score(kind, reply, row, protocol)
        samples.append(Sample(row_id, str(row["task"]), _block(row), score, reply is None))
    return _summarise(benchmark, protocol, samples, dict(unscored), seed)


def row_format(row: Mapping[str, Any]) -> str:
    """fill, select, judge or sentence; by the answer where the row does not say."""
    named = row.get("format") or row.get("format_type")
    if named:
        return str(named)
    return "select" if re.fullmatch(r"[A-D]", str(row["answer"]).strip()) else "fill"


def answer_kind(row: Mapping[str, Any]) -> str | None:
    """Under which rule a row falls: choice, exact, motion, box or number; None for sentences and other free text."""
    format, answer = row_format(row), str(row["answer"]).strip()
    if format == "sentence":
        return None
    if format in ("select", "judge"):
        return "choice" if format == "select" else "exact"
    if row["task"] == "view_change_infer":
        return "motion"
    if _BOX.fullmatch(answer):
        return "box" if answer.count(",") == 3 else "exact"
    if re.fullmatch(r"-?\d+(\.\d+)?", answer):
        return "number"
    return "exact"


def _block(row: Mapping[str, Any]) -> str:
    """The task when the row has the format in which SPAR-Bench asks it, else task and format."""
    task, format = str(row["task"]), row_format(row)
    native = "fill" if task in sparbench.LOW or task == "view_change_infer" else "select"
    return task if task in sparbench.TASKS and format == native else f"{task}/{format}"


def _score(kind: str, reply: str, row: Mapping[str, Any], protocol: str) -> float:
    answer, task, strict = str(row["answer"]), str(row["task"]), protocol == "strict"
    if kind == "choice":
        options = row.get("options") or ()
        return sparbench.strict_choice(reply, answer, options) if strict else sparbench.official_choice(reply, answer)
    if kind == "number":
        unit = (row.get("facts") or {}).get("unit") or ("m" if task in sparbench.LOW else None)
        return (
            sparbench.strict_number(reply, answer, unit) if strict else sparbench.official_number(reply, answer, task)
        )
    if kind == "motion":
        return sparbench.strict_motion(reply, answer) if strict else sparbench.official_motion(reply, answer)
    return sparbench.box_score(reply, answer) if kind == "box" else sparbench.exact_score(reply, answer)


def _summarise(
    benchmark: str, protocol: str, samples: list[Sample], unscored: dict[str, int], seed: int
) -> ScoreResult:
    # Sorted by id, so that neither means nor intervals depend on the order of the rows.
    ordered = sorted(samples, key=lambda sample: sample.id)
    scores: dict[str, list[float]] = {}
    for sample in ordered:
        scores.setdefault(sample.block, []).append(sample.score)
    means = {block: 100 * float(np.mean(values)) for block, values in scores.items()}
    rng = np.random.default_rng(seed)
    resampled = {
        block: _bootstrap_means(np.array(scores[block]), rng) for block in sorted(scores)
    }  # sorted: the stream must not depend on which block was met first
    tasks = {task: means[task] for task in sparbench.TASKS if task in means}
    groups = {}
    for name, members in GROUPS_WITH_BUG.items():
        present = [tasks[task] for task in members if task in tasks]
        if present:
            groups[name] = float(np.mean(present))
    overall_draws = np.mean([resampled[task] for task in tasks], axis=0) if tasks else None
    return ScoreResult(
        benchmark=benchmark,
        protocol=protocol,
        overall=float(np.mean(list(tasks.values()))) if tasks else None,
        overall_interval=_interval(overall_draws) if overall_draws is not None else None,
        tasks=tasks,
        intervals={block: _interval(draws) for block, draws in resampled.items()},
        groups=groups,
        other={block: means[block] for block in sorted(means) if block not in tasks},
        counts={block: len(values) for block, values in sorted(scores.items())},
        missing=dict(Counter(sample.block for sample in ordered if sample.missing)),
        unscored=dict(sorted(unscored.items())),
        samples=tuple(samples),
        provenance={"version": __version__, "num_rows": len(samples) + sum(unscored.values()), "bootstrap_seed": seed},
    )


GROUPS_WITH_BUG = {
    **sparbench.GROUPS,
    sparbench.MIDDLE_BUG: tuple(task for task in sparbench.MIDDLE if task != "view_change_infer"),
}


def _bootstrap_means(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means of `_RESAMPLES` samples with replacement, in percent, drawn in blocks to keep memory flat."""
    block = max(1, 2_000_000 // max(len(scores), 1))
    draws = [
        scores[rng.integers(0, len(scores), (min(block, _RESAMPLES - start), len(scores)))].mean(1)
        for start in range(0, _RESAMPLES, block)
    ]
    return 100 * np.concatenate(draws)


def _interval(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
