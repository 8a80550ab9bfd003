"""A leaderboard as one HTML page: own results with intervals and paired differences, published figures beside them.

Names of models, tasks and files come from outside and go through `tag`, which escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spaceland.benchmarks.known import find_benchmark
from spaceland.evaluation.compare import Comparison
from spaceland.evaluation.loaded import Loaded
from spaceland.evaluation.published import published_for
from spaceland.files import write_text
from spaceland.version import __version__
from spaceland.viewer.html import Child, Html, join, number, page, table, tag

_MOST_NAMED = 20


def write_board(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write the page: a section for each benchmark.

    Raises:
        OutputError: it cannot be written.
    """
    title = "Leaderboard"
    head: list[Child] = [
        tag("div", "spaceland", class_="brand"),
        tag("h1", title),
        tag(
            "p",
            "Intervals are 95 % bootstrap. Differences are paired: both results were scored on the same rows, which "
            "are drawn together. Figures marked as published come from their sources and were not measured here.",
        ),
    ]
    body = join(
        tag("header", tag("div", tag("div", head), class_="wrap"), class_="hero"),
        tag("main", [_section(comparison) for comparison in comparisons], class_="wrap"),
        tag("footer", f"Made by spaceland {__version__}.", class_="wrap"),
    )
    write_text(path, page(title, body))


def _section(comparison: Comparison) -> Html:
    first = comparison.results[0]
    left_out = f", {comparison.num_left_out} more are not in all results" if comparison.num_left_out else ""
    return tag(
        "section",
        tag("h2", f"{first.about.get('title') or first.benchmark}: {first.benchmark}@{first.protocol}"),
        tag("p", f"{len(comparison.ids)} rows{left_out}.{_row_warning(comparison)}", class_="soft"),
        _overall(comparison),
        _tasks(comparison),
        _disagreements(comparison),
        _made_from(comparison.results),
    )


def _row_warning(comparison: Comparison) -> str:
    """Published figures are of published rows."""
    expected = find_benchmark(comparison.results[0].benchmark).expected_rows
    if not expected or len(comparison.ids) in expected.values():
        return ""
    counts = ", ".join(f"{split} {count}" for split, count in expected.items())
    return f" Published are {counts} rows: figures of other rows do not compare with published ones."


def _overall(comparison: Comparison) -> Html:
    """Own results and published figures in one list, the highest first."""
    first = comparison.results[0]
    lines: list[tuple[float, list[Child]]] = []
    for place, (result, figures) in enumerate(zip(comparison.results, comparison.figures, strict=True)):
        value = figures.get(("overall", ""))
        change = "" if place == 0 else _change(comparison.differences[place - 1].get(("overall", "")))
        metric = f"overall, {result.protocol}"
        interval = result.intervals.get(("overall", "")) if not comparison.num_left_out else None
        cells: list[Child] = [
            tag("b", result.name),
            _figure(value),
            _interval(interval),
            change,
            "overall",
            "measured here",
            "",
        ]
        lines.append((-1.0 if value is None else value, cells))
    for one in published_for(first.benchmark):
        metric = f"{one.metric}, {one.protocol}" if one.protocol else f"{one.metric}, protocol not said"
        kind = tag("span", "published", class_="pill")
        source = f"{one.source}; {one.note}" if one.note else one.source
        lines.append((one.value, [one.model, _figure(one.value), "", "", metric, kind, source]))
    lines.sort(key=lambda line: -line[0])
    head = ["model", "figure", "95 %", f"against {first.name}", "metric", "", "source"]
    return table(head, [cells for _, cells in lines])


def _tasks(comparison: Comparison) -> Html | None:
    keys = [key for key in comparison.figures[0] if key[0] != "overall"]
    if not keys:
        return None
    names = [result.name for result in comparison.results]
    head = ["", *names, *(f"{name} against {names[0]}" for name in names[1:])]
    rows: list[list[Child]] = []
    for key in keys:
        values = [_figure(figures.get(key)) for figures in comparison.figures]
        changes = [_change(found.get(key)) for found in comparison.differences]
        rows.append([key[1], *values, *changes])
    return join(tag("h3", "Tasks and groups"), table(head, rows))


def _disagreements(comparison: Comparison) -> Html | None:
    if not comparison.disagreements:
        return None
    first = comparison.results[0].name
    rows: list[list[Child]] = []
    details: list[Child] = []
    for result, apart in zip(comparison.results[1:], comparison.disagreements, strict=True):
        rows.append([result.name, apart.both_right, apart.only_first, apart.only_second, apart.both_wrong])
        if apart.ids:
            shown = ", ".join(apart.ids[:_MOST_NAMED]) + (" ..." if len(apart.ids) > _MOST_NAMED else "")
            summary = f"{result.name}: {len(apart.ids)} rows scored differently, the furthest apart first"
            details.append(tag("details", tag("summary", summary), tag("pre", shown)))
    head = [f"with {first}", "both right", f"only {first}", "only the other", "both wrong"]
    return join(tag("h3", "Where they disagree"), table(head, rows), details)


def _made_from(results: Sequence[Loaded]) -> Html:
    rows: list[list[Child]] = []
    for result in results:
        frames, generation = (result.about.get(key) or {} for key in ("frames", "generation"))
        shown = f"{frames.get('num')}: {frames.get('rule')}" if frames else "none"
        prompt = result.about.get("prompt") or {}
        model = result.about.get("model") or {}
        rows.append(
            [
                result.name,
                str(model.get("revision") or ""),
                str(model.get("dtype") or ""),
                shown,
                str(generation.get("max_tokens", "")),
                tag("span", str(prompt.get("sha256", ""))[:12], class_="mono"),
                tag("span", str(result.rows_sha256 or "")[:12], class_="mono"),
            ]
        )
    head = ["model", "revision", "numbers", "frames", "tokens", "prompts", "rows"]
    return join(tag("h3", "Made from"), table(head, rows))


def _figure(value: float | None) -> Html:
    return tag("span", "not known" if value is None else number(value), class_="keep")


def _interval(interval: tuple[float, float] | None) -> Html | str:
    return "" if interval is None else tag("span", f"{interval[0]:.1f} to {interval[1]:.1f}", class_="keep")


def _change(found: tuple[float, tuple[float, float]] | None) -> Html | str:
    """A difference; bold where its interval does not hold 0."""
    if found is None:
        return ""
    change, (low, high) = found
    text = f"{change:+.2f} ({low:+.1f} to {high:+.1f})"
    return tag("b" if low > 0 or high < 0 else "span", text, class_="keep")
