"""Vision-language models with geometry on this machine: a `ChatModel` around a `GeometryVLM` (extra `model`).

`geometry:PATH` names a folder that `GeometryVLM.save_pretrained` wrote (training does), or a released VG-LLM
checkpoint, a folder or an id on the Hub. Pictures of a chat are the frames of one clip, in their order. Questions
about a clip that was asked about before cost their own tokens only. Decoding is greedy unless a temperature is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spaceland.chat.generating import end_tokens, make_reply, sampling, together_or_alone
from spaceland.chat.types import Generation, Message, Reply
from spaceland.devices import pick_device
from spaceland.errors import ChatError, SpacelandError, first_line, require


@dataclass(frozen=True, kw_only=True)
class GeometryConfig:
    """Which model, where it runs, in which numbers."""

    path: str
    device: str = "auto"
    """"auto": a GPU if there is one, else the processor; or "cpu", "cuda:1", "mps"."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """"auto": float32 on the processor, else bfloat16."""
    encoder: str | None = None
    """In place of the model's own, such as "zeros:vggt" for a control; for folders of `save_pretrained`."""
    most_clips: int = 4
    """Clips that are kept for further questions."""


class GeometryChat:
    """A `ChatModel` in this process."""

    def __init__(self, config: GeometryConfig) -> None:
        """Load it.

        Raises:
            DependencyError: torch or transformers are missing.
            ChatError: there is no such model, or its files are broken.
        """
        require("torch", "model")
        require("transformers", "model")
        import torch

        from spaceland.models.answering import Answerer
        from spaceland.models.geometry_vlm import GeometryVLM
        from spaceland.models.sources import CONFIG, model_folder

        self.name = f"geometry:{config.path}"
        device = pick_device(config.device)
        name = config.dtype if config.dtype != "auto" else "float32" if device == "cpu" else "bfloat16"
        where: dict[str, Any] = {"device": device, "dtype": getattr(torch, name)}
        try:
            self._folder = path = model_folder(config.path)
            if (Path(path) / CONFIG).is_file():
                model = GeometryVLM.from_pretrained(path, encoder=config.encoder, **where)
            elif config.encoder is None:
                model = GeometryVLM.from_vgllm(config.path, **where)
            else:
                raise ChatError("another encoder can be given to a folder of save_pretrained alone")
        except SpacelandError as error:
            raise ChatError(f"cannot load '{config.path}': {error}") from error
        self._model = model
        self._answerer = Answerer(model, most_clips=config.most_clips)

    @property
    def model(self) -> Any:
        """The `GeometryVLM`."""
        return self._model

    def count_text(self, text: str) -> int:
        """Tokens of a text, for `spaceland.chat.estimate`."""
        return len(self._model.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def facts(self) -> dict[str, Any]:
        """What a result should say about the model: its parts, their licences and revisions, dtype, device."""
        import transformers

        from spaceland.chat.local import folder_revision

        model, sources = self._model, self._model.sources
        encoder, adapter = model.encoder, model.adapter
        return {
            "revision": folder_revision(self._folder),
            "architecture": f"GeometryVLM of {type(model.base).__name__}",
            "base": sources.base,
            "base_revision": sources.base_revision,
            "encoder": None if encoder is None else encoder.spec.name,
            "encoder_licence": None if encoder is None else encoder.spec.licence,
            "fusion": None if adapter is None else adapter.config.fusion,
            "layers": None if adapter is None else list(adapter.layers),
            "grid": model.processor.grid.preset,
            "rotation": sources.rotation,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": str(model.device),
            "transformers": transformers.__version__,
        }

    def complete(self, messages: Sequence[Message], generation: Generation) -> Reply:
        """Answer one chat; see `ChatModel`."""
        return self._answer([messages], generation)[0]

    def complete_many(self, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply | ChatError]:
        """Answer several chats, those on one clip together; where that fails, one by one, failures in their place.

        Sums in another order can change a word now and then, above all in half precision.
        """
        return together_or_alone(chats, lambda some: self._answer(some, generation))

    def _answer(self, chats: Sequence[Sequence[Message]], generation: Generation) -> list[Reply]:
        with sampling(generation) as how:
            try:
                answers = self._answerer.answer(chats, **how)
            except RuntimeError as error:
                raise ChatError(
                    f"{self.name} failed: {first_line(error)}; if memory ran out, send fewer or smaller pictures"
                ) from error
            except ChatError:
                raise
            except SpacelandError as error:
                raise ChatError(f"{self.name} cannot take this request: {error}") from error
        ends, tokenizer = end_tokens(self._model.generation_config), self._model.processor.tokenizer
        return [
            make_reply(tokens, length, generation, name=self.name, ends=ends, tokenizer=tokenizer)
            for tokens, length in answers
        ]
