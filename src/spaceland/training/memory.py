"""What a stage takes of a device's memory, before anything is loaded, and what helps when it is too much.

Parameters are counted on torch's meta device, so a model of 8 B is counted in seconds and without its weights. Weights,
gradients and optimiser states are exact; activations are an estimate of the largest batch:

    kept        layers * tokens * hidden, once with gradient checkpointing, about 17 times (plus MLP) without
    one layer   what is computed again at a time
    logits      learnt tokens * vocabulary in several copies; the trainer asks for no others
    encoders    the vision tower and the geometry encoder, layer by layer, without a graph where they are frozen

Weights, gradients and optimiser states are exact; activations have not been calibrated against measured peaks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import torch

from spaceland.errors import TrainingError, first_line
from spaceland.models.families import family_of
from spaceland.models.lora import with_lora
from spaceland.training.config import ModelConfig, StageConfig
from spaceland.training.parts import adapter_config, count_parts, lora_config, set_trained, token_grid
from spaceland.training.start import named_parts

_GB = 1e9
_LOGIT_BYTES = 14
"""bfloat16 logits, their float32 copy, its softmax and its gradient."""
_ALLOCATOR = 1.08
"""What fragments and libraries take on top."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Numbers of a model that decide its memory."""

    counts: dict[str, tuple[int, int]]
    """Part -> (parameters, trained)."""
    encoder: int
    """Parameters of the geometry encoder."""
    encoder_dim: int
    hidden: int
    layers: int
    intermediate: int
    vocabulary: int
    vision_hidden: int
    tokens_per_picture: int
    frozen_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Bytes by item, of one device."""

    items: dict[str, float]

    @property
    def total(self) -> float:
        """All of them."""
        return sum(self.items.values()) * _ALLOCATOR


def meta_model(config: ModelConfig) -> Any:
    """The vision-language model of a configuration without storage.

    Raises:
        TrainingError: neither its files nor its sizes are known here.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText

    if config.vlm == "tiny" and config.tiny is not None:
        from spaceland.training.tiny_model import tiny_meta

        return tiny_meta(config.tiny)
    known = json.loads((resources.files("spaceland.training") / "known_shapes.json").read_text("utf-8"))
    if config.vlm in known:
        table = dict(known[config.vlm])
        sizes = AutoConfig.for_model(table.pop("model_type"), **table)
    else:
        try:
            sizes = AutoConfig.from_pretrained(config.vlm, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(f"the sizes of '{config.vlm}' are not known: {first_line(error)}") from error
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(sizes)


def check_model(config: ModelConfig, stages: Sequence[StageConfig], encoder: Any | None = None) -> None:
    """Put the model together without its weights, so that a wrong name or value is told before any work is done.

    Models whose sizes are not known here are not checked.

    Raises:
        SpacelandError: encoder, adapter, grid, LoRA or trained parts cannot be had with this model.
    """
    parts = named_parts(config)
    adapter_config(config)
    for stage in stages:
        try:
            vlm = meta_model(parts)
        except TrainingError:
            return
        shape_of(parts, stage, vlm, encoder)


def shape_of(config: ModelConfig, stage: StageConfig, vlm: Any | None = None, encoder: Any | None = None) -> Shape:
    """Sizes of a model as a stage trains it.

    Args:
        config: Which model.
        stage: Which parts are trained.
        vlm: The language model, meta or real; made on the meta device by default.
        encoder: The geometry encoder where it is open already.
    """
    from torch import nn

    from spaceland.models.adapter import GeometryAdapter

    vlm = meta_model(config) if vlm is None else vlm
    if encoder is None and config.encoder != "none":
        encoder = _meta_encoder(config.encoder)
    whole = nn.Module()
    whole.vlm = vlm
    family = family_of(vlm.config)
    if encoder is not None or config.adapter.get("rays"):
        with torch.device("meta"):
            whole.adapter = GeometryAdapter(
                adapter_config(config), None if encoder is None else encoder.spec, family.hidden
            )
    if config.lora is not None and not hasattr(vlm, "peft_config"):
        whole.vlm = with_lora(vlm, lora_config(config.lora))
    set_trained(whole, stage.train)
    text, vision = vlm.config.text_config, vlm.config.vision_config
    frame = token_grid(config, family).frame(640, 480)
    return Shape(
        counts=count_parts(whole.named_parameters()),
        encoder=0 if encoder is None else sum(p.numel() for p in encoder.parameters()),
        encoder_dim=0 if encoder is None else encoder.spec.dim,
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        intermediate=text.intermediate_size,
        vocabulary=text.vocab_size,
        vision_hidden=getattr(vision, "embed_dim", None) or vision.hidden_size,
        tokens_per_picture=frame.num_tokens,
        frozen_bytes=2 if config.dtype == "bfloat16" else 4,
    )


def _meta_encoder(text: str) -> Any:
    """The architecture of an encoder, without storage."""
    from spaceland.models.encoders.open_encoder import open_encoder, parts_of

    _, name, _ = parts_of(text)
    return open_encoder(name if name == "oracle" else f"random:{name}", device="meta")


@dataclass(frozen=True, kw_only=True)
class Longest:
    """The largest sample: its tokens, those of them that are learnt at most, and its pictures."""

    tokens: int
    learnt: int
    pictures: int


def estimate(shape: Shape, stage: StageConfig, longest: Longest, shards: int = 1) -> Estimate:
    """Memory of one device.

    Args:
        shape: Sizes of the model.
        stage: Batch and checkpointing.
        longest: What the batch is made of.
        shards: Devices that weights, gradients and optimiser states are divided among.
    """
    all_of_it = sum(n for n, _ in shape.counts.values())
    trained = sum(n for _, n in shape.counts.values())
    number = 2 if shape.frozen_bytes == 2 else 4  # of activations
    rows = longest.tokens * stage.device_batch
    stream = 4 if shape.counts["language_model"][1] else number
    layer = rows * (10 * shape.hidden + 3 * shape.intermediate) * number
    if stage.gradient_checkpointing:
        kept = shape.layers * rows * shape.hidden * stream + 2 * layer
    else:
        kept = shape.layers * (layer + rows * 3 * shape.hidden * 4)
    patches = longest.pictures * stage.device_batch * shape.tokens_per_picture * 4
    tower = patches * shape.vision_hidden * 20 * number
    if shape.counts["vision_tower"][1]:
        tower *= 24
    return Estimate(
        {
            "weights": ((all_of_it - trained) * shape.frozen_bytes + trained * 4) / shards,
            "geometry encoder": shape.encoder * shape.frozen_bytes,
            "gradients": trained * 4 / shards,
            "optimiser states": trained * (4 if "8bit" not in stage.optimizer else 1) * 2 / shards,
            "activations of the language model": kept,
            "logits": longest.learnt * stage.device_batch * shape.vocabulary * _LOGIT_BYTES,
            "activations of the encoders": tower
            + longest.pictures * shape.tokens_per_picture * 4 * shape.encoder_dim * 12 * 2,
        }
    )


def advice(
    shape: Shape, stage: StageConfig, longest: Longest, limit: float, *, lora: bool, shards: int = 1
) -> list[str]:
    """What would fit into `limit` bytes, the least change first; empty where nothing needs to change."""
    if estimate(shape, stage, longest, shards).total <= limit:
        return []

    def fits(stage: StageConfig, shape: Shape = shape, longest: Longest = longest, shards: int = shards) -> bool:
        return estimate(shape, stage, longest, shards).total <= limit

    found = []
    stage = replace(stage, gradient_checkpointing=True)
    if fits(stage):
        found.append("set gradient_checkpointing = true")
    single = replace(stage, device_batch=1)
    if fits(single):
        found.append("set device_batch = 1 (the batch stays the same, in more pieces)")
    language, language_trained = shape.counts["language_model"]
    if language_trained and not lora:
        adapters = round(language * 0.015)
        small = replace(shape, counts={**shape.counts, "language_model": (language + adapters, adapters)})
        if fits(single, small):
            found.append("add [model.lora]: low-rank updates in place of the language model's weights")
    if "adapter" in stage.train:
        small = replace(shape, counts={k: (n, t if k == "adapter" else 0) for k, (n, t) in shape.counts.items()})
        if fits(single, small):
            found.append('set train = ["adapter"]')
    for number in (2, 4, 8, 16, 32, 64):
        if number > shards and fits(single, shards=number):
            found.append(f"shard over {number} devices: [fsdp] and torchrun, see docs/training.md")
            break
    for share in (2, 4, 8):
        shorter = Longest(
            tokens=longest.tokens // share, learnt=longest.learnt, pictures=max(1, longest.pictures // share)
        )
        if fits(single, longest=shorter):
            found.append(f"set max_tokens = {shorter.tokens}, with fewer or smaller frames")
            break
    return found or [
        "no single change is enough; take a smaller model, or several of these: LoRA, shards, fewer frames"
    ]


def device_bytes(memory_gb: float | None) -> float | None:
    """Memory of the device, where it is known."""
    if memory_gb is not None:
        return memory_gb * _GB
    return float(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None
