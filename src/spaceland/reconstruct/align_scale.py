"""How large is it? One factor (and, for relative depth models, a shift) between two sets of depths, found robustly.

Depths estimated from pictures have no unit of their own. Where the same places are known in a trusted unit (sparse
points of a reconstruction, a depth sensor), the ratio reference / estimate is the
scale. Most pairs agree on it to a few per cent and some are grossly wrong, so the fit starts at the median of the
logarithms of the ratios, which gross errors hardly move, and refines it with Tukey's weights, which ignore them.

    estimate 1.0, 2.0, 3.0, 9.0    reference 2.0, 4.1, 5.9, 3.0    ratios 2.00, 2.05, 1.97, 0.33  ->  scale 2.0

A fit that few pairs agree on is not a fit: it raises, with the figures, instead of giving a wrong size. Lengths that a
user knows are the matter of `scale.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.reconstruct.types import Estimate

_TUKEY = 4.685  # 95 % as precise as the mean where the noise is Gaussian
_MAD_TO_SIGMA = 1.4826
_RANSAC_ROUNDS = 300
_MAX_ERROR_OF_CONSTANT = 0.7  # error of the best line, over that of "all places are equally far"


@dataclass(frozen=True, kw_only=True)
class ScaleFitConfig:
    """When a fit is good enough. Relative errors: 0.2 means 20 %."""

    # A pair agrees with the fit when its relative error is at most this.
    tolerance: float = 0.2
    min_pairs: int = 20
    # At least this share of all pairs must agree ...
    min_inlier_share: float = 0.5
    # ... and the median relative error of those that do must be at most this.
    max_residual: float = 0.08


@dataclass(frozen=True)
class ScaleFit:
    """reference = scale * estimate + shift. `residual` is the median relative error of the pairs that agree."""

    scale: float
    shift: float
    inlier_share: float
    residual: float
    num_pairs: int


def fit_scale(
    estimated: Float[np.ndarray, "n"],
    reference: Float[np.ndarray, "n"],
    config: ScaleFitConfig | None = None,
    what: str = "depth",
) -> ScaleFit:
    """The factor from `estimated` to `reference`, both positive; pairs with 0, NaN or infinity do not count.

    Raises:
        ReconstructionError: too few pairs, too few that agree, or too wide a spread; `what` names the data in it.
    """
    config = config or ScaleFitConfig()
    estimated, reference = _usable(estimated, reference, config, what)
    logs = np.log(reference / estimated)
    center = float(np.median(logs))
    for _ in range(30):
        off = logs - center
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(off))), 1e-6)
        weight = np.clip(1 - (off / (_TUKEY * sigma)) ** 2, 0, None) ** 2
        moved = float((weight * off).sum() / weight.sum())
        center += moved
        if abs(moved) < 1e-9:
            break
    scale = float(np.exp(center))
    return _judged(scale, 0.0, scale * estimated, reference, config, what)


def fit_scale_shift(
    estimated: Float[np.ndarray, "n"],
    reference: Float[np.ndarray, "n"],
    config: ScaleFitConfig | None = None,
    seed: int = 0,
    what: str = "depth",
) -> ScaleFit:
    """reference = scale * estimated + shift with scale > 0; `estimated` may be any finite number, `reference` > 0.

    Relative depth models give inverse depth up to both numbers: pass inverse depths and invert the result. Lines
    through two random pairs compete for the most agreeing pairs (RANSAC, seeded); the winner is refined on them by
    least squares of the relative error.

    Raises:
        ReconstructionError: as `fit_scale`, or a constant would fit as well, so that scale and shift mean nothing.
    """
    config = config or ScaleFitConfig()
    estimated, reference = _usable(estimated, reference, config, what, positive=False)
    n = len(estimated)
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n, _RANSAC_ROUNDS)
    second = (first + rng.integers(1, n, _RANSAC_ROUNDS)) % n
    run = estimated[second] - estimated[first]
    usable = np.abs(run) > 1e-9 * max(float(np.ptp(estimated)), 1e-30)
    scale = np.where(usable, (reference[second] - reference[first]) / np.where(usable, run, 1.0), 0.0)
    shift = reference[first] - scale * estimated[first]
    error = np.abs(scale[:, None] * estimated + shift[:, None] - reference) / reference
    # Truncated errors, not bare counts: among lines with equally many pairs the closer one wins.
    cost = np.where(scale > 0, np.minimum(error, config.tolerance).sum(1), np.inf)
    if not np.isfinite(cost).any():
        raise ReconstructionError(
            f"{what}: no two of the {n} pairs give a positive scale (estimates {estimated.min():.3g} to "
            f"{estimated.max():.3g}); the estimate does not grow with the reference, so nothing can be aligned"
        )
    best = int(np.argmin(cost))
    a, b = float(scale[best]), float(shift[best])
    for _ in range(20):
        off = (a * estimated + b - reference) / reference
        near = np.abs(off) <= config.tolerance
        if near.sum() < 2:
            break
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(off[near]))), 1e-6)
        weight = np.sqrt(np.clip(1 - (off / (_TUKEY * sigma)) ** 2, 0, None) ** 2) / reference
        solved, _, rank, _ = np.linalg.lstsq(np.stack([estimated * weight, weight], 1), reference * weight, rcond=None)
        if rank < 2 or solved[0] <= 0:
            break
        done = np.allclose(solved, (a, b), rtol=1e-9, atol=1e-12)
        a, b = float(solved[0]), float(solved[1])
        if done:
            break
    constant = np.abs(np.median(reference) - reference) / reference
    line = np.abs(a * estimated + b - reference) / reference
    of_line, of_constant = (np.minimum(error, config.tolerance).mean() for error in (line, constant))
    if of_line > _MAX_ERROR_OF_CONSTANT * of_constant:
        raise ReconstructionError(
            f"{what}: scale and shift explain the {n} pairs hardly better ({of_line:.1%} mean error) than one constant "
            f"({of_constant:.1%}); the estimate follows the reference too little, or the reference varies too little"
        )
    return _judged(a, b, a * estimated + b, reference, config, what)


def _usable(
    estimated: np.ndarray, reference: np.ndarray, config: ScaleFitConfig, what: str, positive: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    estimated, reference = np.asarray(estimated, float).ravel(), np.asarray(reference, float).ravel()
    if len(estimated) != len(reference):
        raise ValueError(f"{what}: {len(estimated)} estimates for {len(reference)} references; they must be pairs")
    good = np.isfinite(estimated) & np.isfinite(reference) & (reference > 0)
    if positive:
        good &= estimated > 0
    if good.sum() < config.min_pairs:
        raise ReconstructionError(
            f"{what}: {int(good.sum())} usable pairs of estimate and reference (of {len(good)}), expected at least "
            f"{config.min_pairs}; use pictures that share more of what is known, or a reference that covers more"
        )
    return estimated[good], reference[good]


def _judged(
    scale: float, shift: float, fitted: np.ndarray, reference: np.ndarray, config: ScaleFitConfig, what: str
) -> ScaleFit:
    error = np.abs(fitted - reference) / reference
    inlier = error <= config.tolerance
    share = float(inlier.mean())
    if share < config.min_inlier_share:
        raise ReconstructionError(
            f"{what}: only {share:.0%} of {len(error)} pairs agree with the best scale {scale:.4g} to "
            f"{config.tolerance:.0%}, expected at least {config.min_inlier_share:.0%}; estimate and reference do not "
            "show the same geometry (wrong poses, wrong pictures, or a poor estimate)"
        )
    residual = float(np.median(error[inlier]))
    if residual > config.max_residual:
        raise ReconstructionError(
            f"{what}: the pairs that agree with scale {scale:.4g} still spread by {residual:.1%} (median), expected at "
            f"most {config.max_residual:.0%}; the scale would be a guess. Give a better reference or known lengths"
        )
    return ScaleFit(scale, shift, share, residual, len(error))


def sparse_depths(estimate: Estimate, view: int) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k"]]:
    """Pixels (in the view's own camera) and depths of the sparse points that view number `view` saw."""
    points = estimate.points
    if points is None:
        return np.zeros((0, 2)), np.zeros(0)
    mine = points.view == view
    T_cam_world = invert_rigid(estimate.views[view].T_world_cam)
    depth = transform_points(T_cam_world, points.xyz[points.point[mine]])[:, 2]
    front = depth > 0
    return points.pixel[mine][front].astype(float), depth[front]


def sample_depth(
    depth: Float[np.ndarray, "h w"], camera: PinholeCamera, rays: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n"]:
    """Depth of the pixel that each camera-frame ray falls into, 0 outside the image."""
    pixels, _ = camera.project(rays)
    inside = camera.contains(pixels)
    column, row = np.where(inside[:, None], pixels, 0.0).astype(int).T
    return np.where(inside, depth[row, column], 0.0)
