"""What the server needs of a model: prompts made ready one by one, answers made together, token by token.

An engine knows nothing of HTTP, time limits or clients. `prepare` runs on one thread and `generate` on another, each
never twice at a time; they may run at the same time as each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from spaceland.chat.types import Message
from spaceland.serving.requests import Sampling


@dataclass(frozen=True, eq=False)
class Prompt:
    """A chat as the model wants it: `num_tokens` with its pictures, `clip` names these by content (None: there are
    none), `inputs` are the engine's own.
    """

    num_tokens: int
    clip: str | None
    inputs: Any


@dataclass(frozen=True, kw_only=True)
class CacheStats:
    """How often a clip was found and how often not, and what is kept."""

    hits: int = 0
    misses: int = 0
    clips: int = 0
    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What a server says about its model. `fingerprint` is the commit of its weights, or tells folders apart by names,
    sizes and settings of their files."""

    name: str
    context: int
    """Tokens of prompt and answer together."""
    fingerprint: str
    about: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """A model that answers several chats at a time."""

    @property
    def facts(self) -> EngineFacts:
        """What is known before a chat is seen."""
        ...

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ...

    @property
    def cache(self) -> CacheStats:
        """The clip cache as it stands."""
        ...

    def decode(self, tokens: list[int]) -> str:
        """Text of tokens without the special ones; may be called from any thread."""
        ...

    def prepare(self, messages: Sequence[Message]) -> Prompt:
        """Make a chat ready.

        Raises:
            RequestError: the model cannot take it.
        """
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sequence[Sampling],
        take: Callable[[list[int]], list[bool]],
    ) -> None:
        """Answer prompts together.

        Args:
            prompts: Ready chats.
            sampling: How each is answered. What a seed gives is the same alone and with others, up to rounding.
            take: Called with the next token of every prompt; says which answers are complete. What is told for a
                complete one is ignored. It ends when all are complete.

        Raises:
            RuntimeError: the model failed, for lack of memory say.
        """
        ...
