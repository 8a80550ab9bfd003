"""A server on this machine for the length of a with block, and an engine without weights that keeps the whole contract.

Its tokens are code points, and it says the last text back: so every byte of what a client gets is known.
"""

from __future__ import annotations

import base64
import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from PIL import Image

from spaceland.chat.types import Message, Picture
from spaceland.serving.access import Access
from spaceland.serving.engine import CacheStats, EngineFacts, Prompt
from spaceland.serving.fetch import UrlAccess
from spaceland.serving.images import clip_key, decode
from spaceland.serving.limits import Limits
from spaceland.serving.requests import Sampling
from spaceland.serving.run import ModelServer, listen

END = 0


@dataclass
class EchoEngine:
    """Says the last text back, one character a step; "!" makes it fail, "?" fails only in company."""

    step_s: float = 0.0
    context: int = 100_000
    name: str = "echo"
    batches: list[int] = field(default_factory=list)
    steps: int = 0
    gate: threading.Event | None = None
    threads: set[str] = field(default_factory=set)

    @property
    def facts(self) -> EngineFacts:
        return EngineFacts(name=self.name, context=self.context, fingerprint="f")

    @property
    def ends(self) -> frozenset[int]:
        return frozenset({END})

    @property
    def cache(self) -> CacheStats:
        return CacheStats()

    def decode(self, tokens: list[int]) -> str:
        return "".join(chr(t) for t in tokens)

    def prepare(self, messages: Sequence[Message]) -> Prompt:
        pictures = [part for m in messages for part in m.content if isinstance(part, Picture)]
        for picture in pictures:
            decode(picture)
        texts = [part for m in messages for part in m.content if isinstance(part, str)]
        return Prompt(sum(map(len, texts)) + len(pictures), clip_key(pictures) if pictures else None, texts[-1])

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sequence[Sampling], take: Callable[[list[int]], list[bool]]
    ) -> None:
        self.batches.append(len(prompts))
        self.threads.add(threading.current_thread().name)
        if self.gate is not None:
            assert self.gate.wait(20)
        texts = [str(prompt.inputs) for prompt in prompts]
        if any("!" in text for text in texts) or (len(texts) > 1 and any("?" in text for text in texts)):
            raise RuntimeError("out of memory, as it were")
        for k in range(max(map(len, texts)) + 1):
            time.sleep(self.step_s)
            self.steps += 1
            if all(take([ord(text[k]) if k < len(text) else END for text in texts])):
                return


@dataclass
class Served:
    """A running server."""

    url: str
    server: ModelServer
    client: httpx.Client

    def ask(self, text: Any = "hello", **fields: Any) -> httpx.Response:
        """One chat completion."""
        content = text if isinstance(text, list) else [{"type": "text", "text": text}]
        body = {"model": "echo", "messages": [{"role": "user", "content": content}], **fields}
        return self.client.post("/v1/chat/completions", json=body)


@contextlib.contextmanager
def serving(
    engine: Any, limits: Limits | None = None, access: Access | None = None, urls: UrlAccess | None = None, **more: Any
) -> Iterator[Served]:
    """Run a server in a thread, on a free port."""
    listening = listen("127.0.0.1", 0)
    server = ModelServer(engine, listening, access or Access(), limits=limits, urls=urls, grace_s=5, **more)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            yield Served(url, server, client)
    finally:
        server.stop()
        thread.join(timeout=60)
        listening.close()
        assert not thread.is_alive()


def encoded(width: int = 32, height: int = 24, kind: str = "PNG", seed: int = 0) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    """Bytes as a URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image_part(url: str) -> dict[str, Any]:
    """A picture in a message."""
    return {"type": "image_url", "image_url": {"url": url}}


def arrived(served: Served, engine: EchoEngine) -> int:
    """How many requests the model was given, together with those that wait for it."""
    scheduler = served.server.service._scheduler
    return sum(engine.batches) + scheduler._queue.qsize() + (scheduler._next is not None)


def wait_for(done: Callable[[], object], seconds: float = 60.0) -> None:
    """Until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def events(text: str) -> list[str]:
    """What a stream carried."""
    assert text.endswith("\n\n")
    return [line.removeprefix("data: ") for line in text.strip().split("\n\n")]
