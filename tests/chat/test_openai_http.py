"""The HTTP backend against a real server that fails in all the ways that servers fail."""

from __future__ import annotations

import base64
import io
import json
import logging
import pickle
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chat_server import Step, cut, echo, fail, reply, send, serving, trickle, wait
from spaceland.chat.openai_http import OpenAIChat, OpenAIConfig, is_loopback
from spaceland.chat.pictures import make_picture
from spaceland.chat.retry import RetryConfig, Waits, retry_after_s
from spaceland.chat.secret import Secret
from spaceland.chat.types import Generation, Message
from spaceland.errors import ChatError

KEY = "sk-very-secret-0123456789"
HELLO = [Message("user", ["hello"])]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    yield


def chat(url: str, **config: Any) -> tuple[OpenAIChat, list[float]]:
    """A client whose waits are recorded instead of slept."""
    waits: list[float] = []
    return OpenAIChat(OpenAIConfig(model="m", base_url=url, **config), sleep=waits.append), waits


def ask(*script: Step, **config: Any) -> tuple[str, list[float], int]:
    with serving(*script) as log:
        model, waits = chat(log.url, **config)
        with model:
            text = model.complete(HELLO, Generation()).text
        return text, waits, len(log.bodies)


def error_of(*script: Step, **config: Any) -> tuple[str, int]:
    """Message of the ChatError, with everything that a traceback would print, and the number of requests."""
    with serving(*script) as log:
        model, _ = chat(log.url, **config)
        with model, pytest.raises(ChatError) as caught:
            model.complete(HELLO, Generation())
        printed = "".join(traceback.format_exception(caught.value))
        assert KEY not in printed
        return str(caught.value), len(log.bodies)


def test_request_as_the_protocol_says() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    picture = make_picture(image, "x.png", lossless=True)
    with serving(reply("hi", finish="length")) as log:
        model, _ = chat(log.url + "/", detail="low", extra={"top_p": 0.5})
        got = model.complete(
            [Message("system", ["be brief"]), Message("user", [picture, "what?"])], Generation(7, 0.25, seed=3)
        )
    assert (got.text, got.finish, got.model, got.usage["total_tokens"]) == ("hi", "length", "served", 7)
    assert log.paths == ["/v1/chat/completions"]
    assert log.headers[0]["Authorization"] == f"Bearer {KEY}"
    body = log.bodies[0]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"], body["top_p"]) == (
        "m",
        7,
        0.25,
        3,
        0.5,
    )
    assert body["messages"][0] == {"role": "system", "content": "be brief"}
    first, second = body["messages"][1]["content"]
    assert second == {"type": "text", "text": "what?"}
    head, _, data = first["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64" and first["image_url"]["detail"] == "low"
    assert np.array_equal(np.array(Image.open(io.BytesIO(base64.b64decode(data)))), image)


def test_reasoning_models_get_other_fields() -> None:
    with serving(reply("hi")) as log:
        model, _ = chat(log.url, reasoning=True)
        model.complete(HELLO, Generation(9))
    assert log.bodies[0]["max_completion_tokens"] == 9
    assert "temperature" not in log.bodies[0] and "max_tokens" not in log.bodies[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again(status: int) -> None:
    text, waits, requests = ask(fail(status), fail(status), reply("at last"))
    assert (text, requests) == ("at last", 3)
    assert 0.5 <= waits[0] <= 1 and 1 <= waits[1] <= 2


def test_retry_after_is_honoured_unless_too_long() -> None:
    _, waits, _ = ask(fail(429, Retry_After="7"), reply("ok"))
    assert waits == [7.0]
    message, requests = error_of(fail(429, "slow down", Retry_After="3600"))
    assert requests == 1 and "slow down" in message and "3600" in message


def test_waits_are_seeded_bounded_and_doubling() -> None:
    config = RetryConfig(tries=8, base_s=1, cap_s=10, seed=4)
    first, second = Waits(config), Waits(config)
    waits = [first.after(k) for k in range(1, 9)]
    assert waits == [second.after(k) for k in range(1, 9)] and waits[-1] is None
    for k, value in enumerate(waits[:-1]):
        assert value is not None and min(10, 2**k) / 2 <= value <= min(10, 2**k)


def test_retry_after_dates_and_nonsense() -> None:
    now = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s("Tue, 01 Jan 2030 12:00:09 GMT", now) == 9
    assert retry_after_s("Tue, 01 Jan 2030 11:00:00 GMT", now) == 0
    for text in (None, "", "soon", "-3", "nan", "inf", "1e400", "9" * 400, "Tue, 99 Foo"):
        assert retry_after_s(text, now) is None or retry_after_s(text, now) >= 0  # type: ignore[operator]


def test_gives_up_after_the_last_try() -> None:
    message, requests = error_of(fail(503, "overloaded"), retry=RetryConfig(tries=3))
    assert requests == 3 and "3 tries" in message and "overloaded" in message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_lasting_failures_are_not_tried_again(status: int) -> None:
    message, requests = error_of(fail(status, f"bad thing with key {KEY} in it"))
    assert requests == 1 and "bad thing" in message and str(status) in message and KEY not in message
    assert ("OPENAI_API_KEY" in message) == (status in (401, 403))


def test_silence_is_a_time_out_and_tried_again() -> None:
    text, waits, requests = ask(wait(0.8, reply("late")), reply("in time"), read_s=0.2)
    assert (text, requests, len(waits)) == ("in time", 2, 1)


def test_trickle_cannot_hold_a_request_forever() -> None:
    start = time.monotonic()
    message, requests = error_of(trickle, read_s=5, total_s=0.2, retry=RetryConfig(tries=1))
    assert time.monotonic() - start < 3.9 and requests == 1 and "not complete" in message


def test_cut_connection_is_tried_again() -> None:
    text, _, requests = ask(cut, cut, reply("whole"))
    assert (text, requests) == ("whole", 3)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<html>login</html>", "no JSON"),
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "no object"),
        ('{"choices": []}', "no choices"),
        ('{"error": {"message": "quota"}}', "quota"),
        ('{"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}', "max-tokens"),
        ('{"choices": [{"message": {"content": null}}]}', "without text"),
        ('{"choices": [7]}', "without text"),
        ('{"choices": [{"message": {"refusal": "I will not"}}]}', "I will not"),
        ('{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}', "filter"),
    ],
)
def test_answers_that_are_none(body: str, says: str) -> None:
    message, requests = error_of(send(200, body))
    assert requests == 1 and says in message


def test_a_model_that_ends_at_once_has_said_nothing() -> None:
    said = {"message": {"content": ""}, "finish_reason": "stop"}
    assert ask(send(200, json.dumps({"choices": [said]})))[0] == ""


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "image"}]
    assert ask(send(200, json.dumps({"choices": [{"message": {"content": parts}}]})))[0] == "ab"


def test_many_keep_their_order_and_the_limit() -> None:
    with serving(echo(0.05)) as log:
        model, _ = chat(log.url, concurrency=3)
        replies = model.complete_many([[Message("user", [str(k)])] for k in range(12)], Generation())
        assert log.most_at_once == 3 and len(log.bodies) == 12
    assert [getattr(r, "text", "") for r in replies] == [str(k) for k in range(12)]


def test_a_failure_in_the_middle_spoils_no_other() -> None:
    with serving(reply("first"), fail(400, "no"), reply("third")) as log:
        model, _ = chat(log.url, concurrency=1)
        replies = model.complete_many([HELLO] * 3, Generation())
    assert isinstance(replies[1], ChatError)
    assert [getattr(replies[k], "text", "") for k in (0, 2)] == ["first", "third"]


def test_the_key_is_nowhere(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    script = (fail(429, f"key {KEY} is over its limit"), cut, fail(401, f"bad key {KEY} or {KEY[:-4]}"))
    with serving(*script) as log:
        model, _ = chat(log.url)
        with pytest.raises(ChatError) as caught:
            model.complete(HELLO, Generation())
        shown = [repr(model), str(model), repr(vars(model)), str(caught.value), repr(caught.value), caplog.text]
        # Our own frames with all their variables, as error trackers record them; the first frame is this test.
        assert caught.value.__traceback__ is not None
        ours = caught.value.__traceback__.tb_next
        report = traceback.TracebackException(ChatError, caught.value, ours, capture_locals=True)
        shown += ["".join(report.format())]
    shown += list(capsys.readouterr())
    assert caplog.records and not any(KEY in text or KEY[:-4] in text for text in shown)
    with serving(reply(f"your key is {KEY}")) as log:
        answer = chat(log.url)[0].complete(HELLO, Generation())
    assert KEY not in repr(answer) and "***" in answer.text


def test_secrets_do_not_travel() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_broken_key_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "abc\ndef ghi")
    with pytest.raises(ChatError, match="OPENAI_API_KEY") as caught:
        chat("http://localhost:1/v1")
    assert "abc" not in str(caught.value)


def test_no_key_is_fine_and_other_variables_can_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("MY_KEY", "  other-key  ")
    with serving(reply("ok")) as log:
        chat(log.url)[0].complete(HELLO, Generation())
        chat(log.url, key_variable="MY_KEY")[0].complete(HELLO, Generation())
    assert "Authorization" not in log.headers[0] and log.headers[1]["Authorization"] == "Bearer other-key"


def test_proxies_never_see_what_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(reply("from the proxy")) as proxy, serving(reply("from the server")) as log:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        for url in (log.url, log.url.replace("127.0.0.1", "localhost")):
            assert chat(url)[0].complete(HELLO, Generation()).text == "from the server"
        assert proxy.bodies == []
        # Elsewhere the proxy of the environment is used.
        assert chat("http://models.invalid/v1")[0].complete(HELLO, Generation()).text == "from the proxy"


def test_loopback_names() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "LOCALHOST", "a.localhost", "localhost.")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "")))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/v1",
        "localhost:8000",
        "http://",
        "http://user:pw@host/v1",
        "http://h/v1?api-key=abc",
        "http://[x/v1",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ChatError) as caught:
        chat(url)
    assert "pw" not in str(caught.value) and "abc" not in str(caught.value)


def test_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(reply("ok")) as log:
        monkeypatch.setenv("OPENAI_BASE_URL", log.url)
        assert OpenAIChat(OpenAIConfig(model="m")).complete(HELLO, Generation()).text == "ok"


def test_nobody_there() -> None:
    with serving(reply("x")) as log:
        url = log.url
    start = time.monotonic()
    with pytest.raises(ChatError, match="is the server running"):
        chat(url)[0].complete(HELLO, Generation())
    assert time.monotonic() - start < 10
