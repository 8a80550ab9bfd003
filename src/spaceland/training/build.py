"""The model of a configuration: always a `GeometryVLM`, with or without an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from spaceland.cache import default_cache_dir
from spaceland.models.base import load_base
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.processor import GeometryProcessor
from spaceland.models.sources import Sources
from spaceland.models.types import GeometryEncoder
from spaceland.training.config import OWN, ModelConfig
from spaceland.training.parts import adapter_config, lora_config, token_grid
from spaceland.training.start import named_parts, open_whole

TINY = "tiny"


def open_model(
    config: ModelConfig,
    *,
    seed: int,
    tiny_folder: Path,
    encoder: GeometryEncoder | None = None,
) -> GeometryVLM:
    """Load or make the model.

    Args:
        config: Which one.
        seed: Of new weights: adapter and LoRA.
        tiny_folder: Where the model "tiny" lies (see `ensure_tiny`).
        encoder: In place of the one that the configuration names.

    Raises:
        TrainingError: the configuration's tables of adapter or grid have unknown keys.
        ChatError, EncoderError: model or encoder cannot be loaded, or do not fit together.
    """
    dtype = getattr(torch, config.dtype)
    cache = default_cache_dir() / "features" if config.cache_features else None
    parts = named_parts(config)
    if encoder is None and not (config.is_whole and config.encoder == OWN):
        encoder = open_encoder(parts.encoder, dtype=dtype, seed=seed, cache=cache, layers=parts.adapter.get("layers"))
    if config.is_whole:
        model = open_whole(config, encoder, seed=seed, cache=cache)
        if config.lora is not None and not hasattr(model.vlm, "peft_config"):
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(seed)
                model.add_lora(lora_config(config.lora))
        return model
    where = str(tiny_folder) if config.vlm == TINY else config.vlm
    vlm, processor = load_base(where, attention=config.attention)
    family = family_of(vlm.config)
    adapter = adapter_config(config)
    grid = token_grid(config, family, **({} if encoder is None else {"patch_px": encoder.spec.patch}))
    # Random numbers of the caller are left as they were.
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = GeometryVLM.from_parts(
            vlm,
            GeometryProcessor(processor, family, grid, geometry=encoder is not None, rays=adapter.rays),
            encoder,
            adapter if encoder is not None or adapter.rays else None,
            sources=Sources(
                base=None if config.vlm == TINY else config.vlm,
                encoder=parts.encoder,
                encoder_seed=seed,
                rotation=config.rotation,
            ),
        )
        if config.lora is not None:
            model.add_lora(lora_config(config.lora))
    return model


def ensure_tiny(config: ModelConfig, folder: Path, texts: Callable[[], Iterable[str]], seed: int) -> None:
    """Make the model "tiny" where it is wanted and not there yet.

    Args:
        config: Which model.
        folder: Where it goes.
        texts: For its tokenizer; asked only if needed.
        seed: Of its weights.
    """
    if config.vlm != TINY or config.tiny is None or (folder / "tokenizer_config.json").is_file():
        return
    from spaceland.exchange.folder import new_folder
    from spaceland.training.tiny_model import build_tiny

    with new_folder(folder) as temporary:
        build_tiny(temporary, texts(), config.tiny, seed)
