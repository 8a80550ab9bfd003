"""Connections that never send a whole request head are closed: uvicorn itself waits for them without end.

A head is the first line and the headers. Nobody has shown a key before it is there, and connections are limited, so a
few hundred silent ones would keep everybody else away.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def timed_heads(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol, with so many seconds for each head from the connection, or from its first byte on."""

    class TimedHeads(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self.transport.abort)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return TimedHeads
