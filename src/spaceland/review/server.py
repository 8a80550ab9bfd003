"""The server of a review: on this machine only, for one page only.

    GET  /            the page
    GET  /samples     ids, tasks and verdicts of the samples
    GET  /card?k=3    a sample as markup, pictures inside
    POST /verdict     {"k": 3, "id": "...", "verdict": "accept" | "reject" | null, "reason": "..."}

It listens on 127.0.0.1 and answers four fixed addresses; no part of an address is ever a file name. Any page in the
same browser could send requests to it, so: all but the empty page needs a key that was made for this run and that only
the terminal shows, in a header that other pages cannot set without being asked first and refused; the Host header must
name this server, against names that are pointed at 127.0.0.1 from outside; and an Origin, where the browser sends one,
must be this server's own.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from spaceland.errors import OutputError, SceneError
from spaceland.review.page import review_page
from spaceland.review.verdicts import REASONS, Journal, Verdict
from spaceland.viewer.cards import Gallery, card
from spaceland.viewer.html import join

_MAX_BODY = 10_000
_CARDS_KEPT = 16
_TIMEOUT_S = 30


class RefusedError(Exception):
    """A request that is not answered; the status and why. It never leaves this module."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class ReviewServer(ThreadingHTTPServer):
    """Serves samples of a dataset folder and writes verdicts to its journal.

    Args:
        folder: Dataset folder; pictures come from it.
        samples: Rows to show, in order.
        scenes: What `info.json` says about the scenes.
        journal: Where verdicts go.
        port: 0 for any free one.
    """

    daemon_threads = True

    def __init__(
        self,
        folder: Path,
        samples: Sequence[Mapping[str, Any]],
        scenes: Mapping[str, Any],
        journal: Journal,
        port: int = 0,
    ) -> None:
        self.folder, self.samples, self.scenes, self.journal = folder, list(samples), scenes, journal
        self.key = secrets.token_urlsafe(24)
        self.page, self.policy = review_page()
        self._cards: dict[int, str] = {}
        self._lock = threading.Lock()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise OutputError(f"cannot listen on 127.0.0.1:{port} ({error}); choose another --port") from error

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """What to open in a browser; the key stands behind the #, which is not sent."""
        return f"http://127.0.0.1:{self.port}/#{self.key}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection early is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def listing(self) -> dict[str, Any]:
        """What the page needs to know about all samples."""
        found = []
        for row in self.samples:
            verdict = self.journal.verdict(row)
            found.append(
                {
                    "id": row["id"],
                    "task": row["task"],
                    "format": row["format"],
                    "verdict": verdict.ruling if verdict else None,
                    "reason": verdict.reason if verdict else "",
                }
            )
        return {"samples": found}

    def card(self, k: int) -> str:
        """A sample as markup; the last few are kept, since people go back and forth."""
        with self._lock:
            if k in self._cards:
                return self._cards[k]
        row = self.samples[k]
        scene = self.scenes.get(row["scene"])
        gallery = Gallery(self.folder)
        html = card(row, scene if isinstance(scene, dict) else {}, gallery)
        text = str(join(html, gallery.definitions()))
        with self._lock:
            self._cards[k] = text
            while len(self._cards) > _CARDS_KEPT:
                del self._cards[next(iter(self._cards))]
        return text

    def decide(self, body: Any) -> None:
        """Write the verdict that a request holds.

        Raises:
            RefusedError: it makes no sense.
            OutputError: it could not be written.
        """
        if not isinstance(body, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        k, ruling, reason = body.get("k"), body.get("verdict"), body.get("reason") or ""
        if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < len(self.samples):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "no such sample")
        row = self.samples[k]
        if body.get("id") != row["id"]:
            raise RefusedError(HTTPStatus.CONFLICT, "the page shows other samples; reload it")
        if ruling not in ("accept", "reject", None) or (ruling == "reject") != (reason in REASONS):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "unknown verdict or reason")
        self.journal.record(row, None if ruling is None else Verdict(ruling, reason))


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "spaceland", ""
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S

    @property
    def review(self) -> ReviewServer:
        assert isinstance(self.server, ReviewServer)
        return self.server

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, make: Callable[[], tuple[HTTPStatus, str, str]]) -> None:
        self._body_read = False
        try:
            self._check_host()
            status, kind, text = make()
        except RefusedError as refused:
            self._drain()
            status, kind, text = refused.status, "application/json", json.dumps({"error": str(refused)})
        except (OutputError, SceneError) as error:
            status, kind, text = HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", json.dumps({"error": str(error)})
        data = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", self.review.policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _get(self) -> tuple[HTTPStatus, str, str]:
        address = urlsplit(self.path)
        if address.path == "/":
            return HTTPStatus.OK, "text/html", self.review.page
        if address.path not in ("/samples", "/card"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self._check_key()
        if address.path == "/samples":
            return HTTPStatus.OK, "application/json", json.dumps(self.review.listing())
        asked = parse_qs(address.query).get("k", [""])[0]
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 9 and int(asked) < len(self.review.samples)):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such sample")
        return HTTPStatus.OK, "application/json", json.dumps({"html": self.review.card(int(asked))})

    def _post(self) -> tuple[HTTPStatus, str, str]:
        if urlsplit(self.path).path != "/verdict":
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self._check_key()
        data = self._read_body()
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "not valid JSON") from error
        self.review.decide(body)
        return HTTPStatus.OK, "application/json", json.dumps({"saved": True})

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 9):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "a verdict needs a length")
        if int(length) > _MAX_BODY:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long for a verdict")
        self._body_read = True
        return self.rfile.read(int(length))

    def _drain(self) -> None:
        """Read the body of a refused request, so that the refusal arrives; a long one costs the connection."""
        if self.command == "POST" and not self._body_read:
            try:
                self._read_body()
            except RefusedError:
                self.close_connection = True

    def _check_host(self) -> None:
        own = {f"{name}:{self.review.port}" for name in ("127.0.0.1", "localhost")}
        if self.headers.get("Host", "").lower() not in own:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in own}:
            raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other pages are not answered")

    def _check_key(self) -> None:
        given = self.headers.get("X-Review-Key", "")
        if not hmac.compare_digest(given.encode(errors="replace"), self.review.key.encode()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "wrong key; open the address that the terminal shows")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address."""
