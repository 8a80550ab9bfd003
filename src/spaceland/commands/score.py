"""`spaceland score`: predictions to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spaceland.benchmarks import ScoreResult
    from spaceland.benchmarks.types import Benchmark, Row


def score(
    benchmark: tyro.conf.Positional[str],
    *,
    rows: tuple[str, ...],
    fields: tuple[str, ...] = (),
    predictions: Path | None = None,
    baseline: Literal["oracle", "random", "frequency"] | None = None,
    protocol: str | None = None,
    subset: str | None = None,
    extra: Path | None = None,
    labels: Path | None = None,
    classes: Path | None = None,
    opponent: Path | None = None,
    judge: str | None = None,
    verdicts: Path | None = None,
    judge_prompts: Path | None = None,
    json_path: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    seed: int = 0,
) -> int:
    """Score predictions, or a built-in baseline.

        spaceland score vsibench --rows hf: --predictions replies.jsonl --json scores.json
        spaceland score scanqa --rows ScanQA_v1.0_val.json --predictions replies.jsonl --protocol all
        spaceland score sparbench --rows out/rooms/rows.jsonl --baseline frequency --protocol all

    Args:
        benchmark: Whose rules to use: vsibench, sparbench, ... (docs/benchmarks).
        rows: hf: (the benchmark's data set on Hugging Face), a folder with a copy of it, or files of rows.
        fields: Other names of fields as OURS=THEIRS, for rows from elsewhere.
        predictions: Replies, JSONL or a JSON list with "id" and "prediction".
        baseline: Score gold answers, chance or the most common answer instead.
        protocol: Name of a rule, by default the first one of the benchmark ("official"); "all" shows them side by side.
        subset: A part of the rows, for example "debiased".
        extra: Boxes, proposals and cameras by scene, for benchmarks about boxes (docs/benchmarks/scanrefer.md).
        labels: ScanNet's scannetv2-labels.combined.tsv, for unique and multiple objects of ScanRefer.
        classes: Head, common and tail classes of EmbodiedScan.
        opponent: Predictions of the system to compare with, for GPT-Score.
        judge: Model that judges, openai:NAME@URL, for protocols that need one (docs/benchmarks/judges.md).
        verdicts: File that keeps what the judge said, so that nothing is asked twice.
        judge_prompts: Folder with released prompts of the judge (NAME.txt) instead of ours.
        json_path: Where to write the result; with "all" an object of results by protocol.
        seed: Of the random baseline and of the bootstrap intervals.
    """
    from dataclasses import replace

    from spaceland.benchmarks import baseline_predictions, find_benchmark, score_benchmark
    from spaceland.benchmarks.known import ScoreError
    from spaceland.benchmarks.predictions import file_sha256, read_predictions
    from spaceland.benchmarks.released import open_rows
    from spaceland.benchmarks.score import complete_rows, find_protocol, prepare_rows, scored_rows
    from spaceland.commands.target import check_target
    from spaceland.files import write_json

    check_target(json_path, "--json")
    if (predictions is None) == (baseline is None):
        raise ScoreError("give either --predictions FILE or --baseline oracle|random|frequency")
    chosen = find_benchmark(benchmark)
    if judge:
        from spaceland.benchmarks.judge import open_judge, with_judge

        chosen = with_judge(chosen, open_judge(judge, verdicts=verdicts, prompts=judge_prompts))
    names = [rule.name for rule in chosen.protocols] if protocol == "all" else [find_protocol(chosen, protocol).name]
    given = {"extra": extra, "labels": labels, "classes": classes, "opponent": opponent}
    side_files = {name: path for name, path in given.items() if path}
    opened = open_rows(benchmark, rows, fields)
    table = complete_rows(chosen, opened.rows, side_files)
    if predictions is not None:
        replies: Mapping[str, str] = read_predictions(predictions)
    else:
        replies = baseline_predictions(chosen, str(baseline), table, seed, subset=subset)
    files = {
        "rows_source": opened.source,
        "predictions_file_sha256": file_sha256(predictions) if predictions else None,
        "baseline": baseline,
        **{f"{name}_file_sha256": file_sha256(path) for name, path in side_files.items()},
    }
    results, refused = [], {}
    prepare_rows(chosen, table)  # rows that are broken are so under every protocol
    for name in names:
        try:
            result = score_benchmark(chosen, table, replies, name, subset=subset, seed=seed)
        except ScoreError as error:
            refused[name] = error
            continue
        results.append(replace(result, provenance={**result.provenance, **files}))
    if not results:
        raise next(iter(refused.values()))
    kept = scored_rows(chosen, table, subset)
    if protocol == "all":
        _print_all(results)
    else:
        _print_one(results[0], _chances(chosen, kept))
    _print_notes(opened.counted, chosen, results)
    for name, error in refused.items():
        print(f"Not scored under {name}: {error}")
    if json_path:
        content: Any = results[0].to_json()
        if protocol == "all":
            content = {
                "benchmark": benchmark,
                "protocols": {result.protocol: result.to_json() for result in results},
                "not_scored": {name: str(error) for name, error in refused.items()},
            }
        write_json(json_path, content)
        print(f"Wrote {json_path}")
    if baseline:
        print(f"Next: spaceland score {benchmark} --rows {' '.join(rows)} --predictions REPLIES.jsonl")
    elif protocol != "all" and len(chosen.protocols) > 1:
        print("Next: the same with --protocol all, to see what the scorers disagree on")
    return 0


def _chances(benchmark: Benchmark, rows: Mapping[str, Row]) -> dict[str, str]:
    """Expected percentage of a random choice, for tasks and other blocks whose rows all have something to choose from.

    Shares are averaged as scores are: where a task is a mean of parts, its chance is too.
    """
    from spaceland.benchmarks.means import TaskMeans
    from spaceland.benchmarks.types import RowScore

    means, num_options = benchmark.protocols[0].summarise, benchmark.num_options
    if num_options is None or not isinstance(means, TaskMeans):
        return {}
    table = list(rows.values())
    counts = [num_options(row) for row in table]
    opened = {benchmark.task_of(row) for row, count in zip(table, counts, strict=True) if not count}
    summary = means(table, [RowScore(1 / count if count else 0.0) for count in counts])
    return {
        task: f"{share:.1f}"
        for task, share in {**summary.tasks, **summary.other}.items()
        if share is not None and task not in opened
    }


def _print_one(result: ScoreResult, chances: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "rows", "score", "95 % interval", "chance", "missing")

    def add(name: str, value: float | None, interval: tuple[float, float] | None, style: str | None = None) -> None:
        count, missing = str(result.counts.get(name, "")), str(result.missing.get(name, ""))
        table.add_row(name, count, _figure(value), _interval(interval), chances.get(name, ""), missing, style=style)

    for task, value in result.tasks.items():
        add(task, value, result.intervals.get(task))
    table.add_section()
    for name, value in result.groups.items():
        add(name, value, result.group_intervals.get(name))
    add("overall", result.overall, result.overall_interval, "bold")
    if result.other:
        table.add_section()
        for block, value in result.other.items():
            add(block, value, result.intervals.get(block))
    Console().print(table)


def _print_all(results: Sequence[ScoreResult]) -> None:
    """Protocols side by side."""
    from rich.console import Console

    from spaceland.commands.side_by_side import print_side_by_side

    first = results[0]
    parts = [
        list(dict.fromkeys(name for result in results for name in getattr(result, part)))
        for part in ("tasks", "groups", "other")
    ]
    figures = {
        result.protocol: {**result.groups, **result.other, **result.tasks, "overall": result.overall}
        for result in results
    }
    counts = {**first.counts, "overall": sum(first.counts.values())}
    if len(parts[0]) == 1 and all(result.tasks.get(parts[0][0]) == result.overall for result in results):
        parts[0] = []  # the only task says the same again
    print_side_by_side(Console(), figures, [*(part for part in parts if part), ["overall"]], counts)


def _print_notes(counted: str, benchmark: Benchmark, results: Sequence[ScoreResult]) -> None:
    from rich.console import Console

    console = Console()
    result = results[0]

    def note(text: str, style: str | None = None) -> None:
        console.print(text, highlight=False, markup=False, style=style)

    if len(results) == 1:
        note(f"{benchmark.title}, {result.provenance['protocol_id']}: {result.provenance['protocol']}.")
    note(counted)
    if result.other:
        note(f"Rows below the last line are outside {benchmark.title} and count for nothing above.")
    if result.unscored:
        note(f"{sum(result.unscored.values())} rows have no rule and were not scored.")
    for text in result.provenance["notes"]:
        note(f"{text}.", "yellow")
    if result.missing:
        note(f"{sum(result.missing.values())} rows have no prediction; they score 0.", "yellow")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"
