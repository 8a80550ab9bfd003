"""Which pictures to match with which: enough parallax to measure depth, little enough to look alike.

A keyframe's anchors are places it sees: its sparse points, or, where there are too few, a grid of pixels at the middle
of the depth range. The angle at an anchor between the two camera centres is the parallax: at 1 degree a pixel of error
in matching costs 10 % of depth, at 30 degrees surfaces no longer look alike. Overlap is the share of anchors inside the
other picture. Neighbours are taken best first, and those in a new direction are preferred: motion to the side measures
upright edges, motion up and down level ones, and what is hidden on one side is seen from the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.reconstruct.align_scale import sparse_depths
from spaceland.reconstruct.types import Estimate

_MIN_ANCHORS = 30
_METRIC_RANGE_M = (0.4, 6.0)


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """How neighbours are chosen. Angles are those between the two rays to the same place."""

    wanted_angle_deg: float = 4.0
    min_angle_deg: float = 1.0
    max_angle_deg: float = 25.0
    min_overlap: float = 0.5
    # Between the optical axes; pictures turned further apart share too little, and rectifying stretches them.
    max_turn_deg: float = 45.0
    num_neighbors: int = 4


@dataclass(frozen=True)
class Neighbor:
    """View number `view` as a partner: median parallax, share of anchors that it sees, and how good it is (0 to 1)."""

    view: int
    angle_deg: float
    overlap: float
    score: float


@dataclass(frozen=True, eq=False)
class Anchors:
    """Places that a keyframe sees, world [n, 3], and the depths (in the keyframe) to search between."""

    xyz: Float[np.ndarray, "n 3"]
    near: float
    far: float


def anchors_of(estimate: Estimate, view: int, depth_range: tuple[float, float] | None = None) -> Anchors:
    """What view number `view` sees, and how near and far that is, in the estimate's unit.

    The range is `depth_range` where given, else the 2nd to 98th percentile of the sparse points with room on both
    sides, else 0.4 to 6 m if the unit is the metre.

    Raises:
        ReconstructionError: neither points nor a unit nor a range, so nobody knows how far to search.
    """
    shown = estimate.views[view]
    pixels, depth = sparse_depths(estimate, view)
    if len(depth) < _MIN_ANCHORS and estimate.points is not None:
        in_cam = transform_points(invert_rigid(shown.T_world_cam), estimate.points.xyz)
        seen, z = shown.camera.project(in_cam)
        inside = shown.camera.contains(seen)
        pixels, depth = seen[inside], z[inside]
    if depth_range is not None:
        near, far = depth_range
    elif len(depth) >= _MIN_ANCHORS:
        low, high = np.quantile(depth, (0.02, 0.98))
        near, far = 0.6 * float(low), 1.6 * float(high)
    elif estimate.metric:
        near, far = _METRIC_RANGE_M
    else:
        raise ReconstructionError(
            f"view {shown.id}: {len(depth)} sparse points in view (expected {_MIN_ANCHORS}) and the unit is unknown, "
            "so there is no depth range to search; keep the points of the step that found the poses, or give a range"
        )
    if len(depth) < _MIN_ANCHORS:
        camera = shown.camera
        u, v = np.meshgrid(np.linspace(0.1, 0.9, 8) * camera.width, np.linspace(0.1, 0.9, 6) * camera.height)
        pixels = np.stack([u.ravel(), v.ravel()], -1)
        depth = np.full(len(pixels), np.sqrt(near * far))
    return Anchors(transform_points(shown.T_world_cam, shown.camera.unproject(pixels, depth)), near, far)


def choose_neighbors(
    estimate: Estimate, view: int, anchors: Anchors, config: PairConfig | None = None
) -> list[Neighbor]:
    """Partners for view number `view`, best first, at most `num_neighbors`; [] where none has parallax and overlap."""
    config = config or PairConfig()
    key = estimate.views[view]
    center = key.T_world_cam[:3, 3]
    found, directions = [], []
    for number, other in enumerate(estimate.views):
        step = other.T_world_cam[:3, 3] - center
        baseline = float(np.linalg.norm(step))
        turn_deg = _angle_deg(key.T_world_cam[:3, 2], other.T_world_cam[:3, 2])
        if number == view or baseline == 0 or turn_deg > config.max_turn_deg:
            continue
        angle_deg = float(np.median(_angle_deg(anchors.xyz - center, anchors.xyz - other.T_world_cam[:3, 3])))
        overlap = _overlap(anchors.xyz, other.camera, other.T_world_cam)
        if overlap < config.min_overlap or not config.min_angle_deg <= angle_deg <= config.max_angle_deg:
            continue
        parallax = np.exp(-0.5 * np.log2(angle_deg / config.wanted_angle_deg) ** 2)
        # Along the view, disparity goes with the distance from the epipole: half of what motion across gives.
        across = 0.5 + 0.5 * np.sin(np.radians(_angle_deg(key.T_world_cam[:3, 2], step)))
        found.append(
            Neighbor(number, angle_deg, overlap, float(overlap * parallax * across * np.cos(np.radians(turn_deg))))
        )
        directions.append(step / baseline)
    return _spread_out(found, directions, config.num_neighbors)


def _spread_out(found: list[Neighbor], directions: list[np.ndarray], count: int) -> list[Neighbor]:
    chosen: list[int] = []
    score = np.array([neighbor.score for neighbor in found])
    while len(chosen) < min(count, len(found)):
        best = int(np.argmax(score))
        chosen.append(best)
        alike = np.clip(np.stack(directions) @ directions[best], 0, 1)
        score = score * (1 - 0.5 * alike**2)
        score[chosen] = -1
    return [found[k] for k in chosen]


def _overlap(xyz: np.ndarray, camera: PinholeCamera, T_world_cam: np.ndarray) -> float:
    pixels, _ = camera.project(transform_points(invert_rigid(T_world_cam), xyz))
    return float(camera.contains(pixels).mean())


def _angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between vectors [..., 3], as an array of no axes for a single pair."""
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(cross, (a * b).sum(-1))))
