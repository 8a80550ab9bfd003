"""`spaceland review`: people look at samples and accept or reject them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from rich.console import Console

    from spaceland.review import Acceptance, Journal


def review(
    folder: tyro.conf.Positional[Path],
    *,
    sample: Annotated[int, tyro.conf.arg(metavar="N")] = 20,
    tasks: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="TASK [TASK ...]")] = None,
    seed: int = 0,
    port: int = 0,
    summary: bool = False,
    json: Path | None = None,
) -> int:
    """Look at samples of a dataset on a local page, and accept or reject them with the keyboard.

    The page is served on 127.0.0.1 until Ctrl-C. Keys: a accepts, r and a number reject with a reason, the arrows go
    back and forth, u takes the last verdict back, h hides the answer. Verdicts are written to review.jsonl in the
    dataset folder at once; run it again to go on.

        spaceland review out/rooms --sample 10
        spaceland review out/rooms --summary

    Args:
        folder: Dataset folder, as `spaceland generate` wrote it.
        sample: Samples of each task.
        tasks: Task names; all tasks by default.
        seed: Another seed shows other samples.
        port: Port of the page; any free one by default.
        summary: Print what share of each task was accepted, with its interval, and end.
        json: Also write the summary to this file.
    """
    from rich.console import Console

    from spaceland.datasets.rows import read_rows
    from spaceland.errors import SceneError
    from spaceland.files import read_json
    from spaceland.review import Journal, ReviewServer
    from spaceland.viewer.summary import summarise

    console = Console(soft_wrap=True)
    journal = Journal.open(folder / "review.jsonl")
    if journal.num_unreadable:
        console.print(
            f"{journal.num_unreadable} lines of {journal.path} are no verdicts and do not count", markup=False
        )
    if summary:
        return _summarise(console, folder, journal, json)
    chosen = summarise(_of_tasks(read_rows(folder / "rows.jsonl"), tasks), per_task=sample, seed=seed).samples
    samples = [row for rows in chosen.values() for row in rows]
    if not samples:
        raise SceneError(f"{folder / 'rows.jsonl'} holds no rows of these tasks")
    info = read_json(folder / "info.json") if (folder / "info.json").exists() else {}
    scenes = info.get("scenes") if isinstance(info, dict) else None
    with ReviewServer(folder, samples, scenes if isinstance(scenes, dict) else {}, journal, port) as server:
        left = sum(journal.verdict(row) is None for row in samples)
        console.print(f"{len(samples)} samples, {left} not decided yet", highlight=False)
        console.print(f"Open {server.address}", markup=False, highlight=False)
        console.print("Ctrl-C ends the review; verdicts are kept", markup=False, highlight=False)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print()
    console.print(f"Next: spaceland review {folder} --summary", markup=False, highlight=False)
    return 0


def _of_tasks(rows: Any, tasks: tuple[str, ...] | None) -> Any:
    from spaceland.questions.ask import check_tasks

    names = set(check_tasks(tasks)) if tasks else None
    return rows if names is None else (row for row in rows if row.get("task") in names)


def _summarise(console: Console, folder: Path, journal: Journal, out: Path | None) -> int:
    """Print acceptance by task."""
    from dataclasses import asdict

    from rich.table import Table
    from rich.text import Text

    from spaceland.datasets.rows import read_rows
    from spaceland.files import write_json
    from spaceland.review import acceptance

    found = acceptance(journal, read_rows(folder / "rows.jsonl"))
    table = Table("task", "reviewed", "accepted", "share", "95 % interval", "rejected because")
    for entry in found:
        if entry.task == "all":
            table.add_section()
        table.add_row(*map(Text, _cells(entry)))
    console.print(table)
    counted = sum(entry.reviewed for entry in found if entry.task == "all")
    if stale := len(journal.entries) - counted:
        console.print(f"{stale} verdicts are about rows that have changed or are gone; they do not count", markup=False)
    if out is not None:
        write_json(out, [{**asdict(entry), "share": entry.share} for entry in found])
        console.print(Text(f"wrote {out}"))
    if not found:
        console.print(Text(f"Next: spaceland review {folder}"))
    return 0


def _cells(entry: Acceptance) -> tuple[str, ...]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in entry.reasons)
    plain = "".join(c if c.isprintable() else "?" for c in reasons)
    interval = f"{entry.low:.1%} to {entry.high:.1%}"
    return entry.task, str(entry.reviewed), str(entry.accepted), f"{entry.share:.1%}", interval, plain
