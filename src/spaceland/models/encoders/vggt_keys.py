"""Names of VGGT's released tensors, and which parameter of ours each of them is.

The released file has 1,797 tensors: 1,403 are read here, the 394 of the tracking head are known and left alone.
"""

from __future__ import annotations

from spaceland.models.encoders.loading import Source

AGGREGATOR = "aggregator."
TRACK_HEAD = "track_head."
HEADS = ("camera_head.", "depth_head.", "point_head.")

_DINOV2_PARTS = {
    "attention.q_proj.": ("attn.qkv.", 0),
    "attention.k_proj.": ("attn.qkv.", 1),
    "attention.v_proj.": ("attn.qkv.", 2),
    "attention.o_proj.": ("attn.proj.", None),
    "layer_scale1.lambda1": ("ls1.gamma", None),
    "layer_scale2.lambda1": ("ls2.gamma", None),
}
_DINOV2_EMBEDDINGS = {
    "position_embeddings": "pos_embed",
    "patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "patch_embeddings.projection.bias": "patch_embed.proj.bias",
}


def vggt_source(name: str) -> Source:
    """The released tensor behind a parameter of `Vggt`."""
    if name.startswith("vit.model."):
        found = dinov2_source(name.removeprefix("vit.model."))
        return Source(f"{AGGREGATOR}patch_embed.{found.name}", found.third)
    if name.startswith("trunk."):
        return Source(AGGREGATOR + name.removeprefix("trunk."))
    return Source(name)


def dinov2_source(name: str) -> Source:
    """The tensor of the original DINOv2 behind a parameter of Hugging Face's `Dinov2WithRegistersModel`."""
    part, _, rest = name.partition(".")
    if part == "embeddings":
        return Source(_DINOV2_EMBEDDINGS.get(rest, rest))
    if part == "layernorm":
        return Source(f"norm.{rest}")
    number, _, inner = rest.removeprefix("layer.").partition(".")
    for ours, (theirs, third) in _DINOV2_PARTS.items():
        if inner.startswith(ours):
            return Source(f"blocks.{number}.{theirs}{inner.removeprefix(ours)}", third)
    return Source(f"blocks.{number}.{inner}")
