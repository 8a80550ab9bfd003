"""Many clients at a time on this machine's loopback, each request once: what came back, and how long it took."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

_TRIES = 200


@dataclass
class Load:
    """Results of a load. `texts` and `seconds` by number of request; `refusals` counts what had to be tried again."""

    texts: dict[int, str] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    refusals: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def percentile_ms(self, share: float) -> float:
        """Latency below which this share of the requests lies; tries that were refused count into it."""
        ordered = sorted(self.seconds.values())
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run_load(url: str, bodies: Callable[[int], Mapping[str, Any]], *, clients: int, requests: int) -> Load:
    """Send requests 0, 1, ... from so many clients; every one is sent until it is answered or fails for good."""
    load, lock, following = Load(), threading.Lock(), iter(range(requests))

    def work() -> None:
        with httpx.Client(timeout=120, trust_env=False) as client:
            while True:
                with lock:
                    number = next(following, None)
                if number is None:
                    return
                started = time.perf_counter()
                text = _ask(client, url, bodies(number), load, lock)
                with lock:
                    if text is None:
                        load.errors.append(f"request {number} was lost")
                    else:
                        load.texts[number] = text
                        load.seconds[number] = time.perf_counter() - started

    threads = [threading.Thread(target=work) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.wall_s = time.perf_counter() - started
    return load


def _ask(client: httpx.Client, url: str, body: Mapping[str, Any], load: Load, lock: threading.Lock) -> str | None:
    for _ in range(_TRIES):
        reply = client.post(f"{url}/v1/chat/completions", json=dict(body))
        if reply.status_code in (429, 503):
            with lock:
                load.refusals[reply.status_code] += 1
            time.sleep(0.05)
            continue
        if reply.status_code != 200:
            with lock:
                load.errors.append(f"HTTP {reply.status_code}: {reply.text[:200]}")
            return None
        return _text(reply.text) if body.get("stream") else reply.json()["choices"][0]["message"]["content"]
    return None


def _text(stream: str) -> str | None:
    """The text of a whole stream; None when its end is missing."""
    *chunks, done = [line.removeprefix("data: ") for line in stream.strip().split("\n\n")]
    if done != "[DONE]":
        return None
    choices = [choice for chunk in chunks for choice in json.loads(chunk)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)
