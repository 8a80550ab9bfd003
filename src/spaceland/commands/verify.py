"""`spaceland verify`: derive every answer of a dataset anew."""

from __future__ import annotations

import os
from pathlib import Path

import tyro

_SHOWN = 20


def verify(
    directory: tyro.conf.Positional[Path],
    sources: tyro.conf.Positional[tuple[str, ...]],
    *,
    json: Path | None = None,
    workers: int | None = None,
) -> int:
    """Derive every answer of a dataset anew from its scenes.

    Rows whose answer, numbers, options, marks or images do not hold are listed by id, and the exit code is 1.

        spaceland verify out/rooms rooms:1-4
        spaceland verify out/scans scannet:/data/scans --json out/verify.json

    Args:
        directory: Dataset folder that `spaceland generate` wrote.
        sources: The sources it was made from.
        json: Also write the whole report, with every failure, to this file.
        workers: Processes; by default one for each core.
    """
    from rich.console import Console
    from rich.text import Text

    from spaceland.errors import SourceError
    from spaceland.files import write_json
    from spaceland.progress import progress_bar
    from spaceland.verify.verify import count_rows, verify_dataset

    if not sources:
        raise SourceError(f"no source given; name those it was made from: spaceland verify {directory} rooms:1-4")
    with progress_bar("rows", count_rows(directory)) as advance:
        report = verify_dataset(directory, sources, workers=workers or os.cpu_count() or 1, progress=advance)
    console = Console(soft_wrap=True)
    if report.failures:
        console.print(f"{len(report.failures)} rows do not hold:", highlight=False)
        width = max(len(row_id) for row_id, _ in report.failures[:_SHOWN])
        for row_id, reason in report.failures[:_SHOWN]:
            # Ids are whole on one line, so that they can be searched for; texts from outside are no markup.
            console.print(Text(f"  {row_id:<{width}}  {reason}"))
        if len(report.failures) > _SHOWN:
            console.print(f"... and {len(report.failures) - _SHOWN} more; --json FILE writes all of them")
    for reason, count in report.skipped.items():
        console.print(Text(f"not tested {count} times: {reason}"))
    for note in report.notes:
        console.print(Text(f"note: {note}"))
    if json is not None:
        write_json(json, report.to_json())
        console.print(Text(f"wrote {json}"))
    console.print(f"verified {report.verified} of {report.total}", highlight=False)
    if report.ok:
        console.print(Text(f"Next: spaceland report {directory}"))
    return 0 if report.ok else 1
