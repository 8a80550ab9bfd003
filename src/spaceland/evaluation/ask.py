"""Asking a model about many rows: several at a time, every outcome handed over as soon as it is there.

Servers get `concurrency` requests at a time from threads; models on this machine get batches, and the pictures of the
next batch are read while one runs. The caller receives outcomes in groups, and writes each group before it asks for the
next one; nothing else is shared between asking and keeping.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from spaceland.chat.types import ChatModel, Generation, Message, Reply
from spaceland.errors import SpacelandError
from spaceland.evaluation.media import MediaCache
from spaceland.evaluation.plan import Item, message_of, sent_sha256

_GIVE_UP_FIRST, _GIVE_UP_LATER = 8, 64
"""Failures in a row after which a run is stopped, before and after the first answer: the server is down."""
_LOOK_UP_S = 0.25
"""Longest wait without a look at signals: a lock's wait misses those that another thread gets, on Windows all."""


@dataclass(frozen=True)
class Outcome:
    """What came of an item: a reply or the reason why there is none. `frames` are the indices of what was shown."""

    item: Item
    reply: Reply | None
    problem: str = ""
    frames: tuple[int, ...] = ()
    sent_sha256: str = ""
    seconds: float = 0.0


def ask_concurrently(
    items: Sequence[Item], model: ChatModel, generation: Generation, cache: MediaCache | None, concurrency: int
) -> Generator[list[Outcome], None, None]:
    """Outcomes in groups of those that were ready at the same time, in the order in which they came."""

    def one(item: Item) -> Outcome:
        started = time.monotonic()
        try:
            messages, frames = _chat(item, cache)
        except SpacelandError as error:
            return Outcome(item, None, str(error))
        sent = sent_sha256(messages)
        try:
            reply = model.complete(messages, generation)
        except SpacelandError as error:
            return Outcome(item, None, str(error), frames, sent, time.monotonic() - started)
        return Outcome(item, reply, "", frames, sent, time.monotonic() - started)

    waiting: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[Outcome | BaseException] = SimpleQueue()
    for item in items:
        waiting.put(item)
    # Outcomes that nobody has taken yet are bounded, so that a stop loses no more than these.
    room, stopped = threading.Semaphore(2 * concurrency), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            if not room.acquire(timeout=_LOOK_UP_S):
                continue
            try:
                done.put(one(waiting.get_nowait()))
            except Empty:
                return
            except BaseException as error:
                done.put(error)
                return

    # Not a pool: Python waits for a pool's threads at its end, and one that waits for a server may take minutes.
    for _ in range(min(concurrency, len(items))):
        threading.Thread(target=work, name="ask", daemon=True).start()
    left = len(items)
    try:
        while left:
            taken: list[Outcome | BaseException] = []
            with contextlib.suppress(Empty):
                taken.append(done.get(timeout=_LOOK_UP_S))
                while True:
                    taken.append(done.get_nowait())
            if not taken:
                continue
            outcomes = [found for found in taken if isinstance(found, Outcome)]
            left -= len(outcomes)
            if outcomes:
                yield outcomes
            room.release(len(taken))
            for found in taken:
                if isinstance(found, BaseException):
                    raise found
    finally:
        # Only this: an interrupt may have come within `room`, whose lock this thread then holds.
        stopped.set()


def ask_in_batches(
    items: Sequence[Item], model: Any, generation: Generation, cache: MediaCache | None, batch: int
) -> Generator[list[Outcome], None, None]:
    """Outcomes batch by batch; the model has `complete_many`, or is asked one by one."""

    def prepare(group: Sequence[Item]) -> list[tuple[Item, list[Message] | None, tuple[int, ...], str]]:
        prepared: list[tuple[Item, list[Message] | None, tuple[int, ...], str]] = []
        for item in group:
            try:
                messages, frames = _chat(item, cache)
                prepared.append((item, messages, frames, ""))
            except SpacelandError as error:
                prepared.append((item, None, (), str(error)))
        return prepared

    size = batch if hasattr(model, "complete_many") else 1
    groups = (items[start : start + size] for start in range(0, len(items), size))
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        coming = next(groups, None)
        future = reader.submit(prepare, coming) if coming else None
        while future is not None:
            prepared = future.result()
            following = next(groups, None)
            future = reader.submit(prepare, following) if following else None
            chats = [messages for _, messages, _, _ in prepared if messages is not None]
            started = time.monotonic()
            replies = iter(_complete(model, chats, generation))
            each = (time.monotonic() - started) / max(len(chats), 1)
            outcomes = []
            for item, messages, frames, problem in prepared:
                if messages is None:
                    outcomes.append(Outcome(item, None, problem))
                    continue
                reply, sent = next(replies), sent_sha256(messages)
                if isinstance(reply, Reply):
                    outcomes.append(Outcome(item, reply, "", frames, sent, each))
                else:
                    outcomes.append(Outcome(item, None, str(reply), frames, sent, each))
            yield outcomes


def _complete(model: Any, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply | SpacelandError]:
    if hasattr(model, "complete_many"):
        return list(model.complete_many(chats, generation)) if chats else []
    replies: list[Reply | SpacelandError] = []
    for chat in chats:
        try:
            replies.append(model.complete(chat, generation))
        except SpacelandError as error:
            replies.append(error)
    return replies


def _chat(item: Item, cache: MediaCache | None) -> tuple[list[Message], tuple[int, ...]]:
    if item.media is None or cache is None:
        return message_of(item, (), None), ()
    pictures, indices = cache.load(item.media)
    return message_of(item, pictures, cache.policy), tuple(indices)


class Patience:
    """Stops a run that only fails: at once where nothing was answered before, later after many failures in a row.

    Failures to read pictures do not count; they say nothing about the model.
    """

    def __init__(self, error: Callable[[str], Exception]) -> None:
        self._error, self._in_a_row, self._answered = error, 0, False

    def look_at(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            if outcome.reply is not None:
                self._answered, self._in_a_row = True, 0
            elif outcome.sent_sha256:
                self._in_a_row += 1
            if self._in_a_row >= (_GIVE_UP_LATER if self._answered else _GIVE_UP_FIRST):
                which = "rows in a row" if self._answered else "rows that were asked first"
                raise self._error(
                    f"{self._in_a_row} {which} failed, the last with: {outcome.problem}. Answers are kept; run the "
                    "same command again to go on"
                )
