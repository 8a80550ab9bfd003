"""The beginning of a chat, up to its last picture, kept with its keys and values for every question behind it.

A clip of 32 frames is thousands of tokens, a question a few dozen. What the language model computes for a token
depends only on the tokens before it, so the part that all questions on a clip share is computed once; an answer then
costs its own tokens. Results are those of encoding anew, up to rounding.

    prefix = encode_prefix(model, processor([chat], add_generation_prompt=True))
    questions = batch_after(model, prefix, [processor.split(chat, add_generation_prompt=True)[1] for chat in chats])
    ids = generate_after(model, prefix, questions, max_new_tokens=64)

Whether two chats show the same pictures is for the caller to know (`spaceland.models.answering` looks at their bytes):
tokens only say how many there are.

The kept tensors are never written to: layers of the cache grow by concatenation into new tensors, so one prefix serves
any number of questions, one after the other or in a batch. Layers of other kinds (linear attention, as in Qwen3.5) are
copied for every use, and take one question at a time: they cannot pass over the padding between prefix and question."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from spaceland.errors import ChatError
from spaceland.models.clip_tokens import ClipTokens
from spaceland.models.geometry_vlm import GeometryVLM


@dataclass(frozen=True, eq=False)
class ClipPrefix:
    """Token ids of the beginning of a chat, and what the language model made of them."""

    ids: Int[Tensor, "p"]
    cache: Any
    """Of transformers, for one chat."""
    rope_delta: Int[Tensor, "1 1"] | None
    """How far positions lag behind the count of tokens (families with positions in three axes)."""

    @property
    def num_tokens(self) -> int:
        """Its length."""
        return len(self.ids)

    @property
    def takes_batches(self) -> bool:
        """Whether questions of different length can be answered behind it together."""
        from transformers.cache_utils import DynamicLayer

        return all(type(layer) is DynamicLayer for layer in self.cache.layers)

    @property
    def num_bytes(self) -> int:
        """Memory of keys and values."""
        return sum(t.nbytes for layer in self.cache.layers for t in _tensors(layer))


@torch.no_grad()
def encode_prefix(
    model: GeometryVLM, batch: Mapping[str, Any], *, clips: Sequence[ClipTokens] | None = None
) -> ClipPrefix:
    """Keep the beginning of a chat.

    Args:
        model: In evaluation mode.
        batch: One chat with pictures, of the `GeometryProcessor`; what follows its last picture is not used.
        clips: Its pictures, if they are encoded already.

    Raises:
        ChatError: several chats, or no picture in it.
    """
    if len(batch["input_ids"]) != 1:
        raise ChatError(f"a prefix is kept of one chat, not of {len(batch['input_ids'])}; call it for each")
    ids = batch["input_ids"][0][batch["attention_mask"][0].bool()]
    places = (ids == model.config.image_token_id).nonzero()
    if not len(places):
        raise ChatError("the chat has no pictures, so there is nothing to keep; ask it directly")
    end = int(places[-1]) + 1
    cut = {**batch, "input_ids": ids[None, :end], "attention_mask": torch.ones_like(ids[None, :end])}
    if batch.get("mm_token_type_ids") is not None:
        cut["mm_token_type_ids"] = batch["mm_token_type_ids"][:, -len(ids) :][:, :end]
    out = model(**cut, clips=clips, use_cache=True, logits_to_keep=1)
    delta = getattr(model.base.model, "rope_deltas", None)
    return ClipPrefix(ids[:end].cpu(), out.past_key_values, None if delta is None else delta.clone())


@torch.no_grad()
def generate_after(model: GeometryVLM, prefix: ClipPrefix, batch: Mapping[str, Any], **generation: Any) -> Any:
    """As `GeometryVLM.generate` on the whole batch, in the time of what follows the prefix.

    Args:
        model: The one that the prefix was made with.
        prefix: Beginning of every chat of the batch.
        batch: Chats on the same clip. Their pixels and geometry frames are ignored.
        **generation: Settings of `generate`.

    Raises:
        ChatError: a chat does not begin with the prefix, has more pictures after it, or ends with it.
    """
    ids, mask = _behind(model, prefix, batch)
    copies = max(generation.get("num_beams", 1) or 1, generation.get("num_return_sequences", 1) or 1)
    if prefix.rope_delta is not None:
        model.base.model.rope_deltas = prefix.rope_delta.to(model.device)
    cache = _fresh(prefix, len(ids) * copies)
    return model.vlm.generate(input_ids=ids, attention_mask=mask, past_key_values=cache, **generation)


@torch.no_grad()
def logits_after(model: GeometryVLM, prefix: ClipPrefix, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Logits of what follows the prefix, [b, n, vocabulary], and which of them belong to a token, [b, n].

    Raises:
        ChatError: as `generate_after`.
    """
    ids, mask = _behind(model, prefix, batch)
    behind = ids[:, prefix.num_tokens :]
    positions = (mask.cumsum(-1) - 1)[:, prefix.num_tokens :].clamp(min=0)
    if prefix.rope_delta is not None:
        positions = (positions + prefix.rope_delta.to(positions))[None].expand(3, -1, -1)
    out = model.vlm(
        input_ids=behind,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=_fresh(prefix, len(ids)),
        use_cache=True,
    )
    return out.logits, mask[:, prefix.num_tokens :].bool()


def batch_after(model: GeometryVLM, prefix: ClipPrefix, tails: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask` of chats that begin with the prefix: the prefix, padding, then each one's tail.

    Args:
        model: The one that the prefix was made with.
        prefix: Beginning of every chat.
        tails: Tokens of each chat behind it (`GeometryProcessor.split`, or the end of what it made).

    Raises:
        ChatError: a tail is empty, holds pictures, or makes the chat too long for the model.
    """
    width, most = max(len(tail) for tail in tails), model.processor.max_tokens
    if most is not None and prefix.num_tokens + width > most:
        raise ChatError(
            f"a chat is {prefix.num_tokens + width} tokens long, {prefix.num_tokens} of them up to its last picture; "
            f"the model takes {most}: give fewer pictures, or shorter words"
        )
    pad = model.processor.tokenizer.pad_token_id or 0
    ids = torch.full((len(tails), prefix.num_tokens + width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    ids[:, : prefix.num_tokens], mask[:, : prefix.num_tokens] = prefix.ids, 1
    for k, tail in enumerate(tails):
        if not len(tail) or model.config.image_token_id in tail:
            raise ChatError("after the kept prefix a chat must go on with words alone; encode it anew")
        ids[k, -len(tail) :], mask[k, -len(tail) :] = torch.as_tensor(tail), 1
    return {"input_ids": ids, "attention_mask": mask}


def _behind(model: GeometryVLM, prefix: ClipPrefix, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Ids and mask with the prefix first, whether the batch comes from `batch_after` or from a processor."""
    tails = []
    for row, kept in zip(batch["input_ids"].cpu(), batch["attention_mask"].cpu().bool(), strict=True):
        ids = row[kept]
        if not torch.equal(ids[: prefix.num_tokens], prefix.ids):
            raise ChatError(
                "a chat does not begin with the kept prefix: other words or pictures come first; encode it anew"
            )
        tails.append(ids[prefix.num_tokens :].tolist())
    if len({len(tail) for tail in tails}) > 1 and not prefix.takes_batches:
        raise ChatError("this model's layers take one question at a time behind a kept prefix; ask them one by one")
    batch = batch_after(model, prefix, tails)
    return batch["input_ids"].to(model.device), batch["attention_mask"].to(model.device)


def _fresh(prefix: ClipPrefix, batch: int) -> Any:
    """A cache for one use with the kept tensors in it, the same for each row of the batch."""
    if prefix.takes_batches:
        new = copy.copy(prefix.cache)
        new.layers = [copy.copy(layer) for layer in prefix.cache.layers]
        for layer in new.layers:
            layer.keys = layer.keys.expand(batch, -1, -1, -1)
            layer.values = layer.values.expand(batch, -1, -1, -1)
        return new
    new = copy.deepcopy(prefix.cache)
    if batch > 1:
        device = next(t.device for layer in new.layers for t in _tensors(layer))
        new.reorder_cache(torch.zeros(batch, dtype=torch.long, device=device))
    return new


def _tensors(layer: Any) -> list[Tensor]:
    return [value for value in vars(layer).values() if isinstance(value, Tensor)]
