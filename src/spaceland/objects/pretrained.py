"""Weights that the user chooses: a folder, or an id on the Hugging Face Hub, whose licence is said before a download.

Nothing here names a default model: weights have licences of their own, and which to accept is the user's decision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spaceland.errors import DependencyError, SceneError, require
from spaceland.hub import announce_weights

EXTRA = "model"
DTYPES = ("float32", "float16", "bfloat16")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF_MEAN, HALF_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Weights:
    """Where a model comes from and how it runs.

    `where` is a folder as `save_pretrained` writes it, or an id such as "IDEA-Research/grounding-dino-tiny". `device`
    is torch's name ("cpu", "cuda", "cuda:1", "mps"), `dtype` one of float32, float16, bfloat16.
    """

    where: str
    device: str = "cpu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise DependencyError(f"dtype '{self.dtype}' is not supported; choose one of {', '.join(DTYPES)}")


def model_type(weights: Weights) -> str:
    """The architecture that a model's configuration names ("grounding_dino", "sam2_video", ...).

    Says on stderr where the weights come from and under which licence, before anything large is downloaded.

    Raises:
        DependencyError: transformers is missing, the folder or id does not exist, or its configuration is no JSON.
    """
    require("torch", EXTRA)
    require("transformers", EXTRA)
    text = _text_file(weights, "config.json")
    if text is None:
        raise DependencyError(
            f"{weights.where} has no config.json, so it is no model of transformers; give a folder that "
            "save_pretrained wrote, or an id from huggingface.co (a first use needs a network)"
        )
    try:
        return str(json.loads(text)["model_type"])
    except (ValueError, KeyError, TypeError) as error:
        raise DependencyError(
            f"config.json of {weights.where} names no model_type ({error}); the file may be damaged, copy it again"
        ) from error


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A model that is ready: its architecture, what reports call it, what it says of pictures, and itself."""

    kind: str
    name: str
    settings: dict[str, Any]
    model: Any


def load_kind(weights: Weights, classes: Mapping[str, str], use: str) -> Pretrained:
    """A model of one of some architectures.

    Args:
        weights: Where it is.
        classes: Architecture -> name of its class in transformers.
        use: What such models do, for the error: "masks are made with sam2".

    Raises:
        DependencyError: a package or the weights are missing or damaged, or of another architecture.
    """
    kind = model_type(weights)
    if kind not in classes:
        raise DependencyError(f"{weights.where} is a '{kind}' model; {use}")
    import transformers

    settings = preprocessor(weights)
    return Pretrained(
        kind, f"{kind} {weights.where}", settings, load_model(weights, getattr(transformers, classes[kind]))
    )


def load_model(weights: Weights, cls: Any) -> Any:
    """The model in evaluation mode on its device.

    Raises:
        DependencyError: no weights, damaged or incomplete ones, or a device that torch does not have.
    """
    import torch

    try:
        model, info = cls.from_pretrained(
            weights.where,
            dtype=getattr(torch, weights.dtype),
            output_loading_info=True,
            local_files_only=_local(weights),
        )
    except ImportError as error:
        raise DependencyError(f"{cls.__name__} cannot be used here: {error}") from error
    except Exception as error:  # safetensors, torch and transformers raise kinds of their own for damaged files
        raise DependencyError(
            f"{weights.where} cannot be loaded as {cls.__name__} ({_short(error)}); the files may be missing or "
            "damaged, or made for another architecture: download or copy them again"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise DependencyError(
            f"{weights.where} lacks {len(missing)} weights of {cls.__name__}, such as {missing[0]}, which would "
            "be random; give weights of this architecture"
        )
    try:
        return model.eval().to(weights.device)
    except (RuntimeError, AssertionError) as error:
        raise DependencyError(f"device '{weights.device}' cannot be used ({_short(error)}); try 'cpu'") from error


def load_tokenizer(weights: Weights) -> Any:
    """The model's tokenizer.

    Raises:
        DependencyError: there is none beside the weights.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(weights.where, local_files_only=_local(weights))
    except Exception as error:  # transformers and tokenizers raise kinds of their own
        raise DependencyError(
            f"{weights.where} has no usable tokenizer ({_short(error)}); "
            "copy tokenizer.json and tokenizer_config.json too"
        ) from error


def preprocessor(weights: Weights) -> dict[str, Any]:
    """What the model's own preprocessor_config.json says (size, mean, deviation); empty where there is none."""
    text = _text_file(weights, "preprocessor_config.json") or _text_file(weights, "processor_config.json")
    try:
        data = json.loads(text) if text else {}
    except ValueError as error:
        raise DependencyError(f"preprocessor_config.json of {weights.where} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        return {}
    inner = data.get("image_processor")
    return inner if isinstance(inner, dict) else data


def normalised(
    image: UInt8[np.ndarray, "h w 3"], width: int, height: int, settings: dict[str, Any], mean: Any, std: Any
) -> Float[np.ndarray, "3 height width"]:
    """A picture resized (bilinear) and normalised as the model was trained: float32, channels first."""
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    shift = np.array(settings.get("image_mean") or mean, dtype=np.float32)
    scale = np.array(settings.get("image_std") or std, dtype=np.float32)
    return ((np.asarray(small, dtype=np.float32) / 255 - shift) / scale).transpose(2, 0, 1)


def clean_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels to look for, normalised, without doubles; full stops and question marks part labels for these models.

    Raises:
        SceneError: none is left.
    """
    from spaceland.scenes.scene import normalise_label

    cleaned = (normalise_label(label.replace(".", " ").replace("?", " ")) for label in labels)
    names = tuple(dict.fromkeys(name for name in cleaned if name))
    if not names:
        raise SceneError(
            f"found no label to look for in {list(labels)[:5]}; give names of things, such as: chair, table"
        )
    return names


def _local(weights: Weights) -> bool:
    return Path(weights.where).is_dir()


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _text_file(weights: Weights, name: str) -> str | None:
    """A small text file of the model, None where it has none; for ids it is fetched, or taken from the cache."""
    folder = Path(weights.where)
    if folder.is_dir():
        path = folder / name
        return path.read_text("utf-8", errors="replace") if path.is_file() else None
    if weights.where.startswith(("/", ".", "~")) or "\\" in weights.where:
        raise DependencyError(f"there is no folder {weights.where}; give a folder with weights, or a Hugging Face id")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if name == "config.json":
        announce_weights(weights.where)
    try:
        return Path(hf_hub_download(weights.where, name)).read_text("utf-8", errors="replace")
    except EntryNotFoundError:
        return None
    except Exception as error:  # no network, no such id, gated: the hub's client raises many kinds
        if name != "config.json":
            return None
        raise DependencyError(
            f"{weights.where} is neither a folder nor can it be fetched from huggingface.co ({_short(error)}); "
            "check the id, accept its terms there and log in where it asks for that, or give a folder"
        ) from error
