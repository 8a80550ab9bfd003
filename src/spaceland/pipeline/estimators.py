"""The estimator that poses the pictures of a plain video, by name.

    sfm     structure from motion with pycolmap (`reconstruct.sfm`); no weights, no scale, no depth

Feed-forward models (of the VGGT kind) belong here: a class with `name` and `estimate(images, progress)` that returns an
`Estimate` (see `reconstruct.types.GeometryEstimator`), and a line in `ESTIMATORS`. Its world may lie as it likes. Where
every view carries depth, the stage `depth` has nothing to do and is left out; where the estimate is metric, so is the
scene. An estimator that straightens the pictures says so by a lens in its report, as `sfm` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spaceland.errors import SourceError

if TYPE_CHECKING:
    from spaceland.pipeline.config import PipelineConfig
    from spaceland.reconstruct.types import GeometryEstimator


def _sfm(config: PipelineConfig) -> GeometryEstimator:
    from spaceland.reconstruct.sfm import SfmEstimator, SfmSettings

    return SfmEstimator(SfmSettings(focal_px=config.focal_px))


ESTIMATORS: dict[str, Callable[[PipelineConfig], GeometryEstimator]] = {"sfm": _sfm}


def check_poses(name: str) -> None:
    """Refuse a name that is none.

    Raises:
        SourceError: no estimator has it; the message lists the known ones.
    """
    if name not in ESTIMATORS:
        raise SourceError(f"poses '{name}' is unknown; known are: {', '.join(ESTIMATORS)}")


def pose_estimator(config: PipelineConfig) -> GeometryEstimator:
    """The estimator that `config.poses` names."""
    check_poses(config.poses)
    return ESTIMATORS[config.poses](config)
