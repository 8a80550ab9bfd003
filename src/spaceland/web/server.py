"""The server of the page, on this machine only.

    GET  /, /app.js, ...            the page's own files, from a fixed list
    GET  /state                     all jobs: bars, lines, questions
    GET  /result?job=ID             numbered objects, frames and view of a job that is done
    GET  /file?job=ID&name=NAME     bev, frame_3, room, ids_bev, ids_3
    POST /upload?suffix=.mp4        a capture as the body; answers {"upload": ID}
    POST /jobs                      {"source": "rooms:7"} or {"upload": ID}, and settings; answers {"job": ID}
    POST /stop, /resume             {"job": ID}
    POST /ask, /preview             {"job": ID, "text": "...", "task": "qa", "model": "...", "marks": [3]}

No part of an address or body is ever a file name: files are found by their place in the job's own records. See
`spaceland.localserver` for who is answered.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import SplitResult, parse_qs

from spaceland.errors import OutputError
from spaceland.localserver import LocalHandler, LocalServer, RefusedError, Reply, body_length, json_reply
from spaceland.viewer.style import CSS
from spaceland.web import work
from spaceland.web.desk import Desk
from spaceland.web.orders import read_order, read_question
from spaceland.web.results import file_of, result_of
from spaceland.web.uploads import SUFFIXES

_PAGE = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("app", "jobs", "pictures", "room", "raster")},
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class WebServer(LocalServer):
    """Serves the page of a desk. `port` 0 takes any free one."""

    def __init__(self, desk: Desk, port: int = 0) -> None:
        self.desk = desk
        self.uploading = threading.Lock()
        files = resources.files("spaceland.web") / "static"
        self.page = {path: (kind, (files / name).read_bytes()) for path, (name, kind) in _PAGE.items()}
        self.page["/base.css"] = ("text/css", CSS.encode())
        super().__init__(_Handler, _POLICY, port)


class _Handler(LocalHandler):
    @property
    def web(self) -> WebServer:
        assert isinstance(self.server, WebServer)
        return self.server

    def handle_expect_100(self) -> bool:
        """Say nothing yet: whoever waits for a go-ahead gets the refusal, or sends the body after a moment."""
        return True

    def get(self, address: SplitResult) -> Reply:
        if address.path in self.web.page:
            kind, data = self.web.page[address.path]
            return Reply(data, f"{kind}; charset=utf-8")
        if address.path not in ("/state", "/result", "/file"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self.check_key()
        desk = self.web.desk
        if address.path == "/state":
            about = {"models": list(desk.models.names), "tasks": list(work.PAGE_TASKS), "suffixes": list(SUFFIXES)}
            return json_reply({**desk.state(), **about, "max_upload_bytes": desk.uploads.limit})
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        job = self._job(asked.get("job", ""))
        if job.state != "done":
            raise RefusedError(HTTPStatus.CONFLICT, "the job is not done")
        if address.path == "/result":
            return json_reply(result_of(job.folder))
        found = file_of(job.folder, asked.get("name", ""))
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such file")
        data, kind, packed = found
        return Reply(data, kind, packed=packed)

    def post(self, address: SplitResult) -> Reply:
        if address.path not in ("/upload", "/jobs", "/stop", "/resume", "/ask", "/preview"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self.check_key()
        desk = self.web.desk
        if address.path == "/upload":
            return json_reply({"upload": self._upload(parse_qs(address.query).get("suffix", [""])[0])})
        body = self.json_body()
        if address.path == "/jobs":
            return json_reply({"job": desk.add(read_order(body)).id})
        job = self._job(body.get("job"))
        if address.path == "/stop":
            desk.stop(job)
        elif address.path == "/resume":
            desk.resume(job)
        elif address.path == "/ask":
            return json_reply({"question": desk.ask(job, read_question(body)).id})
        else:
            text, guess = work.preview(read_question(body), job.folder)
            return json_reply({"text": text, "estimate": str(guess)})
        return json_reply({"state": job.state})

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
            self.body_read = True
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
