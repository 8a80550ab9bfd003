"""Released VG-LLM checkpoints, both generations, opened as a `GeometryVLM`.

| | first (June 2025) | second (November 2025) |
|---|---|---|
| encoder | `vggt.*` | `geometry_encoder.vggt.*` |
| merger | `merger.*` | `geometry_merger.*` |
| fusion | | `feature_fusion.*`, empty for the released "add" |
| angles in boxes | "zxy", about fixed axes | "ZXY", about the box's own axes |

The rest is Qwen2.5-VL in the names of transformers 4.50, which transformers converts. Boxes of one convention read in
the other are turned wrongly without any error, so the model carries its own as `sources.rotation`. The weights of VGGT
come from the checkpoint; their licence is VGGT's (non-commercial), whoever hands them on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from spaceland.errors import ChatError, EncoderError
from spaceland.geometry.box9 import EulerConvention
from spaceland.models.adapter import AdapterConfig
from spaceland.models.base import load_base
from spaceland.models.encoders.vggt import LICENCES, Vggt, VggtConfig, open_vggt
from spaceland.models.encoders.weight_files import WeightFiles, find_weights, read_config
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.processor import GeometryProcessor
from spaceland.models.saved import load_adapter
from spaceland.models.sources import VGLLM, Sources
from spaceland.models.types import GeometryEncoder

MAX_TOKENS = 12800
"""Longest prompt of the released evaluation."""
_MERGER_TENSORS = ("ln_q.weight", "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias")


@dataclass(frozen=True, kw_only=True)
class _Generation:
    """Names and habits of one generation of checkpoints."""

    encoder: str
    merger: str
    uses_geometry: str
    merger_dim: str
    rotation: EulerConvention


_GENERATIONS = (
    _Generation(
        encoder="geometry_encoder.vggt.",
        merger="geometry_merger.",
        uses_geometry="use_geometry_encoder",
        merger_dim="geometry_merger_hidden_dim",
        rotation="ZXY",
    ),
    _Generation(
        encoder="vggt.",
        merger="merger.",
        uses_geometry="use_vggt_feature",
        merger_dim="vggt_merger_hidden_dim",
        rotation="zxy",
    ),
)


def load_vgllm(
    path: Path | str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    rotation: EulerConvention | None = None,
    encoder: GeometryEncoder | None = None,
    encoder_config: VggtConfig | None = None,
    attention: str | None = None,
) -> GeometryVLM:
    """Open a checkpoint.

    Args:
        path: Folder with safetensors and config.json, or an id on the Hub (ID or ID@COMMIT).
        device: Where all of it runs.
        dtype: Of all of it; None: as stored, encoder and adapter float32.
        rotation: Convention of its boxes where the names do not tell it rightly.
        encoder: In place of the one inside, for a control.
        encoder_config: Sizes of the VGGT inside; None for VGGT-1B.
        attention: See `load_base`.

    Raises:
        ChatError: it is no such checkpoint, uses parts that no released one has, or its files are broken.
        EncoderError: the encoder's weights do not fit.
    """
    where = str(path)
    files, config, generation = _inspect(where)
    kind = config.get("geometry_merger_type", "mlp")
    if kind not in ("mlp", "avg"):
        raise ChatError(f"{where} merges patches by '{kind}'; mlp and avg are known")
    fusion = config.get("feature_fusion_method", "add")
    if fusion != "add" or any(name.startswith("feature_fusion.") for name in files.tensors):
        raise ChatError(
            f"{where} fuses by '{fusion}' with weights of its own; the released models, which add, can be read"
        )
    tensors = _read(files, generation.merger)
    lacking = [name for name in _MERGER_TENSORS if name not in tensors]
    if lacking:
        raise ChatError(f"{where} lacks {generation.merger}{lacking[0]}; copy or download it again")
    local = Path(where).is_dir()
    base, _, commit = (where, "", "") if local else where.partition("@")
    commit = commit or files.revision or ""
    vlm, own = load_base(base, revision=commit or None, dtype=dtype, attention=attention)
    if encoder is None:
        encoder = open_vgllm_encoder(
            where, device=device, dtype=dtype or torch.float32, config=encoder_config, said=config
        )
    family = family_of(vlm.config)
    processor = GeometryProcessor(
        own,
        family,
        family.token_grid(preset="vgllm"),
        max_tokens=min(MAX_TOKENS, family.context or MAX_TOKENS),
    )
    adapter = AdapterConfig(merger=kind, merger_dim=tensors["mlp.0.bias"].shape[0], layers=encoder.spec.default_layers)
    sources = Sources(
        base=base,
        base_revision=commit or None,
        encoder=f"{VGLLM}{Path(where).resolve() if local else f'{base}@{commit}' if commit else base}",
        reference_frame=str(config.get("reference_frame", "first")),
        rotation=rotation or generation.rotation,
    )
    model = GeometryVLM.from_parts(vlm, processor, encoder, adapter, sources=sources)
    load_adapter(model, Path(where), {f"mergers.0.{name}": value for name, value in tensors.items()})
    if dtype is not None and model.adapter is not None:
        model.adapter.to(dtype)
    return model.to(device).eval()


def open_vgllm_encoder(
    where: str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: VggtConfig | None = None,
    said: dict[str, Any] | None = None,
) -> Vggt:
    """The VGGT inside a checkpoint, only the layers that VG LLM uses (the last but one).

    Args:
        where: See `load_vgllm`.
        device: Where it runs.
        dtype: Of its weights.
        config: Its sizes; None for VGGT-1B.
        said: The checkpoint's config.json, if it was read already.

    Raises:
        ChatError, EncoderError: see `load_vgllm`.
    """
    _, read, generation = _inspect(where)
    said = said if said is not None else read
    encoder_type = said.get("geometry_encoder_type", "vggt")
    if encoder_type != "vggt":
        raise EncoderError(f"{where} was trained with '{encoder_type}'; VGGT inside a checkpoint can be read")
    reference = said.get("reference_frame", "first")
    if reference not in ("first", "last"):
        raise EncoderError(f"{where} has reference_frame '{reference}', expected first or last")
    encoder = open_vggt(
        where, device=device, dtype=dtype, reference_frame=reference, prefix=generation.encoder, config=config
    )
    licence, commercial = LICENCES["facebook/vggt-1b"]
    encoder.spec = replace(encoder.spec, name=f"vggt of {where}", licence=licence, commercial=commercial)
    return encoder


def _inspect(where: str) -> tuple[WeightFiles, dict[str, Any], _Generation]:
    """Its tensors, its configuration, and which generation it is of."""
    files, config = find_weights(where), read_config(where)
    for generation in _GENERATIONS:
        if any(name.startswith(generation.merger) for name in files.tensors):
            if not config.get(generation.uses_geometry, True):
                raise ChatError(
                    f"{where} says {generation.uses_geometry}: false, so it has no geometry; open it with local:{where}"
                )
            return files, config, generation
    raise ChatError(
        f"{where} holds neither geometry_merger.* nor merger.*, so it is no checkpoint of VG LLM; give one, such as "
        "zd11024/vgllm-3d-vggt-4b, or open a plain model with local:PATH"
    )


def _read(files: WeightFiles, prefix: str) -> dict[str, torch.Tensor]:
    """Tensors whose names begin with the prefix, without it."""
    found = {}
    for name, stored in files.tensors.items():
        if name.startswith(prefix):
            with safe_open(stored.path, framework="pt") as handle:
                found[name.removeprefix(prefix)] = handle.get_tensor(stored.key)
    return found
