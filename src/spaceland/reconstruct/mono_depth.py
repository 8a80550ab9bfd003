"""Depth of every view from a network that looks at one picture, brought to the scale of the poses.

The network knows what rooms look like, so it fills blank walls where matching finds nothing, but its scale differs from
picture to picture. The sparse points of the reconstruction have one scale: per view, the prediction is fitted to the
points that the view saw (one factor for metric models; factor and shift of the inverse depth for relative ones). How
well they fit around a pixel is its confidence. A view that fits badly or has too few points takes the median factor of
the others if the model is metric (at half the confidence), else it stays without depth; the report counts both.

Models: `depth_models.load_depth_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.align_scale import (
    ScaleFit,
    ScaleFitConfig,
    fit_scale,
    fit_scale_shift,
    sample_depth,
    sparse_depths,
)
from spaceland.reconstruct.depth_models import Kind, load_depth_model
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, Progress

_RELATED_SHARE = 0.15  # of the image diagonal: how far a sparse point speaks for the pixels around it
_TYPICAL_ERROR = 0.1  # relative error at which confidence falls to a half


@runtime_checkable
class DepthPredictor(Protocol):
    """What alignment needs of a model; `depth_models.DepthModel` is one."""

    @property
    def model_id(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def metric(self) -> bool: ...

    def predict(self, color: UInt8[np.ndarray, "h w 3"], camera: PinholeCamera, width: int, height: int) -> np.ndarray:
        """Depth (or inverse depth) of the picture at width x height; `camera` is the picture's."""
        ...


@dataclass(frozen=True, kw_only=True)
class MonoDepthConfig:
    """Settings of `MonoDepthEstimator`."""

    width_px: int = 480
    device: str = "cpu"
    dtype: str = "float32"
    seed: int = 0
    fit: ScaleFitConfig = field(default_factory=lambda: ScaleFitConfig(tolerance=0.25, max_residual=0.15))


@dataclass(frozen=True)
class MonoDepthEstimator:
    """`DepthEstimator` by a Hugging Face depth model (families depth_pro, depth_anything); needs the extra `model`."""

    model_id: str
    config: MonoDepthConfig = field(default_factory=MonoDepthConfig)

    @property
    def name(self) -> str:
        return f"depth model {self.model_id}"

    def densify(self, estimate: Estimate, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """The estimate with depth, its camera and confidence, in the unit of the poses.

        Raises:
            DependencyError: torch or transformers is missing.
            ReconstructionError: the model cannot be loaded, or fits the sparse points of no view.
        """
        return densify_with(
            load_depth_model(self.model_id, self.config.device, self.config.dtype),
            self.config,
            estimate,
            images,
            progress,
        )


def densify_with(
    model: DepthPredictor,
    config: MonoDepthConfig,
    estimate: Estimate,
    images: Sequence[CaptureImage],
    progress: Progress | None = None,
) -> Estimate:
    """`MonoDepthEstimator.densify` with a model that is already loaded."""
    by_id = {image.id: image for image in images}
    predicted: list[tuple[np.ndarray, PinholeCamera]] = []
    fits: list[ScaleFit | None] = []
    reasons: list[str] = []
    for number, view in enumerate(estimate.views):
        if view.id not in by_id:
            raise ReconstructionError(
                f"view {view.id} has no picture in the capture; estimate and pictures must be those of the same capture"
            )
        width = min(config.width_px, view.camera.width)
        camera = view.camera.scaled(width, max(1, round(view.camera.height * width / view.camera.width)))
        raw = model.predict(by_id[view.id].color(), view.camera, camera.width, camera.height)
        predicted.append((raw, camera))
        try:
            fits.append(_fit(estimate, number, raw, camera, model, config))
        except ReconstructionError as error:
            fits.append(None)
            reasons.append(str(error))
        if progress:
            progress(1, view.id)
    good = [fit for fit in fits if fit is not None]
    if not good:
        raise ReconstructionError(
            f"the depth of {model.model_id} fits the sparse points of none of {len(fits)} views "
            f"(first: {reasons[0] if reasons else 'no views'})"
        )
    common = float(np.median([fit.scale for fit in good])) if model.metric else None
    views = tuple(
        _with_depth(estimate, number, *predicted[number], fits[number], common, model)
        for number in range(len(estimate.views))
    )
    report = {
        "estimator": f"depth model {model.model_id}",
        "views_fitted": len(good),
        "views_with_the_common_scale": len(fits) - len(good) if common is not None else 0,
        "views_without_depth": 0 if common is not None else len(fits) - len(good),
        "median_residual": round(float(np.median([fit.residual for fit in good])), 4),
    }
    if model.metric:
        # The factor from metres of the model to the unit of the poses: its inverse would make the poses metric.
        report["units_per_metre"] = round(float(np.median([fit.scale for fit in good])), 6)
    return replace(estimate, views=views, report={**estimate.report, "depth": report})


def _at_points(
    estimate: Estimate, number: int, raw: np.ndarray, camera: PinholeCamera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction at the view's sparse points, the points' depths, and their pixels in `camera`."""
    view = estimate.views[number]
    pixels, depth = sparse_depths(estimate, number)
    rays = view.camera.unproject(pixels, np.ones(len(pixels)))
    return sample_depth(raw, camera, rays), depth, camera.project(rays)[0]


def _fit(
    estimate: Estimate,
    number: int,
    raw: np.ndarray,
    camera: PinholeCamera,
    model: DepthPredictor,
    config: MonoDepthConfig,
) -> ScaleFit:
    found, known, pixels = _at_points(estimate, number, raw, camera)
    inside = camera.contains(pixels)
    found, known = found[inside], known[inside]
    what = f"view {estimate.views[number].id}"
    if model.kind == "depth":
        return fit_scale(found, known, config.fit, what)
    return fit_scale_shift(found, 1 / known, config.fit, config.seed, what)


def _with_depth(
    estimate: Estimate,
    number: int,
    raw: np.ndarray,
    camera: PinholeCamera,
    fit: ScaleFit | None,
    common: float | None,
    model: DepthPredictor,
) -> EstimatedView:
    view = estimate.views[number]
    if fit is None and common is None:
        return view
    if fit is None:
        depth, trust = raw * common, 0.5
    elif model.kind == "depth":
        depth, trust = raw * fit.scale, fit.inlier_share
    else:
        inverse = fit.scale * raw + fit.shift
        # Beyond the range of the points a shift can reach 0 or below: infinitely far, so unknown.
        depth, trust = np.where(inverse > 1e-6, 1 / np.maximum(inverse, 1e-6), 0.0), fit.inlier_share
    confidence = np.where(depth > 0, trust * _agreement(estimate, number, depth, camera), 0.0)
    return replace(view, depth=depth.astype(np.float32), depth_camera=camera, confidence=confidence.astype(np.float32))


def _agreement(estimate: Estimate, number: int, depth: np.ndarray, camera: PinholeCamera) -> Float[np.ndarray, "h w"]:
    """0 to 1 per pixel: how well the sparse points around it fit, one half where there are none.

    Errors of the points are averaged with Gaussian weights over the picture; a weak prior of the typical error decides
    where no point is near.
    """
    from scipy.ndimage import gaussian_filter

    found, known, pixels = _at_points(estimate, number, depth, camera)
    inside = camera.contains(pixels) & (found > 0)
    error = np.minimum(np.abs(found[inside] - known[inside]) / known[inside], 1.0)
    column, row = pixels[inside].astype(int).T
    total, count = np.zeros(depth.shape), np.zeros(depth.shape)
    np.add.at(total, (row, column), error)
    np.add.at(count, (row, column), 1.0)
    sigma = _RELATED_SHARE * float(np.hypot(*depth.shape)) / 2
    # In units of one point at the middle of its Gaussian, so that the prior counts as much as one tenth of a point.
    weight = 2 * np.pi * sigma**2
    total, count = gaussian_filter(total, sigma) * weight, gaussian_filter(count, sigma) * weight
    mean = (np.maximum(total, 0) + 0.1 * _TYPICAL_ERROR) / (np.maximum(count, 0) + 0.1)
    return 1 / (1 + mean / _TYPICAL_ERROR)
