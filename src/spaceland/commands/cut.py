"""`spaceland cut`: a benchmark from a held-out dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def cut(
    directory: tyro.conf.Positional[Path],
    *,
    out: Path = Path("out/bench"),
    per_task: int = 50,
    tasks: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="TASK [TASK ...]")] = None,
    seed: int = 0,
    name: str | None = None,
) -> int:
    """Cut a benchmark in the manner of SPAR-Bench: balanced by task, letter and scene, marks drawn.

        spaceland cut out/held-out --out out/bench --per-task 50

    Args:
        directory: Dataset folder; nothing in it should be trained on.
        out: New folder for the benchmark.
        per_task: Rows of each task.
        tasks: Only these tasks.
        seed: Of the choice.
        name: Of the benchmark; by default that of its folder.
    """
    from rich.console import Console

    from spaceland.commands.generate import _table
    from spaceland.exchange.cut import Cut
    from spaceland.progress import progress_bar

    benchmark = Cut(directory, per_task=per_task, tasks=tasks, seed=seed)
    with progress_bar("rows", benchmark.num_rows) as advance:
        tally = benchmark.write(out, name=name, progress=advance)
    console = Console()
    console.print(_table(tally.rows))

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    for task, count in benchmark.short.items():
        say(f"note: {task} has only {count} different rows")
    if benchmark.unscored:
        say(f"left out, because no scorer reads their formats: {', '.join(benchmark.unscored)}")
    say(f"{tally.total} rows of {len(tally.rows)} tasks: {out / 'rows.jsonl'}")
    say(f"Next: spaceland score sparbench --rows {out / 'rows.jsonl'} --baseline frequency")
    return 0
