"""What a request's JSON asks for: an order or a question, each field of the right kind and not too long."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from spaceland.localserver import RefusedError
from spaceland.web.jobs import Order, Question

_MOST_TEXT, _MOST_MARKS = 4000, 8


def read_order(body: Mapping[str, Any]) -> Order:
    """An order.

    Raises:
        RefusedError: a field is of another kind.
    """
    upload, source = _text(body, "upload", 40), _text(body, "source", 1000).strip()
    title = _plain(_text(body, "title", 1000))[:120] or (source if not upload else "uploaded capture")
    frames = body.get("frames", 8)
    if isinstance(frames, bool) or not isinstance(frames, int):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "frames is no whole number")
    return Order(
        source="" if upload else source,
        title=title,
        upload=upload,
        scene=_text(body, "scene", 200).strip(),
        frames=frames,
        scale=_text(body, "scale", 100).strip(),
        objects=_text(body, "objects", 20) or "auto",
    )


def read_question(body: Mapping[str, Any]) -> Question:
    """A question; its number is given later.

    Raises:
        RefusedError: a field is of another kind.
    """
    marks = body.get("marks", [])
    if not isinstance(marks, list) or len(marks) > _MOST_MARKS or not all(type(m) is int and m >= 0 for m in marks):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "marks is no list of a few whole numbers")
    return Question(
        id=0,
        text=_text(body, "text", _MOST_TEXT).strip(),
        task=_text(body, "task", 20) or "qa",
        model=_text(body, "model", 500),
        marks=tuple(marks),
    )


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{name} is no text of at most {most} characters")
    return value


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
