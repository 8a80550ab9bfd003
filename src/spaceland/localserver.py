"""A server for one page on this machine, and who may speak to it: the page that the terminal shows, and nobody else.

Any page in the same browser can send requests to 127.0.0.1. So the Host header must name this server (names that are
pointed at 127.0.0.1 from outside do not), an Origin, where the browser sends one, must be this server's own, and all
but the page's own files need a key that was made for this run, in a header that other pages cannot set without being
asked first and refused.

A page is a `LocalServer` with a `LocalHandler` of its own, whose `get` and `post` say what is answered to an address.
A `RefusedError`, or an error that a user can act on, becomes {"error": "..."}. Bodies are read when their length is
known.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, urlsplit

from spaceland.errors import OutputError, SpacelandError

KEY_HEADER = "X-Spaceland-Key"
_DRAIN = 1 << 20


class RefusedError(Exception):
    """A request that is not answered: the status and why. It never leaves the server."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def check_host(headers: Message, port: int) -> None:
    """Refuse other names and other pages.

    Raises:
        RefusedError: the request comes from elsewhere.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or hosts[0].strip().lower() not in own:
        raise RefusedError(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
    for origin in headers.get_all("Origin", []):
        if origin.strip().lower() not in {f"http://{host}" for host in own}:
            raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other pages are not answered")
    if headers.get("Sec-Fetch-Site", "none").lower() not in ("same-origin", "none"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other pages are not answered")


def check_key(headers: Message, key: str) -> None:
    """Refuse whoever does not know the key.

    Raises:
        RefusedError: it is missing or wrong.
    """
    given = headers.get(KEY_HEADER, "")
    if not hmac.compare_digest(given.encode(errors="replace"), key.encode()):
        raise RefusedError(HTTPStatus.FORBIDDEN, "wrong key; open the address that the terminal shows")


def body_length(headers: Message, most: int) -> int:
    """How long the body of a request is.

    Raises:
        RefusedError: it is unknown, told twice, or more than `most` bytes.
    """
    lengths = headers.get_all("Content-Length", [])
    if headers.get("Transfer-Encoding") is not None or len(lengths) != 1:
        raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "the request must say its length once, in Content-Length")
    text = lengths[0].strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    if int(text) > most:
        size = f"{most / 1e9:g} GB" if most >= 1e8 else f"{most} bytes"
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"too large: at most {size} are accepted")
    return int(text)


@dataclass(frozen=True)
class Reply:
    """What is sent back; `packed`: the data is gzip of what `kind` says."""

    data: bytes
    kind: str
    packed: bool = False
    status: HTTPStatus = HTTPStatus.OK


def json_reply(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """A value as JSON."""
    return Reply(json.dumps(value).encode(errors="replace"), "application/json; charset=utf-8", status=status)


class LocalServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only, with a key for this run. `port` 0 takes any free one.

    Raises:
        OutputError: the port is taken, or there is no such port.
    """

    daemon_threads = True

    def __init__(self, handler: type[LocalHandler], policy: str, port: int = 0) -> None:
        self.key, self.policy = secrets.token_urlsafe(24), policy
        try:
            super().__init__(("127.0.0.1", port), handler)
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
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler, ABC):
    """Answers requests of a `LocalServer`; `get` and `post` say what."""

    server_version, sys_version = "spaceland", ""
    protocol_version = "HTTP/1.1"
    timeout = 60
    max_body = 20_000
    """Bytes of a JSON body."""
    error_status = HTTPStatus.UNPROCESSABLE_ENTITY
    """For errors that a user can act on."""
    body_read = False
    """Whether somebody began to read the request's body; set it before doing so."""

    @abstractmethod
    def get(self, address: SplitResult) -> Reply:
        """The reply to GET."""

    @abstractmethod
    def post(self, address: SplitResult) -> Reply:
        """The reply to POST."""

    @property
    def local(self) -> LocalServer:
        assert isinstance(self.server, LocalServer)
        return self.server

    def do_GET(self) -> None:
        self._answer(self.get)

    def do_POST(self) -> None:
        self._answer(self.post)

    def check_key(self) -> None:
        """Refuse whoever does not know the key."""
        check_key(self.headers, self.local.key)

    def json_body(self) -> dict[str, Any]:
        """The body as a JSON object."""
        length = body_length(self.headers, self.max_body)
        self.body_read = True
        try:
            body = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "not valid JSON") from error
        if not isinstance(body, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        return body

    def _answer(self, make: Callable[[SplitResult], Reply]) -> None:
        self.body_read = False
        try:
            check_host(self.headers, self.local.port)
            reply = make(urlsplit(self.path))
        except RefusedError as refused:
            self._drain()
            reply = json_reply({"error": str(refused)}, refused.status)
        except SpacelandError as error:
            self._drain()
            reply = json_reply({"error": str(error)}, self.error_status)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.data)))
        if reply.packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Security-Policy", self.local.policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.data)

    def _drain(self) -> None:
        """Read the body of a refused request, so that the refusal arrives; a long one costs the connection."""
        if self.command == "POST" and not self.body_read:
            try:
                self.rfile.read(body_length(self.headers, _DRAIN))
            except RefusedError:
                self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address."""
