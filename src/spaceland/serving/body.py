"""The body of a request, read as it comes and never beyond its limits.

A refusal is of use only when the client gets to read it, and most clients first send all they have. So the rest of a
refused body is read and thrown away, for a bounded time and length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from spaceland.serving.limits import Limits
from spaceland.serving.problems import RequestError

Receive = Callable[[], Awaitable[Any]]
_DRAIN_S = 5.0


class ClientGoneError(Exception):
    """The client closed the connection."""


class Bodies:
    """How many bytes of bodies are held at the moment; one for each server, used on its event loop alone."""

    def __init__(self, limits: Limits) -> None:
        self.most, self._all = int(limits.max_body_mb * 1e6), int(limits.max_pending_mb * 1e6)
        self._limits, self.held = limits, 0

    async def read(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body; `release` its length when it is no longer needed.

        Raises:
            RequestError: it is too large (413), too slow (408), or too much is held already (429).
            ClientGoneError: it was cut off.
        """
        length = headers.get("content-length", "")
        if length.isdecimal() and len(length) < 16 and int(length) > self.most:
            await drain(headers, receive, self.most)
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    body += chunk
                    self.held += len(chunk)
                    if (problem := self._excess(len(body))) is not None:
                        if more:
                            await drain(headers, receive, self.most)
                        raise problem
                    if not more:
                        return bytes(body)
        except TimeoutError:
            self.release(len(body))
            raise RequestError(
                408, f"the request did not arrive in {self._limits.body_s:g} s", code="timeout"
            ) from None
        except (RequestError, ClientGoneError):
            self.release(len(body))
            raise

    def release(self, length: int) -> None:
        """The body is gone."""
        self.held -= length

    def _excess(self, length: int) -> RequestError | None:
        if length > self.most:
            return self._too_large()
        if self.held > self._all:
            return RequestError(429, "the server holds as much as it can; try again", code="busy", retry_after_s=2)
        return None

    def _too_large(self) -> RequestError:
        return RequestError(
            413,
            f"the request has more than {self._limits.max_body_mb:g} MB; send fewer or smaller pictures",
            code="request_too_large",
        )


async def drain(headers: Mapping[str, str], receive: Receive, most: int) -> None:
    """Read and throw away what is left of a body, at most so many bytes."""
    if "expect" in headers:
        # The client waits for a word before it sends the body; it gets the refusal.
        return
    try:
        async with asyncio.timeout(_DRAIN_S):
            while most > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return


def plain_headers(scope: Any) -> dict[str, str]:
    """Headers by their names in small letters; of several the last one counts."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
