"""Encoders by a short text, as commands and configurations name them.

    none                         no encoder: a plain vision-language model
    vggt:WHERE                   weights from a folder, a safetensors file or an id on the Hub (ID or ID@COMMIT)
    da3-base:WHERE, pi3:WHERE    likewise (da3-small, da3-base, da3-large, da3-giant; da3: any of them)
    tiny-trunk:WHERE             likewise, VGGT in small as `train_trunk` made it
    oracle                       the truth itself, for sample rooms: an upper bound, never a result
    random:vggt[:WHERE]          the architecture with random weights; WHERE is only asked for its sizes
    zeros:vggt[:WHERE]           nothing but zeros in its shape; no weights are read
    shuffled:vggt:WHERE          its features, given to the wrong frames
    mean:vggt:WHERE              its features, averaged over the clip

`random` and `zeros` alone mean VGGT-1B's architecture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spaceland.devices import check_device
from spaceland.errors import EncoderError
from spaceland.models.encoders.controls import Mean, Shuffled, Zeros
from spaceland.models.encoders.feature_cache import DEFAULT_BYTES, CachedEncoder
from spaceland.models.encoders.oracle import Oracle
from spaceland.models.encoders.tiny_trunk import open_tiny_trunk
from spaceland.models.encoders.vggt import ReferenceFrame, open_vggt
from spaceland.models.types import GeometryEncoder

ARCHITECTURES = ("vggt", "da3", "da3-small", "da3-base", "da3-large", "da3-giant", "pi3", "tiny-trunk", "oracle")
CONTROLS = ("random", "zeros", "shuffled", "mean")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def open_encoder(
    text: str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = torch.float32,
    layers: Sequence[int] | None = None,
    heads: bool = False,
    seed: int = 0,
    reference_frame: ReferenceFrame = "first",
    cache: Path | None = None,
    cache_bytes: int = DEFAULT_BYTES,
) -> GeometryEncoder | None:
    """The encoder that `text` names, frozen and in evaluation mode; None for "none".

    Args:
        text: See above.
        device: Where it runs.
        dtype: Type of its weights and features: a torch type, or float32, bfloat16, float16.
        layers: Layers that will be asked for, None for its default; nothing deeper is loaded.
        heads: Whether to load the heads too, for `predict`.
        seed: Of random weights, and of the order of shuffled frames.
        reference_frame: Which frame VGGT takes as the reference; encoders that choose by themselves know only "first".
        cache: A folder where features are kept; None for no cache.
        cache_bytes: What the cache may take.

    Raises:
        EncoderError: no such encoder, no weights there, or they do not fit.
    """
    kind = _dtype(dtype)
    device = check_device(device, EncoderError)
    if text == "none":
        return None
    control, name, where = parts_of(text)
    if control and heads:
        raise EncoderError(f"'{text}' is a control and has no heads; open the encoder itself to predict geometry")
    if name == "oracle" and heads:
        raise EncoderError(f"'{text}': the oracle has no heads")
    encoder: Any = _open(
        name,
        where or None,
        reference_frame,
        device="meta" if control == "zeros" else device,
        dtype=kind,
        layers=layers,
        heads=heads,
        seed=seed if control in ("random", "zeros") else None,
    )
    if control == "zeros":
        encoder = Zeros(encoder.spec).to(device, kind)
    elif control == "shuffled":
        encoder = Shuffled(encoder, seed)
    elif control == "mean":
        encoder = Mean(encoder)
    if cache is not None and control != "zeros":
        encoder = CachedEncoder(encoder, cache, cache_bytes)
    return encoder.eval()


def parts_of(text: str) -> tuple[str, str, str]:
    """Control (empty if none), architecture and weights (empty if none) that a text other than "none" names.

    >>> parts_of("zeros:vggt"), parts_of("da3:depth-anything/DA3-BASE")
    (('zeros', 'vggt', ''), ('', 'da3', 'depth-anything/DA3-BASE'))

    Raises:
        EncoderError: it names none, or a path that is not there.
    """
    control, rest = _split(text)
    if control in ("random", "zeros"):
        rest = rest or "vggt"
    elif control and not rest:
        raise EncoderError(f"'{control}' needs an encoder to work on, such as {control}:vggt:facebook/VGGT-1B")
    name, _, where = rest.partition(":")
    if name not in ARCHITECTURES:
        raise EncoderError(
            f"there is no encoder '{text}'; choose none, or one of {', '.join(ARCHITECTURES)} with its weights "
            f"(vggt:facebook/VGGT-1B), or a control before it ({', '.join(CONTROLS)}; zeros:vggt)"
        )
    if name == "oracle" and (where or control == "random"):
        raise EncoderError(f"'{text}': the oracle has no weights; write oracle alone")
    if not where and control not in ("random", "zeros") and name != "oracle":
        raise EncoderError(f"'{text}' names no weights; give a folder or an id on the Hub: {text}:FOLDER_OR_ID")
    if where.startswith(("/", "./", "../", "~")) and not Path(where).expanduser().exists():
        raise EncoderError(f"'{text}': there is no folder or file {where}; give the one that the weights lie in now")
    return control, name, where


def pinned(text: str, encoder: GeometryEncoder) -> str:
    """`text` with the commit of the weights that were loaded, so that it names the same ones ever after.

    Unchanged where they are files of the user's own.
    """
    inner: Any = encoder
    while not hasattr(inner, "revision") and hasattr(inner, "inner"):
        inner = inner.inner
    revision = getattr(inner, "revision", None)
    return f"{text.partition('@')[0]}@{revision}" if revision else text


def _open(name: str, where: str | None, reference_frame: ReferenceFrame, **options: Any) -> Any:
    if name == "tiny-trunk":
        return open_tiny_trunk(where, reference_frame=reference_frame, **options)
    if name == "vggt":
        return open_vggt(where, reference_frame=reference_frame, **options)
    if reference_frame != "first":
        raise EncoderError(f"{name} has no reference frame to choose (asked for '{reference_frame}'); leave it out")
    if name == "oracle":
        return Oracle().to(options["device"], options["dtype"])
    if name == "pi3":
        from spaceland.models.encoders.pi3 import open_pi3

        return open_pi3(where, **options)
    from spaceland.models.encoders.da3 import open_da3

    return open_da3(name, where, **options)


def _split(text: str) -> tuple[str, str]:
    """Control (empty if none) and the rest."""
    first, _, rest = text.partition(":")
    return (first, rest) if first in CONTROLS else ("", text)


def _dtype(dtype: torch.dtype | str) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in _DTYPES:
        raise EncoderError(f"type '{dtype}' is not supported; choose one of {', '.join(_DTYPES)}")
    return _DTYPES[dtype]
