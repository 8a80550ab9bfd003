"""What models on this machine share: how a `Generation` is told to transformers, and what comes back of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from spaceland.chat.types import Generation, Message, Reply
from spaceland.errors import ChatError


@contextlib.contextmanager
def sampling(generation: Generation) -> Iterator[dict[str, Any]]:
    """Arguments of `generate`, with torch's random numbers as the seed says while it lasts.

    The checkpoint's own sampling settings would otherwise apply, and make answers differ from run to run.
    """
    import torch

    how: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if generation.temperature > 0:
        how = {"do_sample": True, "temperature": generation.temperature}
    with torch.random.fork_rng(enabled=generation.temperature > 0):
        if generation.temperature > 0:
            torch.manual_seed(generation.seed or 0)
        yield {"max_new_tokens": generation.max_tokens, "num_beams": 1, "repetition_penalty": 1.0, **how}


def end_tokens(names_them: Any) -> frozenset[int]:
    """Tokens that end an answer, as a model's generation settings or a tokenizer name them; none where they do not."""
    ends = names_them.eos_token_id
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])


def make_reply(
    tokens: list[int], length: int, generation: Generation, *, name: str, ends: frozenset[int], tokenizer: Any
) -> Reply:
    """The reply in new tokens after a prompt of `length`; what follows an end is padding of a batch."""
    end = next((k for k, token in enumerate(tokens) if token in ends), None)
    tokens = tokens if end is None else tokens[: end + 1]
    text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
    finish = "length" if end is None and len(tokens) >= generation.max_tokens else "stop"
    usage = {"prompt_tokens": length, "completion_tokens": len(tokens), "total_tokens": length + len(tokens)}
    return Reply(text=text, model=name, finish=finish, usage=usage)


def together_or_alone(
    chats: Sequence[Sequence[Message]], answer: Callable[[Sequence[Sequence[Message]]], list[Reply]]
) -> list[Reply | ChatError]:
    """Answers to several chats at once, in their order.

    Where that fails, for lack of memory say, they are asked one by one, each failure in its place.
    """
    if len(chats) > 1:
        with contextlib.suppress(ChatError):
            return list(answer(chats))
    replies: list[Reply | ChatError] = []
    for messages in chats:
        try:
            replies.extend(answer([messages]))
        except ChatError as error:
            replies.append(error)
    return replies
