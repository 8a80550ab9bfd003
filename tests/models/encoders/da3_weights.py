"""Small Depth Anything 3 networks whose weights follow from the names of the parameters, in files as released.

Any program that knows the names and shapes can make the same weights, so the authors' package could be run on them once
(`golden_da3.json`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from spaceland.models.encoders.da3 import Da3
from spaceland.models.encoders.da3_config import HEAD_LAYERS, Da3Config
from spaceland.models.encoders.da3_vit import Da3VitConfig
from spaceland.models.encoders.dpt_head import DptConfig

DPT = DptConfig(dim=64, features=16, widths=(8, 12, 16, 20), rectified_skip=False)
BASE_LIKE = Da3Config(
    name="da3",
    vit=Da3VitConfig(dim=32, depth=12, num_heads=2, alt_start=4, mlp_dim=128, table_side=5),
    dpt=DPT,
    head_layers=HEAD_LAYERS[12],
)
GIANT_LIKE = Da3Config(
    name="da3",
    vit=Da3VitConfig(dim=32, depth=24, num_heads=2, alt_start=5, mlp="swiglu", mlp_dim=88, table_side=5),
    dpt=DPT,
    head_layers=HEAD_LAYERS[24],
)


def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weight of that name (without the prefix `model.`): large enough that every part of the network matters."""
    # One norm is shared by the four levels of the rays.
    name = name.replace("_aux.1.2.", "_aux.0.2.").replace("_aux.2.2.", "_aux.0.2.").replace("_aux.3.2.", "_aux.0.2.")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    value = rng.standard_normal(shape)
    last = name.rsplit(".", 1)[-1]
    if name == "cam_dec.fc_fov.0.bias":
        value = np.array([1.0, 1.2])
    elif last == "gamma":
        value = 0.3 + 0.1 * value
    elif last == "weight" and len(shape) == 1:
        value = 1 + 0.2 * value
    elif last == "weight":
        value = value * np.prod(shape[1:]) ** -0.5
    else:
        value = 0.2 * value
    if name in ("cam_dec.fc_fov.0.weight", "head.scratch.output_conv2.2.weight"):
        value = 0.1 * value
    return torch.from_numpy(value.astype(np.float32))


def frames(count: int, height: int = 42, width: int = 70) -> torch.Tensor:
    """Colours of chance in 0..1."""
    return torch.from_numpy(np.random.default_rng(count).random((count, 3, height, width), dtype=np.float32))


def released(config: Da3Config, *, heads: bool = True) -> dict[str, torch.Tensor]:
    """Tensors under the released names, with parts that we leave alone: known cameras, coarse levels of the rays.

    As `safetensors` writes it, the norm that several levels share is there once, under the first name.
    """
    with torch.device("meta"):
        network = Da3(config, heads=heads, rays=heads)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name, shape in list(shapes.items()):
        if "_aux.3." in name:
            shapes |= {name.replace("_aux.3.", f"_aux.{level}."): shape for level in (0, 1, 2)}
    shapes = {name: shape for name, shape in shapes.items() if not any(f"conv2_aux.{k}.2." in name for k in (1, 2, 3))}
    shapes["cam_enc.token_norm.weight"] = (config.vit.dim,)
    return {f"model.{name}": weight(name, shape) for name, shape in shapes.items()}


def write(tensors: Mapping[str, torch.Tensor], folder: Path) -> str:
    """A folder with `model.safetensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors")
    return str(folder)
