"""VGGT: frames of a clip to tokens of any layer, and cameras, depth and points from its heads.

The first frame's camera is the world; the scale is the model's own, not metres. Source: VGGT (arXiv 2503.11651); the
weights come from files laid out like those of facebook/VGGT-1B (`vggt_keys`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.files import atomic_path, write_json
from spaceland.models.blocks import BlockConfig
from spaceland.models.encoders.camera_head import CameraHead
from spaceland.models.encoders.dpt_head import DptConfig, DptHead, depth_of, points_of
from spaceland.models.encoders.frames import check_frames, check_heads, check_layers
from spaceland.models.encoders.loading import build, released_shapes, released_tensors
from spaceland.models.encoders.pose_encoding import decode_pose
from spaceland.models.encoders.trunk import AlternatingTrunk, TrunkConfig
from spaceland.models.encoders.vggt_keys import HEADS, TRACK_HEAD, vggt_source
from spaceland.models.encoders.vit import FRAMES_AT_ONCE, PatchVit, VitConfig
from spaceland.models.encoders.weight_files import SINGLE, find_weights, read_config
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction

ReferenceFrame = Literal["first", "last"]
LICENCES: dict[str, tuple[str, bool | None]] = {
    "facebook/vggt-1b": ("VGGT licence, non-commercial", False),
    "facebook/vggt-1b-commercial": ("VGGT commercial licence (gated; no military use)", True),
}
_UNKNOWN_LICENCE: tuple[str, bool | None] = (
    "not known here: that of the weights' source (facebook/VGGT-1B: non-commercial)",
    None,
)
_NO_WEIGHTS: tuple[str, bool | None] = ("none needed: random weights", True)


@dataclass(frozen=True, kw_only=True)
class VggtConfig:
    """The architecture, VGGT-1B unless said otherwise; the first three names are those of the released config.json.

    `depth` and `vit_depth` count layers of the trunk and of the ViT, `dpt_layers` are the trunk's that the dense heads
    look at, `dpt_features` and `dpt_widths` their channels.

    Raises:
        EncoderError: sizes of which no network can be built.
    """

    img_size: int = 518
    patch_size: int = 14
    embed_dim: int = 1024
    depth: int = 24
    num_heads: int = 16
    mlp_ratio: int = 4
    num_register_tokens: int = 4
    vit_depth: int = 24
    vit_num_heads: int = 16
    vit_num_registers: int = 4
    camera_depth: int = 4
    camera_num_heads: int = 16
    dpt_layers: tuple[int, int, int, int] = (4, 11, 17, 23)
    dpt_features: int = 256
    dpt_widths: tuple[int, int, int, int] = (256, 512, 1024, 1024)

    def __post_init__(self) -> None:
        free = ("num_register_tokens", "vit_num_registers", "dpt_layers")
        sizes = {name: value for name, value in asdict(self).items() if name not in free}
        for name, value in sizes.items():
            if min(value if isinstance(value, tuple) else (value,)) < 1:
                raise EncoderError(f"{name} of a VGGT is {value}, expected 1 or more")
        # (value, what it must be a multiple of): heads share channels, positions take four channels each.
        shared = {
            "embed_dim": (self.embed_dim, 4 * self.num_heads),
            "embed_dim of the ViT": (self.embed_dim, self.vit_num_heads),
            "twice embed_dim": (2 * self.embed_dim, self.camera_num_heads),
            "img_size": (self.img_size, self.patch_size),
            "dpt_features": (self.dpt_features, 8),
            **{f"dpt_widths[{k}]": (width, 4) for k, width in enumerate(self.dpt_widths)},
        }
        for name, (value, divisor) in shared.items():
            if value % divisor:
                raise EncoderError(f"{name} of a VGGT is {value}, expected a multiple of {divisor}")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VggtConfig:
        """From a config.json; names that are not ours are left out, as the released one may hold more.

        Raises:
            EncoderError: a value is no whole number (or no list of four).
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in data:
                continue
            value = data[field.name]
            many = isinstance(field.default, tuple)
            numbers = value if many and isinstance(value, list) and len(value) == 4 else [value]
            if any(type(number) is not int or number < 0 for number in numbers) or many != isinstance(value, list):
                expected = "four whole numbers" if many else "a whole number"
                raise EncoderError(f"config.json has {field.name} = {value!r}, expected {expected}")
            values[field.name] = tuple(value) if many else value
        return cls(**values)


@dataclass(frozen=True, eq=False)
class RawGeometry:
    """What the heads say, before it is turned into cameras: pose encodings of every round, depth, points."""

    pose_encodings: Float[Tensor, "i s 9"]
    depth: Float[Tensor, "s h w"]
    depth_confidence: Float[Tensor, "s h w"]
    points: Float[Tensor, "s h w 3"]
    points_confidence: Float[Tensor, "s h w"]


class Vggt(nn.Module):
    """The network, a `GeometryEncoder`. `forward` and `heads` have gradients where the parameters do.

    Args:
        config: The architecture.
        num_built: How many layers of the trunk exist here; None for all.
        heads: Whether the camera, depth and point heads exist; they need all layers.
        reference_frame: Which frame is the reference: "last" runs the frames in reverse and turns the result back.
        name: What reports call it.
        licence: That of the weights, in words, and whether they may be used commercially.
    """

    def __init__(
        self,
        config: VggtConfig,
        num_built: int | None = None,
        *,
        heads: bool = True,
        reference_frame: ReferenceFrame = "first",
        name: str = "vggt",
        licence: tuple[str, bool | None] = _UNKNOWN_LICENCE,
    ) -> None:
        super().__init__()
        c = config
        self.config, self.reference_frame = config, reference_frame
        self.num_built = c.depth if num_built is None else num_built
        self.spec = EncoderSpec(
            name=name,
            dim=2 * c.embed_dim,
            num_layers=c.depth,
            default_layers=(max(c.depth - 2, 0),),  # as VG LLM takes it; the last layer is left to the heads
            licence=licence[0],
            commercial=licence[1],
            patch=c.patch_size,
            heads=frozenset({"pose", "depth", "points"}) if heads else frozenset(),
            camera_dim=2 * c.embed_dim,
            long_side_px=c.img_size,
        )
        self.vit = PatchVit(
            VitConfig(
                dim=c.embed_dim,
                num_layers=c.vit_depth,
                num_heads=c.vit_num_heads,
                mlp_ratio=c.mlp_ratio,
                patch=c.patch_size,
                image_px=c.img_size,
                num_registers=c.vit_num_registers,
            )
        )
        block = BlockConfig(dim=c.embed_dim, num_heads=c.num_heads, mlp_dim=c.mlp_ratio * c.embed_dim, qk_norm_eps=1e-5)
        self.trunk = AlternatingTrunk(
            TrunkConfig(block=block, num_layers=c.depth, num_register_tokens=c.num_register_tokens), self.num_built
        )
        if heads:
            if self.num_built < c.depth:
                raise EncoderError(f"the heads look at layer {c.depth - 1}, but only {self.num_built} are to be built")
            dpt = DptConfig(dim=2 * c.embed_dim, features=c.dpt_features, widths=c.dpt_widths, patch=c.patch_size)
            self.camera_head = CameraHead(2 * c.embed_dim, c.camera_num_heads, c.camera_depth, c.mlp_ratio)
            self.depth_head = DptHead(dpt, 2)
            self.point_head = DptHead(dpt, 4)

    def extra_repr(self) -> str:
        """All that changes features beside the weights; the feature cache relies on it."""
        return f"reference_frame={self.reference_frame}, {self.config}"

    def forward(
        self, frames: Float[Tensor, "s 3 h w"], layers: Collection[int], frames_at_once: int = FRAMES_AT_ONCE
    ) -> dict[int, Float[Tensor, "s p d"]]:
        """All tokens of some layers, special ones (camera, registers) first, in the order of the frames."""
        _, _, height, width = frames.shape
        grid = (height // self.config.patch_size, width // self.config.patch_size)
        backwards = self.reference_frame == "last"
        out = self.trunk(self.vit(frames.flip(0) if backwards else frames, frames_at_once), grid, layers)
        return {layer: tokens.flip(0) for layer, tokens in out.items()} if backwards else out

    def heads(self, tokens: Mapping[int, Float[Tensor, "s p d"]], grid: tuple[int, int]) -> RawGeometry:
        """What the heads make of the tokens of `head_layers`, in the heads' own precision."""
        special = self.trunk.config.num_special
        camera = tokens[self.config.depth - 1][:, 0].to(self.camera_head.token_norm.weight.dtype)
        dense = [tokens[layer][:, special:] for layer in self.config.dpt_layers]
        depth, depth_confidence = depth_of(self.depth_head(dense, grid))
        points, points_confidence = points_of(self.point_head(dense, grid))
        return RawGeometry(self.camera_head(camera), depth, depth_confidence, points, points_confidence)

    @property
    def head_layers(self) -> frozenset[int]:
        """Layers that the heads look at."""
        return frozenset({*self.config.dpt_layers, self.config.depth - 1})

    @torch.no_grad()
    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`."""
        grid = check_frames(frames, self.spec.patch)
        wanted = check_layers(self.spec, layers, self.num_built)
        tokens = self.forward(frames, wanted)
        special = self.trunk.config.num_special
        return GeometryFeatures(
            {layer: found[:, special:].unflatten(1, grid) for layer, found in tokens.items()},
            tokens[wanted[-1]][:, 0],
        )

    @torch.no_grad()
    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """See `GeometryEncoder.predict`. The world is the reference frame's camera; the scale is not metric."""
        grid = check_frames(frames, self.spec.patch)
        check_heads(self.spec)
        raw = self.heads(self.forward(frames, self.head_layers), grid)
        height, width = frames.shape[-2:]
        T_world_cam, K = decode_pose(raw.pose_encodings[-1].float(), height, width)
        return GeometryPrediction(
            T_world_cam=T_world_cam,
            K=K,
            depth=raw.depth.float(),
            depth_confidence=raw.depth_confidence.float(),
            points=raw.points.float(),
            points_confidence=raw.points_confidence.float(),
        )


def open_vggt(
    where: str | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    layers: Sequence[int] | None = None,
    heads: bool = False,
    seed: int | None = None,
    reference_frame: ReferenceFrame = "first",
    prefix: str = "",
    config: VggtConfig | None = None,
) -> Vggt:
    """VGGT from a folder, a safetensors file or an id on the Hub, frozen.

    Args:
        where: The weights. Only tensors that are needed are read; `config.json` beside them says the sizes where they
            are not VGGT-1B's. None only with a seed: VGGT-1B's sizes.
        device: Where it runs; "meta" builds it without values.
        dtype: Type of the weights; those of the heads stay float32, as poses lose their worth in bfloat16.
        layers: Layers that will be asked for; None for the default. Nothing deeper is read.
        heads: Whether to read the heads (and with them all layers).
        seed: Random weights instead, drawn from it; of `where` only the sizes are looked at.
        reference_frame: See `Vggt`.
        prefix: What stands before all names in the files ("geometry_encoder.vggt." in VG-LLM's checkpoints); the
            config.json there is then not VGGT's and not looked at.
        config: The architecture, if config.json does not say it.

    Raises:
        EncoderError: no weights there, or they do not fit.
    """
    if where is None and seed is None:
        raise EncoderError("vggt needs weights: give a folder or an id, such as vggt:facebook/VGGT-1B")
    if config is None:
        config = VggtConfig() if where is None or prefix else VggtConfig.from_json(read_config(where))
    licence = LICENCES.get((where or "").lower().partition("@")[0], _UNKNOWN_LICENCE) if seed is None else _NO_WEIGHTS
    with torch.device("meta"):
        whole = Vggt(config)
    wanted = check_layers(whole.spec, layers)
    if heads and max(config.dpt_layers) >= config.depth:
        raise EncoderError(
            f"dpt_layers {list(config.dpt_layers)} of a VGGT with {config.depth} layers do not all exist; "
            "its config.json must name four that do"
        )
    num_built = config.depth if heads else wanted[-1] + 1
    names = released_shapes(whole, vggt_source).keys()
    files = None
    if where is not None and seed is None:
        files = find_weights(where)
        files = files.under(prefix) if prefix else files
    name = f"vggt:{where}" if where else "vggt"
    return build(
        lambda: Vggt(config, num_built, heads=heads, reference_frame=reference_frame, name=name, licence=licence),
        files,
        source=vggt_source,
        known=lambda key: key in names or key.startswith(TRACK_HEAD),
        device=device,
        dtype=dtype,
        float32=HEADS,
        seed=seed or 0,
    )


def save_vggt(model: Vggt, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` in the released layout; `open_vggt` reads them."""
    with atomic_path(folder / SINGLE) as temporary:
        save_file(released_tensors(model, vggt_source), temporary, metadata={"format": "pt"})
    write_json(folder / "config.json", asdict(model.config))
