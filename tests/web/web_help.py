"""Helpers for tests of the page: work under the test's control, a server in a thread, requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spaceland.errors import ReconstructionError
from spaceland.localserver import KEY_HEADER
from spaceland.web import Desk, WebServer
from spaceland.web.jobs import Order


class Hand:
    """Stands for the work on a source. `rooms:1` counts to three, waiting for the test before each step; `rooms:2`
    fails with a sentence; `rooms:3` breaks; others end at once."""

    def __init__(self) -> None:
        self.go, self.began = threading.Semaphore(0), threading.Semaphore(0)
        self.made: list[str] = []
        self.kept = 0

    def __call__(self, order: Order, source: str, folder: Path, bars: Any, say: Callable[[str], None]) -> None:
        self.made.append(source)
        say(f"began {source}")
        if source == "rooms:1":
            kept = folder / "work" / "kept"
            kept.parent.mkdir(parents=True, exist_ok=True)
            done = int(kept.read_text()) if kept.exists() else 0
            self.kept = done
            with bars("counting", 3) as advance:
                for k in range(done, 3):
                    self.began.release()
                    assert self.go.acquire(timeout=60)
                    advance(1, f"step {k}")
                    kept.write_text(str(k + 1))
        if source == "rooms:2":
            raise ReconstructionError("too little motion: walk more")
        if source == "rooms:3":
            raise ValueError("a bug")


@contextlib.contextmanager
def serving(desk: Desk) -> Iterator[WebServer]:
    """Serve a desk for the length of a with block."""
    with WebServer(desk) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
            desk.close()


def ask(
    server: WebServer, method: str, path: str, body: Any = None, *, key: bool = True, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON (or text) and headers of a reply."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent.setdefault(KEY_HEADER, server.key)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection.putrequest(method, path, skip_host="Host" in sent)
    for name, value in sent.items():
        connection.putheader(name, value)
    if data is not None and "Content-Length" not in sent and "Transfer-Encoding" not in sent:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    found = {name.lower(): value for name, value in reply.getheaders()}
    return reply.status, json.loads(text) if "json" in found.get("content-type", "") else text, found
