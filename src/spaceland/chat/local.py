"""Vision-language models on this machine, through Hugging Face transformers (extra `model`).

Qwen2-VL, Qwen2.5-VL, Qwen3-VL and InternVL are loaded with a processor for pictures alone (`image_processor`), which
works without torchvision; other models of transformers go through `AutoProcessor` and may need it. Decoding is greedy
unless a temperature is given, so the same request gives the same words on the same machine. Code that lies beside
weights is never run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spaceland.chat.generating import end_tokens, make_reply, sampling, together_or_alone
from spaceland.chat.pictures import decode_picture
from spaceland.chat.types import Generation, Message, Picture, Reply
from spaceland.devices import pick_device
from spaceland.errors import ChatError, first_line, require

_WHOLE_FILE = 32_000_000
_NUM_BLOCKS, _BLOCK = 128, 65_536


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
        device = pick_device(config.device)
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
                f"cannot load '{config.path}': {first_line(error)}; give the folder of a vision-language model that "
                "transformers knows, or its id on the Hugging Face hub"
            ) from error

    @property
    def model(self) -> Any:
        """The model of transformers."""
        return self._model

    @property
    def processor(self) -> Any:
        """Its processor."""
        return self._processor

    def count_text(self, text: str) -> int:
        """Tokens of a text, for `spaceland.chat.estimate`."""
        return len(self._processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def facts(self) -> dict[str, Any]:
        """What a result should say about the model: commit of the hub or hash of its folder's files, dtype, device."""
        import transformers

        config = self._model.config
        return {
            "revision": getattr(config, "_commit_hash", None) or folder_revision(self.name),
            "architecture": type(self._model).__name__,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": str(self._model.device),
            "transformers": transformers.__version__,
        }

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer one chat; see `ChatModel`."""
        return self._generate(self.inputs(messages), generation)[0]

    def complete_many(self, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply | ChatError]:
        """Answer several chats in one batch, in their order.

        Shorter ones are padded at the left. Sums in another order can change a word now and then, above all in half
        precision. A batch that fails, for lack of memory say, is asked again one by one; a failure stands in its place.
        """
        replies: dict[int, Reply | ChatError] = {}
        # Some families treat the only picture of a chat otherwise than one of several.
        for single in (True, False):
            places = [k for k, chat in enumerate(chats) if (_num_pictures(chat) <= 1) is single]
            answered = together_or_alone(
                [chats[k] for k in places], lambda some: self._generate(self._together(some), generation)
            )
            replies |= dict(zip(places, answered, strict=True))
        return [replies[k] for k in range(len(chats))]

    def _generate(self, inputs: Any, generation: Generation) -> list[Reply]:
        """A reply for every row of the inputs."""
        import torch

        width = int(inputs["input_ids"].shape[1])
        with torch.inference_mode(), sampling(generation) as how:
            try:
                output = self._model.generate(**inputs, **how)
            except RuntimeError as error:
                raise ChatError(
                    f"{self.name} failed on {width} input tokens: {first_line(error)}; if memory ran out, send "
                    "fewer or smaller pictures"
                ) from error
        lengths = inputs["attention_mask"].sum(1).tolist()
        ends = end_tokens(self._model.generation_config)
        return [
            make_reply(
                row[width:].tolist(),
                int(length),
                generation,
                name=self.name,
                ends=ends,
                tokenizer=self._processor.tokenizer,
            )
            for row, length in zip(output, lengths, strict=True)
        ]

    def inputs(self, messages: Sequence[Message]) -> Any:
        """What the model gets: token ids [1, n], pixels and grids, on its device and in its dtype."""
        return self._together([messages])

    def _together(self, chats: Sequence[Sequence[Message]]) -> Any:
        """The same for several chats: token ids [b, n], padded at the left, all pictures one after the other."""
        pictures = [part for chat in chats for message in chat for part in message.content if isinstance(part, Picture)]
        padding = {"padding": True, "padding_side": "left"} if len(chats) > 1 else {}
        try:
            texts = [
                self._processor.apply_chat_template(_turns(chat), add_generation_prompt=True, tokenize=False)
                for chat in chats
            ]
            inputs = self._processor(
                text=texts, images=[decode_picture(p) for p in pictures] or None, return_tensors="pt", **padding
            )
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ChatError(
                f"{self.name} cannot take this request of {len(pictures)} pictures: {first_line(error)}"
            ) from error
        return inputs.to(self._model.device, dtype=self._model.dtype)


def _num_pictures(messages: Sequence[Message]) -> int:
    return sum(isinstance(part, Picture) for message in messages for part in message.content)


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """A chat as templates want it."""
    return [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                for part in message.content
            ],
        }
        for message in messages
    ]


def folder_revision(path: str) -> str | None:
    """Hash of a model folder's files; None for what is no folder.

    Files of many megabytes are read in blocks spread evenly over them, which a training run changes all over.
    """
    folder = Path(path)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder).as_posix()} {size}\n".encode())
        with file.open("rb") as handle:
            if size <= _WHOLE_FILE:
                digest.update(handle.read())
                continue
            for k in range(_NUM_BLOCKS):
                handle.seek(k * (size - _BLOCK) // (_NUM_BLOCKS - 1))
                digest.update(handle.read(_BLOCK))
    return f"folder {digest.hexdigest()[:16]}"
