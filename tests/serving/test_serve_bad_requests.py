"""Bad requests: each gets a 4xx that names the field, and the server goes on."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import random
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from serve_help import EchoEngine, Served, data_url, encoded, image_part, serving

from chat_server import send
from spaceland.errors import OutputError
from spaceland.serving.fetch import UrlAccess, is_public
from spaceland.serving.limits import Limits
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import parse_request

TEXT = {"type": "text", "text": "what?"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    limits = Limits(max_tokens=200, max_images=3, max_image_mb=0.2, max_image_megapixels=1, max_clip_megapixels=1.5)
    with serving(EchoEngine(), limits) as running:
        yield running
        assert running.server.service.active == 0
        assert running.server.service.metrics.value("model_failures_total") == 0


def refused(reply: Any, status: int = 400) -> dict[str, Any]:
    """The error object."""
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    return error


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"{]", b"\xff\xfe\x00", b'{"a": NaN}', b'{"temperature": Infinity}',
        b"[" * 100_000, b'{"a":' * 50_000, b'{"max_tokens": ' + b"9" * 5000 + b"}", b'{"model": "echo"} {}',
        b"\x00" * 10,
    ],
)  # fmt: skip
def test_what_is_no_json_object(served: Served, body: bytes) -> None:
    reply = served.client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert refused(reply)["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 201}, "max_tokens"),
        ({"max_tokens": 10**400}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"temperature": [1]}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", 1]}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "x" * 300}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"max_token": 5}, "max_token"),
        ({"model": ""}, "model"),
        ({"model": 3}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [TEXT] * 1001}, "messages"),
        ({"messages": [{"role": "user", "content": [TEXT] * 1001}] * 2}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [1]}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
    ],
)
def test_fields_that_are_not_as_they_should_be(served: Served, fields: dict[str, Any], param: str) -> None:
    body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}], **fields}
    reply = served.client.post(
        "/v1/chat/completions", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    error = refused(reply)
    assert error["param"] == param and error["message"].startswith(param), error


def test_a_body_of_millions_of_values_is_not_even_read() -> None:
    started = time.process_time()
    with pytest.raises(RequestError, match="commas and brackets"):
        parse_request(b"[" + b"[]," * 2_000_001 + b"0]", Limits(), UrlAccess())
    assert time.process_time() - started < 0.5


def test_fields_without_effect_are_taken(served: Served) -> None:
    fields = {"user": "u", "n": 1, "logprobs": False, "frequency_penalty": 0.0, "presence_penalty": 0, "tools": None,
              "response_format": {"type": "text"}, "metadata": {"a": 1}, "store": False, "stop": None}  # fmt: skip
    assert served.ask("hi", **fields).status_code == 200
    assert served.ask("ünï \u0000 \u202e 👩‍👩‍👧 \uffff").status_code == 200


def test_another_model(served: Served) -> None:
    error = refused(served.ask("hi", model="gpt-4"), 404)
    assert error["code"] == "model_not_found" and "'echo'" in error["message"]


def png(width: int, height: int) -> bytes:
    """A small PNG that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GOOD = encoded()
PICTURES = {
    "truncated PNG": (data_url(GOOD[: len(GOOD) // 2]), "invalid_image"),
    "truncated JPEG": (data_url(encoded(200, 200, "JPEG")[:900], "image/jpeg"), "invalid_image"),
    "header alone": (data_url(GOOD[:8]), "invalid_image"),
    "rows missing": (data_url(png(900, 900)), "invalid_image"),
    "no bytes": ("data:image/png;base64,", "invalid_image"),
    "no picture": (data_url(b"hello there, this is text"), "invalid_image"),
    "not a type": (data_url(GOOD, "text/html"), "invalid_image"),
    "svg": (data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "invalid_image"),
    "a format not taken": (data_url(encoded(kind="TIFF"), "image/tiff"), "invalid_image"),
    "broken base64": ("data:image/png;base64,@@@@", "invalid_image"),
    "cut base64": (data_url(GOOD)[:-3], "invalid_image"),
    "unicode base64": ("data:image/png;base64,ü" + base64.b64encode(GOOD).decode(), "invalid_image"),
    "no base64": ("data:image/png,abc", "invalid_image"),
    "no comma": ("data:image/png;base64", "invalid_image"),
    "a bomb": (data_url(png(60_000, 60_000)), "image_too_large"),
    "too many pixels": (data_url(png(1001, 1000)), "image_too_large"),
    "too many bytes": (data_url(encoded(400, 400)), "image_too_large"),
    "a line": (data_url(encoded(1000, 4)), "invalid_image"),
    "a dot": (data_url(encoded(1, 1)), "invalid_image"),
    "a file": ("file:///etc/passwd", "image_url_not_allowed"),
    "the network": ("http://example.org/a.png", "image_url_not_allowed"),
    "this machine": ("https://127.0.0.1/a.png", "image_url_not_allowed"),
    "ftp": ("ftp://example.org/a.png", "invalid_image_url"),
    "a path": ("/etc/passwd", "invalid_image_url"),
    "brackets": ("http://[::1", "invalid_image_url"),
    "nothing": ("", "invalid_image_url"),
}


@pytest.mark.parametrize("what", PICTURES)
def test_pictures_that_cannot_be_taken(served: Served, what: str) -> None:
    url, code = PICTURES[what]
    error = refused(served.ask([TEXT, image_part(data_url(GOOD)), image_part(url)]))
    assert error["code"] == code and "messages[0].content[2].image_url" in error["message"], error


def test_too_many_pictures(served: Served) -> None:
    good = image_part(data_url(GOOD))
    assert served.ask([good, good, good, TEXT]).status_code == 200
    assert refused(served.ask([good] * 4 + [TEXT]))["code"] == "too_many_images"
    large = image_part(data_url(png(1000, 999)))
    error = refused(served.ask([large, large, TEXT]))
    assert error["code"] == "image_too_large" and "megapixels together" in error["message"]
    for bad in (5, None, {"url": 5}, {}, []):
        assert refused(served.ask([{"type": "image_url", "image_url": bad}]))["param"].endswith("image_url")
    # The short form that some clients write.
    assert served.ask([{"type": "image_url", "image_url": data_url(GOOD)}, TEXT]).status_code == 200


def test_damaged_requests_never_bring_the_server_down() -> None:
    """Many mutations: each is read, or refused with 400; nothing else is ever raised."""
    rng = random.Random(0)
    small = encoded(8, 8, "JPEG")
    base = json.dumps({
        "model": "echo",
        "messages": [{"role": "user", "content": [TEXT, image_part(data_url(small, "image/jpeg"))]}],
        "max_tokens": 5,
        "stop": ["a"],
        "temperature": 0.5,
    }).encode()  # fmt: skip
    values = ["null", "true", "1e999", "-1", "[]", "{}", '"x"', "1" * 400, '"\\ud800"', '[[["a"]]]', "0.1"]
    read = 0
    for _ in range(2000):
        body = bytearray(base)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(body))
            match rng.randrange(4):
                case 0:
                    body[at] = rng.randrange(256)
                case 1:
                    del body[at : at + rng.randrange(1, 30)]
                case 2:
                    body[at:at] = rng.choice(values).encode()
                case _:
                    colon = body.find(b": ", at)
                    if colon >= 0:
                        end = min((p for p in (body.find(c, colon) for c in (b",", b"}")) if p > 0), default=colon)
                        body[colon + 2 : end] = rng.choice(values).encode()
        try:
            request = parse_request(bytes(body), Limits(), UrlAccess())
            for picture in request.pictures:
                from spaceland.serving.images import decode

                decode(picture)
            read += 1
        except RequestError as error:
            assert error.status == 400 and str(error)
    assert 50 < read < 1900


def test_only_public_addresses_count_as_public() -> None:
    inside = ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
              "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
              "::ffff:127.0.0.1", "::ffff:192.168.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
              "::127.0.0.1", "::a00:1", "fec0::1"]  # fmt: skip
    assert not any(is_public(address) for address in inside)
    assert all(is_public(address) for address in ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"))


def test_the_network_is_reached_only_where_that_is_allowed() -> None:
    picture = GOOD.decode("latin-1")

    def pictures(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GOOD)))
        handler.end_headers()
        handler.wfile.write(GOOD)

    def moved(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def post_only(url: str, access: UrlAccess) -> Any:
        body = {"model": "m", "messages": [{"role": "user", "content": [image_part(url)]}]}
        return parse_request(json.dumps(body).encode(), Limits(max_image_mb=0.01), access)

    with picture_server(pictures, moved, send(200, "x" * 20_000), send(404, "no"), send(200, "text")) as url:
        for private in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
            with pytest.raises(RequestError, match="not on the public network"):
                post_only(private, UrlAccess(network=True))
        allowed = UrlAccess(network=True, private=True)
        assert post_only(url, allowed).pictures[0].data.decode("latin-1") == picture
        for reason in ("answered HTTP 302", "more than 0.01 MB", "answered HTTP 404", "not a picture"):
            with pytest.raises(RequestError, match=reason):
                post_only(url, allowed)
        with pytest.raises(RequestError, match="no password"):
            post_only(url.replace("http://", "http://me:pass@"), allowed)
    with pytest.raises(RequestError, match="cannot be fetched"):
        post_only(url, allowed)


def test_hosts_of_pictures_cannot_fill_the_memory_or_take_the_time() -> None:
    def read(url: str, **access: float) -> Any:
        body = {"model": "m", "messages": [{"role": "user", "content": [image_part(url), image_part(url)]}]}
        allowed = UrlAccess(network=True, private=True, **access)
        return parse_request(json.dumps(body).encode(), Limits(max_image_mb=1), allowed)

    def bomb(handler: Any) -> None:
        data = gzip.compress(gzip.compress(bytes(50_000_000)))  # a kilobyte
        assert handler.headers["Accept-Encoding"] == "identity"
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip, gzip")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def dripping(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.02)

    def good(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GOOD)))
        handler.end_headers()
        handler.wfile.write(GOOD)

    with picture_server(bomb, dripping, good, dripping) as url:
        with pytest.raises(RequestError, match="sent it compressed"):
            read(url)
        started = time.monotonic()
        with pytest.raises(RequestError, match=r"did not arrive in 0.3 s"):
            read(url, fetch_s=0.3)
        # The time of the request bounds all of its pictures.
        with pytest.raises(RequestError, match=r"\[1\].*did not arrive"):
            read(url, deadline=time.monotonic() + 0.4)
        assert time.monotonic() - started < 4
        with pytest.raises(RequestError, match="did not arrive"):
            read(url, deadline=time.monotonic() - 1)


def test_files_are_read_only_below_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a b.png").write_bytes(GOOD)
    (tmp_path / "secret.png").write_bytes(GOOD)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    access = UrlAccess(folder=folder)

    def read(url: str) -> Any:
        body = {"model": "m", "messages": [{"role": "user", "content": [image_part(url)]}]}
        return parse_request(json.dumps(body).encode(), Limits(), access)

    assert read((folder / "a b.png").as_uri()).pictures[0].data == GOOD
    outside = [f"file://{tmp_path}/secret.png", f"file://{folder}/../secret.png", f"file://{folder}/link.png",
               f"file://{folder}", f"file://{folder}/missing.png", f"file://host{folder}/a%20b.png", "file:///dev/zero",
               f"file://{folder}/%00", f"file://{folder}/circle.png", "file:"]  # fmt: skip
    messages = set()
    for url in outside:
        with pytest.raises(RequestError) as caught:
            read(url)
        messages.add(str(caught.value))
    assert len(messages) == 1  # nobody learns which files there are


def test_limits_make_sense() -> None:
    for wrong in ({"max_batch": 0}, {"request_s": float("nan")}, {"max_body_mb": -1.0}, {"max_tokens": 0}):
        with pytest.raises(OutputError, match=next(iter(wrong))):
            Limits(**wrong)  # type: ignore[arg-type]
    Limits(max_images=0, batch_wait_ms=0)


def picture_server(*steps: Any) -> Any:
    """A web server whose answers are given."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    left = list(steps)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            left.pop(0)(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    @contextlib.contextmanager
    def run() -> Iterator[str]:
        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/a.png?x=1"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(timeout=60)

    return run()
