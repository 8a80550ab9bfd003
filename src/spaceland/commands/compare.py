"""`spaceland compare`: results side by side, with paired intervals, a leaderboard and a failure gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from spaceland.commands.rules import NO_RULES, Rules

if TYPE_CHECKING:
    from spaceland.evaluation.compare import Comparison


def compare(
    results: tyro.conf.Positional[tuple[Path, ...]],
    *,
    protocol: str | None = None,
    common: bool = False,
    json_path: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    html: Path | None = None,
    gallery: Path | None = None,
    rows: tuple[str, ...] = (),
    media: Path | None = None,
    show: int = 40,
    task: str | None = None,
    easi: Path | None = None,
    easi_about: str = "{}",
    seed: int = 0,
    rules: Rules = NO_RULES,
) -> int:
    """Results side by side on the same rows: figures, paired differences, and where they disagree.

    Results of several benchmarks are compared benchmark by benchmark, each with the first one of its own.

        spaceland compare a/result.json b/result.json
        spaceland compare a/result.json b/result.json c/result.json --html board.html
        spaceland compare a/result.json b/result.json --gallery failures.html --rows test.jsonl --media videos
        spaceland compare vsibench/result.json blink/result.json --easi out/easi

    Args:
        results: Files that spaceland evaluate, rescore or score --json wrote.
        protocol: Compare under this protocol; by default that of each benchmark's first result.
        common: Look only at the rows that all results have.
        json_path: Where to write the comparison.
        html: Where to write a leaderboard page, with published figures marked as such.
        gallery: Where to write a page of failures; needs --rows.
        rows: The rows (hf:, a folder or files), for the gallery.
        media: Folder of videos and pictures for the gallery; by default where the rows are.
        show: Rows on the gallery at most.
        task: Only rows of this task on the gallery.
        easi: Folder for what the EASI leaderboard takes (easi_results.json and .zip), from one model's results.
        easi_about: What to say of the model there, as JSON: modelName, modelType, precision, baseModel, remarks, ...
        seed: Of the bootstrap.
    """
    from spaceland.benchmarks.known import ScoreError
    from spaceland.benchmarks.released import open_rows
    from spaceland.commands.target import check_target
    from spaceland.evaluation.board import write_board
    from spaceland.evaluation.compare import compare as compare_results
    from spaceland.evaluation.gallery import write_gallery
    from spaceland.evaluation.loaded import load_results
    from spaceland.evaluation.released_media import bring_media
    from spaceland.files import write_json

    check_target(json_path, "--json")
    if not results:
        raise ScoreError("give result files to compare")
    if gallery and not rows:
        raise ScoreError("the gallery shows questions and pictures: give the --rows that the results are about")
    loaded = load_results(results, protocol)
    by_benchmark: dict[str, list[int]] = {}
    for place, result in enumerate(loaded):
        by_benchmark.setdefault(result.benchmark, []).append(place)
    comparisons = []
    for places in by_benchmark.values():
        shared = protocol or loaded[places[0]].protocol
        group = [loaded[k] if loaded[k].protocol == shared else load_results([results[k]], shared)[0] for k in places]
        comparisons.append(compare_results(group, common=common, seed=seed))
    for comparison in comparisons:
        _print(comparison)
    if json_path:
        found = [comparison.to_json() for comparison in comparisons]
        write_json(json_path, found[0] if len(found) == 1 else found)
        print(f"Wrote {json_path}")
    if html:
        write_board(comparisons, html)
        print(f"Wrote {html}")
    if gallery:
        if len(comparisons) > 1:
            raise ScoreError("a gallery is about one benchmark; give results of one")
        chosen = rules.benchmark(comparisons[0].results[0].benchmark)
        opened = open_rows(chosen.name, rows)
        table = rules.complete(chosen, opened.rows)
        where = bring_media(opened, opened.rows, media)
        number = write_gallery(comparisons[0].results, table, where, gallery, most=show, task=task)
        print(f"Wrote {gallery} with {number} rows")
    if easi:
        from spaceland.evaluation.easi import write_easi

        for problem in write_easi(results, easi, _json_object(easi_about), protocol):
            print(f"EASI: {problem}.")
        print(f"Wrote {easi / 'easi_results.json'} and easi_results.zip")
    if not (html or gallery or easi):
        print("Next: the same with --html board.html, or --gallery failures.html --rows ROWS --media FOLDER")
    return 0


def _json_object(text: str) -> dict[str, Any]:
    import json

    from spaceland.benchmarks.known import ScoreError

    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScoreError(f"--easi-about is not valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise ScoreError("--easi-about needs a JSON object")
    return found


def _print(comparison: Comparison) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    first = comparison.results[0]
    console = Console()
    names = [result.name for result in comparison.results]
    marks = [chr(ord("A") + k) if k < 26 else str(k) for k in range(len(names))]
    for mark, name in zip(marks, names, strict=True):
        console.print(f"{mark}: {name}", highlight=False, markup=False)
    table = Table(f"{first.benchmark}@{first.protocol}", *marks, *(f"{mark} - A" for mark in marks[1:]))
    keys = [key for key in comparison.figures[0] if key[0] != "overall"]
    for key in [*keys, ("overall", "")]:
        values = [figures.get(key) for figures in comparison.figures]
        cells = ["" if value is None else f"{value:.2f}" for value in values]
        for found in comparison.differences:
            if key in found:
                change, (low, high) = found[key]
                sure = "" if low <= 0 <= high else " *"
                cells.append(f"{change:+.2f} ({low:+.1f} to {high:+.1f}){sure}")
            else:
                cells.append("")
        table.add_row(escape(key[1]) or "overall", *cells, style="bold" if not key[1] else None)
    console.print(table)

    def note(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    left_out = f"; {comparison.num_left_out} more are not in all results" if comparison.num_left_out else ""
    note(f"{len(comparison.ids)} rows{left_out}.")
    if comparison.differences:
        note("Differences with paired 95 % intervals; * where the interval does not hold 0.")
        if not all(("overall", "") in found for found in comparison.differences):
            note("No paired interval where a figure is no mean of row scores.")
    for mark, apart in zip(marks[1:], comparison.disagreements, strict=True):
        note(
            f"A and {mark}: both right {apart.both_right}, only A {apart.only_first}, only {mark} {apart.only_second}, "
            f"both wrong {apart.both_wrong}; {len(apart.ids)} rows scored differently"
            + (f", first {', '.join(apart.ids[:5])}" if apart.ids else "")
        )
