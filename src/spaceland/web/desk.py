"""The desk: one piece of work after the other, in the order in which it came; stop and resume.

Reconstructions need all of a laptop, so one runs at a time, and questions stand in the same line. A stop is noticed at
the next step of a bar (or at the end of the stage, for those that cannot be interrupted); what earlier stages made
stays, so resuming goes on there.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from spaceland.errors import SourceError, SpacelandError
from spaceland.pipeline.run import Bars
from spaceland.web import work
from spaceland.web.jobs import Job, Order, Question, Step, StoppedError, read_jobs
from spaceland.web.uploads import Uploads

Make: TypeAlias = Callable[[Order, str, Path, Bars, Callable[[str], None]], None]
MOST_WAITING = 20


class Desk:
    """Jobs of one page and the thread that works on them.

    Args:
        out: Folder for jobs and uploads.
        models: Who can be asked.
        max_upload_bytes: The largest upload.
        make: What turns a source into views; tests of the queue give a quick one.
    """

    def __init__(
        self,
        out: Path,
        models: work.Models | None = None,
        *,
        max_upload_bytes: int = 2 * 1000**3,
        make: Make = work.make_views,
    ) -> None:
        self.out, self.models, self._make = out, models or work.Models(()), make
        self.uploads = Uploads(out / "uploads", max_upload_bytes)
        self.jobs = {job.id: job for job in read_jobs(out / "jobs")}
        self.lock = threading.Condition()
        self._waiting: deque[tuple[Job, Question | None]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop what runs and end the thread."""
        with self.lock:
            self._closed = True
            self._waiting.clear()
            for job in self.jobs.values():
                job.stop = True
            self.lock.notify_all()
        self._thread.join(timeout=5)

    def state(self) -> dict[str, Any]:
        """What the page polls."""
        with self.lock:
            return {
                "jobs": [job.to_json() for job in self.jobs.values()],
                "waiting": [job.id for job, _ in self._waiting],
            }

    def add(self, order: Order) -> Job:
        """A new job at the end of the line.

        Raises:
            SpacelandError: the order makes no sense, the line is too long, or the folder cannot be written.
        """
        work.check_order(order)
        if order.upload and self.uploads.path(order.upload) is None:
            raise SourceError("the uploaded file is gone; drop it once more")
        job_id = secrets.token_hex(6)
        job = Job(job_id, order, self.out / "jobs" / job_id, planned=work.planned(order))
        job.save()
        with self.lock:
            self._enter(job, None)
            self.jobs[job.id] = job
        return job

    def ask(self, job: Job, question: Question) -> Question:
        """A question at the end of the line.

        Raises:
            SpacelandError: the job is not done, the line is too long, or the model is unknown.
        """
        if question.model not in self.models.names:
            self.models.open(question.model)
        with self.lock:
            if job.state != "done":
                raise SourceError("questions can be asked when the job is done")
            question.id = max((known.id for known in job.questions), default=0) + 1
            self._enter(job, question)
            job.questions.append(question)
        return question

    def stop(self, job: Job) -> None:
        """Stop a job; one that waits leaves the line, one that runs ends at its next step."""
        with self.lock:
            if job.state == "waiting":
                self._waiting = deque(entry for entry in self._waiting if entry[0] is not job)
                job.state = "stopped"
            elif job.state == "running":
                job.stop, job.state = True, "stopping"
                job.say("stopping at the next step")

    def resume(self, job: Job) -> None:
        """Put a stopped or failed job at the end of the line again.

        Raises:
            SourceError: the line is too long.
        """
        planned = work.planned(job.order)
        with self.lock:
            if job.state in ("stopped", "failed"):
                self._enter(job, None)
                job.planned = planned
                job.state, job.error, job.stop, job.steps = "waiting", "", False, []

    def _enter(self, job: Job, question: Question | None) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise SourceError(f"{MOST_WAITING} pieces of work are waiting already; stop some first")
        self._waiting.append((job, question))
        self.lock.notify_all()

    def _work(self) -> None:
        while True:
            with self.lock:
                while not self._waiting and not self._closed:
                    self.lock.wait()
                if self._closed:
                    return
                job, question = self._waiting.popleft()
                (job if question is None else question).state = "running"
            if question is None:
                self._run(job)
            else:
                self._answer(job, question)
            with contextlib.suppress(SpacelandError):
                job.save()

    def _run(self, job: Job) -> None:
        try:
            source = job.order.source
            if job.order.upload:
                source = self.uploads.source(
                    job.order.upload, job.folder / "work", lambda label, total: self._bar(job, label, total)
                )
            self._make(job.order, source, job.folder, lambda label, total: self._bar(job, label, total),
                       lambda line: self._say(job, line))  # fmt: skip
            self._end(job, "done")
        except StoppedError:
            self._end(job, "stopped")
        except SpacelandError as error:
            self._end(job, "failed", str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._end(job, "failed", f"internal error ({type(error).__name__}: {error}); the terminal shows where")

    def _answer(self, job: Job, question: Question) -> None:
        try:
            record, problem = work.answer(question, job.folder, self.models), ""
        except SpacelandError as error:
            record, problem = None, str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            record, problem = None, f"internal error ({type(error).__name__}: {error}); the terminal shows where"
        with self.lock:
            question.record, question.error = record, problem
            question.state = "failed" if record is None else "done"

    def _end(self, job: Job, state: Any, error: str = "") -> None:
        with self.lock:
            job.state, job.error, job.stop = state, error, False
            for step in job.steps:
                if not step.over:
                    step.over, step.seconds = True, time.monotonic() - step.started

    def _say(self, job: Job, line: str) -> None:
        with self.lock:
            job.say(line)
        if job.stop:
            raise StoppedError

    @contextlib.contextmanager
    def _bar(self, job: Job, label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        step = Step(label, max(1, total), started=time.monotonic())
        with self.lock:
            job.steps.append(step)

        def advance(steps: int, note: str) -> None:
            if job.stop:
                raise StoppedError
            with self.lock:
                step.done, step.note = step.done + steps, note

        if job.stop:
            raise StoppedError
        yield advance
        with self.lock:
            step.over, step.seconds, step.done = True, time.monotonic() - step.started, step.total
