"""Depth Anything 3: frames of a clip to tokens of any block, and cameras, depth and points from its heads.

One transformer (`da3_vit`) and two heads (`da3_heads`), for the any-view models Small, Base, Large and Giant, and for
the any-view half of the nested one. The reference frame is picked by the model; the world lies near its camera, and its
unit is not the metre. Source: arXiv 2511.10647; parameter names are those of the release after its prefix `model.`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.files import atomic_path
from spaceland.models.encoders.da3_config import BACKBONE, RELEASED, Da3Config, config_of_shapes, licence_of
from spaceland.models.encoders.da3_heads import CameraDecoder, DualDptHead, points_of_rays
from spaceland.models.encoders.da3_vit import Da3Vit
from spaceland.models.encoders.dpt_head import depth_of
from spaceland.models.encoders.frames import check_frames, check_heads, check_layers
from spaceland.models.encoders.loading import Source, build
from spaceland.models.encoders.pose_encoding import decode_pose
from spaceland.models.encoders.vit import FRAMES_AT_ONCE
from spaceland.models.encoders.weight_files import SINGLE, WeightFiles, find_weights
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction

PREFIX = "model."
HEADS = ("head.", "cam_dec.")
UNUSED = ("cam_enc.", "gs_head.", "gs_adapter.")
"""Parts of a release that are left in the file: the encoder of known cameras, and the Gaussians."""
LONG_SIDE_PX = 504
"""What the released interface makes of a picture; the position table is that of 518 px."""


class Da3(nn.Module):
    """The network, a `GeometryEncoder`.

    Args:
        config: The architecture.
        num_built: How many blocks exist here; None for all.
        heads: Whether the heads for cameras and depth exist; they need all blocks.
        rays: Whether the dense head also gives points.
        name: What reports call it.
        licence: That of the weights, in words, and whether they may be used commercially.
    """

    def __init__(
        self,
        config: Da3Config,
        num_built: int | None = None,
        *,
        heads: bool = True,
        rays: bool = False,
        name: str | None = None,
        licence: tuple[str, bool | None] = ("not known", None),
    ) -> None:
        super().__init__()
        vit = config.vit
        self.config = config
        self.num_built = vit.depth if num_built is None else num_built
        self.backbone = nn.ModuleDict({"pretrained": Da3Vit(vit, self.num_built)})
        if heads:
            if config.dpt is None:
                raise EncoderError(f"the weights of {name or config.name} have no heads; use a released any-view model")
            if self.num_built < vit.depth:
                raise EncoderError(f"the heads look at layer {vit.depth - 1}, only {self.num_built} are to be built")
            self.head = DualDptHead(config.dpt, rays)
            self.cam_dec = CameraDecoder(2 * vit.dim)
        found = {"pose", "depth", "points"} if rays else {"pose", "depth"}
        self.spec = EncoderSpec(
            name=name or config.name,
            dim=2 * vit.dim,
            num_layers=vit.depth,
            default_layers=(vit.depth - 1,),
            licence=licence[0],
            commercial=licence[1],
            patch=vit.patch,
            reference="auto",
            heads=frozenset(found if heads else ()),  # type: ignore[arg-type]
            camera_dim=2 * vit.dim,
            long_side_px=LONG_SIDE_PX,
        )

    def extra_repr(self) -> str:
        """All that changes features beside the weights; the feature cache relies on it."""
        return repr(self.config)

    def forward(
        self, frames: Float[Tensor, "s 3 h w"], layers: Collection[int], frames_at_once: int = FRAMES_AT_ONCE
    ) -> dict[int, tuple[Float[Tensor, "s d2"], Float[Tensor, "s n d2"]]]:
        """Camera token (as it is) and patch tokens (second half normalised) of some layers, in the frames' order."""
        vit = self.backbone["pretrained"]
        found = vit(frames, layers, frames_at_once)
        return {layer: (tokens[:, 0], vit.normed(tokens[:, 1:])) for layer, tokens in found.items()}

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
        found = self.forward(frames, wanted)
        return GeometryFeatures(
            {layer: patches.unflatten(1, grid) for layer, (_, patches) in found.items()}, found[wanted[-1]][0]
        )

    @torch.no_grad()
    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """See `GeometryEncoder.predict`; points only where it was opened with rays."""
        grid = check_frames(frames, self.spec.patch)
        check_heads(self.spec)
        found = self.forward(frames, self.config.head_layers)
        raw = self.head([found[layer][1] for layer in self.config.head_layers], grid)
        depth, confidence = depth_of(raw[:, :2].float())
        points, points_confidence = points_of_rays(raw.float()) if self.head.rays else (None, None)
        camera = found[self.config.head_layers[-1]][0].to(self.cam_dec.fc_t.weight.dtype)
        T_cam_world, K = decode_pose(self.cam_dec(camera).float(), *frames.shape[-2:])
        return GeometryPrediction(
            T_world_cam=_inverse(T_cam_world),
            K=K,
            depth=depth,
            depth_confidence=confidence,
            points=points,
            points_confidence=points_confidence,
        )


def open_da3(
    name: str,
    where: str | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    layers: Sequence[int] | None = None,
    heads: bool = False,
    rays: bool = False,
    seed: int | None = None,
) -> Da3:
    """Depth Anything 3 from a folder, a safetensors file or an id on the Hub, frozen.

    Args:
        name: One of `RELEASED`, which the weights must be; "da3" takes any.
        where: The weights; their shapes say of which size they are. None only with a seed.
        device: Where it runs; "meta" builds it without values.
        dtype: Type of the weights; those of the heads stay float32.
        layers: Layers that will be asked for; None for the default. Nothing deeper is read.
        heads: Whether to read the heads for cameras and depth (and with them all blocks).
        rays: Whether predictions shall have points, which takes a second tower of the dense head.
        seed: Random weights instead, drawn from it; of `where` only the sizes are looked at.

    Raises:
        EncoderError: no weights there, of another size or model, or they do not fit.
    """
    files = None
    if where is not None:
        files = _any_view(find_weights(where))
        config = config_of_shapes({name: stored.shape for name, stored in files.tensors.items()}, where)
        if name not in ("da3", config.name):
            found = config.name if config.name in RELEASED else "a model of no released size"
            raise EncoderError(f"{where} holds {found}, expected {name}; use da3:{where}")
    elif seed is not None and name in RELEASED:
        config = RELEASED[name]
    else:
        raise EncoderError(f"{name} needs weights: give a folder or an id, such as da3-base:depth-anything/DA3-BASE")
    licence = licence_of(where, config.name) if seed is None else ("none needed", True)
    title = f"{config.name}:{where}" if where else config.name
    with torch.device("meta"):
        whole = Da3(config, heads=config.dpt is not None, rays=config.dpt is not None)
    num_built = config.vit.depth if heads else check_layers(whole.spec, layers)[-1] + 1
    known = whole.state_dict().keys()
    return build(
        lambda: Da3(config, num_built, heads=heads, rays=rays, name=title, licence=licence),
        files if seed is None else None,
        source=lambda key: _source(key, files),
        known=lambda key: key in known or key.startswith(UNUSED) or _coarse_ray_level(key) is not None,
        device=device,
        dtype=dtype,
        float32=HEADS,
        seed=seed or 0,
    )


def save_da3(model: Da3, folder: Path) -> None:
    """Write `model.safetensors` in the released layout (less what is not built); `open_da3` reads it."""
    with atomic_path(folder / SINGLE) as temporary:
        tensors = {PREFIX + name: value.cpu().contiguous() for name, value in model.state_dict().items()}
        save_file(tensors, temporary, metadata={"format": "pt"})


def _any_view(files: WeightFiles) -> WeightFiles:
    """What the any-view model has in a file, without its prefix."""
    prefixes = sorted(
        name.removesuffix(BACKBONE + "cls_token") for name in files.tensors if name.endswith(BACKBONE + "cls_token")
    )
    nested = f"{PREFIX}da3."
    if nested in prefixes:
        return files.under(nested)
    return files.under(prefixes[0] if prefixes else PREFIX + BACKBONE)


_COARSE = re.compile(r"head\.scratch\.output_conv([12])_aux\.[0-2]\.(.+)")


def _coarse_ray_level(key: str) -> re.Match[str] | None:
    """Whether a tensor belongs to a coarser level of the rays, which is not asked."""
    return _COARSE.fullmatch(key)


def _source(key: str, files: WeightFiles | None) -> Source:
    """The tensor behind a parameter: its own name. One norm serves all levels of the rays, and is stored only once."""
    if files is not None and key not in files.tensors and ".output_conv2_aux.3.2." in key:
        return Source(key.replace("_aux.3.2.", "_aux.0.2."))
    return Source(key)


def _inverse(T: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Of rigid transforms."""
    R = T[..., :3, :3].mT
    top = torch.cat([R, -R @ T[..., :3, 3:]], dim=-1)
    return torch.cat([top, T[..., 3:, :]], dim=-2)
