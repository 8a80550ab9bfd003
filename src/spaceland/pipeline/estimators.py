"""The estimator that poses the pictures of a plain video, by name.

    sfm           structure from motion with pycolmap (`reconstruct.sfm`); no weights, no scale, no depth
    vggt:WHERE    VGGT: poses, lens and depth of all pictures in one pass (`models.estimator`); a folder or a Hub id
    da3:WHERE     Depth Anything 3 of any size, likewise (da3-small, da3-base, da3-large, da3-giant: of that size)

Another one is a class with `name` and `estimate(images, progress)` that returns an `Estimate` (see
`reconstruct.types.GeometryEstimator`), and a line in `ESTIMATORS`. Its world may lie as it likes. Where every view
carries depth, the stage `depth` has nothing to do and is left out; where the estimate is metric, so is the scene. An
estimator that straightens the pictures says so by a lens in its report, as `sfm` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spaceland.errors import SourceError, require

if TYPE_CHECKING:
    from spaceland.pipeline.config import PipelineConfig
    from spaceland.reconstruct.types import GeometryEstimator


def _sfm(config: PipelineConfig) -> GeometryEstimator:
    from spaceland.reconstruct.sfm import SfmEstimator, SfmSettings

    return SfmEstimator(SfmSettings(focal_px=config.focal_px))


def _encoder(config: PipelineConfig) -> GeometryEstimator:
    for module in ("torch", "transformers"):
        require(module, "model")
    import torch

    from spaceland.models.encoders.open_encoder import open_encoder
    from spaceland.models.estimator import EncoderEstimator

    device, dtype = ("cuda", "bfloat16") if torch.cuda.is_available() else ("cpu", "float32")
    encoder = open_encoder(config.poses, device=device, dtype=dtype, heads=True)
    assert encoder is not None  # only "none" has none
    return EncoderEstimator(encoder)


ENCODERS = ("vggt", "da3", "da3-small", "da3-base", "da3-large", "da3-giant")
"""Networks that pose all pictures together; what stands after the colon says where their weights are."""
ESTIMATORS: dict[str, Callable[[PipelineConfig], GeometryEstimator]] = {
    "sfm": _sfm,
    **dict.fromkeys(ENCODERS, _encoder),
}


def is_encoder(name: str) -> bool:
    """Whether a network looks at all pictures together; it finds the lens by itself."""
    return name.partition(":")[0] in ENCODERS


def check_poses(name: str) -> None:
    """Refuse a name that is none.

    Raises:
        SourceError: no estimator has it, or its weights are not named; the message lists the known ones.
    """
    kind, colon, where = name.partition(":")
    if kind not in ESTIMATORS or (colon and kind not in ENCODERS):
        known = ", ".join(f"{kind}:PATH_OR_ID" if kind in ENCODERS else kind for kind in ESTIMATORS)
        raise SourceError(f"poses '{name}' is unknown; known are: {known}")
    if kind in ENCODERS and not where:
        raise SourceError(f"poses '{name}' names no weights; use {kind}:PATH_OR_ID, a folder or a Hugging Face id")


def pose_estimator(config: PipelineConfig) -> GeometryEstimator:
    """The estimator that `config.poses` names.

    Raises:
        DependencyError: the extra `model` is not installed.
        EncoderError: its weights are not there, or do not fit.
    """
    check_poses(config.poses)
    return ESTIMATORS[config.poses.partition(":")[0]](config)
