"""A `GeometryVLM` on disk: what was trained, and the names of what was not.

    geometry_vlm.json      base, encoder, adapter, sizes, convention of boxes
    adapter.safetensors    the adapter, if there is one
    lora/                  low-rank weights as peft writes them, if there are any
    base/                  the whole model, only where it was itself trained or has no other home

The frozen 0.1 to 0.9 billion parameters of an encoder are never written. The JSON file is written last: a folder
without it is not finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spaceland.errors import ChatError, EncoderError, OutputError, SceneError
from spaceland.files import atomic_path, read_json, write_json
from spaceland.models.adapter import AdapterConfig
from spaceland.models.base import load_base
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.grid import TokenGrid
from spaceland.models.lora import load_lora
from spaceland.models.processor import GeometryProcessor
from spaceland.models.sources import CONFIG, VGLLM, Sources
from spaceland.models.types import GeometryEncoder
from spaceland.version import __version__

ADAPTER, LORA, BASE = "adapter.safetensors", "lora", "base"
FORMAT = 1


def save(model: GeometryVLM, path: Path | str, *, base_weights: bool | None = None) -> None:
    """Write a model.

    Args:
        model: With any or no encoder, adapter and LoRA.
        path: Folder; made if need be.
        base_weights: Whether to write the weights of the Hugging Face model too. None: if any of them is trained, or
            they have no other home.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder = Path(path)
    sources = model.sources
    lora = hasattr(model.vlm, "peft_config")
    trained = any(p.requires_grad for n, p in model.base.named_parameters() if "lora_" not in n)
    own = base_weights if base_weights is not None else trained or sources.own_base_weights or sources.base is None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Over an older model: without its JSON a save that is interrupted is no mixture of both, but not finished.
        (folder / CONFIG).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; choose another folder") from error
    if own:
        _save_base(model, folder / BASE)
    if lora:
        model.vlm.save_pretrained(folder / LORA)
    if model.adapter is not None:
        tensors = {name: value.detach().cpu().contiguous() for name, value in model.adapter.state_dict().items()}
        with atomic_path(folder / ADAPTER) as temporary:
            save_file(tensors, temporary, metadata={"format": "pt"})
    encoder = model.encoder
    write_json(
        folder / CONFIG,
        {
            "format": FORMAT,
            "spaceland": __version__,
            "base": {
                "path": None if own else _absolute(sources.base),
                "revision": sources.base_revision or getattr(model.config, "_commit_hash", None),
                "made_from": _absolute(sources.base),
            },
            "encoder": None
            if encoder is None
            else {
                "source": None if sources.encoder == "none" else _pinned(sources.encoder, encoder),
                "name": encoder.spec.name,
                "dim": encoder.spec.dim,
                "licence": encoder.spec.licence,
                "reference_frame": sources.reference_frame,
                "seed": sources.encoder_seed,
            },
            "adapter": None if model.adapter is None else asdict(model.adapter.config),
            "lora": lora,
            "grid": asdict(model.processor.grid),
            "max_tokens": model.processor.max_tokens,
            "rotation": sources.rotation,
        },
    )


def load(
    path: Path | str,
    *,
    base: str | None = None,
    encoder: GeometryEncoder | str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    trainable: bool = False,
    cache: Path | None = None,
    attention: str | None = None,
) -> GeometryVLM:
    """Open what `save` wrote.

    Args:
        path: Its folder.
        base: Where the Hugging Face model is, if not where the folder says.
        encoder: In place of the stored one: an encoder or its text, such as "zeros:vggt" for a control.
        device: Where all of it runs.
        dtype: Of model, encoder and adapter; None: model as stored, the rest float32.
        trainable: Whether LoRA weights are to be trained on. Adapters always can be.
        cache: Folder for features of the encoder.
        attention: See `load_base`.

    Raises:
        ChatError: no such folder, files are missing or broken, or the base cannot be loaded.
        EncoderError: the encoder cannot be opened or is of another width.
    """
    folder = Path(path)
    said = _read_config(folder)
    try:
        where = base or said["base"]["path"] or str(folder / BASE)
        revision = None if base or not said["base"]["path"] else said["base"]["revision"]
        own = said["base"]["path"] is None and base is None
        vlm, own_processor = load_base(where, revision=revision, dtype=dtype, attention=attention)
        family = family_of(vlm.config)
        grid = TokenGrid(**said["grid"])
        config = None if said["adapter"] is None else AdapterConfig(**said["adapter"])
        opened = _open_encoder(said["encoder"], encoder, config, device, dtype, cache)
        stored = said["encoder"] or {}
        sources = Sources(
            base=said["base"]["made_from"] if own else where,
            base_revision=said["base"]["revision"],
            encoder=encoder if isinstance(encoder, str) else stored.get("source") or "none",
            reference_frame=stored.get("reference_frame", "first"),
            encoder_seed=stored.get("seed", 0),
            own_base_weights=own,
            rotation=said["rotation"],
        )
        max_tokens = said["max_tokens"]
        lora = bool(said["lora"])
    except (KeyError, TypeError) as error:
        raise ChatError(f"{folder / CONFIG} is not as it was written ({error!r}); save the model again") from error
    processor = GeometryProcessor(
        own_processor,
        family,
        grid,
        geometry=opened is not None,
        rays=config is not None and config.rays,
        max_tokens=max_tokens,
    )
    model = GeometryVLM.from_parts(vlm, processor, opened, config, sources=sources)
    if model.adapter is not None:
        load_adapter(model, folder / ADAPTER)
        if dtype is not None:
            model.adapter.to(dtype)
    if lora:
        model.vlm = load_lora(vlm, folder / LORA, trainable=trainable)
    return model.to(device).eval()


def load_adapter(model: GeometryVLM, path: Path, tensors: Mapping[str, torch.Tensor] | None = None) -> None:
    """Weights into a model's adapter, from a file or as given; names and shapes must agree.

    Raises:
        ChatError: they do not, or the file is broken.
    """
    assert model.adapter is not None
    try:
        model.adapter.load_state_dict(load_file(path) if tensors is None else dict(tensors))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ChatError(f"the adapter in {path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error


def _pinned(source: str, encoder: GeometryEncoder) -> str:
    """The encoder's text with the commit of its weights."""
    from spaceland.models.encoders.open_encoder import pinned

    return source if source.startswith(VGLLM) else pinned(source, encoder)


def _save_base(model: GeometryVLM, folder: Path) -> None:
    """Weights of the Hugging Face model without LoRA, and its processor."""
    state = {
        name.replace(".base_layer.", "."): value
        for name, value in model.base.state_dict().items()
        if ".lora_" not in name
    }
    model.base.save_pretrained(folder, state_dict=state)
    own = model.processor.processor
    if not own.tokenizer.chat_template:
        own.tokenizer.chat_template = own.chat_template
    own.tokenizer.save_pretrained(folder)
    own.image_processor.save_pretrained(folder)


def _open_encoder(
    stored: Mapping[str, Any] | None,
    wanted: GeometryEncoder | str | None,
    config: AdapterConfig | None,
    device: torch.device | str,
    dtype: torch.dtype | None,
    cache: Path | None,
) -> GeometryEncoder | None:
    from spaceland.models.encoders.open_encoder import open_encoder

    if stored is None:
        if wanted not in (None, "none"):
            raise EncoderError("the model was saved without an encoder, so it has no adapter for one; leave it out")
        return None
    if wanted is not None and not isinstance(wanted, str):
        encoder: GeometryEncoder | None = wanted
    else:
        source = wanted or stored["source"]
        if source is None:
            raise EncoderError(
                f"the model was saved with an encoder of your own ({stored['name']}); give it: "
                "from_pretrained(path, encoder=...)"
            )
        layers = config.layers if config is not None else None
        kind = dtype or torch.float32
        if source.startswith(VGLLM):
            from spaceland.models.vgllm_checkpoints import open_vgllm_encoder

            encoder = open_vgllm_encoder(source.removeprefix(VGLLM), device=device, dtype=kind)
        else:
            reference: Any = stored["reference_frame"]
            encoder = open_encoder(
                source,
                device=device,
                dtype=kind,
                layers=layers,
                seed=int(stored["seed"]),
                reference_frame=reference,
                cache=cache,
            )
    if encoder is None or encoder.spec.dim != stored["dim"]:
        found = "none" if encoder is None else f"{encoder.spec.name} with {encoder.spec.dim} channels"
        raise EncoderError(
            f"the adapter was made for {stored['name']} with {stored['dim']} channels, not for {found}; for a model "
            "without geometry use the control zeros"
        )
    return encoder


def _read_config(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        raise ChatError(f"{folder} holds no {CONFIG}; give a folder that save_pretrained of a GeometryVLM wrote")
    try:
        said = read_json(folder / CONFIG)
    except SceneError as error:
        raise ChatError(f"{folder / CONFIG} cannot be read: {error}") from error
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        found = said.get("format") if isinstance(said, dict) else type(said).__name__
        raise ChatError(f"{folder / CONFIG} is of format {found}, this version reads {FORMAT}; update spaceland")
    return said


def _absolute(path: str | None) -> str | None:
    """Folders by their whole path, ids as they are."""
    return str(Path(path).resolve()) if path is not None and Path(path).is_dir() else path
