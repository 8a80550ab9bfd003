"""`spaceland import`: released SPAR-7M folders as datasets of ours, and an audit of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from rich.console import Console

    from spaceland.exchange.recompute import Audit


def import_(
    directory: tyro.conf.Positional[Path],
    *,
    out: Path | None = None,
    recompute: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SOURCE [SOURCE ...]")] = (),
    center: Literal["box", "aabb", "mean"] = "box",
    axes: Literal["level", "camera"] = "level",
    distance: Literal["center", "surface"] = "center",
    json: Path | None = None,
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    no_images: bool = False,
) -> int:
    """Read SPAR-7M folders; derive their answers anew from your own scans.

    With --recompute the exit code is 1 when an answer disagrees.

        spaceland import data/SPAR-7M --out out/spar7m
        spaceland import data/SPAR-7M --recompute scannet:/data/scans --limit 1000 --json out/audit.json

    Args:
        directory: Folder that holds `spar`, or one of its datasets.
        out: New folder for a dataset of ours; without it nothing but the audit is made.
        recompute: Scans that the release was made from; answers are derived anew and compared.
        center: What stands for an object: the centre of its oriented box, of its axis-aligned box, or its points' mean.
        axes: Heights along the room's vertical and motion in a level frame, or both in the first camera's axes.
        distance: Between centres, or between surfaces as in exports of rows made with --distance surface.
        json: Also write the audit to this file.
        limit: Only the first N rows of each file.
        no_images: Leave the images out; else those that rows use become hard links, or copies on another disk.
    """
    from rich.console import Console

    from spaceland.commands.generate import _table
    from spaceland.errors import SourceError
    from spaceland.exchange.adopt import adopt
    from spaceland.exchange.case import Reading
    from spaceland.exchange.recompute import count_rows
    from spaceland.exchange.recompute import recompute as derive
    from spaceland.exchange.spar7m_read import find_files
    from spaceland.files import write_json
    from spaceland.progress import progress_bar

    audit, summary = None, ""
    if out is None and not recompute:
        raise SourceError("give --out FOLDER to make a dataset, --recompute SOURCE to check the answers, or both")
    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    files, notes = find_files(directory)
    num_rows = count_rows(files, limit)
    if out is not None:
        with progress_bar("rows", num_rows) as advance:
            result = adopt(files, out, limit=limit, with_images=not no_images, notes=notes, progress=advance)
        console.print(_table(result.tally.rows))
        for reason, count in sorted(result.tally.left_out.items()):
            say(f"left out {count} rows: {reason}")
        if result.missing_images:
            say(f"note: {result.missing_images} images are not in the release folder; rows name them nevertheless")
        notes = result.notes
        summary = f"{result.tally.total} rows from {len(files)} files: {out / 'rows.jsonl'}"
    for note in notes:
        say(f"note: {note}")
    if recompute:
        with progress_bar("recompute", num_rows) as advance:
            audit = derive(files, recompute, Reading(center, axes, distance), limit=limit, progress=advance)
        _print_audit(audit, console)
        if json is not None:
            write_json(json, audit.to_json())
            say(f"wrote {json}")
    if out is not None:
        say(summary)
        say(f"Next: spaceland report {out}")
    elif json is None:
        say("Next: the same with --json FILE for reasons and examples, or another --center, --axes or --distance")
    return 1 if audit is not None and not audit.ok else 0


def _print_audit(audit: Audit, console: Console) -> None:
    from collections import Counter

    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("task", no_wrap=True), "rows", "recomputed", "agree", "median error")
    reasons: dict[str, Counter[str]] = {}
    for name in sorted(audit.tasks):
        task = audit.tasks[name]
        agreement = "" if task.agreement is None else f"{task.agreement:.1f} %"
        error = "" if task.median_error is None else f"{task.median_error:.3f}"
        table.add_row(Text(name), str(task.rows), str(task.recomputed), agreement, error)
        for reason, count in task.reasons.items():
            reasons.setdefault(reason, Counter())[name] += count
    console.print(table)

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    for reason in sorted(reasons, key=lambda reason: (-reasons[reason].total(), reason)):
        names = ", ".join(f"{name} {count}" for name, count in reasons[reason].most_common(4))
        more = f" and {len(reasons[reason]) - 4} more tasks" if len(reasons[reason]) > 4 else ""
        say(f"not recomputed {reasons[reason].total()} rows: {reason} ({names}{more})")
    shown = [(name, *example) for name in sorted(audit.tasks) for example in audit.tasks[name].disagree[:2]]
    for _, row_id, said, derived in shown[:10]:
        say(f"disagrees: {row_id} says {said}; derived {derived}")
    for scene_id, problem in list(audit.failed_scenes.items())[:5]:
        say(f"scene {scene_id} cannot be opened: {problem}")
    agree = sum(task.agree for task in audit.tasks.values())
    say(
        f"{agree} of {audit.recomputed} recomputed answers agree (centre: {audit.reading.center}, axes: "
        f"{audit.reading.axes}, distance: {audit.reading.distance}); errors in metres, of boxes 1 - IoU"
    )
