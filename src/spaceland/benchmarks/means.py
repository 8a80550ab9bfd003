"""Figures that are means of means, and their bootstrap.

Most benchmarks average rows to cells (a question type), cells to tasks, tasks to groups and to an overall figure.
`TaskMeans` says which, and is the `summarise` of a protocol:

    TaskMeans(lambda row: row["category"])                      # every category is a task; overall is their mean
    TaskMeans(lambda row: row["category"], overall="rows")      # overall is the mean of all rows
    TaskMeans(cell_of, tasks={"direction": ("easy", "hard")})   # a task is the mean of its cells

Since nothing but means of cells enters, resamples need no second look at the rows: every cell is drawn on its own, and
the same formulas go over arrays of resampled means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.types import Row, RowScore, Summary

_FEW_VALUES = 64
_MANY_ROWS = 5000
_BLOCK = 2_000_000


@dataclass(frozen=True)
class TaskMeans:
    """Percentages as means of means; call it as `summarise`.

    Args:
        cell_of: The finest part that a row counts for.
        tasks: Cells of every task, in the order of the result; those without rows do not enter. None: cells are tasks,
            sorted by name. Cells of no task are reported in `Summary.other`.
        groups: Tasks of every group; a group is the mean of its tasks that have rows.
        overall: Mean of the tasks, or of all rows that belong to a task.
        whole: Tasks that need all their cells; where one has no rows, the others count as tasks of their own.
        metric: Name in `RowScore.metrics` to average instead of `score`; None counts as 0.
    """

    cell_of: Callable[[Row], str]
    tasks: Mapping[str, Sequence[str]] | None = None
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    overall: Literal["tasks", "rows"] = "tasks"
    whole: Collection[str] = ()
    metric: str | None = None

    def __call__(self, rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
        cells = self._cells(rows, scores)
        means = {cell: 100 * float(np.mean(values)) for cell, values in cells.items()}
        overall, tasks, groups, other = self._combine(means, {cell: len(values) for cell, values in cells.items()})

        def plain(values: Mapping[str, Any]) -> dict[str, float | None]:
            return {name: float(value) for name, value in values.items()}

        return Summary(None if overall is None else float(overall), plain(tasks), plain(groups), plain(other))

    def resampled(
        self, rows: Sequence[Row], scores: Sequence[RowScore], num: int, rng: np.random.Generator
    ) -> dict[tuple[str, str], Float[np.ndarray, "num"]]:
        """`num` values of every figure when rows are drawn anew within their cells; keys as in `figures`."""
        cells = self._cells(rows, scores)
        # Sorted: the stream of random numbers must not depend on which cell was met first.
        draws = {cell: 100 * bootstrap_means(np.array(cells[cell]), num, rng) for cell in sorted(cells)}
        overall, tasks, groups, other = self._combine(draws, {cell: len(values) for cell, values in cells.items()})
        found = {("overall", ""): overall} if overall is not None else {}
        for part, values in (("tasks", tasks), ("groups", groups), ("other", other)):
            found |= {(part, name): value for name, value in values.items()}
        return found

    def _cells(self, rows: Sequence[Row], scores: Sequence[RowScore]) -> dict[str, list[float]]:
        cells: dict[str, list[float]] = {}
        for row, score in zip(rows, scores, strict=True):
            value = score.score if self.metric is None else score.metrics.get(self.metric) or 0.0
            cells.setdefault(self.cell_of(row), []).append(value)
        return cells

    def _combine(self, means: Mapping[str, Any], counts: Mapping[str, int]) -> tuple[Any, dict, dict, dict]:
        """Overall, tasks, groups and other, from the means of cells: numbers, or arrays of resamples."""
        members = {cell: (cell,) for cell in sorted(means)} if self.tasks is None else dict(self.tasks)
        for task in self.whole:
            if not all(cell in means for cell in members[task]):
                members |= {cell: (cell,) for cell in members.pop(task)}
        present = {task: [cell for cell in cells if cell in means] for task, cells in members.items()}
        present = {task: cells for task, cells in present.items() if cells}
        tasks = {task: np.mean([means[cell] for cell in cells], axis=0) for task, cells in present.items()}
        groups = {}
        for name, names in self.groups.items():
            values = [tasks[task] for task in names if task in tasks]
            if values:
                groups[name] = np.mean(values, axis=0)
        inside = sorted({cell for cells in present.values() for cell in cells})
        other = {cell: means[cell] for cell in sorted(set(means) - set(inside))}
        if not tasks:
            return None, tasks, groups, other
        if self.overall == "tasks":
            return np.mean(list(tasks.values()), axis=0), tasks, groups, other
        weights = [counts[cell] for cell in inside]
        return np.average([means[cell] for cell in inside], axis=0, weights=weights), tasks, groups, other


def figures(summary: Summary) -> dict[tuple[str, str], float | None]:
    """All figures of a summary by (part, name); the overall one is ("overall", "")."""
    found: dict[tuple[str, str], float | None] = {("overall", ""): summary.overall}
    for part in ("tasks", "groups", "other"):
        found |= {(part, name): value for name, value in getattr(summary, part).items()}
    return found


def bootstrap_means(values: Float[np.ndarray, "n"], num: int, rng: np.random.Generator) -> Float[np.ndarray, "num"]:
    """Means of `num` samples of n values drawn with replacement; memory does not grow with `num`.

    Where many rows share few values (right or wrong, ten thresholds), how often each of them comes is drawn directly.
    """
    n = len(values)
    if n > _MANY_ROWS:
        distinct, counts = np.unique(values, return_counts=True)
        if len(distinct) <= _FEW_VALUES:
            return rng.multinomial(n, counts / n, num) @ distinct / n
    block = max(1, _BLOCK // max(n, 1))
    return np.concatenate(
        [values[rng.integers(0, n, (min(block, num - start), n))].mean(1) for start in range(0, num, block)]
    )


def interval(draws: Float[np.ndarray, "num"]) -> tuple[float, float]:
    """The 95 % percentile interval."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
