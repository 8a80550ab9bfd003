"""Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

_PLAIN_EVERY_S = 10.0


@contextlib.contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Yield `advance(steps, note)`. Everything goes to stderr, so output can still be piped."""
    if not sys.stderr.isatty():
        yield _plain(label, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=total, rate="", note="")
        started, done = time.monotonic(), 0

        def advance(steps: int, note: str) -> None:
            nonlocal done
            done += steps
            rate = done / max(time.monotonic() - started, 1e-6)
            progress.update(task, advance=steps, rate=f"{rate:.2f}/s", note=note[:60])

        yield advance


def _plain(label: str, total: int) -> Callable[[int, str], None]:
    started = last = time.monotonic()
    done = 0

    def advance(steps: int, note: str) -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if done < total and now - last < _PLAIN_EVERY_S:
            return
        last = now
        rate = done / max(now - started, 1e-6)
        left = (total - done) / max(rate, 1e-6)
        print(f"{label}: {done}/{total} ({rate:.2f}/s, {left:.0f} s left) {note}", file=sys.stderr, flush=True)

    return advance
