"""Any server that speaks the OpenAI chat protocol: vLLM, llama.cpp, Ollama, LM Studio, gateways, OpenAI itself.

    model = OpenAIChat(OpenAIConfig(model="qwen", base_url="http://localhost:8000/v1"))
    reply = model.complete([Message("user", [picture, "What is this?"])], Generation())

- The key comes from the environment alone and is held in a `Secret`: no log, repr, error or result shows it, and it is
  cut out of everything that the server sends back. Redirects are not followed, so it goes to the named server only.
- 429, 500, 502, 503, 504, time-outs and cut connections are tried again (`retry`); other answers are not, and the
  server's reason is quoted.
- Proxies named in the environment (HTTPS_PROXY, ...) are used for servers elsewhere, never for this machine
  (localhost, 127.0.0.0/8, ::1): what is local stays local whatever the environment says.
- At most `concurrency` requests run at a time, over all threads that share the object.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from spaceland.chat.retry import RETRIED_STATUS, RetryConfig, Waits, retry_after_s
from spaceland.chat.secret import Secret, key_from_environment
from spaceland.chat.types import Generation, Message, Reply
from spaceland.chat.wire import answer_of, message_json
from spaceland.errors import ChatError
from spaceland.version import __version__

logger = logging.getLogger(__name__)
_MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class OpenAIConfig:
    """Where the model is and how patient to be. `base_url` is without /chat/completions, and mostly ends in /v1."""

    model: str
    base_url: str | None = None
    """None: the environment variable OPENAI_BASE_URL."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; unset for servers without one."""
    connect_s: float = 10.0
    read_s: float = 300.0
    """Longest silence of the server."""
    total_s: float = 900.0
    """Longest time for one answer, so that a server that trickles cannot hold a request forever."""
    concurrency: int = 4
    retry: RetryConfig = field(default_factory=RetryConfig)
    detail: str | None = None
    """"low" or "high" where the server knows it; None leaves it out."""
    reasoning: bool = False
    """For models that want max_completion_tokens and refuse a temperature."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the request's body, such as {"top_p": 0.9}."""


class _KeyAuth(httpx.Auth):
    """Puts the key into the header at the last moment, so that no request of ours carries it before."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class _TryAgainError(Exception):
    """A failure that may pass: its reason, and how long the server asks to wait."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class OpenAIChat:
    """A `ChatModel` behind HTTP. Use as a context manager, or call `close`."""

    def __init__(self, config: OpenAIConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Read address and key; nothing is sent yet.

        Args:
            config: See `OpenAIConfig`.
            sleep: Called with seconds between tries.

        Raises:
            ChatError: no address, one that is not http(s) or carries a password, or a key with line breaks.
        """
        self.name = config.model
        self._config, self._sleep = config, sleep
        if config.concurrency < 1:
            raise ChatError(f"a concurrency of {config.concurrency} sends nothing; give at least 1")
        base = config.base_url or os.environ.get("OPENAI_BASE_URL", "").strip()
        host, port = _checked_host(base)
        shown = f"[{host}]" if ":" in host else host
        self._host = shown if port is None else f"{shown}:{port}"
        self._url = base.rstrip("/") + "/chat/completions"
        self._key = key_from_environment(config.key_variable)
        self._waits = Waits(config.retry)
        self._slots = threading.BoundedSemaphore(config.concurrency)
        self._client = httpx.Client(
            auth=_KeyAuth(self._key) if self._key else None,
            timeout=httpx.Timeout(config.read_s, connect=config.connect_s, pool=None),
            limits=httpx.Limits(max_connections=config.concurrency),
            trust_env=not is_loopback(host),
            follow_redirects=False,
            headers={"User-Agent": f"spaceland/{__version__}"},
        )

    def __repr__(self) -> str:
        return f"OpenAIChat({self.name!r} at {self._url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer one chat; see `ChatModel`."""
        content = json.dumps(self.body(messages, generation)).encode()
        failures = 0
        while True:
            try:
                return answer_of(self._post(content), self.name)
            except _TryAgainError as failure:
                failures += 1
                wait = self._waits.after(failures, failure.wait_s)
                if wait is None:
                    asked = f" (it asks to wait {failure.wait_s:.0f} s)" if failure.wait_s else ""
                    times = "1 try" if failures == 1 else f"{failures} tries"
                    raise ChatError(
                        f"{self._host} gave no answer in {times}: {failure}{asked}; "
                        "try again later, or ask less at once"
                    ) from None
                logger.info("%s: %s; trying again in %.1f s", self._host, failure, wait)
            self._sleep(wait)

    def complete_many(self, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply | ChatError]:
        """Answer several chats at a time, in their order; a failure is returned in its place, so none spoils others."""

        def one(messages: Sequence[Message]) -> Reply | ChatError:
            try:
                return self.complete(messages, generation)
            except ChatError as error:
                return error

        with ThreadPoolExecutor(self._config.concurrency) as pool:
            return list(pool.map(one, chats))

    def body(self, messages: Sequence[Message], generation: Generation) -> dict[str, Any]:
        """The request's JSON; pictures are data URLs."""
        config = self._config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [message_json(message, detail=config.detail) for message in messages],
        }
        if config.reasoning:
            body["max_completion_tokens"] = generation.max_tokens
        else:
            body |= {"max_tokens": generation.max_tokens, "temperature": generation.temperature}
        if generation.seed is not None:
            body["seed"] = generation.seed
        return body | dict(config.extra)

    def _post(self, content: bytes) -> dict[str, Any]:
        """The JSON object of one good answer.

        Raises:
            _TryAgainError: it may work later.
            ChatError: it will not.
        """
        # A slot is held while a request runs, not while it waits for its next try.
        with self._slots:
            status, headers, text = self._send(content)
        if status in RETRIED_STATUS:
            raise _TryAgainError(f"HTTP {status}: {_reason(text)}", retry_after_s(headers.get("retry-after")))
        if not 200 <= status < 300:
            raise ChatError(f"{self._host} answered HTTP {status}: {_reason(text)}; {_hint(status, self._config)}")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise ChatError(
                f"{self._host} answered with something that is no JSON: {_quote(text)}; "
                f"is {self._url} an OpenAI-compatible server?"
            ) from None
        if not isinstance(data, dict):
            raise ChatError(f"{self._host} answered with JSON that is no object: {_quote(text)}")
        return data

    def _send(self, content: bytes) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and body, from which the key is cut out at once."""
        deadline = time.monotonic() + self._config.total_s
        received = bytearray()
        # `from None` everywhere: the library's errors carry the request and with it the key.
        try:
            with self._client.stream(
                "POST", self._url, content=content, headers={"Content-Type": "application/json"}
            ) as response:
                for chunk in response.iter_bytes():
                    received += chunk
                    if time.monotonic() > deadline:
                        raise _TryAgainError(f"the answer was not complete after {self._config.total_s:g} s")
                    if len(received) > _MAX_BODY_BYTES:
                        raise ChatError(f"{self._host} sends more than {_MAX_BODY_BYTES >> 20} MiB; that is no answer")
                return response.status_code, response.headers, self._hide(received.decode(errors="replace"))
        except httpx.TimeoutException as error:
            kind = type(error).__name__
            raise _TryAgainError(f"time-out ({kind})") from None
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise ChatError(
                f"cannot connect to {self._host}: {self._hide(str(error))}; is the server running, and is the address "
                f"{self._url} right?"
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise ChatError(f"the request to {self._host} cannot be sent: {self._hide(str(error))}") from None
        except httpx.TransportError as error:
            raise _TryAgainError(f"the connection was cut ({self._hide(str(error)) or type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise ChatError(f"{self._host} answered with broken HTTP: {self._hide(str(error))}") from None

    def _hide(self, text: str) -> str:
        return self._key.hide(text) if self._key else text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("example.org")
    (True, True, True, False)
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _checked_host(base: str) -> tuple[str, int | None]:
    if not base:
        raise ChatError(
            "no server address: write openai:MODEL@http://localhost:8000/v1, or set OPENAI_BASE_URL to the address"
        )
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ChatError(
            "the server's address carries a user name, password, query or fragment; give the bare address, "
            "and the key in the environment"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise ChatError(f"'{base}' is no server address; it looks like http://localhost:8000/v1")
    return host, port


def _reason(text: str) -> str:
    """The server's own words: the message of an error object, else the start of the body."""
    try:
        data = json.loads(text)
        error = data.get("error", data) if isinstance(data, dict) else data
        for key in ("message", "detail", "error"):
            if isinstance(error, dict) and isinstance(error.get(key), str):
                return _quote(error[key])
        if isinstance(error, str):
            return _quote(error)
    except (ValueError, RecursionError):
        pass
    return _quote(text)


def _quote(text: str, most: int = 300) -> str:
    """Text of others in one printable line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return f"'{line[:most]}...'" if len(line) > most else f"'{line}'" if line else "no reason given"


def _hint(status: int, config: OpenAIConfig) -> str:
    if status in (401, 403):
        return f"check the key in the environment variable {config.key_variable}"
    if status == 404:
        return f"check the model's name '{config.model}' and whether the address must end in /v1"
    if status == 413:
        return "send fewer or smaller pictures"
    if 300 <= status < 400:
        return "redirects are not followed; give the address that it leads to"
    return "the request must be changed before it is sent again"
