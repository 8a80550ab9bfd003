"""Low-rank weights around a Hugging Face model (peft)."""

from __future__ import annotations

import warnings
from typing import Any

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
        with warnings.catch_warnings():
            # peft asks transformers for gradient checkpointing by a name that is on its way out.
            warnings.simplefilter("ignore", FutureWarning)
            return get_peft_model(vlm, config)
    except ValueError as error:
        raise ChatError(f"no LoRA weights can be added: {error}") from error
