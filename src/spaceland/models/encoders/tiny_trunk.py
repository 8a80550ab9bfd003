"""VGGT in small: the same trunk and heads with a million parameters, for experiments that a processor can do.

Its weights are made by `spaceland.training.trunk_training` on sample rooms and lie in a folder in VGGT's own layout, so
`vggt:FOLDER` opens them too. Unlike VGGT it is trained on depth and poses in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from spaceland.errors import EncoderError
from spaceland.models.encoders.vggt import ReferenceFrame, Vggt, VggtConfig, open_vggt
from spaceland.models.types import Head

TINY_TRUNK = VggtConfig(
    img_size=168,
    embed_dim=96,
    depth=4,
    num_heads=4,
    vit_depth=2,
    vit_num_heads=4,
    vit_num_registers=1,
    num_register_tokens=2,
    camera_depth=1,
    camera_num_heads=4,
    dpt_layers=(0, 1, 2, 3),
    dpt_features=24,
    dpt_widths=(24, 32, 48, 48),
)
_LICENCE = ("that of whoever trained it; spaceland's own training uses sample rooms alone", None)


def open_tiny_trunk(
    where: str | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    layers: Sequence[int] | None = None,
    heads: bool = False,
    seed: int | None = None,
    reference_frame: ReferenceFrame = "first",
) -> Vggt:
    """The small network from a folder, or with random weights.

    Args:
        where: Folder of the weights; None only with a seed.
        device: Where it runs.
        dtype: Type of the weights; those of the heads stay float32.
        layers: Layers that will be asked for; None for the default. Nothing deeper is read.
        heads: Whether to read the heads too.
        seed: Random weights instead, drawn from it.
        reference_frame: See `Vggt`.

    Raises:
        EncoderError: no weights there, or they do not fit.
    """
    if where is None and seed is None:
        raise EncoderError("tiny-trunk needs weights: give the folder that train_trunk wrote, tiny-trunk:FOLDER")
    model = open_vggt(
        where,
        device=device,
        dtype=dtype,
        layers=layers,
        heads=heads,
        seed=seed,
        reference_frame=reference_frame,
        config=TINY_TRUNK if where is None else None,
    )
    name = f"tiny-trunk:{where}" if where else "tiny-trunk"
    licence, commercial = _LICENCE if seed is None else (model.spec.licence, model.spec.commercial)
    # The point head was never trained.
    known: frozenset[Head] = frozenset({"pose", "depth"}) if heads else frozenset()
    model.spec = replace(
        model.spec, name=name, licence=licence, commercial=commercial, metric=seed is None, heads=known
    )
    return model
