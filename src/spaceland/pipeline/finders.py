"""The object finder that settings name, checked before the stages that take minutes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaceland.errors import DependencyError, SourceError, require
from spaceland.objects.types import ObjectFinder
from spaceland.pipeline.config import MODEL_FINDERS, PLAIN_FINDERS, PipelineConfig

if TYPE_CHECKING:
    from spaceland.objects.detector import SsdFinder
    from spaceland.objects.finder import VideoFinder
    from spaceland.objects.pretrained import Weights
    from spaceland.objects.types import FrameFinder

COMMON_THINGS = (
    *("chair", "armchair", "sofa", "stool", "bench", "bed", "table", "desk", "coffee table", "nightstand"),
    *("cabinet", "wardrobe", "dresser", "shelf", "door", "window", "curtain", "mirror", "picture", "lamp"),
    *("television", "computer monitor", "laptop", "keyboard", "sink", "toilet", "bathtub", "refrigerator", "stove"),
    *("oven", "microwave", "washing machine", "radiator", "trash can", "box", "bag", "pillow", "potted plant"),
    *("book", "cup", "bottle", "whiteboard"),
)
"""What models with open vocabulary look for when nothing is named."""


def finder_settings(config: PipelineConfig) -> dict[str, Any]:
    """What decides which objects are found: the settings, and the state of the user's files, as JSON values."""
    return {
        "objects": config.objects,
        "find": list(_labels(config)),
        "masks_by": config.masks_by,
        "files": files_key(config.objects),
        "masks_by_files": None if config.masks_by is None else files_key(config.masks_by),
    }


def files_key(name: str) -> str | None:
    """Changes when the user's masks or weights do: names, sizes and times of the files. None where there are none."""
    _, _, location = name.partition(":")
    path = Path(location).expanduser()
    if not location or not path.exists():
        return None
    files = [path, path.parent / "labels.json"]
    if path.is_dir():
        files = sorted(path.rglob("*"))
    states = [(file.relative_to(path.parent).as_posix(), file.stat()) for file in files if file.is_file()]
    state = [(where, stat.st_size, stat.st_mtime_ns) for where, stat in states]
    return hashlib.blake2b(repr(state).encode(), digest_size=12).hexdigest()


def check_finder(config: PipelineConfig) -> None:
    """Refuse what the stage `objects` would refuse, without loading a model.

    Raises:
        DependencyError: a package or a model is missing, or the model is of another kind.
        SceneError: a label that the built-in detector does not know.
        SourceError: there is nothing at the path.
    """
    kind, _, location = config.objects.partition(":")
    if kind == "none":
        return
    if kind in ("masks", "mask3d"):
        _own(config.objects, location)
    elif kind in MODEL_FINDERS:
        from spaceland.objects.open_vocabulary import CLASSES
        from spaceland.objects.pretrained import clean_labels
        from spaceland.objects.sam_masks import SAM3_KINDS

        clean_labels(_labels(config))
        _check_kind(config.objects, location, tuple(CLASSES) if kind == "dino" else SAM3_KINDS)
    else:
        if kind == "detector":
            require("ai_edge_litert.interpreter", "detect")
        if config.find:
            from spaceland.objects.detector import built_in_labels, wanted_classes

            wanted_classes(built_in_labels(), config.find)
    if config.masks_by is not None:
        from spaceland.objects.sam_masks import IMAGE_CLASSES
        from spaceland.objects.tracking import VIDEO_CLASSES

        maker, _, weights = config.masks_by.partition(":")
        _check_kind(config.masks_by, weights, tuple(VIDEO_CLASSES if maker == "follow" else IMAGE_CLASSES))


def make_finder(config: PipelineConfig) -> ObjectFinder:
    """The finder; models are loaded now.

    Raises:
        DependencyError: its package or its weights are missing, damaged or of another kind.
        SceneError: a label that the built-in detector does not know, or none to look for.
        SourceError: there is nothing at the path.
    """
    kind, _, location = config.objects.partition(":")
    if kind == "mask3d":
        from spaceland.objects.mask3d import Mask3dFinder

        return Mask3dFinder(_own(config.objects, location))
    if kind == "masks":
        from spaceland.objects.masks import mask_finder

        return mask_finder(_own(config.objects, location))
    from spaceland.objects.finder import DetectorObjectFinder

    return DetectorObjectFinder(_with_masks(_in_pictures(config, kind, location), config.masks_by))


def brings_ids(config: PipelineConfig) -> bool:
    """Whether objects carry numbers that the user's own masks give them."""
    kind, _, location = config.objects.partition(":")
    return kind == "mask3d" or (kind == "masks" and Path(location).expanduser().is_dir())


def _in_pictures(config: PipelineConfig, kind: str, location: str) -> FrameFinder:
    if kind == "dino":
        from spaceland.objects.open_vocabulary import GroundingDinoFinder

        return GroundingDinoFinder(_weights(location), _labels(config))
    if kind == "sam3":
        from spaceland.objects.sam_masks import Sam3Finder

        return Sam3Finder(_weights(location), _labels(config))
    return _built_in(config.find)


def _built_in(labels: tuple[str, ...]) -> SsdFinder:
    from spaceland.objects.detector import SsdConfig, SsdFinder
    from spaceland.objects.finder import BUILT_IN_MIN_SCORE

    return SsdFinder(SsdConfig(min_score=BUILT_IN_MIN_SCORE, labels=labels))


def _with_masks(finder: FrameFinder, masks_by: str | None) -> FrameFinder | VideoFinder:
    if masks_by is None:
        return finder
    maker, _, location = masks_by.partition(":")
    if maker == "follow":
        from spaceland.objects.tracking import TrackingFinder

        return TrackingFinder(finder, _weights(location))
    from spaceland.objects.sam_masks import MaskedFinder, SamMasks

    return MaskedFinder(finder, SamMasks(_weights(location)))


def _labels(config: PipelineConfig) -> tuple[str, ...]:
    return config.find if config.find or config.objects in PLAIN_FINDERS else COMMON_THINGS


def _own(name: str, location: str) -> Path:
    path = Path(location).expanduser()
    if not location or not path.exists():
        raise SourceError(f"objects '{name}': there is no file or folder {location or '(empty)'}")
    return path


def _weights(location: str) -> Weights:
    """Weights in a folder or by id, on the fastest device that there is."""
    from spaceland.devices import pick_device
    from spaceland.objects.pretrained import Weights

    path = Path(location).expanduser()
    return Weights(str(path) if path.is_dir() else location, pick_device())


def _check_kind(name: str, location: str, kinds: tuple[str, ...]) -> None:
    from spaceland.objects.pretrained import model_type

    require("torch", "model")
    found = model_type(_weights(location))
    if found not in kinds:
        raise DependencyError(f"'{name}' is a '{found}' model, expected {' or '.join(kinds)}; give other weights")
