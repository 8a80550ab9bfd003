"""Around every request: who is answered, what a response always says, a number for each request, and one line of log.

The line holds counts and times, never what was asked or answered, unless the one who runs the server wants that.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from typing import Any

from spaceland.serving.access import Access
from spaceland.serving.body import drain, plain_headers
from spaceland.serving.metrics import SECONDS, Metrics
from spaceland.serving.problems import RequestError

logger = logging.getLogger(__name__)
_ALWAYS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_DRAIN = 1 << 26
NOTES = "spaceland.notes"
"""Key of the scope under which an endpoint notes what the log should say."""


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: Any, access: Access, metrics: Metrics, paths: frozenset[str]) -> None:
        """Wrap an application.

        Args:
            app: Answers whoever is let in.
            access: Who that is.
            metrics: Gets a count for each status, and times.
            paths: Known paths; others are counted together, so that clients cannot make up labels.
        """
        self._app, self._access, self._metrics, self._paths = app, access, metrics, paths
        metrics.counter("requests_total", "Requests by path and status")
        metrics.histogram("request_seconds", "From the first byte of a chat request to the last of its answer", SECONDS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, number = time.monotonic(), secrets.token_hex(8)
        notes: dict[str, Any] = {"id": number}
        scope[NOTES] = notes
        state = {"status": 0}

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                extra = [*_ALWAYS, (b"x-request-id", number.encode())]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            try:
                self._access.check(scope["headers"], scope["path"])
                await self._app(scope, receive, sending)
            except RequestError as problem:
                await drain(plain_headers(scope), receive, _DRAIN)
                await send_problem(sending, problem, close=True)
        except Exception:
            logger.exception("request %s met a bug", number)
            if not state["status"]:
                await send_problem(sending, RequestError(500, "the server met a bug; its log has the reason"))
        finally:
            # A stream that failed on its way began with 200.
            status = notes.pop("status", None) or state["status"] or 499
            self._note(scope, started, status, notes)

    def _note(self, scope: Any, started: float, status: int, notes: dict[str, Any]) -> None:
        seconds = time.monotonic() - started
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.add("requests_total", path=path, status=str(status))
        if path.endswith("/chat/completions"):
            self._metrics.observe("request_seconds", seconds)
        words = " ".join(f"{name}={value}" for name, value in notes.items())
        client = scope["client"][0] if scope.get("client") else "-"
        logger.info("%s %s %s %d %.0f ms %s", client, scope["method"][:10], path, status, seconds * 1e3, words)


async def send_json(send: Any, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
    """A whole response."""
    data = json.dumps(value).encode()
    pairs = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()],
        }
    )
    await send({"type": "http.response.body", "body": data, "more_body": False})


async def send_problem(send: Any, problem: RequestError, *, close: bool = False) -> None:
    """A refusal; `close` when the rest of the request was not read."""
    headers = problem.headers() | ({"Connection": "close"} if close else {})
    await send_json(send, problem.status, problem.body(), headers)
