"""What goes to a vision-language model and what comes back, whichever backend speaks to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Picture:
    """An image as the model will get it: encoded bytes and their type, such as image/jpeg."""

    data: bytes
    media_type: str
    width: int
    height: int
    name: str = ""
    K: tuple[float, float, float, float] | None = None
    """fx, fy, cx, cy in pixels of this picture where they are known, for models that take rays; no server is told."""


@dataclass(frozen=True)
class Message:
    """One turn: text and pictures in order."""

    role: str
    content: Sequence[str | Picture]


@dataclass(frozen=True)
class Generation:
    """How to generate. Temperature 0 is greedy; `seed` is passed on where the backend knows one."""

    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True)
class Reply:
    """What came back: `finish` is the backend's word for why it ended ("stop", "length", ...)."""

    text: str
    model: str
    finish: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


class ChatModel(Protocol):
    """Anything that answers a chat with pictures."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer one chat.

        Raises:
            ChatError: the backend cannot be reached, refuses, or answers with something that is no answer.
        """
        ...
