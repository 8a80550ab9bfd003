"""Dense depth from posed keyframes without any weights.

    neighbours by parallax and overlap -> rectified pairs, semi-global matching (plane sweep where no pair can be
    rectified) -> per pixel the median of the pairs that agree -> support from the depth of other keyframes

A pixel keeps its depth when at least two pieces of evidence agree on it: pairs of its own keyframe, or other keyframes
that see the same point. Confidence grows with that evidence and with the texture around the pixel, since matching along
a blank wall is a guess even where two guesses agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError, require
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.consistency import join_depths, supporting_views
from spaceland.reconstruct.plane_sweep import SweepConfig, sweep_planes
from spaceland.reconstruct.rectify import rectify
from spaceland.reconstruct.stereo_match import MatchConfig, gray_of, match_pair
from spaceland.reconstruct.stereo_pairs import PairConfig, anchors_of, choose_neighbors
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, Progress

_FULL_TEXTURE = 12.0  # mean absolute gradient, in gray levels, from which on texture no longer limits the confidence
_TEXTURE_WINDOW_PX = 9


@dataclass(frozen=True, kw_only=True)
class StereoConfig:
    """Settings of `StereoDepthEstimator`."""

    # Width of the depth maps; the height follows from the camera. Pictures are never enlarged.
    width_px: int = 480
    # Relative difference up to which two depths agree.
    tolerance: float = 0.04
    # Pieces of evidence that a pixel needs: agreeing pairs of its keyframe plus agreeing other keyframes.
    min_support: int = 2
    # Islands of at most this share of the picture are dropped.
    speckle_share: float = 0.001
    # Depths to search between, in the estimate's unit; from the sparse points where not given.
    depth_range: tuple[float, float] | None = None
    # With less of all pixels filled, the result is refused.
    min_filled_share: float = 0.02
    pairs: PairConfig = field(default_factory=PairConfig)
    match: MatchConfig = field(default_factory=MatchConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)


@dataclass(frozen=True, eq=False)
class _Working:
    """A view at the working size."""

    gray: np.ndarray
    camera: PinholeCamera
    T_world_cam: np.ndarray


@dataclass(frozen=True, eq=False)
class _Matched:
    depth: np.ndarray
    pairs: np.ndarray
    neighbors: tuple[int, ...]
    how: str


@dataclass(frozen=True)
class StereoDepthEstimator:
    """`DepthEstimator` by stereo matching between neighbouring keyframes; needs the extra `recon` and no weights."""

    config: StereoConfig = field(default_factory=StereoConfig)
    name: str = "stereo"

    def densify(self, estimate: Estimate, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """The estimate with depth, its camera and confidence for every view that has a partner.

        Views without one keep no depth and are counted in the report (`stereo`: filled share, views by method).
        `progress` advances once per view.

        Raises:
            ReconstructionError: under two views, no depth range (`anchors_of`), or next to nothing matched.
            DependencyError: OpenCV is missing.
        """
        require("cv2", "recon")
        config = self.config
        if len(estimate.views) < 2:
            raise ReconstructionError(
                f"stereo needs two posed pictures, the estimate has {len(estimate.views)}; "
                "use more keyframes or a capture with more overlap"
            )
        working = _working_views(estimate, images, config.width_px)
        matched = []
        for number, view in enumerate(estimate.views):
            matched.append(_match_view(estimate, working, number, config))
            if progress:
                progress(1, f"{view.id}: {matched[-1].how}")
        views = tuple(
            _checked_view(view, working, matched, number, config) for number, view in enumerate(estimate.views)
        )
        filled = [0.0 if view.depth is None else float((view.depth > 0).mean()) for view in views]
        hows = [m.how for m in matched]
        if np.mean(filled) < config.min_filled_share:
            raise ReconstructionError(
                f"stereo matching filled {np.mean(filled):.1%} of the pixels of {len(views)} views, expected at least "
                f"{config.min_filled_share:.0%} ({hows.count('no neighbour')} views have no neighbour with parallax "
                "and overlap); the poses may be wrong, the surfaces blank, or the camera only turned: walk sideways"
            )
        report = {
            "estimator": self.name,
            "filled_share": round(float(np.mean(filled)), 4),
            "views": {how: hows.count(how) for how in sorted(set(hows))},
        }
        return replace(estimate, views=views, report={**estimate.report, "depth": report})


def _working_views(estimate: Estimate, images: Sequence[CaptureImage], width_px: int) -> list[_Working]:
    by_id = {image.id: image for image in images}
    missing = [view.id for view in estimate.views if view.id not in by_id]
    if missing:
        raise ReconstructionError(
            f"{len(missing)} views have no picture in the capture (first: {missing[0]}); "
            "estimate and pictures must be those of the same capture"
        )
    working = []
    for view in estimate.views:
        width = min(width_px, view.camera.width)
        height = max(1, round(view.camera.height * width / view.camera.width))
        gray = gray_of(by_id[view.id].color(), width, height)
        working.append(_Working(gray, view.camera.scaled(width, height), np.asarray(view.T_world_cam, float)))
    return working


def _match_view(estimate: Estimate, working: Sequence[_Working], number: int, config: StereoConfig) -> _Matched:
    key = working[number]
    anchors = anchors_of(estimate, number, config.depth_range)
    neighbors = tuple(n.view for n in choose_neighbors(estimate, number, anchors, config.pairs))
    depths, unrectified = [], []
    for other in (working[k] for k in neighbors):
        pair = rectify(key.camera, key.T_world_cam, other.camera, other.T_world_cam, anchors.near, anchors.far)
        if pair is None:
            unrectified.append(other)
        else:
            depths.append(match_pair(key.gray, key.camera, other.gray, other.camera, pair, config.match))
    how = "rectified pairs"
    if unrectified and len(depths) < 2:
        sources = [(other.gray, other.camera, other.T_world_cam) for other in unrectified]
        depths.append(
            sweep_planes(key.gray, key.camera, key.T_world_cam, sources, anchors.near, anchors.far, config.sweep)
        )
        how = "plane sweep" if len(depths) == 1 else "rectified pair and plane sweep"
    if not depths:
        nothing = np.zeros(key.gray.shape)
        return _Matched(nothing, nothing.astype(int), neighbors, "no neighbour")
    stack = np.stack(depths)
    stack = np.where((stack >= anchors.near) & (stack <= anchors.far), stack, 0.0)
    joined, pairs = join_depths(stack, config.tolerance)
    return _Matched(joined, pairs, neighbors, how)


def _checked_view(
    view: EstimatedView, working: Sequence[_Working], matched: Sequence[_Matched], number: int, config: StereoConfig
) -> EstimatedView:
    own, key = matched[number], working[number]
    if own.how == "no neighbour":
        return view
    others = [(matched[k].depth, working[k].camera, working[k].T_world_cam) for k in own.neighbors]
    views = supporting_views(own.depth, key.camera, key.T_world_cam, others, config.tolerance)
    support = own.pairs + views
    depth = np.where(support >= config.min_support, own.depth, 0.0)
    depth = _without_speckles(depth, config.tolerance, int(config.speckle_share * depth.size))
    most = max(len(own.neighbors) * 2, config.min_support)
    evidence = 1 - 0.5 ** (support / most * 4)
    confidence = np.where(depth > 0, evidence * (0.4 + 0.6 * _texture(key.gray)), 0.0)
    return replace(
        view, depth=depth.astype(np.float32), depth_camera=key.camera, confidence=confidence.astype(np.float32)
    )


def _texture(gray: np.ndarray) -> Float[np.ndarray, "h w"]:
    """0 (blank) to 1, from the mean absolute gradient around each pixel."""
    import cv2

    gradient = sum(np.abs(cv2.Sobel(gray, cv2.CV_32F, dx, 1 - dx, ksize=3)) / 4 for dx in (0, 1))
    around = cv2.boxFilter(gradient, -1, (_TEXTURE_WINDOW_PX, _TEXTURE_WINDOW_PX))
    return np.clip(around / _FULL_TEXTURE, 0, 1)


def _without_speckles(depth: np.ndarray, tolerance: float, largest_px: int) -> np.ndarray:
    """Drop islands of at most `largest_px` pixels that differ from their surroundings by more than `tolerance`."""
    import cv2

    # Equal steps of the logarithm are equal relative steps; the filter takes 16-bit integers.
    step = 1e-3
    logs = np.log(np.maximum(depth, 1e-12)) / step
    known = depth > 0
    if not known.any():
        return depth
    coded = np.where(known, np.clip(logs - logs[known].min() + 1, 1, 32000), 0).astype(np.int16)
    cv2.filterSpeckles(coded, 0, largest_px, round(np.log1p(tolerance) / step))
    return np.where(coded > 0, depth, 0.0)
