"""What a benchmark is: rows, protocols that score replies to them, and how scores become the published figures.

A protocol is a rule that somebody uses: `official` is the released scorer with its faults, `strict` what it should have
been, others are named after the code that uses them. Each is two functions:

    score(rows, replies)      -> a RowScore for every row, in order (rules over a whole corpus see all rows at once)
    summarise(rows, scores)   -> Summary: overall, tasks and groups, 0 to 100

Both are pure, know no files, and never evaluate what a model wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
"""A row in the released field names."""
Reply = str | None
"""What a model wrote for a row; None where there is no prediction."""


@dataclass(frozen=True)
class RowScore:
    """`score` is the row's main metric, 0 to 1; `metrics` holds others by name, 0 to 1 unless the protocol says."""

    score: float
    metrics: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """Published figures, 0 to 100 (unless the protocol says); None where a metric could not be computed."""

    overall: float | None
    tasks: Mapping[str, float | None] = field(default_factory=dict)
    groups: Mapping[str, float | None] = field(default_factory=dict)
    other: Mapping[str, float | None] = field(default_factory=dict)
    """Figures of rows that the benchmark itself does not have (a dataset of ours, say); they count for nothing else."""


@dataclass(frozen=True)
class Protocol:
    """A scoring rule. `deviations` names, one line each, where it does something else than one would expect.

    `summarise` is best an instance of `spaceland.benchmarks.means.TaskMeans` where figures are means of means: its
    bootstrap is fast. Any other function is called again for every resample. `bootstrap` is False for a rule over the
    whole corpus, whose value on rows drawn twice would mean nothing; then there are no intervals.
    """

    name: str
    about: str
    score: Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]
    summarise: Callable[[Sequence[Row], Sequence[RowScore]], Summary]
    deviations: Mapping[str, str] = field(default_factory=dict)
    bootstrap: bool = True


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: how its rows are told apart and grouped, and its protocols (the first is the default).

    `row_id` gives the id that predictions name; `task_of` the task a row belongs to; `problem_of` says in words what is
    wrong with a row (None: nothing). `expected_rows` are the published row counts by split, to be reported beside what
    was found, never assumed.

    What a benchmark need not have: `adapt` turns rows of another origin into released field names (before anything else
    looks at them); `left_out` names the kind of a row that has no rule (it is counted, not scored; None: it is scored);
    `subsets` are parts with names, by row; `num_options` is the number of answers to choose from (None: an open
    question), for the chance column; `baseline` makes the predictions "oracle", "random" or "frequency" by id, from
    rows by id and a seed (`spaceland.benchmarks.baselines.Baselines`).
    """

    name: str
    title: str
    protocols: tuple[Protocol, ...]
    row_id: Callable[[Row], str]
    task_of: Callable[[Row], str]
    problem_of: Callable[[Row], str | None]
    expected_rows: Mapping[str, int] = field(default_factory=dict)
    adapt: Callable[[Row], Row] | None = None
    left_out: Callable[[Row], str | None] | None = None
    subsets: Mapping[str, Callable[[Row], bool]] = field(default_factory=dict)
    num_options: Callable[[Row], int | None] | None = None
    baseline: Callable[[str, Mapping[str, Row], int], dict[str, str]] | None = None

    side_files: Mapping[str, str] = field(default_factory=dict)
    """Files beside the rows that some protocols need, by name (an option of the command), and what they are."""
    complete: Callable[[Sequence[Row], Mapping[str, Path]], list[Row]] | None = None
    """Rows with what side files (paths by name) hold about them; called before anything else looks at the rows."""

    notes: Callable[[Sequence[Row]], Sequence[str]] | None = None
    """What the rows lack, in words, for figures that are left out without it."""

    judged: Mapping[str, Callable[[Any], Protocol]] = field(default_factory=dict)
    """Protocols that need a judge model, by name, made from a `spaceland.benchmarks.judge.Judge`."""

    def protocol(self, name: str | None = None) -> Protocol:
        """The protocol of a name; the default one without a name.

        Raises:
            KeyError: there is no such protocol.
        """
        if name is None:
            return self.protocols[0]
        return {protocol.name: protocol for protocol in self.protocols}[name]
