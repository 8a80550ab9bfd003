"""The vision-language model that geometry is added to, loaded whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from spaceland.errors import ChatError, first_line


def load_base(
    where: str, *, revision: str | None = None, dtype: torch.dtype | None = None, attention: str | None = None
) -> tuple[Any, Any]:
    """A vision-language model of transformers and its processor for pictures alone; its licence is said first.

    Args:
        where: Folder or id on the Hub.
        revision: Commit on the Hub.
        dtype: None: as stored.
        attention: How transformers computes attention, such as "flash_attention_2"; None: as it chooses.

    Raises:
        ChatError: there is none, its files are broken or pickled, or this attention cannot be had here.
    """
    from transformers import AutoModelForImageTextToText

    from spaceland.chat.image_processor import load_processor
    from spaceland.hub import announce_weights

    if not Path(where).is_dir():
        if Path(where).is_absolute() or where.startswith(("./", "../", "~")):
            raise ChatError(
                f"cannot load the model '{where}': there is no such folder; give the one that it lies in now"
            )
        announce_weights(where)
    try:
        processor = load_processor(where, revision=revision)
        with _quiet():
            vlm, loaded = AutoModelForImageTextToText.from_pretrained(
                where,
                dtype=dtype or "auto",
                trust_remote_code=False,
                revision=revision or "main",
                attn_implementation=attention,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ChatError(
            f"cannot load the model '{where}': {first_line(error)}; give the folder of a vision-language "
            "model that transformers knows, or its id on the Hugging Face hub"
        ) from error
    # transformers draws what the files lack at random and only warns; nobody wants answers from that.
    lacking = sorted(loaded["missing_keys"]) + sorted(str(key) for key in loaded["mismatched_keys"])
    if lacking:
        raise ChatError(
            f"the model '{where}' lacks {len(lacking)} tensors ({lacking[0]}, ...); copy or download it again"
        )
    return vlm.eval(), processor


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the list of tensors that are the model's own no more: a VG-LLM checkpoint has a thousand of them."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
