"""Parts of a model: what the configuration makes them of, and which are trained: nothing that is not named."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from spaceland.errors import TrainingError
from spaceland.models.adapter import AdapterConfig
from spaceland.models.families import Family
from spaceland.models.grid import TokenGrid
from spaceland.training.config import PARTS, LoraSettings, ModelConfig, Part

_MERGERS = ("merger", "merger_list", "deepstack_merger_list", "multi_modal_projector", "aligner", "connector")
_TOWERS = ("visual", "vision_tower", "vision_model")


def part_of(name: str) -> Part:
    """The part that a parameter of a `GeometryVLM` belongs to, by its name.

    >>> part_of("vlm.model.visual.merger.mlp.0.weight"), part_of("vlm.lm_head.weight")
    ('merger', 'language_model')
    """
    path = name.split(".")
    if path[0] == "adapter":
        return "adapter"
    if any(word in path for word in _MERGERS):
        return "merger"
    return "vision_tower" if any(word in path for word in _TOWERS) else "language_model"


def lora_config(settings: LoraSettings) -> Any:
    """Low-rank updates of the language model's layers alone: the vision tower has layers of the same names."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=rf".*language_model.*\.({'|'.join(settings.targets)})",
        bias="none",
    )


def adapter_config(config: ModelConfig) -> AdapterConfig:
    """The table `adapter` of a configuration.

    Raises:
        TrainingError: it has unknown keys.
        EncoderError: a value is none that adapters know.
    """
    try:
        return AdapterConfig(**config.adapter)
    except TypeError as error:
        known = ", ".join(inspect.signature(AdapterConfig).parameters)
        raise TrainingError(f"model.adapter: {_key(error)}; known are {known}") from error


def token_grid(config: ModelConfig, family: Family, **sizes: Any) -> TokenGrid:
    """The table `grid` of a configuration as a grid for a family of models; `sizes` are the encoder's.

    Raises:
        TrainingError: it has unknown keys or values of another type.
        ChatError: a value is out of its range.
    """
    try:
        return family.token_grid(**sizes | dict(config.grid))
    except TypeError as error:
        known = ", ".join(list(inspect.signature(Family.token_grid).parameters)[1:])
        raise TrainingError(f"model.grid: {_key(error)}; known are {known}") from error


def _key(error: TypeError) -> str:
    """Python's words about an argument, without those about the function."""
    return str(error).rpartition("() got an ")[2]


def set_trained(model: Any, train: Sequence[Part]) -> None:
    """Freeze everything but the named parts; with LoRA the language model's own weights stay frozen.

    Raises:
        TrainingError: a named part has no parameters.
    """
    with_lora = any(".lora_" in name for name, _ in model.named_parameters())
    found = set()
    for name, parameter in model.named_parameters():
        part = part_of(name)
        wanted = part in train and (part != "language_model" or not with_lora or ".lora_" in name)
        parameter.requires_grad_(wanted)
        if wanted:
            found.add(part)
    missing = [part for part in train if part not in found]
    if missing:
        raise TrainingError(f"the model has no {' and no '.join(missing)} to train; take it out of train")


def set_dtypes(model: Any, dtype: torch.dtype, *, uniform: bool) -> None:
    """Trained parameters in float32, since steps of a small learning rate vanish in bfloat16; frozen ones in `dtype`.

    Args:
        model: A `GeometryVLM`.
        dtype: Of what is frozen.
        uniform: All in float32: sharded parameters must not differ.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad or uniform else dtype)


def count_parts(parameters: Iterable[tuple[str, Any]]) -> dict[str, tuple[int, int]]:
    """Part -> (parameters, trained ones)."""
    counts: dict[str, tuple[int, int]] = dict.fromkeys(PARTS, (0, 0))
    for name, parameter in parameters:
        part = part_of(name)
        all_of_it, trained = counts[part]
        size = parameter.numel()
        counts[part] = all_of_it + size, trained + size * bool(parameter.requires_grad)
    return counts
