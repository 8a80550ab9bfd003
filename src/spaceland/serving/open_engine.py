"""The engine for a model's folder or id: a `GeometryVLM` where such a one was saved, else a plain model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from spaceland.serving.engine import Engine

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


def open_engine(
    model: str,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: Dtype = "auto",
    max_pixels: int | None = None,
    cache_bytes: int = 1 << 30,
) -> Engine:
    """Load a model.

    Args:
        model: Folder of `spaceland train` or of `GeometryVLM.save_pretrained`, or folder or hub id of a plain
            vision-language model. "geometry:" or "local:" before it says which; a VG-LLM checkpoint needs the former.
        name: What clients call it; None: the folder's name or the id.
        device: "auto", "cpu", "cuda:1", ...
        dtype: Numbers of the weights.
        max_pixels: Plain models of the Qwen family: the most pixels of one picture.
        cache_bytes: Memory for clips.

    Raises:
        ChatError: there is no such model.
        DependencyError: an extra is missing.
    """
    from spaceland.chat.geometry import GeometryChat, GeometryConfig
    from spaceland.chat.local import LocalChat, LocalConfig
    from spaceland.models.sources import CONFIG, model_folder
    from spaceland.serving.geometry_engine import GeometryEngine
    from spaceland.serving.local_engine import LocalEngine

    kind, colon, rest = model.partition(":")
    named = colon and kind in ("geometry", "local")
    path = rest if named else model
    shown = name or (Path(path).resolve().name if Path(path).is_dir() else path)
    path = model_folder(path)
    if kind == "geometry" if named else (Path(path) / CONFIG).is_file():
        geometry = GeometryChat(GeometryConfig(path=path, device=device, dtype=dtype, most_clips=0))
        revision = str(geometry.facts()["revision"])
        return GeometryEngine(geometry.model, shown, fingerprint=revision, cache_bytes=cache_bytes)
    chat = LocalChat(LocalConfig(path=path, device=device, dtype=dtype, max_pixels=max_pixels))
    return LocalEngine(chat, shown, cache_bytes=cache_bytes)
