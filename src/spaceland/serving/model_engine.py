"""What both engines have in common: the tokenizer on two threads, control words, ends of answers, what is kept."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from spaceland.chat.generating import end_tokens
from spaceland.chat.types import Message, Picture
from spaceland.serving.clip_cache import ClipCache
from spaceland.serving.engine import CacheStats, EngineFacts
from spaceland.serving.images import decode
from spaceland.serving.problems import RequestError

_LAST_RESORT_CONTEXT = 32768


class ModelEngine:
    """The part of an `Engine` that does not depend on how its model takes pictures."""

    def __init__(self, tokenizer: Any, generation_config: Any, facts: EngineFacts, cache_bytes: int) -> None:
        self._tokenizer = tokenizer
        # One thread tokenises while another decodes, and a tokenizer's settings change while it works.
        self._decoder = copy.deepcopy(tokenizer)
        self._facts = facts
        self._ends = end_tokens(generation_config) or end_tokens(tokenizer)
        self._specials = special_words(tokenizer)
        self._kept = ClipCache(cache_bytes)

    @property
    def facts(self) -> EngineFacts:
        """See `Engine`."""
        return self._facts

    @property
    def ends(self) -> frozenset[int]:
        """See `Engine`."""
        return self._ends

    @property
    def cache(self) -> CacheStats:
        """See `Engine`."""
        return self._kept.stats

    def decode(self, tokens: list[int]) -> str:
        """See `Engine`."""
        return self._decoder.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def context_of(config: Any) -> int:
    """Tokens of prompt and answer together that a model takes."""
    text = getattr(config, "text_config", config)
    return int(getattr(text, "max_position_embeddings", None) or _LAST_RESORT_CONTEXT)


def special_words(tokenizer: Any) -> tuple[str, ...]:
    """The tokenizer's control words: turns, pictures, ends. Some are marked as special without having a role."""
    added = [str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return tuple(dict.fromkeys(word for word in [*tokenizer.all_special_tokens, *added] if word))


def check_pictures(pictures: Sequence[Picture]) -> None:
    """Find out whether an unexpected error is the fault of a picture: decoders raise all kinds on hostile bytes.

    Raises:
        RequestError: it is.
    """
    for picture in pictures:
        decode(picture)


def check_words(messages: Sequence[Message], specials: Sequence[str]) -> None:
    """Refuse texts with control words in them: they would forge turns, or stand for pictures that are not there.

    Templates put parts that follow each other together, so a word may begin in one and end in the next.

    Raises:
        RequestError: a text has one.
    """
    for k, message in enumerate(messages):
        for is_text, parts in itertools.groupby(message.content, lambda part: isinstance(part, str)):
            text = "".join(map(str, parts)) if is_text else ""
            found = next((word for word in specials if word in text), None)
            if found is not None:
                raise RequestError(
                    400,
                    f"messages[{k}]: the text holds '{found}', a control word of this model; leave it out",
                    code="control_word",
                    param=f"messages[{k}].content",
                )
