"""Listening: a socket, uvicorn on it, and an orderly end.

On SIGTERM or Ctrl-C no new connection is taken, /health says so, requests that were admitted are answered for at most
`grace_s` seconds, and then the process ends. A second Ctrl-C ends it at once.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from spaceland.errors import OutputError
from spaceland.serving.access import Access
from spaceland.serving.app import make_app
from spaceland.serving.engine import Engine
from spaceland.serving.fetch import UrlAccess
from spaceland.serving.heads import timed_heads
from spaceland.serving.limits import Limits
from spaceland.serving.service import ChatService

_KEEP_ALIVE_S = 30


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        OutputError: the address or the port cannot be had.
    """
    if not 0 <= port <= 65535:
        raise OutputError(f"cannot listen on {host}:{port}: there is no such port; choose 1 to 65535, or 0 for any")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise OutputError(f"cannot listen on {host}:{port} ({error}); choose another --port or --host") from error
    return found


class ModelServer(uvicorn.Server):
    """One model behind one socket. `run` returns after an orderly end."""

    def __init__(
        self,
        engine: Engine,
        listening: socket.socket,
        access: Access,
        *,
        limits: Limits | None = None,
        urls: UrlAccess | None = None,
        grace_s: float = 30.0,
        log_content: bool = False,
    ) -> None:
        """Make it ready; nothing is answered before `run`.

        Args:
            engine: The model.
            listening: As `listen` makes it.
            access: Who is answered.
            limits: Bounds on requests.
            urls: What pictures' URLs may reach; nothing by default.
            grace_s: How long requests under way may go on after the server was told to end.
            log_content: Questions and answers go to the log.
        """
        limits = limits or Limits()
        self.service = ChatService(engine, limits, urls or UrlAccess())
        self._listening, self._grace_s = listening, grace_s
        config = uvicorn.Config(
            make_app(self.service, access, log_content=log_content),
            http=timed_heads(limits.head_s),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(grace_s)),
            # Connections, not requests: enough for all that may wait and those that are told to come back.
            limit_concurrency=4 * (limits.max_waiting + limits.max_batch) + 64,
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        # uvicorn sends the signal again when it is done; by then it has had its effect.
        before = _quiet_sigterm()
        try:
            super().run(sockets or [self._listening])
        except KeyboardInterrupt:
            pass
        finally:
            before()
            self.service.close(timeout_s=1.0 if self.force_exit else self._grace_s)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told to end by a signal."""
        self.stop()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        """Begin an orderly end; may be called from any thread."""
        self.service.draining = True
        self.should_exit = True


def _quiet_sigterm() -> Callable[[], Any]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    return lambda: signal.signal(signal.SIGTERM, before)
