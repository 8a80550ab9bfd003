"""The server of the page, on this machine only.

    GET  /, /app.js, ...            the page's own files, from a fixed list
    GET  /state                     all jobs: bars, lines, questions
    GET  /result?job=ID             numbered objects, frames and view of a job that is done
    GET  /file?job=ID&name=NAME     bev, frame_3, room, ids_bev, ids_3
    POST /upload?suffix=.mp4        a capture as the body; answers {"upload": ID}
    POST /jobs                      {"source": "rooms:7"} or {"upload": ID}, and settings; answers {"job": ID}
    POST /stop, /resume             {"job": ID}
    POST /ask, /preview             {"job": ID, "text": "...", "task": "qa", "model": "...", "marks": [3]}

No part of an address or body is ever a file name: files are found by their place in the job's own records. See `guard`
for who is answered.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from spaceland.errors import OutputError, SpacelandError
from spaceland.viewer.style import CSS
from spaceland.web import work
from spaceland.web.desk import Desk
from spaceland.web.guard import POLICY, RefusedError, body_length, check_host, check_key
from spaceland.web.orders import read_order, read_question
from spaceland.web.results import file_of, result_of
from spaceland.web.uploads import SUFFIXES

_PAGE = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("app", "jobs", "pictures", "room", "raster")},
}
_MAX_BODY = 20_000
_DRAIN = 1 << 20
_TIMEOUT_S = 60


class WebServer(ThreadingHTTPServer):
    """Serves the page of a desk. `port` 0 takes any free one."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int = 0) -> None:
        self.desk, self.key = desk, secrets.token_urlsafe(24)
        self.uploading = threading.Lock()
        files = resources.files("spaceland.web") / "static"
        self.page = {path: (kind, (files / name).read_bytes()) for path, (name, kind) in _PAGE.items()}
        self.page["/base.css"] = ("text/css", CSS.encode())
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
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Reply:
    """What is sent back."""

    def __init__(self, data: bytes, kind: str, *, packed: bool = False, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.data, self.kind, self.packed, self.status = data, kind, packed, status


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> _Reply:
    return _Reply(json.dumps(value).encode(errors="replace"), "application/json; charset=utf-8", status=status)


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "spaceland", ""
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S

    @property
    def web(self) -> WebServer:
        assert isinstance(self.server, WebServer)
        return self.server

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def handle_expect_100(self) -> bool:
        """Say nothing yet: whoever waits for a go-ahead gets the refusal, or sends the body after a moment."""
        return True

    def _answer(self, make: Callable[[], _Reply]) -> None:
        self._body_read = False
        try:
            check_host(self.headers, self.web.port)
            reply = make()
        except RefusedError as refused:
            self._drain()
            reply = _json({"error": str(refused)}, refused.status)
        except SpacelandError as error:
            self._drain()
            reply = _json({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.data)))
        if reply.packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.data)

    def _get(self) -> _Reply:
        address = urlsplit(self.path)
        if address.path in self.web.page:
            kind, data = self.web.page[address.path]
            return _Reply(data, f"{kind}; charset=utf-8")
        if address.path not in ("/state", "/result", "/file"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        check_key(self.headers, self.web.key)
        desk = self.web.desk
        if address.path == "/state":
            about = {"models": list(desk.models.names), "tasks": list(work.PAGE_TASKS), "suffixes": list(SUFFIXES)}
            return _json({**desk.state(), **about, "max_upload_bytes": desk.uploads.limit})
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        job = self._job(asked.get("job", ""))
        if job.state != "done":
            raise RefusedError(HTTPStatus.CONFLICT, "the job is not done")
        if address.path == "/result":
            return _json(result_of(job.folder))
        found = file_of(job.folder, asked.get("name", ""))
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such file")
        data, kind, packed = found
        return _Reply(data, kind, packed=packed)

    def _post(self) -> _Reply:
        address = urlsplit(self.path)
        if address.path not in ("/upload", "/jobs", "/stop", "/resume", "/ask", "/preview"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        check_key(self.headers, self.web.key)
        desk = self.web.desk
        if address.path == "/upload":
            return _json({"upload": self._upload(parse_qs(address.query).get("suffix", [""])[0])})
        body = self._body()
        if address.path == "/jobs":
            return _json({"job": desk.add(read_order(body)).id})
        job = self._job(body.get("job"))
        if address.path == "/stop":
            desk.stop(job)
        elif address.path == "/resume":
            desk.resume(job)
        elif address.path == "/ask":
            return _json({"question": desk.ask(job, read_question(body)).id})
        else:
            text, guess = work.preview(read_question(body), job.folder)
            return _json({"text": text, "estimate": str(guess)})
        return _json({"state": job.state})

    def _upload(self, suffix: str) -> str:
        suffix = suffix.lower()
        if suffix not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"files of this kind are not taken; known: {known}")
        length = body_length(self.headers, self.web.desk.uploads.limit)
        if length == 0:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the file is empty")
        if not self.web.uploading.acquire(blocking=False):
            raise RefusedError(HTTPStatus.CONFLICT, "another upload is under way; wait for it")
        try:
            self._body_read = True
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(HTTPStatus.CONTINUE)
                self.end_headers()
            return self.web.desk.uploads.receive(self.rfile, length, suffix)
        except (OutputError, ConnectionError, TimeoutError):
            self.close_connection = True  # the rest of the body is on its way
            raise
        finally:
            self.web.uploading.release()

    def _job(self, job_id: object) -> Any:
        job = self.web.desk.jobs.get(job_id) if isinstance(job_id, str) else None
        if job is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such job")
        return job

    def _body(self) -> dict[str, Any]:
        length = body_length(self.headers, _MAX_BODY)
        self._body_read = True
        try:
            body = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "not valid JSON") from error
        if not isinstance(body, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        return body

    def _drain(self) -> None:
        """Read the body of a refused request, so that the refusal arrives; a long one costs the connection."""
        if self.command == "POST" and not self._body_read:
            try:
                self.rfile.read(body_length(self.headers, _DRAIN))
            except RefusedError:
                self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address."""
