"""The released GPT4Scene checkpoint: a Qwen2-VL model that was tuned on marked views (extra `model`).

It gets bird's-eye view and 32 marked frames as 33 pictures of one user turn, the question after them, and answers in at
most 128 tokens with ids such as `<OBJ012>`. The pictures come from `spaceland.asking.layout.RELEASED`, the words from
`spaceland.asking.templates.FINETUNED`. Decoding is greedy here; the released evaluation sampled with the checkpoint's
own settings. Weights are the user's choice, for example alexzyqi/GPT4Scene-qwen2vl_full_sft_mark_32_3D_img512.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from spaceland.chat.local import LocalChat, LocalConfig
from spaceland.chat.types import Generation, Message, Reply
from spaceland.errors import ChatError

NUM_FRAMES = 32
MAX_TOKENS = 128
GENERATION = Generation(max_tokens=MAX_TOKENS)


class GPT4SceneChat:
    """A `ChatModel` for the released checkpoint, with its limits on the length of answers."""

    def __init__(
        self, path: str, *, device: str = "auto", dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    ) -> None:
        """Load it; errors as `LocalChat`."""
        self.name = f"gpt4scene:{path}"
        self._model = LocalChat(LocalConfig(path=path, device=device, dtype=dtype))

    def count_text(self, text: str) -> int:
        """Tokens of a text."""
        return self._model.count_text(text)

    def facts(self) -> dict[str, Any]:
        """See `LocalChat.facts`."""
        return self._model.facts()

    def complete(self, messages: Sequence[Message], generation: Generation = GENERATION) -> Reply:
        """Answer one chat; see `ChatModel`."""
        return self._model.complete(messages, _limited(generation))

    def complete_many(
        self, chats: Sequence[Sequence[Message]], generation: Generation = GENERATION
    ) -> list[Reply | ChatError]:
        """See `LocalChat.complete_many`."""
        return self._model.complete_many(chats, _limited(generation))


def _limited(generation: Generation) -> Generation:
    return Generation(min(generation.max_tokens, MAX_TOKENS), generation.temperature, generation.seed)
