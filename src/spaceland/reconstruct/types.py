"""What the steps of a reconstruction hand to each other.

A capture is plain pictures in order. A `GeometryEstimator` turns them into an `Estimate`: posed views in a world of
its own, which may be tilted, shifted and of unknown scale. Later steps fuse, level and scale it into a `Scene`.

    images (CaptureImage) -> GeometryEstimator -> Estimate -> fuse, level, scale -> Scene
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.geometry.camera import PinholeCamera

Progress = Callable[[int, str], None]
"""`advance(steps, note)`, as `spaceland.progress.progress_bar` yields it."""


@dataclass(frozen=True, eq=False)
class CaptureImage:
    """One picture of a capture, read when asked for: `color` returns uint8 [height, width, 3].

    `index` counts the pictures of the whole capture from 0, chosen or not. `focal_px` is what the file says of its lens
    (EXIF, a phone's record), if anything.
    """

    id: str
    index: int
    width: int
    height: int
    color: Callable[[], UInt8[np.ndarray, "h w 3"]]
    timestamp_s: float | None = None
    focal_px: float | None = None


@dataclass(frozen=True, eq=False)
class EstimatedView:
    """One posed picture: OpenCV camera axes, `T_world_cam` into the estimate's world.

    `depth` runs along the optical axis in the estimate's own unit, 0 where unknown, at the size of `depth_camera` (the
    camera itself when that is None). `confidence` has the size of `depth`, 0 (none) to 1.
    """

    id: str
    camera: PinholeCamera
    T_world_cam: Float[np.ndarray, "4 4"]
    depth: Float[np.ndarray, "hd wd"] | None = None
    depth_camera: PinholeCamera | None = None
    confidence: Float[np.ndarray, "hd wd"] | None = None


@dataclass(frozen=True, eq=False)
class SparsePoints:
    """Triangulated points [n, 3] in the estimate's world, their colours, and who saw them.

    Observation k: view number `view[k]` (into `Estimate.views`) saw point `point[k]` at pixel `pixel[k]` (x, y).
    """

    xyz: Float[np.ndarray, "n 3"]
    rgb: UInt8[np.ndarray, "n 3"]
    view: Int[np.ndarray, "m"]
    point: Int[np.ndarray, "m"]
    pixel: Float[np.ndarray, "m 2"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Geometry as estimated: `views` in the order of the pictures, `lost` pictures with the reason.

    `metric` says whether the unit is a metre; `scale_source` says in words where that comes from ("unknown",
    "metric depth model ...", "measured depth"). `report` is a small JSON object with figures that tell how far to trust
    it (registered share, reprojection error in pixels, parallax in degrees, covered share of the pixels ...).
    """

    views: tuple[EstimatedView, ...]
    points: SparsePoints | None
    metric: bool
    scale_source: str
    lost: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


class GeometryEstimator(Protocol):
    """Poses, and where it can depth, from plain pictures."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def estimate(self, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """Estimate the geometry.

        Raises:
            ReconstructionError: too little motion, too few matches, ...: what was found, expected, and what to do.
        """
        ...


class DepthEstimator(Protocol):
    """Depth on top of known poses: fills `depth` and `confidence` of the views, in the unit of the poses."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def densify(self, estimate: Estimate, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """The estimate with depth; `images` are those of the capture, looked up by id."""
        ...
