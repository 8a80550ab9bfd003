"""Results side by side on the same rows: figures, paired differences, and where they disagree.

    a, b = load_results([Path("a.json"), Path("b.json")])
    compared = compare([a, b])
    compared.differences[0][("overall", "")]      # (b minus a, (low, high))

An interval that holds 0 means that the rows do not tell the two apart. It is narrower than the two intervals of the
results suggest, because both were asked the same questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spaceland.benchmarks.known import ScoreError
from spaceland.evaluation.loaded import Figure, Formula, Loaded

RIGHT = 0.5
"""From this score on a reply counts as right where right and wrong are counted."""
_RESAMPLES = 2000


@dataclass(frozen=True)
class Disagreement:
    """Rows that two results score differently: counts, and ids with the largest difference first."""

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    by_task: Mapping[str, tuple[int, int]]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """`figures` of every result on `ids`; `differences` and `disagreements` of each other one with the first."""

    results: tuple[Loaded, ...]
    ids: tuple[str, ...]
    figures: tuple[Mapping[Figure, float | None], ...]
    differences: tuple[Mapping[Figure, tuple[float, tuple[float, float]]], ...]
    disagreements: tuple[Disagreement, ...]
    num_left_out: int

    def to_json(self) -> dict[str, Any]:
        """What `spaceland compare --json` writes."""
        first = self.results[0]
        return {
            "benchmark": first.benchmark,
            "protocol": first.protocol,
            "num_rows": len(self.ids),
            "num_left_out": self.num_left_out,
            "results": [
                {"name": result.name, "figures": _named(figures)}
                for result, figures in zip(self.results, self.figures, strict=True)
            ],
            "against": first.name,
            "differences": [
                {
                    "name": result.name,
                    "figures": _named({key: {"difference": d, "interval": list(i)} for key, (d, i) in found.items()}),
                    "both_right": apart.both_right,
                    "only_first_right": apart.only_first,
                    "only_second_right": apart.only_second,
                    "both_wrong": apart.both_wrong,
                    "disagree": list(apart.ids),
                }
                for result, found, apart in zip(self.results[1:], self.differences, self.disagreements, strict=True)
            ],
        }


def compare(results: Sequence[Loaded], *, common: bool = False, seed: int = 0) -> Comparison:
    """Compare results with the first of them.

    Args:
        results: Of one benchmark under one protocol.
        common: Look only at rows that all of them have, instead of refusing others.
        seed: Of the bootstrap.

    Raises:
        ScoreError: other benchmarks, protocols or rows, or figures that cannot be had for fewer rows.
    """
    first = results[0]
    for other in results[1:]:
        for what in ("benchmark", "protocol"):
            if getattr(other, what) != getattr(first, what):
                raise ScoreError(
                    f"{first.path} and {other.path} are of different {what}s ({getattr(first, what)}, "
                    f"{getattr(other, what)}); their figures do not compare"
                )
    shared = set(first.samples).intersection(*(result.samples for result in results[1:]))
    every = set(first.samples).union(*(result.samples for result in results[1:]))
    if shared != every and not common:
        odd = next(result for result in results if set(result.samples) != shared)
        raise ScoreError(
            f"the results are not about the same rows: {len(every)} in all, {len(shared)} in each; {odd.path} has "
            f"{len(odd.samples)}. Give --common to look at the shared ones"
        )
    if not shared:
        raise ScoreError("the results share no row; they cannot be compared")
    for other in results[1:]:
        if shared == every and other.rows_sha256 != first.rows_sha256:
            raise ScoreError(
                f"{first.path} and {other.path} have rows of the same ids with other content (hashes differ); score "
                "both against the same rows first"
            )
    ids = tuple(sorted(shared))
    formulas = [Formula(result) for result in results]
    if shared == every:
        figures: list[Mapping[Figure, float | None]] = [result.figures for result in results]
    else:
        found = [formula.values(ids) for formula in formulas]
        if not all(("overall", "") in values for values in found):
            raise ScoreError(
                f"figures of {first.benchmark}@{first.protocol} for the shared rows alone cannot be had from the "
                "results; score predictions of the shared rows again"
            )
        figures = list(found)
    return Comparison(
        results=tuple(results),
        ids=ids,
        figures=tuple(figures),
        differences=tuple(formulas[0].difference(other, ids, num=_RESAMPLES, seed=seed) for other in formulas[1:]),
        disagreements=tuple(_disagreement(first, other, ids) for other in results[1:]),
        num_left_out=len(every) - len(shared),
    )


def _disagreement(first: Loaded, second: Loaded, ids: Sequence[str]) -> Disagreement:
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    by_task: dict[str, list[int]] = {}
    apart: dict[str, float] = {}
    for row_id in ids:
        one, two = first.samples[row_id], second.samples[row_id]
        right = one.score >= RIGHT, two.score >= RIGHT
        counts[right] += 1
        task = by_task.setdefault(one.task, [0, 0])
        if right[0] != right[1]:
            task[0 if right[0] else 1] += 1
        if one.score != two.score:
            apart[row_id] = abs(one.score - two.score)
    return Disagreement(
        both_right=counts[True, True],
        only_first=counts[True, False],
        only_second=counts[False, True],
        both_wrong=counts[False, False],
        by_task={task: (pair[0], pair[1]) for task, pair in sorted(by_task.items())},
        ids=tuple(sorted(apart, key=lambda row_id: (-apart[row_id], row_id))),
    )


def _named(figures: Mapping[Figure, Any]) -> dict[str, Any]:
    """Figures by part and name as nested objects."""
    found: dict[str, Any] = {"overall": figures.get(("overall", "")), "tasks": {}, "groups": {}}
    for (part, name), value in figures.items():
        if part != "overall":
            found[part][name] = value
    return found
