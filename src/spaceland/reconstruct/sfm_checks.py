"""Why pictures cannot be posed, said before and after trying: each refusal names what was found, expected, and to do.

pictures    too few, several sizes
texture     too few features in the pictures
matches     too few pairs with enough common features to connect them
motion      all pairs look alike: the camera stood still
result      the camera only turned, or the model is too small, too flat in its angles, or its lens is nonsense
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, SparsePoints

_MAX_POINTS = 4000
_ADVICE_MOTION = "walk sideways through the room while filming, so that near things move against far ones"


@dataclass(frozen=True)
class Limits:
    """What is refused. Focal lengths are shares of the longer side of the picture."""

    min_images: int = 3
    min_features: int = 60
    min_inliers: int = 20
    min_connected_share: float = 0.3
    min_motion: float = 0.01
    max_one_plane_share: float = 0.8
    min_registered_share: float = 0.5
    min_parallax_deg: float = 2.0
    min_points: int = 50
    max_reprojection_px: float = 2.5
    min_focal: float = 0.3
    max_focal: float = 5.0


@dataclass(frozen=True)
class Pair:
    """Two pictures with `num_common` features that fit one motion, which moved by `moved_px` (median).

    `one_plane` says that a plane, or a camera that only turned, explains them as well.
    """

    a: int
    b: int
    num_common: int
    moved_px: float
    one_plane: bool


def pictures(images: Sequence[CaptureImage], limits: Limits) -> None:
    """Refuse too few pictures, and several sizes."""
    if len(images) < limits.min_images:
        raise ReconstructionError(
            f"too few images: found {len(images)}, expected at least {limits.min_images} (20 to 100 serve best); "
            "choose more keyframes or film longer"
        )
    sizes = Counter((image.width, image.height) for image in images)
    if len(sizes) > 1:
        listed = ", ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.most_common(4))
        raise ReconstructionError(f"pictures of several sizes ({listed}); one camera is estimated for all of them")
    if len({image.id for image in images}) < len(images):
        raise ReconstructionError("pictures with equal ids; every picture needs its own")


def texture(images: Sequence[CaptureImage], num_features: Sequence[int], limits: Limits) -> list[int]:
    """Numbers of the pictures with enough features; refuse if these are too few."""
    usable = [number for number, count in enumerate(num_features) if count >= limits.min_features]
    if len(usable) < max(limits.min_images, limits.min_registered_share * len(images)):
        raise ReconstructionError(
            f"too little texture: {len(usable)} of {len(images)} pictures have at least {limits.min_features} "
            f"features (median {np.median(num_features):.0f}); film furnished parts of the room from further away, "
            "in good light and without blur"
        )
    return usable


def matches(num_images: int, pairs: Sequence[Pair], limits: Limits) -> None:
    """Refuse pictures that hang together too little."""
    good = [pair for pair in pairs if pair.num_common >= limits.min_inliers]
    largest = _largest_group(num_images, good)
    if largest < max(limits.min_images, limits.min_connected_share * num_images):
        raise ReconstructionError(
            f"too few matches: {len(good)} pairs of pictures have at least {limits.min_inliers} common features, which "
            f"connect {largest} of {num_images} pictures; move more slowly, or choose more keyframes"
        )


def motion(pairs: Sequence[Pair], width: int, limits: Limits) -> None:
    """Refuse a camera that stood still."""
    moved = np.array([pair.moved_px for pair in pairs if pair.num_common >= limits.min_inliers]) / width
    if np.quantile(moved, 0.9) < limits.min_motion:
        raise ReconstructionError(
            f"too little motion: between most pictures the view moves by {100 * np.quantile(moved, 0.9):.1f} % "
            f"of its width or less, expected {100 * limits.min_motion:.0f} %; {_ADVICE_MOTION}"
        )


def result(estimate: Estimate | None, pairs: Sequence[Pair], num_images: int, limits: Limits) -> None:
    """Refuse no model, and models that cannot be trusted."""
    good = [pair for pair in pairs if pair.num_common >= limits.min_inliers]
    one_plane = float(np.mean([pair.one_plane for pair in good])) if good else 0.0
    turned = one_plane >= limits.max_one_plane_share
    share = 0.0 if estimate is None else len(estimate.views) / num_images
    parallax = 0.0 if estimate is None else float(estimate.report["parallax_median_deg"])
    found = (
        f"{100 * share:.0f} % of {num_images} pictures posed, median angle between views of a point {parallax:.1f} deg"
    )
    if turned and (share < limits.min_registered_share or parallax < 2 * limits.min_parallax_deg):
        raise ReconstructionError(
            f"too little parallax: a camera that only turned explains {100 * one_plane:.0f} % of the pairs ({found}); "
            f"{_ADVICE_MOTION}"
        )
    if estimate is None or share < limits.min_registered_share:
        raise ReconstructionError(
            f"too small a share of the pictures could be posed: {found}, expected at least "
            f"{100 * limits.min_registered_share:.0f} %; move more slowly, keep furniture in view, or add more"
        )
    if parallax < limits.min_parallax_deg:
        raise ReconstructionError(
            f"too little parallax: {found}, expected at least {limits.min_parallax_deg:.0f} deg; {_ADVICE_MOTION}"
        )
    report, num_points = estimate.report, len(estimate.points.xyz) if estimate.points else 0
    if num_points < limits.min_points or report["reprojection_error_px"] > limits.max_reprojection_px:
        raise ReconstructionError(
            f"the estimated geometry does not hold: {num_points} points (expected {limits.min_points}) with a mean "
            f"error of {report['reprojection_error_px']:.1f} px (expected below {limits.max_reprojection_px:.1f}); "
            "film again, more slowly and in good light"
        )


def why_lost(num_features: int, limits: Limits) -> str:
    """Why a picture is not part of the model."""
    if num_features < limits.min_features:
        return f"too little texture ({num_features} features)"
    return "too few matches with the posed pictures"


def parallax_deg(views: Sequence[EstimatedView], points: SparsePoints) -> Float[np.ndarray, "n"]:
    """Widest angle under which a point is seen, for (at most 4,000, evenly picked) points."""
    centers = np.array([view.T_world_cam[:3, 3] for view in views])
    order = np.argsort(points.point, kind="stable")
    starts = np.searchsorted(points.point[order], np.arange(len(points.xyz) + 1))
    step = max(1, -(-len(points.xyz) // _MAX_POINTS))
    angles = []
    for row in range(0, len(points.xyz), step):
        seen_by = points.view[order[starts[row] : starts[row + 1]]]
        rays = points.xyz[row] - centers[seen_by]
        rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(initial=1.0), -1.0, 1.0))))
    return np.array(angles)


def _largest_group(num_images: int, pairs: Sequence[Pair]) -> int:
    """Pictures in the largest group that the pairs connect."""
    group = list(range(num_images))

    def root(k: int) -> int:
        while group[k] != k:
            group[k] = group[group[k]]
            k = group[k]
        return k

    for pair in pairs:
        group[root(pair.a)] = root(pair.b)
    return max(Counter(root(k) for k in range(num_images)).values())
