"""The way of a request: admitted, read, made ready, handed to the scheduler, and its pieces handed back.

Runs on the server's event loop. What takes long runs elsewhere: JSON and base64 on a few threads, decoding and
tokenising on one thread of their own, the model on the scheduler's. A request holds pixels only while it has one of
2 `max_batch` slots; before that, only the bytes it came in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from spaceland.serving.engine import Engine, Prompt
from spaceland.serving.fetch import UrlAccess
from spaceland.serving.limits import Limits
from spaceland.serving.metrics import Metrics
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import ChatRequest, parse_request
from spaceland.serving.scheduler import Job, Piece, Scheduler, stopping

_READERS = 4


class Answer:
    """An answer under way. Pieces come with `next` until one is the last; `cancel` when nobody waits for them."""

    def __init__(self, request: ChatRequest, prompt: Prompt) -> None:
        self.request, self.prompt = request, prompt
        self.created = int(time.time())
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()
        self.job: Job | None = None

    async def next(self) -> Piece:
        """The next piece.

        Raises:
            RequestError: the answer failed.
        """
        piece = await self._pieces.get()
        if piece.problem is not None:
            raise piece.problem
        return piece

    def cancel(self) -> None:
        """The model stops working on it at the next token."""
        if self.job is not None:
            self.job.cancel()

    def put(self, piece: Piece) -> None:
        """A new piece; on the event loop."""
        self._pieces.put_nowait(piece)


class ChatService:
    """Answers requests with one engine; belongs to one event loop."""

    def __init__(self, engine: Engine, limits: Limits, urls: UrlAccess, metrics: Metrics | None = None) -> None:
        self.engine, self.limits, self.urls = engine, limits, urls
        self.metrics = metrics or Metrics()
        self.draining = False
        """Set when the server is about to end: new requests are refused, those that were admitted are answered."""
        self.active = 0
        self._seconds = 1.0
        self._scheduler = Scheduler(engine, limits, self.metrics)
        self._slots = asyncio.Semaphore(2 * limits.max_batch)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="spaceland-read")
        # One thread: tokenizers may not be used by two at a time.
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="spaceland-prepare")
        self.metrics.gauge("active_requests", "Requests that were admitted and are not answered", lambda: self.active)
        for name, text in (
            ("hits", "Clips that were found in the cache"),
            ("misses", "Clips that had to be encoded"),
            ("clips", "Clips in the cache"),
            ("bytes", "Bytes of the clips in the cache"),
        ):
            self.metrics.gauge(f"clip_cache_{name}", text, lambda name=name: float(getattr(engine.cache, name)))

    @property
    def healthy(self) -> bool:
        """Whether new requests are answered."""
        return not self.draining and self._scheduler.alive

    def close(self, timeout_s: float | None = None) -> None:
        """Answer what was handed in, then let the threads end."""
        self.draining = True
        self._scheduler.close(timeout_s)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._preparer.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among the requests that wait or are answered.

        Raises:
            RequestError: the server is stopping (503), or the line is full (429).
        """
        if not self.healthy:
            raise stopping()
        if self.active >= self.limits.max_waiting + self.limits.max_batch:
            wait_s = min(60.0, self._seconds * self.active / self.limits.max_batch)
            raise RequestError(
                429, f"{self.active} requests wait already; try again later", code="queue_full", retry_after_s=wait_s
            )
        self.active += 1
        started = time.monotonic()
        try:
            yield
            self._seconds += 0.1 * (time.monotonic() - started - self._seconds)
        finally:
            self.active -= 1

    async def begin(self, body: bytes, deadline: float) -> Answer:
        """Read a request and hand it to the model.

        Args:
            body: The request's JSON.
            deadline: When it must be answered, on the clock of `time.monotonic`.

        Raises:
            RequestError: it is wrong, or asks for another model.
        """
        loop = asyncio.get_running_loop()
        urls = replace(self.urls, deadline=deadline)
        request = await loop.run_in_executor(self._readers, parse_request, body, self.limits, urls)
        name = self.engine.facts.name
        if request.model != name:
            raise RequestError(
                404, f"there is no such model here; this server has '{name}'", code="model_not_found", param="model"
            )
        await self._slots.acquire()
        job: Job | None = None
        try:
            prompt = await loop.run_in_executor(self._preparer, self.engine.prepare, request.messages)
            request = self._checked(request, prompt)
            answer = Answer(request, prompt)

            def emit(piece: Piece) -> None:
                # The loop is closed when the server was ended by force.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(deliver, piece)

            def deliver(piece: Piece) -> None:
                answer.put(piece)
                if piece.last:
                    self._slots.release()

            job = answer.job = Job(prompt, request.sampling, deadline=deadline, emit=emit)
        finally:
            if job is None:
                self._slots.release()
        self._scheduler.submit(job)
        return answer

    def _checked(self, request: ChatRequest, prompt: Prompt) -> ChatRequest:
        """The request with `max_tokens` as far as the model's context reaches, where it named none itself."""
        context, sampling = self.engine.facts.context, request.sampling
        most = min(self.limits.max_prompt_tokens, context - 1)
        if prompt.num_tokens > most:
            raise RequestError(
                400,
                f"the prompt has {prompt.num_tokens} tokens; at most {most} are taken: send fewer or smaller pictures, "
                "or less text",
                code="context_length_exceeded",
                param="messages",
            )
        room = context - prompt.num_tokens
        if sampling.max_tokens <= room:
            return request
        if request.max_tokens_given:
            raise RequestError(
                400,
                f"the prompt has {prompt.num_tokens} tokens, and the model's context of {context} has no room for "
                f"{sampling.max_tokens} more; lower max_tokens",
                code="context_length_exceeded",
                param="max_tokens",
            )
        return replace(request, sampling=replace(sampling, max_tokens=room))
