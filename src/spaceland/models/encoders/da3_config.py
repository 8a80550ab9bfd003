"""The architectures of Depth Anything 3: those that were released, and how the shapes in a file tell which it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spaceland.errors import EncoderError
from spaceland.models.encoders.da3_vit import Da3VitConfig
from spaceland.models.encoders.dpt_head import DptConfig

BACKBONE = "backbone.pretrained."
HEAD_LAYERS = {12: (5, 7, 9, 11), 24: (11, 15, 19, 23), 40: (19, 27, 33, 39)}
"""Blocks that the dense head looks at, by depth: the one thing that the shapes in a file do not tell."""
APACHE, NON_COMMERCIAL = ("Apache-2.0", True), ("CC BY-NC 4.0, non-commercial", False)
LICENCES = {"da3-small": APACHE, "da3-base": APACHE, "da3-large": NON_COMMERCIAL, "da3-giant": NON_COMMERCIAL}


@dataclass(frozen=True, kw_only=True)
class Da3Config:
    """The architecture; `dpt` None where the weights have no heads."""

    name: str
    vit: Da3VitConfig
    dpt: DptConfig | None
    head_layers: tuple[int, int, int, int]


def _released(
    name: str, dim: int, depth: int, alt_start: int, features: int, widths: tuple[int, int, int, int]
) -> Da3Config:
    giant = name == "da3-giant"
    return Da3Config(
        name=name,
        vit=Da3VitConfig(
            dim=dim,
            depth=depth,
            num_heads=dim // 64,
            alt_start=alt_start,
            mlp="swiglu" if giant else "gelu",
            mlp_dim=4096 if giant else 4 * dim,
        ),
        dpt=DptConfig(dim=2 * dim, features=features, widths=widths, rectified_skip=False),
        head_layers=HEAD_LAYERS[depth],
    )


RELEASED: dict[str, Da3Config] = {
    "da3-small": _released("da3-small", 384, 12, 4, 64, (48, 96, 192, 384)),
    "da3-base": _released("da3-base", 768, 12, 4, 128, (96, 192, 384, 768)),
    "da3-large": _released("da3-large", 1024, 24, 8, 256, (256, 512, 1024, 1024)),
    "da3-giant": _released("da3-giant", 1536, 40, 13, 256, (256, 512, 1024, 1024)),
}


def config_of_shapes(shapes: Mapping[str, tuple[int, ...]], where: str = "the file") -> Da3Config:
    """The architecture that tensors of these names (without prefix) and shapes belong to.

    Raises:
        EncoderError: no any-view model of Depth Anything 3, or of a depth that was never released.
    """
    blocks = {int(found[1]) for key in shapes if (found := re.match(re.escape(BACKBONE) + r"blocks\.(\d+)\.", key))}
    alternating = [k for k in blocks if f"{BACKBONE}blocks.{k}.attn.q_norm.weight" in shapes]
    depth = max(blocks, default=-1) + 1
    if f"{BACKBONE}camera_token" not in shapes or not alternating or depth not in HEAD_LAYERS:
        raise EncoderError(
            f"{where} is no any-view model of Depth Anything 3 ({depth} blocks, {len(alternating)} of which may see "
            "all frames); use DA3-SMALL, -BASE, -LARGE or -GIANT: the metric and mono models look at one picture"
        )
    try:
        dim = shapes[f"{BACKBONE}cls_token"][-1]
        swiglu = f"{BACKBONE}blocks.0.mlp.w12.weight" in shapes
        vit = Da3VitConfig(
            dim=dim,
            depth=depth,
            num_heads=dim // shapes[f"{BACKBONE}blocks.{alternating[0]}.attn.q_norm.weight"][0],
            alt_start=min(alternating),
            mlp="swiglu" if swiglu else "gelu",
            mlp_dim=shapes[f"{BACKBONE}blocks.0.mlp.{'w3' if swiglu else 'fc2'}.weight"][1],
            table_side=round((shapes[f"{BACKBONE}pos_embed"][1] - 1) ** 0.5),
            patch=shapes[f"{BACKBONE}patch_embed.proj.weight"][-1],
        )
        dpt = None
        if "head.scratch.layer1_rn.weight" in shapes:
            one, two, three, four = (shapes[f"head.projects.{k}.weight"][0] for k in range(4))
            dpt = DptConfig(
                dim=2 * dim,
                features=shapes["head.scratch.layer1_rn.weight"][0],
                widths=(one, two, three, four),
                patch=vit.patch,
                rectified_skip=False,
            )
    except (KeyError, IndexError) as error:
        raise EncoderError(f"{where} lacks {error} of Depth Anything 3; copy or download it again") from error
    name = next((known.name for known in RELEASED.values() if known.vit == vit), "da3")
    return Da3Config(name=name, vit=vit, dpt=dpt, head_layers=HEAD_LAYERS[depth])


def licence_of(where: str | None, name: str) -> tuple[str, bool | None]:
    """Of a released id for certain; of other weights of a released size what the release has."""
    words, commercial = LICENCES.get(name, ("not known here: that of the weights' source", None))
    if (where or "").lower().startswith("depth-anything/da3") or name not in LICENCES:
        return words, commercial
    return f"{words} if it is {name.upper()} as released", None if commercial else False
