"""A real HTTP server on this machine that speaks the OpenAI chat protocol, and fails on request.

Each request takes the next step of the script; when the script is used up, the last step stays. A step is a function
that gets the request handler, and may answer, wait, or cut the connection.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Step = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Log:
    """What the server saw: parsed bodies, headers, and how many requests ran at the same time at most."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    most_at_once: int = 0


def reply(text: str | None, finish: str = "stop", **message: Any) -> Step:
    """A good answer."""
    content = {"role": "assistant", "content": text, **message}
    body = {
        "model": "served",
        "choices": [{"index": 0, "message": content, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    return send(200, json.dumps(body))


def send(status: int, body: str, **headers: str) -> Step:
    """Any status and body."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        data = body.encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return step


def fail(status: int, message: str = "try later", **headers: str) -> Step:
    """An error as OpenAI writes it."""
    return send(status, json.dumps({"error": {"message": message, "type": "x"}}), **headers)


def wait(seconds: float, then: Step) -> Step:
    """Be silent, then go on."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        with contextlib.suppress(OSError):
            then(handler)

    return step


def echo(seconds: float) -> Step:
    """Wait, then say the text of the last message back; the earlier a request, the longer it takes."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        text = handler.body["messages"][-1]["content"]  # type: ignore[attr-defined]
        time.sleep(seconds * (2 - 0.1 * int(text)))
        reply(text)(handler)

    return step


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Promise a long body, send a little of it, and reset the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """One byte at a time, never complete."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)


@contextlib.contextmanager
def serving(*script: Step) -> Iterator[Log]:
    """Run the server for the length of a with block; yields its log, whose `url` ends in /v1."""
    log, lock, state = Log(), threading.Lock(), {"next": 0, "now": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.body = json.loads(data)
            with lock:
                step = script[min(state["next"], len(script) - 1)]
                state["next"] += 1
                state["now"] += 1
                log.most_at_once = max(log.most_at_once, state["now"])
                log.bodies.append(self.body)
                log.headers.append(dict(self.headers.items()))
                log.paths.append(self.path)
            self.counted = True
            try:
                step(self)
            finally:
                self.count_down()

        def send_response(self, code: int, message: str | None = None) -> None:
            # A client that has its answer may ask again at once, before this thread goes on.
            self.count_down()
            super().send_response(code, message)

        def count_down(self) -> None:
            with lock:
                state["now"] -= self.counted
                self.counted = False

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # cut connections are meant

    server = Quiet(("127.0.0.1", 0), Handler)
    log.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield log
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
