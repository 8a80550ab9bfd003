"""Jobs over the processes of this machine: the one way to spread many small results in any order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Result]]:
    """Each job with its result, as they come; here and in order where one worker is enough.

    What `work` raises ends the run; what has not begun is dropped.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, work(job)
        return
    # Fresh interpreters: no state, locks or threads of this process leak into the workers.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        running: dict[Future[Result], Job] = {}
        try:
            # A short queue keeps memory flat however many jobs there are, and however large.
            for job in jobs:
                running[pool.submit(work, job)] = job
                if len(running) >= 2 * workers:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finished(running: dict[Future[Result], Job]) -> Iterator[tuple[Job, Result]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()
