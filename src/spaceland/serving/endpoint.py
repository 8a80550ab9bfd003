"""POST /v1/chat/completions, from the first byte of the request to the last of its answer.

The client's end is watched all the time: when it goes away, the model stops working for it at the next token. A status
is sent only when the answer's first piece is there, so what fails before that is an HTTP error also for streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from spaceland.serving.body import Bodies, ClientGoneError, drain, plain_headers
from spaceland.serving.gate import NOTES, send_json, send_problem
from spaceland.serving.problems import RequestError
from spaceland.serving.replies import EventWriter, completion, problem_event
from spaceland.serving.scheduler import Piece, timed_out
from spaceland.serving.service import Answer, ChatService

logger = logging.getLogger(__name__)
_LAST_WORD_S = 2.0
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
T = TypeVar("T")


class ChatEndpoint:
    """An ASGI application for one path. `log_content`: questions and answers go to the log too."""

    def __init__(self, service: ChatService, *, log_content: bool = False) -> None:
        self._service, self._log_content = service, log_content
        self._bodies = Bodies(service.limits)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = plain_headers(scope)
        reading = False
        try:
            with self._service.admitted():
                if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                    raise RequestError(415, "send the request as Content-Type: application/json")
                reading = True
                body = await self._bodies.read(headers, receive)
                try:
                    await _while_connected(receive, self._answer(body, scope[NOTES], send))
                finally:
                    self._bodies.release(len(body))
        except RequestError as problem:
            if not reading:
                await drain(headers, receive, self._bodies.most)
            scope[NOTES]["code"] = problem.code
            await send_problem(send, problem, close=not reading or problem.status in (408, 413, 429))
        except ClientGoneError:
            scope[NOTES]["status"] = 499

    async def _answer(self, body: bytes, notes: dict[str, Any], send: Any) -> None:
        """Send the answer.

        Raises:
            RequestError: nothing was sent, and this is why.
        """
        seconds = self._service.limits.request_s
        until = asyncio.get_running_loop().time() + seconds
        answer = await _within(until, self._service.begin(body, time.monotonic() + seconds))
        try:
            notes |= {"images": len(answer.request.pictures), "prompt": answer.prompt.num_tokens}
            first = await _within(until, answer.next())
            text, last = await (self._stream if answer.request.stream else self._whole)(
                answer, first, until, notes, send
            )
            notes |= {"answer": last.num_tokens, "finish": last.finish}
            if self._log_content:
                asked = [p for m in answer.request.messages for p in m.content if isinstance(p, str)]
                logger.info("%s asked %r, answered %r", notes["id"], asked, text)
        finally:
            answer.cancel()

    async def _whole(
        self, answer: Answer, piece: Piece, until: float, notes: dict[str, Any], send: Any
    ) -> tuple[str, Piece]:
        text = piece.text
        while not piece.last:
            piece = await _within(until, answer.next())
            text += piece.text
        facts = self._service.engine.facts
        await send_json(send, 200, completion(_name(notes), facts, answer, text, str(piece.finish), piece.num_tokens))
        return text, piece

    async def _stream(
        self, answer: Answer, piece: Piece, until: float, notes: dict[str, Any], send: Any
    ) -> tuple[str, Piece]:
        events = EventWriter(_name(notes), self._service.engine.facts, answer)
        text = ""
        try:
            # A client that does not read what it is sent is not waited for beyond the time limit either.
            async with asyncio.timeout_at(until):
                await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
                await _send_more(send, events.start())
                while True:
                    text += piece.text
                    if piece.text:
                        await _send_more(send, events.text(piece.text))
                    if piece.last:
                        break
                    piece = await answer.next()
                await send({"type": "http.response.body", "body": events.end(str(piece.finish), piece.num_tokens)})
        except (TimeoutError, RequestError) as error:
            problem = error if isinstance(error, RequestError) else timed_out()
            notes |= {"status": problem.status, "code": problem.code}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD_S):
                    await send({"type": "http.response.body", "body": problem_event(problem)})
        return text, piece


def _name(notes: dict[str, Any]) -> str:
    return f"chatcmpl-{notes['id']}"


async def _send_more(send: Any, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _within(until: float, work: Coroutine[Any, Any, T]) -> T:
    """What is awaited, unless the request's time is over before."""
    try:
        async with asyncio.timeout_at(until):
            return await work
    except TimeoutError:
        raise timed_out() from None


async def _while_connected(receive: Any, work: Coroutine[Any, Any, None]) -> None:
    """Do work, and stop it when the client goes away.

    Raises:
        ClientGoneError: it did.
    """

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    doing, watching = asyncio.create_task(work), asyncio.create_task(gone())
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientGoneError
        doing.result()
    finally:
        for task in (doing, watching):
            task.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)
