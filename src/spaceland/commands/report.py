"""`spaceland report`: a dataset as one HTML page."""

from __future__ import annotations

from pathlib import Path

import tyro


def report(
    folder: tyro.conf.Positional[Path],
    *,
    out: Path | None = None,
    per_task: int = 8,
    seed: int = 0,
) -> int:
    """Write one HTML page that shows a dataset: counts, answers, rejections, and samples with their numbers.

    The page needs no network and no other file.

        spaceland report out/rooms

    Args:
        folder: Dataset folder, as `spaceland generate` wrote it.
        out: The page; report.html in the dataset folder by default.
        per_task: Samples of each task.
        seed: Another seed shows other samples.
    """
    from rich.console import Console

    from spaceland.viewer.report import write_report

    result = write_report(folder, out, per_task=per_task, seed=seed)
    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    for name, problem in list(result.problems.items())[:5]:
        say(f"not shown: {name}: {problem}")
    if len(result.problems) > 5:
        say(f"and {len(result.problems) - 5} more that could not be shown")
    say(
        f"{result.num_samples} samples of {result.num_rows} rows, {result.num_bytes / 1e6:.1f} MB: {result.path}\n"
        f"Next: open {result.path} in a browser"
    )
    return 0
