"""Several requests at a time, and what bounds them: lines, time, bytes, tokens, silence."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from serve_help import EchoEngine, arrived, events, serving, wait_for

from spaceland.serving.limits import Limits


def test_requests_that_come_together_are_answered_together_on_one_thread() -> None:
    engine = EchoEngine(gate=threading.Event())
    assert engine.gate is not None
    with serving(engine, Limits(max_batch=4)) as served:
        texts = [f"text {k}" * (k + 1) for k in range(9)]
        out: dict[str, str] = {}

        def ask(text: str) -> None:
            out[text] = served.ask(text, max_tokens=100).json()["choices"][0]["message"]["content"]

        threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        wait_for(lambda: arrived(served, engine) == 8)  # more are not made ready at a time: twice the largest batch
        engine.gate.set()
        for thread in threads:
            thread.join()
        assert out == {text: text for text in texts}
        assert sum(engine.batches) == 9 and max(engine.batches) == 4 and len(engine.threads) == 1


def test_a_batch_is_bounded_in_tokens() -> None:
    engine = EchoEngine(gate=threading.Event())
    assert engine.gate is not None
    with serving(engine, Limits(max_batch=8, max_batch_tokens=300)) as served:
        threads = [threading.Thread(target=served.ask, args=("x" * 40,), kwargs={"max_tokens": 60}) for _ in range(7)]
        for thread in threads:
            thread.start()
        wait_for(lambda: arrived(served, engine) == 7)
        engine.gate.set()
        for thread in threads:
            thread.join()
    assert max(engine.batches) == 3 and sum(engine.batches) == 7


def test_a_failure_of_one_is_not_the_failure_of_all(caplog: pytest.LogCaptureFixture) -> None:
    engine = EchoEngine(gate=threading.Event())
    assert engine.gate is not None
    with serving(engine, Limits(batch_wait_ms=50)) as served:
        out: dict[str, httpx.Response] = {}
        threads = [
            threading.Thread(target=lambda t=t: out.update({t: served.ask(t)})) for t in ("fine", "bad!", "odd?")
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: served.server.service.active == 3)
        engine.gate.set()
        for thread in threads:
            thread.join()
        assert out["fine"].json()["choices"][0]["message"]["content"] == "fine"
        assert out["odd?"].json()["choices"][0]["message"]["content"] == "odd?"
        assert out["bad!"].status_code == 500 and out["bad!"].json()["error"]["code"] == "model_failed"
        # What went wrong stands in the log, not in the answer.
        assert "out of memory" not in out["bad!"].text and "out of memory" in caplog.text
        assert served.ask("again").status_code == 200
        assert served.ask("bad!", stream=True).status_code == 500


def test_a_full_line_is_told_to_come_back_and_nothing_is_lost() -> None:
    engine = EchoEngine(gate=threading.Event())
    assert engine.gate is not None
    with serving(engine, Limits(max_batch=2, max_waiting=3)) as served:
        out: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: out.append(served.ask("x"))) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_for(lambda: served.server.service.active == 5)
        # The refusal arrives although the body is large and was not asked for.
        refused = served.ask("y" * 3_000_000)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "queue_full"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        engine.gate.set()
        for thread in threads:
            thread.join()
        assert [reply.status_code for reply in out] == [200] * 5
        assert served.ask("x").status_code == 200


def test_a_request_has_its_time() -> None:
    engine = EchoEngine(step_s=0.02)
    with serving(engine, Limits(request_s=0.3, max_tokens=4096)) as served:
        late = served.ask("x" * 1000, max_tokens=1000)
        assert late.status_code == 504 and late.json()["error"]["code"] == "timeout"
        # A stream that has begun ends with an error, and without the mark of a good end.
        reply = served.ask("x" * 1000, max_tokens=1000, stream=True)
        assert reply.status_code == 200
        *_, last = events(reply.text)
        assert json.loads(last)["error"]["code"] == "timeout"
        # The model does not go on for nobody.
        wait_for(lambda: served.ask("x").status_code == 200)
        assert engine.steps < 100
        assert served.server.service.metrics.value("requests_total", path="/v1/chat/completions", status="504") == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_model(stream: bool) -> None:
    engine = EchoEngine(step_s=0.01)
    with serving(engine) as served:
        body = {"model": "echo", "messages": [{"role": "user", "content": "x" * 3000}], "max_tokens": 4000}
        with pytest.raises(httpx.ReadTimeout):
            if stream:
                with served.client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as reply:
                    next(reply.iter_bytes())
                    raise httpx.ReadTimeout("gone")
            served.client.post("/v1/chat/completions", json=body, timeout=0.2)
        wait_for(lambda: served.server.service.active == 0)
        started = time.monotonic()
        assert served.ask("next").status_code == 200 and time.monotonic() - started < 10
        assert engine.steps < 1500
        counted = served.server.service.metrics
        assert counted.value("requests_total", path="/v1/chat/completions", status="499") == 1


def test_bodies_have_limits() -> None:
    with serving(EchoEngine(), Limits(max_body_mb=1)) as served:
        large = served.ask("x" * 1_000_100)
        assert large.status_code == 413 and large.json()["error"]["code"] == "request_too_large"

        def chunks() -> Iterator[bytes]:
            for _ in range(30):
                yield b" " * 100_000

        # Without a length, too.
        reply = served.client.post(
            "/v1/chat/completions", content=chunks(), headers={"Content-Type": "application/json"}
        )
        assert reply.status_code == 413
        assert served.server.service.active == 0


def test_a_body_that_trickles_is_cut_off() -> None:
    with (
        serving(EchoEngine(), Limits(body_s=1)) as served,
        socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), timeout=60) as connection,
    ):
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(4096).split(b"\r\n")[0]
        assert served.ask("x").status_code == 200


def test_connections_without_a_whole_head_are_closed() -> None:
    with serving(EchoEngine(), Limits(head_s=1.5)) as served:
        address = ("127.0.0.1", int(served.url.rsplit(":", 1)[1]))

        def told(connection: socket.socket, until: bytes = b"\0") -> bytes:
            """What arrives up to some bytes, or up to the end."""
            got = b""
            with contextlib.suppress(ConnectionResetError):
                while until not in got and (more := connection.recv(4096)):
                    got += more
            return got

        whole = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(address, timeout=60) as silent:
            started = time.monotonic()
            assert told(silent) == b"" and time.monotonic() - started > 0.2
        # A head in time is answered, and the next one on the connection has its own time.
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(whole)
            assert b" 200 " in told(connection, b'"ok"}')
            time.sleep(1.6)
            connection.sendall(whole[:20])
            time.sleep(0.1)
            connection.sendall(whole[20:])
            assert b" 200 " in told(connection, b'"ok"}')
            connection.sendall(whole[:-2])
            assert told(connection) == b""
        wait_for(lambda: not served.server.server_state.connections)
    # An answer may take longer than a head.
    with serving(EchoEngine(step_s=0.12), Limits(head_s=1)) as served:
        assert served.ask("long enough").status_code == 200


def test_all_bodies_together_are_bounded() -> None:
    engine = EchoEngine(gate=threading.Event(), context=10**7)
    assert engine.gate is not None
    with serving(
        engine, Limits(max_pending_mb=0.5, max_body_mb=0.4, max_prompt_tokens=10**6, max_batch_tokens=10**7)
    ) as served:
        thread = threading.Thread(target=served.ask, args=("x" * 300_000,), kwargs={"max_tokens": 1})
        thread.start()
        wait_for(lambda: engine.batches)  # its body is held until it is answered
        busy = served.ask("x" * 300_000)
        assert busy.status_code == 429 and busy.headers["retry-after"] and busy.json()["error"]["code"] == "busy"
        engine.gate.set()
        thread.join()
        wait_for(lambda: served.server.service.active == 0)
        assert served.ask("x" * 300_000, max_tokens=1).status_code == 200


def test_prompts_have_limits() -> None:
    with serving(EchoEngine(context=100), Limits(max_prompt_tokens=80)) as served:
        long = served.ask("x" * 81).json()["error"]
        assert long["code"] == "context_length_exceeded" and "81 tokens" in long["message"]
        room = served.ask("x" * 60, max_tokens=41).json()["error"]
        assert room["param"] == "max_tokens" and "context of 100" in room["message"]
        # So much text is not even tokenised.
        huge = served.ask("x" * (64 * 80 + 1)).json()["error"]
        assert huge["code"] == "context_length_exceeded" and "5121 characters" in huge["message"]
        # Without a word about the length the answer gets the room there is.
        assert served.ask("x" * 80).json()["choices"][0]["finish_reason"] == "length"
