"""One thread owns the model and answers what waits, several requests together.

Requests that arrive within a few milliseconds form a batch, in the order in which they came, as far as the limits on
requests and tokens reach. All of a batch begin together; each ends by itself, and its client has its tokens as they
come. The next batch begins when the last one of a batch has ended. A batch that fails before anybody was told a word is
asked again one by one, so that one request's failure is its own.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from spaceland.serving.engine import Engine, Prompt
from spaceland.serving.limits import Limits
from spaceland.serving.metrics import SECONDS, SIZES, Metrics
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import Sampling
from spaceland.serving.text_stream import TextStream

logger = logging.getLogger(__name__)
Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """Something new about an answer: text, and at its end why it ended, or what went wrong."""

    text: str = ""
    finish: Finish | None = None
    problem: RequestError | None = None
    num_tokens: int = 0
    """Tokens of the answer so far."""

    @property
    def last(self) -> bool:
        """Whether nothing follows."""
        return self.finish is not None or self.problem is not None


class Job:
    """One answer on its way. `emit` is called on the scheduler's thread, and exactly once with a last piece."""

    def __init__(self, prompt: Prompt, sampling: Sampling, *, deadline: float, emit: Callable[[Piece], None]) -> None:
        self.prompt, self.sampling, self.deadline = prompt, sampling, deadline
        self.num_tokens, self.ended, self.created = 0, False, time.monotonic()
        self.first_token_s: float | None = None
        self._emit, self._cancelled = emit, threading.Event()
        self._stream: TextStream | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more; may be called from any thread."""
        self._cancelled.set()

    def begin(self, engine: Engine) -> bool:
        """Whether it is still to be answered."""
        self._stream = TextStream(engine.decode, self.sampling.stops)
        return not self._expired()

    def take(self, token: int, ends: frozenset[int]) -> bool:
        """The next token; whether the answer is complete."""
        if self.ended or self._expired():
            return True
        assert self._stream is not None
        self.num_tokens += 1
        if self.first_token_s is None:
            self.first_token_s = time.monotonic() - self.created
        end = token in ends
        text = "" if end else self._stream.push(token)
        finish: Finish | None = "stop" if end or self._stream.stopped else None
        if finish is None and self.num_tokens >= self.sampling.max_tokens:
            finish = "length"
        if finish is not None:
            text += self._stream.finish()
            # What was held back may hold a stop string.
            finish = "stop" if self._stream.stopped else finish
        self.ended = finish is not None
        if text or self.ended:
            self._emit(Piece(text, finish, num_tokens=self.num_tokens))
        return self.ended

    def fail(self, problem: RequestError) -> None:
        """End without an answer."""
        if not self.ended:
            self.ended = True
            self._emit(Piece(problem=problem, num_tokens=self.num_tokens))

    def _expired(self) -> bool:
        if self._cancelled.is_set():
            self.fail(RequestError(499, "the client went away", code="cancelled"))
        elif time.monotonic() > self.deadline:
            self.fail(timed_out())
        return self.ended


def timed_out() -> RequestError:
    """The answer took too long."""
    return RequestError(504, "the answer was not complete in time; ask for fewer tokens, or try later", code="timeout")


class Scheduler:
    """A queue and the thread that owns the engine. Jobs are answered in the order in which they were handed in."""

    def __init__(self, engine: Engine, limits: Limits, metrics: Metrics) -> None:
        self._engine, self._limits, self._metrics = engine, limits, metrics
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._next: Job | None = None
        self._closing = False
        self._lock = threading.Lock()
        metrics.histogram("batch_size", "Requests that were answered together", SIZES)
        metrics.histogram("queue_seconds", "How long requests waited for the model", SECONDS)
        metrics.histogram("first_token_seconds", "From the queue to the first token", SECONDS)
        metrics.counter("generated_tokens_total", "Tokens of answers")
        metrics.counter("prompt_tokens_total", "Tokens of prompts that were answered")
        metrics.counter("model_failures_total", "Batches in which the model failed")
        metrics.gauge("queued", "Prompts that are ready and wait for the model", lambda: float(self._queue.qsize()))
        self._thread = threading.Thread(target=self._run, name="spaceland-model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the model's thread runs."""
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        """Hand a job in; it is failed at once when the scheduler has been closed."""
        with self._lock:
            if not self._closing:
                self._queue.put(job)
                return
        job.fail(stopping())

    def close(self, timeout_s: float | None = None) -> None:
        """Answer what was handed in, then end the thread."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (batch := self._gather()) is not None:
            try:
                self._answer(batch)
            except Exception:
                logger.exception("the model's thread met a bug; it goes on")
                for job in batch:
                    job.fail(_broken())

    def _gather(self) -> list[Job] | None:
        """The next batch; None when the scheduler is closed and nothing is left."""
        first, self._next = self._next or self._queue.get(), None
        if first is None:
            return None
        batch, until = [first], time.monotonic() + self._limits.batch_wait_ms / 1e3
        while len(batch) < self._limits.max_batch:
            try:
                job = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            longest = max(other.prompt.num_tokens + other.sampling.max_tokens for other in [*batch, job])
            if longest * (len(batch) + 1) > self._limits.max_batch_tokens:
                self._next = job
                break
            batch.append(job)
        return batch

    def _answer(self, batch: Sequence[Job]) -> None:
        jobs = [job for job in batch if job.begin(self._engine)]
        for job in jobs:
            self._metrics.observe("queue_seconds", time.monotonic() - job.created)
        if not jobs or self._generate(jobs):
            return
        for job in jobs:
            if job.num_tokens == 0 and len(jobs) > 1 and job.begin(self._engine):
                self._generate([job])
            job.fail(_broken())

    def _generate(self, jobs: Sequence[Job]) -> bool:
        """Whether the model did its work."""
        ends = self._engine.ends

        def take(tokens: list[int]) -> list[bool]:
            return [job.take(token, ends) for job, token in zip(jobs, tokens, strict=True)]

        self._metrics.observe("batch_size", len(jobs))
        try:
            self._engine.generate([job.prompt for job in jobs], [job.sampling for job in jobs], take)
        except Exception:
            # Anything that a model raises: the reason goes to the log, and the server goes on.
            logger.exception("the model failed on %d prompts of %s tokens", len(jobs), _lengths(jobs))
            self._metrics.add("model_failures_total")
            return False
        finally:
            for job in jobs:
                self._metrics.add("generated_tokens_total", job.num_tokens)
                if job.first_token_s is not None:
                    self._metrics.add("prompt_tokens_total", job.prompt.num_tokens)
                    self._metrics.observe("first_token_seconds", job.first_token_s)
        for job in jobs:
            job.fail(_broken())
        return True


def stopping() -> RequestError:
    """The server is about to end."""
    return RequestError(503, "the server is stopping; try again in a moment", code="stopping", retry_after_s=5)


def _broken() -> RequestError:
    return RequestError(500, "the model failed on this request; the server's log has the reason", code="model_failed")


def _lengths(jobs: Sequence[Job]) -> str:
    return ", ".join(str(job.prompt.num_tokens) for job in jobs)
