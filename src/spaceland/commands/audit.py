"""`spaceland audit`: how even a dataset is, and what one scores without looking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from spaceland.audit.limits import Limits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from spaceland.audit import AuditReport

_SHOWN = 20
_HEADS = ("  format", "rows", "share", "chance", "frequency", "text only", "top answer, letters or verdicts")
_WIDTHS = (10, 7, 5, 6, 9, 9)
"""Of all columns but the last: 80 characters leave that one 28. Tasks have lines of their own, since names are long."""


def audit(
    folder: tyro.conf.Positional[Path],
    *,
    limits: Annotated[Limits, tyro.conf.arg(name="")] = Limits(),
    sample: int = 2000,
    seed: int = 0,
    json: Path | None = None,
) -> int:
    """Say how even the answers of a dataset are, what one scores without looking, and which rows repeat each other.

    The exit code is 1 when a limit is exceeded; every limit is an option.

        spaceland audit out/rooms
        spaceland audit out/rooms --max-letter-excess 0.03 --json out/audit.json

    Args:
        folder: Dataset folder, as `spaceland generate` wrote it.
        limits: What is tolerated.
        sample: The baselines are scored on so many rows of each task and format.
        seed: Another seed takes another sample.
        json: Also write everything that was found to this file.
    """
    from rich.console import Console
    from rich.text import Text

    from spaceland.audit import audit_dataset
    from spaceland.files import write_json

    report = audit_dataset(folder, limits, sample=sample, seed=seed)
    console = Console(soft_wrap=True)
    _print(report, console)
    if json is not None:
        write_json(json, report.to_json())
        console.print(Text(f"wrote {json}"))
    if report.ok:
        console.print("no limit is exceeded")
        console.print(Text(f"Next: spaceland review {folder}"))
    else:
        console.print(f"{len(report.problems)} limits are exceeded:", style="bold")
        for problem in report.problems[:_SHOWN]:
            console.print(Text(f"  {problem}"))
        if len(report.problems) > _SHOWN:
            console.print(f"  ... and {len(report.problems) - _SHOWN} more; --json FILE writes all of them")
    return 0 if report.ok else 1


def _print(report: AuditReport, console: Console) -> None:
    """Tables on the terminal; texts from rows are never read as markup."""
    from rich.text import Text

    console.print(_line(_HEADS), style="bold")
    last = ""
    for task in report.tasks:
        if task.task != last:
            console.print(Text(task.task))
        last = task.task
        spread = " ".join(f"{letter} {count / task.rows:.0%}" for letter, count in task.letters.items())
        scores = ["" if value is None else f"{value:.1f}" for value in (task.chance, task.frequency, task.text_only)]
        told = ", ".join(filter(None, (_short(task.top_answer), spread)))
        cells = (f"  {task.format}", str(task.rows), f"{task.top_answer_share:.0%}", *scores, told)
        console.print(_line(cells))
    exact = sum(task.exact_duplicates for task in report.tasks)
    near = sum(task.near_duplicates for task in report.tasks)
    console.print(f"{report.rows} rows from {report.scenes} scenes; {exact} repeated, {near} that ask the same again")
    for kind, row_id, first in report.duplicates[:5]:
        console.print(Text(f"  {kind}: {row_id} repeats {first}"))
    labels, images = report.labels, report.images
    of = f" of {labels.in_scenes} in the scenes ({labels.coverage:.0%})" if labels.coverage is not None else ""
    most = ", ".join(f"{_short(label)} {count}" for label, count in labels.top[:5])
    console.print(Text(f"{labels.named} labels are named{of}; most often {most or 'none'}"))
    if labels.never_named:
        shown = ", ".join(map(_short, labels.never_named[:10]))
        console.print(Text(f"never named: {shown}{', ...' if len(labels.never_named) > 10 else ''}"))
    console.print(Text(f"{images.images} images, {images.mean:.1f} facts each, {images.most} in {images.most_used}"))


def _line(cells: Sequence[str]) -> Table:
    """A line of the table: columns of one width whatever they hold, the last one folded to what the terminal leaves."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for k, width in enumerate(_WIDTHS):
        table.add_column(width=width, justify="right" if k else "left", no_wrap=True)
    table.add_column()
    table.add_row(*map(Text, cells))
    return table


def _short(text: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 24 else plain[:21] + "..."
