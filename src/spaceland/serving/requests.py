"""A chat request, read strictly: what is not understood is refused with a reason, never passed over.

Fields that ask for something this server cannot do (tools, log probabilities, other formats of the answer) are refused
unless they ask for nothing; fields that change nothing about the answer (user, metadata, ...) are taken as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from spaceland.chat.types import Message, Picture
from spaceland.serving.fetch import UrlAccess
from spaceland.serving.images import read_picture
from spaceland.serving.limits import Limits
from spaceland.serving.problems import RequestError, wrong

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_UNDERSTOOD = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop", "stream",
    "stream_options", "n",
})  # fmt: skip
_WITHOUT_EFFECT = frozenset({
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "reasoning_effort", "verbosity",
})  # fmt: skip
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
_MOST_STOPS, _LONGEST_STOP = 16, 256
_MOST_MESSAGES = 1000
_MOST_PARTS = 2000
"""Of all messages, beside pictures."""
_MOST_MARKS = 4_000_000
"""Commas and opening brackets of a body: a value takes one byte there, and fifty times as much once it is read."""
_MOST_CHARS_PER_TOKEN = 64
"""Far above that of any language; long runs of spaces come near it."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How one answer is made; temperature 0 takes the likeliest token. `stops` end it and are not part of it."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """What a client asks for. Pictures are encoded as they came; their `name` is their place in the request."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    stream: bool = False
    include_usage: bool = False
    max_tokens_given: bool = True
    """Whether the client said how long the answer may be."""

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in order."""
        return [part for message in self.messages for part in message.content if isinstance(part, Picture)]


def parse_request(body: bytes, limits: Limits, access: UrlAccess) -> ChatRequest:
    """Read the body of a request.

    Raises:
        RequestError: it is no JSON, or something in it is wrong; the reason names the field.
    """
    data = _object(body)
    for name, value in data.items():
        if name in _UNDERSTOOD or name in _WITHOUT_EFFECT or value is None:
            continue
        neutral = _NEUTRAL.get(name)
        if neutral is None:
            raise wrong(_shown(name), "unknown field; leave it out", "unknown_parameter")
        if not any(value == v and type(value) in (type(v), float) for v in neutral):
            raise wrong(name, "this server does not support it; leave it out", "unsupported_parameter")
    if _integer(data, "n", 1, least=1, most=10**6) != 1:
        raise wrong("n", "one answer at a time is given; send the request again for another", "unsupported_parameter")
    stream = _boolean(data, "stream")
    return ChatRequest(
        model=_model(data.get("model")),
        messages=_messages(data.get("messages"), limits, access),
        sampling=_sampling(data, limits),
        stream=stream,
        include_usage=_include_usage(data.get("stream_options"), stream),
        max_tokens_given=any(data.get(name) is not None for name in ("max_tokens", "max_completion_tokens")),
    )


def _object(body: bytes) -> dict[str, Any]:
    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number of JSON")

    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_MARKS:
        raise RequestError(400, f"the body has more than {_MOST_MARKS} commas and brackets", code="invalid_json")
    try:
        data = json.loads(body, parse_constant=refuse)
    except RecursionError:
        raise RequestError(400, "the body is nested too deeply", code="invalid_json") from None
    except ValueError as error:
        raise RequestError(400, f"the body is no valid JSON ({str(error)[:120]})", code="invalid_json") from None
    if not isinstance(data, dict):
        raise RequestError(400, "the body must be a JSON object", code="invalid_json")
    return data


def _model(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong("model", "must be the name of the model; GET /v1/models tells it")
    return value


def _sampling(data: Mapping[str, Any], limits: Limits) -> Sampling:
    both = {
        name: _integer(data, name, None, least=1, most=limits.max_tokens)
        for name in ("max_tokens", "max_completion_tokens")
    }
    asked = [value for value in both.values() if value is not None]
    if len(set(asked)) > 1:
        raise wrong("max_tokens", "differs from max_completion_tokens; give one of them")
    return Sampling(
        max_tokens=asked[0] if asked else min(limits.default_tokens, limits.max_tokens),
        temperature=_number(data, "temperature", 0.0, 0.0, 2.0),
        top_p=_number(data, "top_p", 1.0, 0.0, 1.0),
        seed=_integer(data, "seed", None, least=-(2**63), most=2**64 - 1),
        stops=_stops(data.get("stop")),
    )


def _stops(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else ([] if value is None else value)
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise wrong("stop", "must be a string or a list of strings, none of them empty")
    if len(stops) > _MOST_STOPS or any(len(stop) > _LONGEST_STOP for stop in stops):
        raise wrong("stop", f"at most {_MOST_STOPS} strings of {_LONGEST_STOP} characters are taken")
    return tuple(_clean(stop, "stop") for stop in stops)


def _include_usage(value: Any, stream: bool) -> bool:
    if value is None:
        return False
    if not isinstance(value, dict):
        raise wrong("stream_options", "must be an object")
    if not stream:
        raise wrong("stream_options", "is for streams alone; set stream to true or leave it out")
    unknown = sorted(set(value) - {"include_usage", "include_obfuscation"})
    if unknown:
        raise wrong(f"stream_options.{_shown(unknown[0])}", "unknown field; leave it out", "unknown_parameter")
    return _boolean(value, "include_usage")


def _messages(value: Any, limits: Limits, access: UrlAccess) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise wrong("messages", "must be a list of at least one message")
    if len(value) > _MOST_MESSAGES:
        raise wrong("messages", f"{len(value)} messages; at most {_MOST_MESSAGES} are taken")
    images = parts = 0
    for message in value:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            parts += len(content)
            images += sum(isinstance(part, dict) and part.get("type") == "image_url" for part in content)
    # Counted before the first one is read.
    if images > limits.max_images:
        raise wrong("messages", f"{images} pictures; at most {limits.max_images} are taken", "too_many_images")
    if parts - images > _MOST_PARTS:
        raise wrong("messages", f"{parts - images} parts beside pictures; at most {_MOST_PARTS} are taken")
    messages = tuple(_message(item, f"messages[{k}]", limits, access) for k, item in enumerate(value))
    length = sum(len(part) for message in messages for part in message.content if isinstance(part, str))
    # Making tokens takes long, and only then are they counted.
    if length > _MOST_CHARS_PER_TOKEN * limits.max_prompt_tokens:
        raise wrong(
            "messages",
            f"{length} characters of text, far more than fit into {limits.max_prompt_tokens} tokens; send less text",
            "context_length_exceeded",
        )
    pixels = sum(p.width * p.height for m in messages for p in m.content if isinstance(p, Picture))
    if pixels > limits.max_clip_megapixels * 1e6:
        raise wrong(
            "messages",
            f"its pictures have {pixels / 1e6:.0f} megapixels together; at most {limits.max_clip_megapixels:g} are "
            "taken: send smaller or fewer ones",
            "image_too_large",
        )
    return messages


def _message(value: Any, param: str, limits: Limits, access: UrlAccess) -> Message:
    if not isinstance(value, dict):
        raise wrong(param, "must be an object with role and content")
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise wrong(f"{param}.role", f"must be one of {', '.join(_ROLES)}")
    extra = sorted(name for name, item in value.items() if name not in ("role", "content", "name") and item)
    if extra:
        raise wrong(f"{param}.{_shown(extra[0])}", "this server does not support it; leave it out")
    content, at = value.get("content"), f"{param}.content"
    if isinstance(content, str):
        return Message(_ROLES[role], (_clean(content, at),))
    if not isinstance(content, list) or not content:
        raise wrong(at, "must be a string or a list of parts")
    return Message(_ROLES[role], tuple(_part(part, f"{at}[{k}]", limits, access) for k, part in enumerate(content)))


def _part(value: Any, param: str, limits: Limits, access: UrlAccess) -> str | Picture:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text" and isinstance(value.get("text"), str):
        return _clean(value["text"], param)
    if kind == "image_url":
        image = value.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if not isinstance(url, str):
            raise wrong(f"{param}.image_url", 'must be {"url": "data:image/jpeg;base64,..."}')
        return read_picture(url, f"{param}.image_url", limits, access)
    raise wrong(param, 'must be {"type": "text", "text": ...} or {"type": "image_url", "image_url": {"url": ...}}')


def _clean(text: str, param: str) -> str:
    """Text that can be encoded: half of a surrogate pair is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise wrong(param, "holds half of a surrogate pair, which is no character") from None
    return text


def _number(data: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = data.get(name)
    if value is None:
        return default
    # Written so that NaN fails, and huge integers are compared before they become floats.
    fine = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not fine or not math.isfinite(value):
        raise wrong(name, f"must be a number from {least:g} to {most:g}")
    return float(value)


def _integer(data: Mapping[str, Any], name: str, default: Any, *, least: int, most: int) -> Any:
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise wrong(name, f"must be a whole number from {least} to {most}")
    return value


def _boolean(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "must be true or false")
    return bool(value)


def _shown(name: str) -> str:
    """A client's word in one short printable line."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name[:60])
