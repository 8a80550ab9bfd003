"""Results read back from their files: those of `evaluate` and `rescore`, and those of `score --json`.

Both hold a score for every row. Where figures are means of means, the part of each row (its cell) is in the file too,
so figures of fewer rows and paired intervals can be had without the rows themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.benchmarks.known import ScoreError, find_benchmark
from spaceland.benchmarks.means import TaskMeans, bootstrap_means
from spaceland.benchmarks.types import RowScore
from spaceland.errors import SceneError
from spaceland.files import read_json

Figure = tuple[str, str]
"""Part ("overall", "tasks", "groups") and name of a figure."""
_AGREE = 1e-6


@dataclass(frozen=True)
class Scored:
    """A row's score under one protocol; `prediction` is None where there is none, or the file does not say."""

    task: str
    score: float
    cell: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    prediction: str | None = None


@dataclass(frozen=True)
class Loaded:
    """A result under one protocol. `figures` and `intervals` are as reported, 0 to 100, None where there is none."""

    name: str
    path: Path
    benchmark: str
    protocol: str
    protocols: tuple[str, ...]
    figures: Mapping[Figure, float | None]
    intervals: Mapping[Figure, tuple[float, float]]
    samples: Mapping[str, Scored]
    rows_sha256: str | None
    about: Mapping[str, Any]


def load_result(path: Path, protocol: str | None = None) -> Loaded:
    """Read a result.

    Args:
        path: The file.
        protocol: Which figures; the file's first without one.

    Raises:
        SceneError: missing, no JSON, or no result.
        ScoreError: it has no figures of the protocol, or the benchmark is unknown.
    """
    data = read_json(path)
    if not isinstance(data, dict) or "benchmark" not in data:
        raise SceneError(f"{path} is no result; give a file that spaceland evaluate, rescore or score --json wrote")
    find_benchmark(str(data["benchmark"]))
    try:
        return _load(path, data, protocol)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(f"{path} is no whole result ({type(error).__name__}: {error}); make it again") from error


def _load(path: Path, data: dict[str, Any], protocol: str | None) -> Loaded:
    by_name = data["protocols"] if "protocols" in data else {data["protocol"]: data}
    chosen = protocol or data.get("protocol") or next(iter(by_name))
    if chosen not in by_name:
        raise ScoreError(f"{path} has no figures under {chosen}; it has {', '.join(by_name)}")
    figures = by_name[chosen]
    if "format" in data:
        samples = {
            str(row["id"]): Scored(
                str(row["task"]),
                float(row["scores"][chosen]),
                row["cells"].get(chosen) if isinstance(row.get("cells"), dict) else row.get("cells"),
                row.get("metrics", {}).get(chosen, {}),
                row.get("prediction"),
            )
            for row in data["per_sample"]
            if chosen in row["scores"]
        }
    else:
        samples = {
            str(row["id"]): Scored(str(row["task"]), float(row["score"]), None, row.get("metrics", {}))
            for row in figures["per_sample"]
        }
    model = data.get("model") or {}
    label = f"{model['name']}{' (blind)' if model.get('blind') else ''}" if model.get("name") else path.stem
    found: dict[Figure, float | None] = {("overall", ""): figures["overall"]}
    intervals: dict[Figure, tuple[float, float]] = {}
    if figures.get("overall_interval"):
        intervals["overall", ""] = tuple(figures["overall_interval"])
    for part, bounds in (("tasks", "intervals"), ("groups", "group_intervals")):
        found |= {(part, name): value for name, value in figures[part].items()}
        intervals |= {(part, name): tuple(pair) for name, pair in figures[bounds].items() if name in figures[part]}
    return Loaded(
        name=label,
        path=path,
        benchmark=str(data["benchmark"]),
        protocol=chosen,
        protocols=tuple(by_name),
        figures=found,
        intervals=intervals,
        samples=samples,
        rows_sha256=figures["provenance"]["rows_sha256"],
        about={key: value for key, value in data.items() if key not in ("per_sample", "protocols")},
    )


def load_results(paths: Sequence[Path], protocol: str | None = None) -> list[Loaded]:
    """Read results, and give those that share a name one of their own.

    Raises:
        SceneError, ScoreError: as `load_result`.
    """
    results = [load_result(path, protocol) for path in paths]
    names = [result.name for result in results]
    return [
        replace(result, name=f"{result.name} ({_place(result.path)})") if names.count(result.name) > 1 else result
        for result in results
    ]


def _place(path: Path) -> str:
    return path.parent.name if path.stem == "result" else path.stem


class Formula:
    """Figures as linear functions of row scores, for the rows of one result.

    Differences of figures are then figures of differences, and so are their bootstrap intervals: rows are drawn once
    for both results. Figures that no mean of row scores gives (metrics over a whole corpus) are left out.
    """

    def __init__(self, result: Loaded) -> None:
        self._samples = result.samples
        self._means: TaskMeans | None = None
        known = {rule.name: rule.summarise for rule in find_benchmark(result.benchmark).protocols}
        cells = all(sample.cell is not None for sample in result.samples.values())
        # A subclass may do more than average.
        means = known.get(result.protocol)
        if type(means) is TaskMeans and cells:
            self._means = replace(means, cell_of=lambda row: str(row["cell"]))
        self._reported = result.figures

    def values(self, ids: Sequence[str]) -> dict[Figure, float]:
        """Figures of some rows."""
        scores = np.array([self._score(i, self._metric) for i in ids])
        return {key: float(100 * weights @ scores) for key, weights in self._weights(ids).items()}

    def difference(
        self, other: Formula, ids: Sequence[str], *, num: int, seed: int
    ) -> dict[Figure, tuple[float, tuple[float, float]]]:
        """Figures of the other minus these on the same rows, each with its 95 % interval."""
        here, there = self._weights(ids), other._weights(ids)
        keys = [key for key in here if key in there]
        if not keys:
            return {}
        change = np.array([other._score(i, other._metric) - self._score(i, self._metric) for i in ids])
        if self._means is not None:
            rows = [{"cell": self._samples[i].cell} for i in ids]
            # The metric is looked up by _score already.
            draws = replace(self._means, metric=None).resampled(
                rows, [RowScore(value) for value in change.tolist()], num, np.random.default_rng(seed)
            )
            bounds = {key: np.percentile(draws[key], [2.5, 97.5]) for key in keys if key in draws}
        else:
            bounds = {key: self._bounds(change, ids, here[key], num, seed) for key in keys}
        return {
            key: (float(100 * here[key] @ change), (float(bounds[key][0]), float(bounds[key][1])))
            for key in keys
            if key in bounds
        }

    @property
    def _metric(self) -> str | None:
        return self._means.metric if self._means is not None else None

    def _score(self, row_id: str, metric: str | None) -> float:
        sample = self._samples[row_id]
        return sample.score if metric is None else float(sample.metrics.get(metric) or 0.0)

    def _weights(self, ids: Sequence[str]) -> dict[Figure, np.ndarray]:
        """Weights of rows in every figure; they sum to 1."""
        if self._means is not None:
            found = self._cell_weights(ids)
            if len(ids) < len(self._samples):
                return found
            scores = np.array([self._score(i, self._metric) for i in ids])
            return {key: w for key, w in found.items() if _agrees(float(100 * w @ scores), self._reported.get(key))}
        tasks: dict[str, list[int]] = {}
        for index, row_id in enumerate(ids):
            tasks.setdefault(self._samples[row_id].task, []).append(index)
        weights = {("tasks", name): _share(members, len(ids)) for name, members in tasks.items()}
        candidates = [np.full(len(ids), 1 / len(ids)), np.mean(list(weights.values()), axis=0)]
        every = list(self._samples)
        if sorted(every) != sorted(ids):
            return {}
        scores = np.array([self._samples[i].score for i in ids])
        weights = {key: w for key, w in weights.items() if _agrees(float(100 * w @ scores), self._reported.get(key))}
        whole = next((w for w in candidates if _agrees(float(100 * w @ scores), self._reported["overall", ""])), None)
        return weights | ({("overall", ""): whole} if whole is not None else {})

    def _cell_weights(self, ids: Sequence[str]) -> dict[Figure, np.ndarray]:
        """Weights through the benchmark's own formula: that of a cell is the figure when it alone scores 1."""
        assert self._means is not None
        members: dict[str, list[int]] = {}
        for index, row_id in enumerate(ids):
            members.setdefault(str(self._samples[row_id].cell), []).append(index)
        rows = [{"cell": cell} for cell, inside in members.items() for _ in inside]
        found: dict[Figure, np.ndarray] = {}
        plain = replace(self._means, metric=None)
        for cell, inside in members.items():
            summary = plain(rows, [RowScore(float(row["cell"] == cell)) for row in rows])
            named = {("overall", ""): summary.overall} | {
                (part, name): value for part in ("tasks", "groups") for name, value in getattr(summary, part).items()
            }
            for key, value in named.items():
                if value is not None:
                    found.setdefault(key, np.zeros(len(ids)))[inside] = value / 100 / len(inside)
        return found

    def _bounds(self, change: np.ndarray, ids: Sequence[str], weights: np.ndarray, num: int, seed: int) -> np.ndarray:
        """Interval of a weighted mean, rows drawn within tasks."""
        rng = np.random.default_rng(seed)
        tasks: dict[str, list[int]] = {}
        for index, row_id in enumerate(ids):
            if weights[index]:
                tasks.setdefault(self._samples[row_id].task, []).append(index)
        total = np.zeros(num)
        for task in sorted(tasks):
            inside = np.array(tasks[task])
            total += 100 * weights[inside].sum() * bootstrap_means(change[inside], num, rng)
        return np.percentile(total, [2.5, 97.5])


def _share(members: Sequence[int], num: int) -> np.ndarray:
    weights = np.zeros(num)
    weights[list(members)] = 1 / len(members)
    return weights


def _agrees(value: float, reported: float | None) -> bool:
    return reported is not None and abs(value - reported) < _AGREE
