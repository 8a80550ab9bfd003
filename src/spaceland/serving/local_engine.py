"""A plain vision-language model behind the server: the same prompts and pixels as `spaceland.chat.local` makes.

Where the model takes encoded pictures (`mm_encoder_outputs`), those of a clip are kept, and the next question about the
same clip runs the language model alone.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

from spaceland.chat.local import LocalChat
from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.models.families import check_takes_features
from spaceland.serving.clip_cache import ClipCache, num_bytes
from spaceland.serving.decoding import Take, decoding, together
from spaceland.serving.engine import CacheStats, EngineFacts, Prompt
from spaceland.serving.images import clip_key, decode
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import Sampling

_LAST_RESORT_CONTEXT = 32768


class LocalEngine:
    """An `Engine` around a `LocalChat`."""

    def __init__(self, chat: LocalChat, name: str, *, cache_bytes: int = 1 << 30) -> None:
        """Take a loaded model.

        Args:
            chat: The model.
            name: What clients call it.
            cache_bytes: Memory for encoded clips, on the model's device.
        """
        self._chat, self._model = chat, chat.model
        self._tokenizer = chat.processor.tokenizer
        # One thread tokenises while another decodes, and a tokenizer's settings change while it works.
        self._decoder = copy.deepcopy(self._tokenizer)
        facts = chat.facts()
        self._facts = EngineFacts(
            name=name, context=context_of(self._model.config), fingerprint=str(facts["revision"]), about=facts
        )
        self._ends = end_tokens(self._model.generation_config, self._tokenizer)
        self._specials = special_words(self._tokenizer)
        self._clips = ClipCache(cache_bytes)
        self._encodes = False
        with contextlib.suppress(ChatError):
            check_takes_features(self._model)
            self._encodes = True

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
        return self._clips.stats

    def decode(self, tokens: list[int]) -> str:
        """See `Engine`."""
        return self._decoder.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def prepare(self, messages: Sequence[Message]) -> Prompt:
        """See `Engine`."""
        check_words(messages, self._specials)
        pictures = [part for message in messages for part in message.content if isinstance(part, Picture)]
        try:
            inputs = dict(self._chat.inputs(messages))
        except ChatError as error:
            # Clients know the model by its name here; where it lies is not their business.
            raise RequestError(400, str(error).replace(self._chat.name, self._facts.name), param="messages") from None
        except Exception:
            check_pictures(pictures)
            raise
        return Prompt(inputs["input_ids"].shape[1], clip_key(pictures) if pictures else None, inputs)

    def generate(self, prompts: Sequence[Prompt], sampling: Sequence[Sampling], take: Take) -> None:
        """See `Engine`."""
        with torch.inference_mode():
            clips = [self._clip(prompt) for prompt in prompts] if self._encodes else [None] * len(prompts)
            encoded = any(clip is not None for clip in clips)
            ready = [
                {name: value for name, value in prompt.inputs.items() if not (encoded and name == "pixel_values")}
                for prompt in prompts
            ]
            inputs = together(ready, self._tokenizer.pad_token_id or 0)
            if encoded:
                inputs["mm_encoder_outputs"] = {"image": _joined([clip for clip in clips if clip is not None])}
            if hasattr(getattr(self._model, "model", None), "rope_deltas"):
                # Positions of the last call are of no use to this one.
                self._model.model.rope_deltas = None
            self._model.generate(**inputs, **decoding(sampling, take))

    def _clip(self, prompt: Prompt) -> dict[str, Any] | None:
        """The pictures of a prompt as the model's own image encoder sees them."""
        if prompt.clip is None:
            return None
        kept = self._clips.get(prompt.clip)
        self._clips.note(hit=kept is not None)
        if kept is None:
            grid = prompt.inputs.get("image_grid_thw")
            how = {} if grid is None else {"image_grid_thw": grid}
            out = self._model.model.get_image_features(prompt.inputs["pixel_values"], **how, return_dict=True)
            levels = getattr(out, "deepstack_features", None)
            kept = {"pooler_output": out.pooler_output} | ({} if levels is None else {"deepstack_features": levels})
            self._clips.put(prompt.clip, kept, num_bytes(kept))
        return kept


def _joined(clips: Sequence[dict[str, Any]]) -> Any:
    """One output of the image encoder for the pictures of all prompts; a new one, as `generate` writes into it."""
    first = clips[0]["pooler_output"]
    if isinstance(first, torch.Tensor):
        return BaseModelOutputWithPooling(pooler_output=torch.cat([clip["pooler_output"] for clip in clips]))
    out = BaseModelOutputWithPooling(pooler_output=tuple(f for clip in clips for f in clip["pooler_output"]))
    if "deepstack_features" in clips[0]:
        levels = zip(*(clip["deepstack_features"] for clip in clips), strict=True)
        out.deepstack_features = [
            tuple(f for own in level for f in own) if isinstance(level[0], tuple | list) else torch.cat(level)
            for level in levels
        ]
    return out


def context_of(config: Any) -> int:
    """Tokens of prompt and answer together that a model takes."""
    text = getattr(config, "text_config", config)
    return int(getattr(text, "max_position_embeddings", None) or _LAST_RESORT_CONTEXT)


def end_tokens(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer."""
    ends = generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])


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
