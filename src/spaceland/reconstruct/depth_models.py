"""One depth map of one picture from a Hugging Face model: the families, their picture preparation and their output.

    family           what comes out                                        what becomes of it
    depth_pro        inverse depth for a focal length of the image width   metres, with the focal length of the view
    depth_anything   "metric": metres; "relative": inverse depth up to     as it is
                     scale and shift

Pictures are prepared here with Pillow: the processors of transformers need torchvision for resizing, which is nowhere
imported. Sizes, means and spreads are read from the model's own `preprocessor_config.json`, else those of the family.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spaceland.errors import ReconstructionError, first_line, require
from spaceland.geometry.camera import PinholeCamera

Family = Literal["depth_pro", "depth_anything"]
Kind = Literal["depth", "inverse"]
_LICENCES = {
    "apple/depthpro-hf": "Apple ML Research Model licence (apple-amlr): research only",
    "depth-anything/depth-anything-v2-metric-indoor-small-hf": "Apache-2.0",
    "depth-anything/depth-anything-v2-metric-indoor-base-hf": "CC-BY-NC-4.0: no commercial use",
    "depth-anything/depth-anything-v2-metric-indoor-large-hf": "CC-BY-NC-4.0: no commercial use",
    "depth-anything/depth-anything-v2-small-hf": "Apache-2.0",
    "depth-anything/depth-anything-v2-base-hf": "CC-BY-NC-4.0: no commercial use",
    "depth-anything/depth-anything-v2-large-hf": "CC-BY-NC-4.0: no commercial use",
}


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes the model's input: sides in pixels, then (value / 255 - mean) / std per colour.

    With `keep_aspect` the shorter side becomes `height` (= `width`), and both sides multiples of `multiple`.
    """

    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    keep_aspect: bool
    multiple: int

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the input for a picture of width x height.

        >>> Preparation(518, 518, (0, 0, 0), (1, 1, 1), True, 14).size_of(640, 480)
        (686, 518)
        """
        if not self.keep_aspect:
            return self.width, self.height
        # The side that needs the smaller change decides, as in the models' own processors.
        across, down = self.width / width, self.height / height
        factor = across if abs(1 - across) < abs(1 - down) else down
        return self._whole(width * factor), self._whole(height * factor)

    def _whole(self, side: float) -> int:
        return max(self.multiple, round(side / self.multiple) * self.multiple)

    def pixel_values(self, color: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "3 hi wi"]:
        """The model's input for one picture."""
        size = self.size_of(color.shape[1], color.shape[0])
        resized = Image.fromarray(color).resize(size, Image.Resampling.BICUBIC)
        values = np.asarray(resized, np.float32) / 255
        return (
            ((values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32))
            .astype(np.float32)
            .transpose(2, 0, 1)
        )


_DEFAULTS: dict[Family, Preparation] = {
    "depth_pro": Preparation(1536, 1536, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False, 1),
    "depth_anything": Preparation(518, 518, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), True, 14),
}


@dataclass(frozen=True, eq=False)
class DepthModel:
    """A loaded model. `metric`: its depth is in metres. `kind`: `predict` gives depth or its inverse."""

    model_id: str
    family: Family
    kind: Kind
    metric: bool
    preparation: Preparation
    device: str
    network: Any

    def predict(self, color: UInt8[np.ndarray, "h w 3"], camera: PinholeCamera, width: int, height: int) -> np.ndarray:
        """Depth (or inverse depth, see `kind`) of the picture at width x height; `camera` is the picture's.

        Raises:
            ReconstructionError: the model returned NaN or infinity.
        """
        import torch

        values = torch.from_numpy(self.preparation.pixel_values(color))[None].to(self.device, self.network.dtype)
        with torch.inference_mode():
            raw = self.network(pixel_values=values).predicted_depth.float()[:, None]  # [1, 1, ho, wo]
            resized = torch.nn.functional.interpolate(raw, size=(height, width), mode="bilinear", align_corners=False)
        found = resized[0, 0].cpu().numpy().astype(float)
        if not np.isfinite(found).all():
            raise ReconstructionError(
                f"{self.model_id}: {np.mean(~np.isfinite(found)):.0%} of the predicted depth is NaN or infinite; "
                "load the model in float32 (dtype), or choose another one"
            )
        if self.family == "depth_pro":
            # Its inverse depth is for a focal length of one image width. Ours is known; its own guess is not used.
            return 1 / np.clip(found * camera.width / camera.fx, 1e-4, 1e4)
        return found


def load_depth_model(model_id: str, device: str = "cpu", dtype: str = "float32") -> DepthModel:
    """Load a model by its Hugging Face id or local folder; names weights and licence before a download.

    Raises:
        DependencyError: torch or transformers is missing.
        ReconstructionError: the model cannot be loaded, or is of another family.
    """
    require("torch", "model")
    require("transformers", "model")
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForDepthEstimation

    try:
        config = AutoConfig.from_pretrained(model_id)
    except (OSError, ValueError) as error:
        raise ReconstructionError(
            f"the configuration of depth model {model_id!r} could not be loaded ({first_line(error, 200)}); expected a "
            "Hugging Face id such as depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf, or a folder written by "
            "save_pretrained; without network, download it beforehand"
        ) from error
    family = config.model_type
    if family not in _DEFAULTS:
        raise ReconstructionError(
            f"depth model {model_id!r} is of family {family!r}, expected one of {', '.join(_DEFAULTS)}"
        )
    announcement = weights_announcement(model_id)
    if announcement:
        print(announcement, file=sys.stderr, flush=True)
    try:
        network = AutoModelForDepthEstimation.from_pretrained(model_id, dtype=getattr(torch, dtype))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ReconstructionError(
            f"the weights of depth model {model_id!r} could not be loaded ({first_line(error, 200)}); "
            "check the id, the network and the free disk space, or download the model again"
        ) from error
    metric = family == "depth_pro" or config.depth_estimation_type == "metric"
    return DepthModel(
        model_id,
        family,
        "depth" if metric else "inverse",
        metric,
        _preparation(model_id, family, config),
        device,
        network.to(device).eval(),
    )


def weights_announcement(model_id: str) -> str | None:
    """What to tell the user before weights are downloaded; None for a local folder or weights already in the cache."""
    if Path(model_id).is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model_id, "model.safetensors"), str):
        return None
    licence = _LICENCES.get(model_id.lower(), "not known here, see its page")
    return f"downloading depth model {model_id} from https://huggingface.co/{model_id} (licence: {licence})"


def _preparation(model_id: str, family: Family, config: Any) -> Preparation:
    base = _DEFAULTS[family]
    found = _preprocessor_json(model_id)
    size = found.get("size") or {}
    return Preparation(
        int(size.get("width", base.width)),
        int(size.get("height", base.height)),
        tuple(float(v) for v in found.get("image_mean", base.mean)),  # pyrefly: ignore[bad-argument-type]
        tuple(float(v) for v in found.get("image_std", base.std)),  # pyrefly: ignore[bad-argument-type]
        bool(found.get("keep_aspect_ratio", base.keep_aspect)),
        int(config.patch_size) if family == "depth_anything" else base.multiple,
    )


def _preprocessor_json(model_id: str) -> dict[str, Any]:
    from transformers.utils import cached_file

    path = cached_file(model_id, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ReconstructionError(
            f"{path} is not readable JSON ({first_line(error, 200)}); download the model again"
        ) from error
    return found if isinstance(found, dict) else {}
