"""`spaceland evaluate`: a model on a benchmark, predictions first, then scores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from spaceland.commands.rules import NO_RULES, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping


_WITH_INTERVALS = 3


def evaluate(
    benchmark: tyro.conf.Positional[str],
    *,
    model: str,
    rows: tuple[str, ...],
    fields: tuple[str, ...] = (),
    media: Path | None = None,
    blind: bool = False,
    protocol: str | None = None,
    frames: int | None = None,
    max_side: int | None = None,
    limit: int | None = None,
    subset: str | None = None,
    skip_missing: bool = False,
    out: Path | None = None,
    concurrency: int = 4,
    batch: int = 1,
    retries: int = 1,
    max_tokens: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    detail: Literal["auto", "low", "high"] = "auto",
    reasoning: bool = False,
    key_variable: str = "OPENAI_API_KEY",
    timeout_s: float = 300.0,
    device: str = "auto",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    rules: Rules = NO_RULES,
) -> int:
    """A model on a benchmark: predictions as they come, then scores.

    Run the same command again after a stop of any kind, and it goes on where it was. Ends with 1 where rows have no
    answer.

        spaceland evaluate vsibench --rows hf: --model openai:qwen@http://localhost:8000/v1
        spaceland evaluate vsibench --rows test.jsonl --media videos --model local:Qwen/Qwen2.5-VL-3B-Instruct
        spaceland evaluate vsibench --rows test.jsonl --model openai:qwen@http://localhost:8000/v1 --blind
        spaceland evaluate vsibench --rows test.jsonl --model baseline:frequency

    Args:
        benchmark: vsibench, sparbench, ... (docs/benchmarks).
        model: openai:NAME@URL, local:PATH, geometry:PATH, gpt4scene:PATH, or baseline:oracle, baseline:random,
            baseline:frequency.
        rows: hf: (the benchmark's data set on Hugging Face; also hf:OWNER/NAME@REVISION#PART), a folder with a copy of
            it, or files: JSONL, JSON, Parquet, TSV.
        fields: Other names of fields as OURS=THEIRS, for rows from elsewhere.
        media: Folder of videos and pictures; by default where the rows are, or out/media/BENCHMARK, where released
            archives are unpacked.
        blind: Ask with the words alone, no pictures.
        protocol: Whose prompts and frames to use, and whose figure comes first; by default the benchmark's first.
        frames: Another number of frames.
        max_side: Shrink pictures to this longer side in pixels.
        limit: Ask so many rows only, a fixed sample; a larger limit contains a smaller one.
        subset: A part of the rows, for example "debiased".
        skip_missing: Leave rows out whose videos or pictures are missing.
        out: The run's folder; by default out/evaluate/BENCHMARK-MODEL.
        concurrency: Requests to a server at a time.
        batch: Rows at a time for models on this machine.
        retries: How often rows that failed are asked again before the run ends.
        max_tokens: Longest reply; by default as the benchmark's official evaluation has it.
        temperature: 0 always takes the likeliest word.
        seed: Of sampling, of the random baseline and of the bootstrap intervals.
        detail: How closely an OpenAI-like server looks at pictures.
        reasoning: For models that want max_completion_tokens and refuse a temperature.
        key_variable: Environment variable that holds the server's key.
        timeout_s: Longest silence of a server.
        device: For local models: auto, cpu, cuda:1, mps.
        dtype: For local models.
    """
    from spaceland.benchmarks.known import ScoreError
    from spaceland.benchmarks.released import open_rows
    from spaceland.chat.open_model import ModelOptions, parse_model
    from spaceland.evaluation.plan import make_plan
    from spaceland.evaluation.released_media import bring_media
    from spaceland.evaluation.run import BASELINE, Settings
    from spaceland.evaluation.run import evaluate as run

    chosen = rules.benchmark(benchmark)
    if concurrency < 1 or batch < 1 or retries < 0:
        raise ScoreError("give a --concurrency and --batch of at least 1, and --retries of at least 0")
    if not model.startswith(BASELINE):
        parse_model(model)
    settings = Settings(
        benchmark=benchmark,
        model=model,
        blind=blind,
        protocol=protocol,
        frames=frames,
        long_side_px=max_side,
        limit=limit,
        subset=subset,
        skip_missing=skip_missing,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        batch=batch,
        retries=retries,
        options=ModelOptions(
            key_variable=key_variable,
            read_s=timeout_s,
            detail=None if detail == "auto" else detail,
            reasoning=reasoning,
            concurrency=concurrency,
            device=device,
            dtype=dtype,
        ),
    )
    opened = open_rows(benchmark, rows, fields)
    print(opened.counted)
    table = rules.complete(chosen, opened.rows)
    where = media
    if not (blind or model.startswith(BASELINE)):
        asked = make_plan(benchmark, table, None, protocol=protocol, limit=limit, subset=subset, chosen=chosen).rows
        where = bring_media(opened, asked.values(), media)
    folder = out or Path("out/evaluate") / f"{benchmark}-{_slug(model)}{'-blind' if blind else ''}"
    done = run(settings, table, where, folder, benchmark=chosen, source=opened.source)
    print_result(done.result)
    if done.num_kept:
        print(f"{done.num_kept} replies were there already, {done.num_asked} rows were asked.")
    for row_id, problem in list(done.failures.items())[:5]:
        print(f"no answer for '{row_id}': {problem}")
    if done.failures:
        print(f"{len(done.failures)} rows have no answer (failures.json); the same command asks them again.")
    print(f"Wrote {folder / 'result.json'}")
    print(f"Next: spaceland compare {folder / 'result.json'} OTHER.json")
    return 1 if done.failures else 0


def _slug(model: str) -> str:
    """A model's name as part of a file name.

    >>> _slug("openai:Qwen/Qwen3-VL@http://localhost:8000/v1"), _slug("local:/models/tiny/")
    ('Qwen3-VL', 'tiny')
    """
    name = model.partition("@http")[0].partition(":")[2].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def print_result(result: Mapping[str, Any]) -> None:
    """Protocols side by side: up to three with their intervals."""
    from rich.console import Console

    from spaceland.commands.side_by_side import print_side_by_side

    protocols = result["protocols"]
    first = protocols[result["protocol"]]
    console = Console()
    if len(protocols) > _WITH_INTERVALS:
        figures = {
            name: {**found["groups"], **found["tasks"], "overall": found["overall"]}
            for name, found in protocols.items()
        }
        parts = [list(dict.fromkeys(k for f in protocols.values() for k in f[part])) for part in ("tasks", "groups")]
        counts = {**first["counts"], "overall": sum(first["counts"].values())}
        print_side_by_side(console, figures, [*(part for part in parts if part), ["overall"]], counts)
    else:
        console.print(_with_intervals(protocols, first))

    def note(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    rows, replies = result["rows"], result["replies"]
    ids = ", ".join(figures["provenance"]["protocol_id"] for figures in protocols.values())
    note(f"{result['title']}: {ids}.")
    if rows["evaluated"] not in rows["published"].values() and rows["published"]:
        published = ", ".join(f"{split} {number}" for split, number in rows["published"].items())
        note(f"{rows['evaluated']} rows; published are {published}: these figures do not compare with published ones.")
    if rows["without_media"]:
        note(f"{rows['without_media']} rows were left out because their media are missing.")
    if replies["cut_off"]:
        note(f"{replies['cut_off']} replies were cut off at the limit of tokens.")
    for name, reason in result["not_scored"].items():
        note(f"Not scored under {name}: {reason}")


def _with_intervals(protocols: Mapping[str, Any], first: Mapping[str, Any]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("task", "rows", *(part for name in protocols for part in (name, "95 %")))

    def line(name: str, part: str, intervals: str) -> list[str]:
        cells: list[str] = []
        for figures in protocols.values():
            value, interval = figures[part].get(name), figures[intervals].get(name)
            cells += ["" if value is None else f"{value:.2f}", _interval(interval)]
        return cells

    for task in first["tasks"]:
        table.add_row(escape(task), str(first["counts"].get(task, "")), *line(task, "tasks", "intervals"))
    table.add_section()
    for group in first["groups"]:
        table.add_row(escape(group), "", *line(group, "groups", "group_intervals"))
    overall = []
    for figures in protocols.values():
        value = figures["overall"]
        overall += ["" if value is None else f"{value:.2f}", _interval(figures["overall_interval"])]
    table.add_row("overall", str(sum(first["counts"].values())), *overall, style="bold")
    return table


def _interval(interval: Any) -> str:
    return "" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"
