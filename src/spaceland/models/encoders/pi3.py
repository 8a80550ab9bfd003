"""Pi3: frames of a clip to tokens, with no frame being the reference: in another order they are the same tokens.

The trunk is VGGT's without a camera token and with register tokens that all frames share; its 36 blocks are 18 layers
here. What Pi3's own decoders start from is the last of them, the last two blocks side by side. Those decoders (poses,
points) are not built. Source: Pi3 (arXiv 2507.13347); names and sizes as in the public code of the release, DINOv2-L
with registers below the trunk. The released file itself has not been at hand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.files import atomic_path
from spaceland.models.blocks import BlockConfig
from spaceland.models.encoders.frames import check_frames, check_layers
from spaceland.models.encoders.loading import Source, build, released_shapes, released_tensors
from spaceland.models.encoders.trunk import AlternatingTrunk, TrunkConfig
from spaceland.models.encoders.vggt_keys import dinov2_source
from spaceland.models.encoders.vit import FRAMES_AT_ONCE, PatchVit, VitConfig
from spaceland.models.encoders.weight_files import SINGLE, find_weights
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction

ENCODER, DECODER = "encoder.", "decoder."
UNUSED = (
    "point_decoder.",
    "point_head.",
    "conf_decoder.",
    "conf_head.",
    "camera_decoder.",
    "camera_head.",
    "image_mean",
    "image_std",
    "encoder.mask_token",
)
"""What a release also holds: its own decoders and heads, and constants that are numbers here."""
LICENCE = ("CC BY-NC 4.0 as released, non-commercial", False)
VIT_HEAD_DIM = 64
"""Of DINOv2 in every size; the shapes in a file do not tell."""


@dataclass(frozen=True, kw_only=True)
class Pi3Config:
    """The architecture, that of the release unless said otherwise; `depth` counts pairs of blocks."""

    dim: int = 1024
    depth: int = 18
    num_heads: int = 16
    num_register_tokens: int = 5
    vit_depth: int = 24
    vit_num_registers: int = 4
    table_side: int = 37
    patch: int = 14


class Pi3(nn.Module):
    """The network without its decoders, a `GeometryEncoder`.

    Args:
        config: The architecture.
        num_built: How many layers of the trunk exist here; None for all.
        name: What reports call it.
        licence: That of the weights, in words, and whether they may be used commercially.
    """

    def __init__(
        self,
        config: Pi3Config,
        num_built: int | None = None,
        *,
        name: str = "pi3",
        licence: tuple[str, bool | None] = LICENCE,
    ) -> None:
        super().__init__()
        self.config = config
        self.num_built = config.depth if num_built is None else num_built
        self.spec = EncoderSpec(
            name=name,
            dim=2 * config.dim,
            num_layers=config.depth,
            default_layers=(config.depth - 1,),
            licence=licence[0],
            commercial=licence[1],
            patch=config.patch,
            reference="none",
            long_side_px=config.table_side * config.patch,
        )
        self.vit = PatchVit(
            VitConfig(
                dim=config.dim,
                num_layers=config.vit_depth,
                num_heads=max(1, config.dim // VIT_HEAD_DIM),
                patch=config.patch,
                image_px=config.table_side * config.patch,
                num_registers=config.vit_num_registers,
            )
        )
        del self.vit.model.embeddings.mask_token  # the release has none; it only matters in DINOv2's own training
        block = BlockConfig(
            dim=config.dim,
            num_heads=config.num_heads,
            mlp_dim=4 * config.dim,
            norm_eps=1e-6,
            qk_norm_eps=1e-5,
        )
        self.trunk = AlternatingTrunk(
            TrunkConfig(
                block=block,
                num_layers=config.depth,
                num_register_tokens=config.num_register_tokens,
                camera_token=False,
                first_frame_differs=False,
            ),
            self.num_built,
        )

    def extra_repr(self) -> str:
        """All that changes features beside the weights; the feature cache relies on it."""
        return repr(self.config)

    def forward(
        self, frames: Float[Tensor, "s 3 h w"], layers: Collection[int], frames_at_once: int = FRAMES_AT_ONCE
    ) -> dict[int, Float[Tensor, "s p d"]]:
        """All tokens of some layers, registers first."""
        _, _, height, width = frames.shape
        grid = (height // self.config.patch, width // self.config.patch)
        return self.trunk(self.vit(frames, frames_at_once), grid, layers)

    @torch.no_grad()
    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`. There is no camera token."""
        grid = check_frames(frames, self.spec.patch)
        found = self.forward(frames, check_layers(self.spec, layers, self.num_built))
        special = self.config.num_register_tokens
        return GeometryFeatures({layer: x[:, special:].unflatten(1, grid) for layer, x in found.items()})

    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """Pi3's own heads are not built here.

        Raises:
            EncoderError: always.
        """
        raise EncoderError(f"{self.spec.name} gives features only; for poses and depth use vggt:PATH or da3:PATH")


def open_pi3(
    where: str | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    layers: Sequence[int] | None = None,
    heads: bool = False,
    seed: int | None = None,
) -> Pi3:
    """Pi3 from a folder, a safetensors file or an id on the Hub, frozen.

    Args:
        where: The weights; their shapes say the sizes. None only with a seed: the sizes of the release.
        device: Where it runs; "meta" builds it without values.
        dtype: Type of the weights.
        layers: Layers that will be asked for; None for the default. Nothing deeper is read.
        heads: There are none; True is an error.
        seed: Random weights instead, drawn from it; of `where` only the sizes are looked at.

    Raises:
        EncoderError: no weights there, they do not fit, or heads were asked for.
    """
    if heads:
        raise EncoderError("pi3 gives features only; for poses and depth use vggt:PATH or da3:PATH")
    if where is None and seed is None:
        raise EncoderError("pi3 needs weights: give a folder or an id, such as pi3:yyfz233/Pi3")
    files = None if where is None else find_weights(where)
    config = Pi3Config()
    if files is not None:
        config = config_of_shapes({name: stored.shape for name, stored in files.tensors.items()}, files.where)
    with torch.device("meta"):
        whole = Pi3(config)
    known = released_shapes_of(whole)
    num_built = check_layers(whole.spec, layers)[-1] + 1
    licence = LICENCE if seed is None else ("none needed", True)
    return build(
        lambda: Pi3(config, num_built, name=f"pi3:{where}" if where else "pi3", licence=licence),
        files if seed is None else None,
        source=_source,
        known=lambda key: key in known or key.startswith(UNUSED),
        device=device,
        dtype=dtype,
        seed=seed or 0,
    )


def save_pi3(model: Pi3, folder: Path) -> None:
    """Write `model.safetensors` in the released layout (less what is not built); `open_pi3` reads it."""
    with atomic_path(folder / SINGLE) as temporary:
        save_file(released_tensors(model, _source), temporary, metadata={"format": "pt"})


def released_shapes_of(model: Pi3) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released tensors that it is made from."""
    return released_shapes(model, _source)


def config_of_shapes(shapes: Mapping[str, tuple[int, ...]], where: str = "the file") -> Pi3Config:
    """The architecture that tensors of these released names and shapes belong to.

    Raises:
        EncoderError: they are not those of Pi3.
    """
    try:
        _, _, num_registers, dim = shapes["register_token"]
        blocks = _count(shapes, DECODER)
        if blocks % 2:
            raise EncoderError(f"{where} has {blocks} blocks in its trunk, expected pairs; copy or download it again")
        return Pi3Config(
            dim=dim,
            depth=blocks // 2,
            num_heads=dim // shapes[f"{DECODER}0.attn.q_norm.weight"][0],
            num_register_tokens=num_registers,
            vit_depth=_count(shapes, f"{ENCODER}blocks."),
            vit_num_registers=shapes[f"{ENCODER}register_tokens"][1],
            table_side=round((shapes[f"{ENCODER}pos_embed"][1] - 1) ** 0.5),
            patch=shapes[f"{ENCODER}patch_embed.proj.weight"][-1],
        )
    except (KeyError, ValueError, IndexError) as error:
        raise EncoderError(f"{where} is no Pi3 ({error}); give weights such as yyfz233/Pi3") from error


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    numbers = [int(found[1]) for key in shapes if (found := re.match(re.escape(prefix) + r"(\d+)\.", key))]
    return max(numbers, default=-1) + 1


def _source(name: str) -> Source:
    """The released tensor behind a parameter: even blocks of the release see one frame, odd ones all."""
    if name.startswith("vit.model."):
        found = dinov2_source(name.removeprefix("vit.model."))
        return Source(ENCODER + found.name, found.third)
    kind, _, rest = name.removeprefix("trunk.").partition(".")
    if kind == "register_token":
        return Source(kind)
    number, _, inner = rest.partition(".")
    return Source(f"{DECODER}{2 * int(number) + (kind == 'global_blocks')}.{inner}")
