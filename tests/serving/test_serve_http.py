"""The protocol on a real socket: answers, streams, refusals, and who is let in."""

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

from serve_help import EchoEngine, Served, data_url, encoded, image_part, serving

from spaceland.chat.openai_http import OpenAIChat, OpenAIConfig
from spaceland.chat.pictures import make_picture
from spaceland.chat.secret import Secret
from spaceland.chat.types import Generation, Message
from spaceland.serving.access import Access
from spaceland.serving.limits import Limits


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(EchoEngine(), Limits(max_tokens=200, max_body_mb=1, max_images=3)) as running:
        yield running


def events(text: str) -> list[str]:
    assert text.endswith("\n\n")
    return [line.removeprefix("data: ") for line in text.strip().split("\n\n")]


def test_an_answer_as_openai_writes_it(served: Served) -> None:
    reply = served.ask("Grüße", seed=3, temperature=0.5, user="me", max_tokens=20)
    body = reply.json()
    assert reply.status_code == 200 and reply.headers["content-type"] == "application/json"
    assert body["object"] == "chat.completion" and body["model"] == "echo" and body["id"].startswith("chatcmpl-")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Grüße", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    assert reply.headers["x-request-id"] in body["id"] and reply.headers["cache-control"] == "no-store"


def test_length_and_stop_strings(served: Served) -> None:
    cut = served.ask("hello world", max_tokens=5).json()
    assert cut["choices"][0]["message"]["content"] == "hello" and cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 5
    stopped = served.ask("hello world", stop=["o w", "xyz"]).json()
    assert stopped["choices"][0]["message"]["content"] == "hell" and stopped["choices"][0]["finish_reason"] == "stop"
    assert served.ask("hello", stop="h").json()["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream(served: Served, usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    reply = served.ask("hi ü", stream=True, **options)
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream")
    *chunks, done = events(reply.text)
    assert done == "[DONE]"
    parsed = [json.loads(chunk) for chunk in chunks]
    assert len({chunk["id"] for chunk in parsed}) == 1 and parsed[0]["object"] == "chat.completion.chunk"
    if usage:
        last = parsed.pop()
        assert last["choices"] == []
        assert last["usage"] == {"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9}
        assert all(chunk["usage"] is None for chunk in parsed)
    deltas = [chunk["choices"][0] for chunk in parsed]
    assert deltas[0]["delta"] == {"role": "assistant", "content": ""}
    assert [d["delta"]["content"] for d in deltas[1:-1]] == ["h", "i", " ", "ü"]
    assert deltas[-1]["delta"] == {} and deltas[-1]["finish_reason"] == "stop"


def test_pictures_arrive(served: Served) -> None:
    parts = [image_part(data_url(encoded(kind=kind))) for kind in ("PNG", "JPEG", "WEBP")]
    body = served.ask([*parts, {"type": "text", "text": "what"}]).json()
    assert body["choices"][0]["message"]["content"] == "what" and body["usage"]["prompt_tokens"] == 7


def test_models_health_and_metrics(served: Served) -> None:
    models = served.client.get("/v1/models").json()
    assert [m["id"] for m in models["data"]] == ["echo"] and models["data"][0]["max_model_len"] == 100_000
    assert served.client.get("/v1/models/echo").json() == models["data"][0]
    missing = served.client.get("/v1/models/other")
    assert missing.status_code == 404 and "GET /v1/models" in missing.json()["error"]["message"]
    assert served.client.get("/health").json() == {"status": "ok"}
    served.ask("hello")
    text = served.client.get("/metrics").text
    assert "# TYPE spaceland_requests_total counter" in text
    assert 'spaceland_requests_total{path="/v1/chat/completions",status="200"}' in text
    assert 'spaceland_batch_size_bucket{le="+Inf"}' in text and "spaceland_active_requests 0" in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("POST", "/v1/x", 404)],
)
def test_other_addresses_get_an_error_object(served: Served, method: str, path: str, status: int) -> None:
    reply = served.client.request(method, path)
    assert reply.status_code == status and reply.json()["error"]["message"]


def test_our_own_client_is_answered(served: Served) -> None:
    import numpy as np

    picture = make_picture(np.zeros((20, 30, 3), np.uint8), "x")
    with OpenAIChat(OpenAIConfig(model="echo", base_url=f"{served.url}/v1")) as chat:
        reply = chat.complete([Message("user", [picture, "Where?"])], Generation(50))
        assert reply.text == "Where?" and reply.finish == "stop" and reply.usage["total_tokens"] == 14


def test_the_host_must_be_this_machine_and_pages_are_refused(served: Served) -> None:
    def status(**headers: str) -> int:
        return served.client.get("/v1/models", headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code

    host = served.url.removeprefix("http://")
    assert status(Host="evil.example") == status(Host="evil.example:80") == status(Host="") == 403
    assert status(Host="10.0.0.1") == 403  # a server on 127.0.0.1 is reached under no other address
    assert status(Host="localhost:1") == status(Host="127.0.0.1") == status(Host="[::1]:80") == 200
    assert status(Origin="http://evil.example") == status(Origin="null") == 403
    assert status(Origin=f"http://{host}") == 200
    assert status(Sec_Fetch_Site="cross-site") == 403 and status(Sec_Fetch_Site="same-origin") == 200
    # A page can send text/plain without asking first, so a request must say that it is JSON.
    reply = served.client.post("/v1/chat/completions", content=b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status_code == 415 and "application/json" in reply.json()["error"]["message"]


def test_a_key_is_needed_where_one_is_set() -> None:
    with serving(EchoEngine(), access=Access(key=Secret("sk-right"), loopback=False)) as served:
        assert served.client.get("/health").status_code == 200
        for path in ("/v1/models", "/metrics", "/nothing"):
            assert served.client.get(path).status_code == 401
        wrong = served.client.get("/v1/models", headers={"Authorization": "Bearer sk-wrong"})
        assert wrong.status_code == 401 and wrong.json()["error"]["code"] == "invalid_api_key"
        assert wrong.headers["www-authenticate"] == "Bearer"
        for value in ("sk-right", "Basic sk-right", "Bearer", "Bearer sk-right2", "Bearer \xff"):
            headers = {"Authorization": value.encode("latin-1")}
            assert served.client.get("/v1/models", headers=headers).status_code == 401
        # The refusal arrives although the client first sends all it has.
        assert served.ask("y" * 5_000_000).status_code == 401
        served.client.headers["Authorization"] = "bearer sk-right"
        assert served.ask("x").status_code == 200
        # Bound to all addresses, any IP address is this server; names are not, unless they were allowed.
        assert served.client.get("/v1/models", headers={"Host": "10.0.0.1:8000"}).status_code == 200
        assert served.client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 403
    with serving(EchoEngine(), access=Access(loopback=False, names=frozenset({"vlm"}))) as served:
        assert served.client.get("/v1/models", headers={"Host": "VLM:8000"}).status_code == 200


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


def test_bodies_have_limits(served: Served) -> None:
    large = served.ask("x" * 1_000_100)
    assert large.status_code == 413 and large.json()["error"]["code"] == "request_too_large"

    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 100_000

    # Without a length, too.
    reply = served.client.post("/v1/chat/completions", content=chunks(), headers={"Content-Type": "application/json"})
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


def test_it_ends_in_good_order() -> None:
    engine = EchoEngine(gate=threading.Event())
    assert engine.gate is not None
    out: list[httpx.Response] = []
    with serving(engine) as served, httpx.Client(base_url=served.url, trust_env=False) as other:
        assert other.get("/health").status_code == 200
        thread = threading.Thread(target=lambda: out.append(served.ask("last words")))
        thread.start()
        wait_for(lambda: len(engine.batches) == 1)
        served.server.service.draining = True  # as a signal does, a moment before connections are closed
        assert other.get("/health").status_code == 503
        refused = other.post("/v1/chat/completions", json={"model": "echo", "messages": []})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        served.server.stop()
        time.sleep(0.3)
        engine.gate.set()
        thread.join()
    assert out[0].json()["choices"][0]["message"]["content"] == "last words"
    assert not served.server.service._scheduler.alive


def test_the_log_has_no_content_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="spaceland.serving")
    with serving(EchoEngine()) as served:
        served.ask("a secret thing")
        served.client.get("/a-secret-path")
    lines = [r.getMessage() for r in caplog.records]
    assert any("/v1/chat/completions 200" in line and "answer=15 finish=stop" in line for line in lines)
    assert "secret" not in caplog.text
    with serving(EchoEngine(), log_content=True) as served:
        served.ask("a secret thing")
    assert "asked ['a secret thing'], answered 'a secret thing'" in caplog.text


def arrived(served: Served, engine: EchoEngine) -> int:
    """How many requests the model was given, or wait for it."""
    scheduler = served.server.service._scheduler
    return sum(engine.batches) + scheduler._queue.qsize() + (scheduler._next is not None)


def wait_for(done: object, seconds: float = 60.0) -> None:
    assert callable(done)
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
