"""A plain vision-language model behind the server: the same prompts and pixels as `spaceland.chat.local` makes.

Where the model takes encoded pictures (`mm_encoder_outputs`), those of a clip are kept, and the next question about the
same clip runs the language model alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

from spaceland.chat.local import LocalChat
from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.models.families import check_takes_features
from spaceland.serving.clip_cache import num_bytes
from spaceland.serving.decoding import Take, decoding, together
from spaceland.serving.engine import EngineFacts, Prompt
from spaceland.serving.images import clip_key
from spaceland.serving.model_engine import ModelEngine, check_pictures, check_words, context_of
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import Sampling


class LocalEngine(ModelEngine):
    """An `Engine` around a `LocalChat`."""

    def __init__(self, chat: LocalChat, name: str, *, cache_bytes: int = 1 << 30) -> None:
        """Take a loaded model.

        Args:
            chat: The model.
            name: What clients call it.
            cache_bytes: Memory for encoded clips, on the model's device.
        """
        facts = chat.facts()
        super().__init__(
            chat.processor.tokenizer,
            chat.model.generation_config,
            EngineFacts(
                name=name, context=context_of(chat.model.config), fingerprint=str(facts["revision"]), about=facts
            ),
            cache_bytes,
        )
        self._chat, self._model = chat, chat.model
        self._encodes = False
        with contextlib.suppress(ChatError):
            check_takes_features(self._model)
            self._encodes = True

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
        kept = self._kept.get(prompt.clip)
        self._kept.note(hit=kept is not None)
        if kept is None:
            grid = prompt.inputs.get("image_grid_thw")
            how = {} if grid is None else {"image_grid_thw": grid}
            out = self._model.model.get_image_features(prompt.inputs["pixel_values"], **how, return_dict=True)
            levels = getattr(out, "deepstack_features", None)
            kept = {"pooler_output": out.pooler_output} | ({} if levels is None else {"deepstack_features": levels})
            self._kept.put(prompt.clip, kept, num_bytes(kept))
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
