"""Models that a run begins with and that come whole: a saved `GeometryVLM`, or a checkpoint of VG LLM.

Encoder, adapter and sizes are theirs; a configuration may put another encoder (a control) in the encoder's place.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spaceland.errors import SceneError, TrainingError
from spaceland.files import read_json
from spaceland.models.encoders.feature_cache import CachedEncoder
from spaceland.models.encoders.weight_files import read_config
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.saved import BASE, LORA
from spaceland.models.sources import CONFIG, VGLLM
from spaceland.models.types import GeometryEncoder
from spaceland.models.vgllm_checkpoints import open_vgllm_encoder
from spaceland.training.config import OWN, LoraSettings, ModelConfig


def open_whole(config: ModelConfig, encoder: GeometryEncoder | None, *, seed: int, cache: Path | None) -> GeometryVLM:
    """Open the model that `config.vlm` names.

    Args:
        config: `is_whole` is true of it.
        encoder: In place of the model's own.
        seed: What `encoder` was opened with.
        cache: Folder for features of the model's own encoder.

    Raises:
        ChatError, EncoderError: see `load` and `load_vgllm`.
    """
    if config.vlm.startswith(VGLLM):
        where = config.vlm.removeprefix(VGLLM)
        if encoder is None and cache is not None:
            encoder = CachedEncoder(open_vgllm_encoder(where), cache)
        model = GeometryVLM.from_vgllm(where, encoder=encoder, rotation=config.rotation, attention=config.attention)
    else:
        model = GeometryVLM.from_pretrained(
            config.vlm, encoder=encoder, trainable=True, cache=cache, attention=config.attention
        )
    changed: dict[str, Any] = {} if config.encoder == OWN else {"encoder": config.encoder, "encoder_seed": seed}
    if config.rotation is not None:
        changed["rotation"] = config.rotation
    model.sources = replace(model.sources, **changed)
    if isinstance(model.encoder, nn.Module):
        model.encoder.to(dtype=getattr(torch, config.dtype))
    return model


def named_parts(config: ModelConfig) -> ModelConfig:
    """The same model by its parts, without opening it: base, encoder, adapter, sizes.

    Raises:
        TrainingError: what describes it cannot be read, or there is no place for the encoder that is wanted.
        EncoderError: see `read_config`.
    """
    if not config.is_whole:
        return replace(config, encoder="none") if config.encoder == OWN else config
    if config.vlm.startswith(VGLLM):
        where = config.vlm.removeprefix(VGLLM)
        said = read_config(where)
        inner = said.get("geometry_merger_hidden_dim", said.get("vggt_merger_hidden_dim", 4096))
        adapter = {"merger": said.get("geometry_merger_type", "mlp"), "merger_dim": inner}
        encoder = _encoder(config, "vggt")
        return replace(config, vlm=where, encoder=encoder, adapter=adapter, grid={"preset": "vgllm"})
    folder = Path(config.vlm)
    try:
        said = read_json(folder / CONFIG)
        stored = said["encoder"] and (said["encoder"]["source"] or said["encoder"]["name"])
        encoder = _encoder(config, stored or "none")
        rank = read_json(folder / LORA / "adapter_config.json")["r"] if said["lora"] else None
        # These two follow from base and encoder.
        grid = {name: value for name, value in said["grid"].items() if name not in ("token_px", "fixed")}
        return replace(
            config,
            vlm=said["base"]["path"] or str(folder / BASE),
            encoder="vggt" if encoder.startswith(VGLLM) else encoder,
            adapter=said["adapter"] or {},
            grid=grid,
            lora=config.lora if rank is None else LoraSettings(rank=rank),
        )
    except (SceneError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{folder / CONFIG} cannot be read: {error!r}; save the model again") from error


def _encoder(config: ModelConfig, own: str) -> str:
    """The encoder in words, where there is an adapter for it."""
    if config.encoder == OWN or (config.encoder == "none") == (own == "none"):
        return own if config.encoder == OWN else config.encoder
    if own == "none":
        raise TrainingError(
            f"{config.vlm} has no adapter for an encoder; take model.encoder out, or begin with its base model"
        )
    raise TrainingError(
        f"the adapter of {config.vlm} needs an encoder; for a run without geometry give a control such as "
        "zeros:vggt, or begin with its base model"
    )
