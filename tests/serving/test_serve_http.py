"""The protocol on a real socket: answers, streams, refusals, and who is let in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from serve_help import EchoEngine, Served, data_url, encoded, events, image_part, serving, wait_for

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
