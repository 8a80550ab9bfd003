"""Under load nothing is lost or mixed up: every request gets its own answer, among bad ones and clients that leave."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from serve_help import EchoEngine, data_url, encoded, image_part, serving
from serve_load import run_load

from spaceland.serving.limits import Limits


def test_every_request_gets_its_own_answer_in_the_midst_of_bad_ones() -> None:
    def body(number: int) -> dict[str, Any]:
        return {
            "model": "echo",
            "messages": [{"role": "user", "content": f"text {number} ü"}],
            "stream": number % 2 == 0,
        }

    with serving(EchoEngine(step_s=0.0005), Limits(max_waiting=12)) as served:
        stop = threading.Event()
        seen: set[int] = set()

        def be_bad() -> None:
            """Wrong requests, and some that leave before their answer."""
            with httpx.Client(base_url=served.url, trust_env=False) as client:
                while not stop.is_set():
                    seen.add(client.post("/v1/chat/completions", json={"model": "echo", "messages": [5]}).status_code)
                    with (
                        httpx.Client(base_url=served.url, trust_env=False) as leaving,
                        leaving.stream("POST", "/v1/chat/completions", json={**body(0), "max_tokens": 400}) as reply,
                    ):
                        seen.add(reply.status_code)

        bad = threading.Thread(target=be_bad)
        bad.start()
        load = run_load(served.url, body, clients=32, requests=160)
        stop.set()
        bad.join()
        assert load.errors == [] and load.texts == {k: f"text {k} ü" for k in range(160)}
        assert seen <= {200, 400, 429} and 400 in seen
        assert load.refusals[429] > 0  # 33 clients, room for 20: some were told to come back, none was lost
        until_idle(served)


def until_idle(served: Any) -> None:
    import time

    until = time.monotonic() + 60
    while served.server.service.active:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["geometry", "plain"])
def test_a_tiny_model_under_load_says_what_it_says_alone(kind: str, tmp_path: Path) -> None:
    """32 clients, 1,000 requests, four clips, streams and whole answers."""
    pytest.importorskip("torch", reason="needs the extra model")
    from tiny_models import tiny_model, wake

    from spaceland.serving.geometry_engine import GeometryEngine
    from spaceland.serving.local_engine import LocalEngine

    if kind == "geometry":
        engine: Any = GeometryEngine(wake(tiny_model()), "tiny")
    else:
        from test_serve_engines import save_plain

        from spaceland.chat.local import LocalChat, LocalConfig

        engine = LocalEngine(LocalChat(LocalConfig(path=str(save_plain("qwen2_5_vl", tmp_path)), device="cpu")), "tiny")
    clips = [[image_part(data_url(encoded(64, 48, seed=10 * clip + k))) for k in range(2)] for clip in range(4)]

    def body(number: int) -> dict[str, Any]:
        words = {"type": "text", "text": f"Question {number % 8}?"}
        content = [words] if number % 5 == 4 else [*clips[number % 4], words]
        return {"model": "tiny", "messages": [{"role": "user", "content": content}], "stream": number % 3 == 0,
                "max_tokens": 4 + number % 3, "temperature": 1.0 if number % 7 == 0 else 0, "seed": number}  # fmt: skip

    with serving(engine) as served:
        load = run_load(served.url, body, clients=32, requests=1000)
        assert load.errors == [] and sorted(load.texts) == list(range(1000))
        metrics = served.server.service.metrics
        assert metrics.value("requests_total", path="/v1/chat/completions", status="200") == 1000
        assert metrics.value("batch_size") < 600  # they were answered together
        assert engine.cache.misses == 4
        for number in (0, 1, 4, 7, 35, 123, 998):
            alone = run_load(served.url, lambda _, number=number: body(number), clients=1, requests=1)
            assert alone.texts[0] == load.texts[number]
