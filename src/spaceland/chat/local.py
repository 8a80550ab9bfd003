"""Vision-language models on this machine, through Hugging Face transformers (extra `model`).

Qwen2-VL, Qwen2.5-VL, Qwen3-VL and InternVL are loaded with a processor for pictures alone (`image_processor`), which
works without torchvision; other models of transformers go through `AutoProcessor` and may need it. Decoding is greedy
unless a temperature is given, so the same request gives the same words on the same machine. Code that lies beside
weights is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spaceland.chat.pictures import decode_picture
from spaceland.chat.types import Generation, Message, Picture, Reply
from spaceland.errors import ChatError, require


@dataclass(frozen=True, kw_only=True)
class LocalConfig:
    """Which model, where it runs, in which numbers.

    `path` is a folder or a model id of the Hugging Face hub (downloaded on first use by transformers).
    """

    path: str
    device: str = "auto"
    """"auto": a GPU if there is one, else the processor; or "cpu", "cuda:1", "mps"."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """"auto": as the weights are stored; float32 on the processor."""
    max_pixels: int | None = None
    """Qwen family: the most pixels of one picture; larger ones are shrunk. None: as the checkpoint says."""


class LocalChat:
    """A `ChatModel` in this process. Loading takes as long as the weights are large."""

    def __init__(self, config: LocalConfig) -> None:
        """Load model and processor.

        Raises:
            DependencyError: torch or transformers are missing.
            ChatError: there is no such model, it is none for pictures, or its files are broken.
        """
        require("torch", "model")
        require("transformers", "model")
        import torch
        from transformers import AutoModelForImageTextToText

        from spaceland.chat.image_processor import load_processor

        self.name = config.path
        device = _device(config.device)
        dtype: Any = config.dtype
        if dtype == "auto" and device == "cpu":
            dtype = "float32"
        if dtype != "auto":
            dtype = getattr(torch, dtype)
        try:
            self._processor = load_processor(config.path, max_pixels=config.max_pixels)
            model = AutoModelForImageTextToText.from_pretrained(config.path, dtype=dtype, trust_remote_code=False)
            self._model = model.to(device).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ChatError(
                f"cannot load '{config.path}': {_first_line(error)}; give the folder of a vision-language model that "
                "transformers knows, or its id on the Hugging Face hub"
            ) from error

    def count_text(self, text: str) -> int:
        """Tokens of a text, for `spaceland.chat.estimate`."""
        return len(self._processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer one chat; see `ChatModel`."""
        import torch

        inputs = self.inputs(messages)
        length = int(inputs["input_ids"].shape[1])
        how: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if generation.temperature > 0:
            how = {"do_sample": True, "temperature": generation.temperature}
        # The checkpoint's own sampling settings would otherwise apply, and make answers differ from run to run.
        with torch.inference_mode(), torch.random.fork_rng(enabled=generation.temperature > 0):
            if generation.temperature > 0:
                torch.manual_seed(generation.seed or 0)
            try:
                output = self._model.generate(
                    **inputs, max_new_tokens=generation.max_tokens, num_beams=1, repetition_penalty=1.0, **how
                )
            except RuntimeError as error:
                raise ChatError(
                    f"{self.name} failed on {length} input tokens: {_first_line(error)}; if memory ran out, send "
                    "fewer or smaller pictures"
                ) from error
        new = output[0, length:]
        text = self._processor.tokenizer.decode(new, skip_special_tokens=True).strip()
        finish = "length" if len(new) >= generation.max_tokens and not self._is_end(int(new[-1])) else "stop"
        usage = {"prompt_tokens": length, "completion_tokens": len(new), "total_tokens": length + len(new)}
        return Reply(text=text, model=self.name, finish=finish, usage=usage)

    def inputs(self, messages: Sequence[Message]) -> Any:
        """What the model gets: token ids [1, n], pixels and grids, on its device and in its dtype."""
        pictures = [part for message in messages for part in message.content if isinstance(part, Picture)]
        chat = [
            {
                "role": message.role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                    for part in message.content
                ],
            }
            for message in messages
        ]
        try:
            text = self._processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
            inputs = self._processor(
                text=[text], images=[decode_picture(p) for p in pictures] or None, return_tensors="pt"
            )
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ChatError(
                f"{self.name} cannot take this request of {len(pictures)} pictures: {_first_line(error)}"
            ) from error
        return inputs.to(self._model.device, dtype=self._model.dtype)

    def _is_end(self, token: int) -> bool:
        ends = self._model.generation_config.eos_token_id
        return token == ends or (isinstance(ends, list) and token in ends)


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
