"""`spaceland score`: predictions to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from spaceland.benchmarks import ScoreResult


def score(
    benchmark: tyro.conf.Positional[Literal["sparbench"]],
    *,
    rows: Path,
    predictions: Path | None = None,
    baseline: Literal["oracle", "random", "frequency"] | None = None,
    protocol: Literal["official", "strict"] = "official",
    json_path: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    seed: int = 0,
) -> int:
    """Score predictions, or a built-in baseline.

        spaceland score sparbench --rows out/rooms/rows.jsonl --predictions replies.jsonl --json scores.json
        spaceland score sparbench --rows out/rooms/rows.jsonl --baseline frequency

    Args:
        benchmark: Whose rules to use.
        rows: Rows, JSONL.
        predictions: Replies, JSONL with "id" and "prediction".
        baseline: Score gold answers, chance or the most common answer instead.
        protocol: As released, faults included, or as it should be.
        json_path: Where to write the result.
        seed: Of the random baseline and of the bootstrap intervals.
    """
    from dataclasses import replace

    from spaceland.benchmarks.baselines import baseline_predictions, chance
    from spaceland.benchmarks.predictions import file_sha256, read_predictions
    from spaceland.benchmarks.scoring import ScoreError, answer_kind, score_rows
    from spaceland.datasets.rows import read_rows
    from spaceland.files import write_json

    if (predictions is None) == (baseline is None):
        raise ScoreError("give either --predictions FILE or --baseline oracle|random|frequency")
    table = list(read_rows(rows))
    replies = read_predictions(predictions) if predictions else baseline_predictions(str(baseline), table, seed)
    result = score_rows(benchmark, table, replies, protocol, seed=seed)
    provenance = {
        **result.provenance,
        "rows_sha256": file_sha256(rows),
        "predictions_sha256": file_sha256(predictions) if predictions else None,
        "baseline": baseline,
    }
    result = replace(result, provenance=provenance)
    expected = {}
    blocks = {sample.id: sample.block for sample in result.samples}
    for block in result.counts:
        share = chance([row for row in table if answer_kind(row) and blocks.get(str(row["id"])) == block])
        expected[block] = "" if share is None else f"{share:.1f}"
    _print(result, expected)
    if json_path:
        write_json(json_path, result.to_json())
        print(f"Wrote {json_path}")
    if baseline:
        print(f"Next: spaceland score {benchmark} --rows {rows} --predictions REPLIES.jsonl")
    elif protocol == "official":
        print("Next: the same with --protocol strict, or --baseline frequency to see what chance gives")
    return 0


def _print(result: ScoreResult, expected: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from spaceland.benchmarks.sparbench import TASKS

    table = Table("task", "rows", "score", "95 % interval", "chance", "missing")

    def add(block: str, value: float) -> None:
        low, high = result.intervals[block]
        missing = str(result.missing.get(block, ""))
        table.add_row(
            block, str(result.counts[block]), f"{value:.2f}", f"{low:.1f} to {high:.1f}", expected[block], missing
        )

    for task, value in result.tasks.items():
        add(task, value)
    table.add_section()
    for name, value in result.groups.items():
        table.add_row(name, "", f"{value:.2f}", "", "", "")
    if result.overall is not None and result.overall_interval is not None:
        low, high = result.overall_interval
        table.add_row("overall", "", f"{result.overall:.2f}", f"{low:.1f} to {high:.1f}", "", "", style="bold")
    if result.other:
        table.add_section()
        for block, value in result.other.items():
            add(block, value)
    console = Console()
    console.print(table)
    console.print(
        f"{result.benchmark}, protocol {result.protocol}: overall is the mean of {len(result.tasks)} of "
        f"{len(TASKS)} tasks; "
        f"rows below the last line are outside the benchmark and count for nothing above.",
        highlight=False,
    )
    if result.unscored:
        console.print(f"{sum(result.unscored.values())} sentence rows were not scored.", highlight=False)
    if result.missing:
        console.print(
            f"{sum(result.missing.values())} rows have no prediction; they score 0.", highlight=False, style="yellow"
        )
