"""Processors for pictures and text alone, for models whose own processors insist on videos.

The processors of the Qwen and InternVL families in transformers want a video processor, and that wants torchvision.
Frames go to the model as pictures here, so a subclass without videos is enough: it keeps what its family says about
picture tokens and chat template, and takes image processors that work on PIL.
"""

from __future__ import annotations

import importlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

# model type -> module and name of its processor
_QWEN = {
    "qwen2_vl": ("qwen2_vl.processing_qwen2_vl", "Qwen2VLProcessor"),
    "qwen2_5_vl": ("qwen2_5_vl.processing_qwen2_5_vl", "Qwen2_5_VLProcessor"),
    "qwen3_vl": ("qwen3_vl.processing_qwen3_vl", "Qwen3VLProcessor"),
    "qwen3_vl_moe": ("qwen3_vl.processing_qwen3_vl", "Qwen3VLProcessor"),
    "qwen3_5": ("qwen3_vl.processing_qwen3_vl", "Qwen3VLProcessor"),
    "qwen3_5_moe": ("qwen3_vl.processing_qwen3_vl", "Qwen3VLProcessor"),
}
_INTERNVL = {"internvl": ("internvl.processing_internvl", "InternVLProcessor")}


def load_processor(path: str, *, max_pixels: int | None = None, revision: str | None = None) -> Any:
    """Processor of the model in a folder or on the hub.

    Args:
        path: Folder or id.
        max_pixels: Bounds one picture (Qwen family).
        revision: Commit on the hub; None for the newest.

    Raises:
        OSError, ValueError, KeyError, ImportError: of transformers, when files are missing or the model is unknown.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer

    safe: dict[str, Any] = {"trust_remote_code": False, "revision": revision or "main"}
    config = AutoConfig.from_pretrained(path, **safe)
    if config.model_type not in _QWEN and config.model_type not in _INTERNVL:
        return AutoProcessor.from_pretrained(path, **safe)
    images = AutoImageProcessor.from_pretrained(path, backend="pil", **safe)
    tokenizer = AutoTokenizer.from_pretrained(path, **safe)
    template = tokenizer.chat_template or _template_file(path, revision)
    if not template:
        raise ValueError("it has no chat template, so it is not made for conversations; take an instruct version")
    if max_pixels is not None and config.model_type in _QWEN:
        low = min(int(images.size["shortest_edge"]), max_pixels)
        images.size = type(images.size)(**{**dict(images.size), "longest_edge": max_pixels, "shortest_edge": low})
    return make_processor(config, images, tokenizer, template)


def make_processor(config: Any, images: Any, tokenizer: Any, template: str) -> Any:
    """Processor for pictures alone from its parts, for the Qwen and InternVL families.

    Args:
        config: Configuration of the model.
        images: Image processor that works on PIL.
        tokenizer: It knows the family's picture tokens.
        template: Chat template.

    Raises:
        KeyError: another family.
    """
    if config.model_type in _INTERNVL:
        side = config.vision_config.image_size
        side = side[0] if isinstance(side, list | tuple) else side
        patch = config.vision_config.patch_size
        patch = patch[0] if isinstance(patch, list | tuple) else patch
        tokens = int((side // patch) ** 2 * config.downsample_ratio**2)
        return _internvl_class()(images, tokenizer, chat_template=template, image_seq_length=tokens)
    return _qwen_class(*_QWEN[config.model_type])(images, tokenizer, chat_template=template)


@lru_cache
def _qwen_class(module: str, name: str) -> Any:
    from transformers.processing_utils import ProcessorMixin

    base = getattr(importlib.import_module(f"transformers.models.{module}"), name)

    class ImagesOnly(base):
        def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
            for kind in ("image", "video"):
                token = getattr(tokenizer, f"{kind}_token", None) or f"<|{kind}_pad|>"
                setattr(self, f"{kind}_token", token)
                setattr(self, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(token))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

        def __reduce__(self) -> tuple[Any, ...]:
            # The class has no place where pickle could find it; workers that are spawned make it anew.
            return _remade, (_qwen_class, (module, name), (self.image_processor, self.tokenizer, self.chat_template))

    return ImagesOnly


def _remade(make_class: Any, of: tuple[str, ...], parts: tuple[Any, ...]) -> Any:
    return make_class(*of)(*parts)


@lru_cache
def _internvl_class() -> Any:
    from transformers.processing_utils import ProcessorMixin

    module, name = _INTERNVL["internvl"]
    base = getattr(importlib.import_module(f"transformers.models.{module}"), name)

    class ImagesOnly(base):
        def __init__(
            self, image_processor: Any, tokenizer: Any, chat_template: str | None = None, image_seq_length: int = 256
        ) -> None:
            import re

            self.image_seq_length = image_seq_length
            names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
            found = {key: getattr(tokenizer, key, None) or default for key, default in names.items()}
            self.start_image_token, self.end_image_token = found["start_image_token"], found["end_image_token"]
            self.image_token = found["context_image_token"]
            self.start_image_token_id = tokenizer.convert_tokens_to_ids(self.start_image_token)
            self.end_image_token_id = tokenizer.convert_tokens_to_ids(self.end_image_token)
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token = None
            self.multimodal_pattern = re.compile(f"(?P<image>{re.escape(self.image_token)})")
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

        def __reduce__(self) -> tuple[Any, ...]:
            parts = (self.image_processor, self.tokenizer, self.chat_template, self.image_seq_length)
            return _remade, (_internvl_class, (), parts)

        def __call__(self, images: Any = None, text: Any = None, **kwargs: Any) -> Any:
            # Cutting a picture into up to 12 tiles is for one picture; with a whole room it would not fit any context.
            # A batch holds either chats of one picture at most or chats of several, see `LocalChat.complete_many`.
            several = images is not None and len(images) > (len(text) if isinstance(text, list) else 1)
            kwargs.setdefault("crop_to_patches", not several)
            return super().__call__(images=images, text=text, **kwargs)

    return ImagesOnly


def _template_file(path: str, revision: str | None) -> str | None:
    """The chat template in its own file, where older checkpoints keep it."""
    from transformers.utils.hub import cached_file

    for name in ("chat_template.jinja", "chat_template.json"):
        found = cached_file(path, name, revision=revision, _raise_exceptions_for_missing_entries=False)
        if found:
            text = Path(found).read_text(encoding="utf-8")
            return json.loads(text)["chat_template"] if name.endswith(".json") else text
    return None
