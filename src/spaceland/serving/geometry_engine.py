"""A `GeometryVLM` behind the server: each clip goes through the encoders and the language model once.

What the language model made of a chat up to its last picture (`spaceland.models.prefix`) is kept; another question that
begins alike costs its own tokens, and its pictures are not even opened. Requests about different clips are answered
together all the same: their kept keys and values are laid into one batch, padded at the left.

    row 1   [ ........ pictures of clip A | .... question ]      dots are masked
    row 2   [ ... pictures of a longer B  | a longer question ]
    row 3   [ ........................... | . words alone ]

Models whose layers keep something else than keys and values get whole prompts in one batch, with encoded clips.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import DynamicLayer

from spaceland.chat.types import Message, Picture
from spaceland.errors import SpacelandError
from spaceland.models.clip_tokens import ClipTokens
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.prefix import ClipPrefix, encode_prefix
from spaceland.serving.clip_cache import num_bytes
from spaceland.serving.decoding import Take, decoding, together
from spaceland.serving.engine import EngineFacts, Prompt
from spaceland.serving.images import clip_key
from spaceland.serving.model_engine import ModelEngine, check_pictures, check_words, context_of
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import Sampling


@dataclass(frozen=True, eq=False)
class _Chat:
    """A chat made ready. `head` are its words up to the last picture, `tail` the tokens behind it; without pictures the
    tail is all. `batch` is what the processor made; None where the clip's prefix was there already.
    """

    messages: Sequence[Message]
    head: str
    tail: list[int]
    batch: dict[str, Any] | None


class GeometryEngine(ModelEngine):
    """An `Engine` around a `GeometryVLM`, with or without an encoder."""

    def __init__(
        self, model: GeometryVLM, name: str, *, fingerprint: str = "unknown", cache_bytes: int = 1 << 30
    ) -> None:
        """Take a loaded model.

        Args:
            model: On its device, in evaluation mode.
            name: What clients call it.
            fingerprint: Changes with the weights.
            cache_bytes: Memory for clips, on the model's device.
        """
        encoder = model.encoder
        context = min(context_of(model.config), model.processor.max_tokens or context_of(model.config))
        about = {
            "architecture": f"GeometryVLM of {type(model.base).__name__}",
            "encoder": "none" if encoder is None else encoder.spec.name,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": str(model.device),
        }
        facts = EngineFacts(name=name, context=context, fingerprint=fingerprint, about=about)
        super().__init__(model.processor.tokenizer, model.generation_config, facts, cache_bytes)
        self._model = model
        self._preparing = threading.Lock()
        self._keys_and_values = True

    def prepare(self, messages: Sequence[Message]) -> Prompt:
        """See `Engine`."""
        check_words(messages, self._specials)
        pictures = [part for message in messages for part in message.content if isinstance(part, Picture)]
        clip = clip_key(pictures) if pictures else None
        try:
            with self._preparing:
                head, tail = self._model.processor.split(messages, add_generation_prompt=True) if clip else ("", [])
            prefix = self._kept.peek(("prefix", clip, head))
            if prefix is not None:
                return Prompt(prefix.num_tokens + len(tail), clip, _Chat(messages, head, tail, None))
            batch = self._batch(messages)
        except SpacelandError as error:
            raise RequestError(400, str(error), param="messages") from None
        except Exception:
            check_pictures(pictures)
            raise
        return Prompt(
            int(batch["input_ids"].shape[1]), clip, _Chat(messages, head, tail or batch["input_ids"][0].tolist(), batch)
        )

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], sampling: Sequence[Sampling], take: Take) -> None:
        """See `Engine`."""
        how = decoding(sampling, take)
        if any(prompt.clip for prompt in prompts) and self._keys_and_values:
            prefixes = self._prefixes(prompts)
            if prefixes is not None:
                self._generate_after(prefixes, [prompt.inputs.tail for prompt in prompts], how)
                return
        batches = [prompt.inputs.batch or self._batch(prompt.inputs.messages) for prompt in prompts]
        clips = [
            self._clip(prompt, batch) if prompt.clip else () for prompt, batch in zip(prompts, batches, strict=True)
        ]
        self._forget_positions()
        pad = self._tokenizer.pad_token_id or 0
        self._model.generate(clips=clips, **together([_words(batch) for batch in batches], pad), **how)

    def _prefixes(self, prompts: Sequence[Prompt]) -> list[ClipPrefix | None] | None:
        """The kept beginning of each prompt, None for words alone; None for all if this model has none to keep."""
        # Also held here: the cache may be too small for all of them.
        made: dict[tuple[Any, ...], ClipPrefix] = {}
        for prompt in prompts:
            key = ("prefix", prompt.clip, prompt.inputs.head)
            if prompt.clip is None:
                continue
            prefix = made.get(key) or self._kept.get(key)
            if prefix is None:
                batch = prompt.inputs.batch or self._batch(prompt.inputs.messages)
                self._forget_positions()
                prefix = encode_prefix(self._model, batch, clips=[self._clip(prompt, batch)])
                if not all(type(layer) is DynamicLayer for layer in prefix.cache.layers):
                    self._keys_and_values = False
                    return None
                self._kept.put(key, prefix, prefix.num_bytes)
            else:
                self._kept.note(hit=True)
            made[key] = prefix
        return [made.get(("prefix", prompt.clip, prompt.inputs.head)) for prompt in prompts]

    def _clip(self, prompt: Prompt, batch: dict[str, Any]) -> ClipTokens:
        """The pictures of a prompt, encoded once for any words."""
        key = ("tokens", prompt.clip)
        clip = self._kept.get(key)
        self._kept.note(hit=clip is not None)
        if clip is None:
            clip = self._model.encode_batch(batch)[0]
            self._kept.put(key, clip, num_bytes(clip))
        return clip

    def _generate_after(
        self, prefixes: Sequence[ClipPrefix | None], tails: Sequence[Sequence[int]], how: dict[str, Any]
    ) -> None:
        """Go on behind prefixes of different lengths; see the picture in the module."""
        device, pad = self._model.device, self._tokenizer.pad_token_id or 0
        begin, end = max(p.num_tokens for p in prefixes if p), max(map(len, tails))
        ids = torch.full((len(tails), begin + end), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, (prefix, tail) in enumerate(zip(prefixes, tails, strict=True)):
            if prefix is not None:
                ids[row, begin - prefix.num_tokens : begin] = prefix.ids
                mask[row, begin - prefix.num_tokens : begin] = 1
            ids[row, -len(tail) :], mask[row, -len(tail) :] = torch.as_tensor(tail), 1
        first = next(prefix for prefix in prefixes if prefix)
        if first.rope_delta is not None:
            zero = torch.zeros_like(first.rope_delta)
            deltas = [zero if p is None or p.rope_delta is None else p.rope_delta for p in prefixes]
            self._model.base.model.rope_deltas = torch.cat(deltas).to(device)
        self._model.vlm.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=_side_by_side(prefixes, begin),
            **how,
        )

    def _batch(self, messages: Sequence[Message]) -> dict[str, Any]:
        with self._preparing:
            return self._model.processor([messages], add_generation_prompt=True)

    def _forget_positions(self) -> None:
        """The model remembers positions of the last call; they are of no use to another batch."""
        if hasattr(self._model.base.model, "rope_deltas"):
            self._model.base.model.rope_deltas = None


def _words(batch: dict[str, Any]) -> dict[str, Any]:
    """What a batch says beside its pixels."""
    return {name: value for name, value in batch.items() if name != "pixel_values" and not name.startswith("geometry_")}


def _side_by_side(prefixes: Sequence[ClipPrefix | None], length: int) -> Any:
    """One cache with a row for each prefix, padded at the left to `length`; the kept tensors are not written to."""
    first = next(prefix for prefix in prefixes if prefix)
    cache = copy.copy(first.cache)
    cache.layers = [copy.copy(layer) for layer in first.cache.layers]
    for k, layer in enumerate(cache.layers):
        for name in ("keys", "values"):
            empty = getattr(layer, name)[:, :, :0]
            rows = [empty if p is None else getattr(p.cache.layers[k], name) for p in prefixes]
            setattr(layer, name, torch.cat([_padded(row, length) for row in rows]))
    return cache


def _padded(row: Tensor, length: int) -> Tensor:
    return F.pad(row, (0, 0, length - row.shape[2], 0))
