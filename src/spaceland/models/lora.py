"""Low-rank weights around a Hugging Face model (peft)."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from spaceland.errors import ChatError


def with_lora(vlm: Any, config: Any) -> Any:
    """The model with new low-rank weights, the only part of it that is then trained.

    Args:
        vlm: Model of transformers; its layers are changed in place.
        config: `LoraConfig` of peft.

    Raises:
        ChatError: it has some already, or the configuration names no module of the model.
    """
    from peft import get_peft_model

    if hasattr(vlm, "peft_config"):
        raise ChatError("the model has LoRA weights already; merge them first, or go on with them")
    try:
        with _quiet():
            return get_peft_model(vlm, config)
    except ValueError as error:
        raise ChatError(f"no LoRA weights can be added: {error}") from error


def load_lora(vlm: Any, folder: Path, *, trainable: bool) -> Any:
    """The model with the low-rank weights of a folder, as peft writes them.

    Raises:
        ChatError: they are missing, broken, or of another model.
    """
    from peft import PeftModel

    try:
        with _quiet():
            return PeftModel.from_pretrained(vlm, str(folder), is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ChatError(f"{folder} cannot be loaded: {error}; copy the folder again") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """peft asks transformers for gradient checkpointing by a name that is on its way out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
