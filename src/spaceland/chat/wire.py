"""Messages as the OpenAI protocol writes them, and what its answers mean."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from spaceland.chat.types import Message, Picture, Reply
from spaceland.errors import ChatError


def message_json(message: Message, *, detail: str | None = None) -> dict[str, Any]:
    """One message; a text alone stays a string, since some servers take lists only from users."""
    if all(isinstance(part, str) for part in message.content):
        return {"role": message.role, "content": "\n\n".join(str(part) for part in message.content)}
    return {"role": message.role, "content": [_part(part, detail) for part in message.content]}


def data_url(picture: Picture) -> str:
    """The picture inside a URL."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def answer_of(data: Mapping[str, Any], model: str) -> Reply:
    """The reply in a server's JSON object.

    `finish` "length" means that the text is cut at `max_tokens`; the caller decides whether it is of use.

    Raises:
        ChatError: no choices, a refusal, a content filter, or no text though the model did not end by itself.
    """
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices:
        error = data.get("error")
        said = f"; it says {str(error)[:300]!r}" if error else ""
        raise ChatError(f"the server's answer for {model} has no choices{said}; ask again, or another model")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message") if isinstance(choice.get("message"), dict) else {}
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) else None
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        raise ChatError(f"{model} refuses to answer: {refusal[:300]!r}; ask differently, or another model")
    if finish == "content_filter":
        raise ChatError(f"the server's content filter stopped the answer of {model}; ask differently")
    text = _text(message.get("content"))
    # A model that ends at once has said nothing, and would say nothing again; that is a reply.
    said_nothing = finish == "stop" and isinstance(message.get("content"), str)
    if not text.strip() and not said_nothing:
        why = "it reached max_tokens before it said anything; raise --max-tokens" if finish == "length" else "ask again"
        raise ChatError(f"{model} answered without text (finish reason {finish}); {why}")
    usage = data.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text=text,
        model=data["model"] if isinstance(data.get("model"), str) else model,
        finish=finish,
        usage={k: v for k, v in counts.items() if isinstance(v, int) and not isinstance(v, bool)},
        raw=data,
    )


def _part(part: str | Picture, detail: str | None) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image = {"url": data_url(part)} | ({"detail": detail} if detail else {})
    return {"type": "image_url", "image_url": image}


def _text(content: Any) -> str:
    """The content of a message: a string, or on some servers a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))
