"""A stand-in for the Hugging Face hub that speaks its protocol over HTTP: info of a data set, and its files."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from released_layouts import COMMIT

_INFO = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/]+))?$")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


class Hub(ThreadingHTTPServer):
    """Data sets by id: a folder each. `fetched` are the files that were sent, `gated` those that are refused."""

    daemon_threads = True

    def __init__(self, folders: dict[str, Path], gated: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders, self.gated = folders, gated
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        info, file = _INFO.match(path), _FILE.match(path)
        if info and info[1] in self.server.folders:
            if info[2] not in (None, "main", COMMIT):
                return self._refuse(404, "RevisionNotFound")
            return self._send(self._info(info[1]), {"Content-Type": "application/json"}, body)
        if file and file[1] in self.server.folders:
            if file[1] in self.server.gated:
                return self._refuse(403, "GatedRepo")
            found = self.server.folders[file[1]] / file[3]
            if not found.is_file():
                return self._refuse(404, "EntryNotFound")
            data = found.read_bytes()
            if body:
                self.server.fetched.append(file[3])
            etag = hashlib.sha256(data).hexdigest()
            return self._send(data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body)
        return self._refuse(401, "RepoNotFound")

    def _info(self, repo: str) -> bytes:
        folder = self.server.folders[repo]
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        siblings = [{"rfilename": p.relative_to(folder).as_posix(), "size": p.stat().st_size} for p in files]
        about = {"id": repo, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "tags": [],
                 "downloads": 0, "likes": 0, "siblings": siblings, "cardData": {"license": "cc-by-4.0"}}  # fmt: skip
        return json.dumps(about).encode()

    def _send(self, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving_hub(folders: dict[str, Path], gated: tuple[str, ...] = ()) -> Iterator[Hub]:
    hub = Hub(folders, gated)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
