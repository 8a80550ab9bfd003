"""Settings of a fusion, and the sizes that it works with: cells, band around the surface, depth limit.

Worked example. RGB-D frames that disagree by 8 mm in a kitchen of 6 m get cells of 2 cm, the least for sensors. Views
estimated in a unit of unknown length, 7 units across, get cells of 7 / 250 = 0.028 units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError, SceneError
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.reconstruct.clean import CleanSettings
from spaceland.reconstruct.depth_views import DepthView, read_depth_view
from spaceland.scenes.scene import GeometryKind

CELL_M = 0.02
_SAMPLE_VIEWS = 24
_SAMPLE_STEP = 16


@dataclass(frozen=True, kw_only=True)
class FuseSettings:
    """Lengths in the unit of the views; None: chosen from the data."""

    voxel_size: float | None = None
    truncation_voxels: float = 4.0
    """Half the width of the band around a surface; widened to three times the noise."""
    max_depth: float | None = None
    """Farther pixels are left out: beyond 6 m for sensors, four times the median depth for estimates."""
    min_views: int | None = None
    """Cells that fewer views saw are no surface; None: 3 of 12 views and more, 2 of 6 and more, else 1."""
    min_confidence: float = 0.3
    max_vertices: int = 600_000
    max_color_views: int = 100
    clean: CleanSettings = field(default_factory=CleanSettings)


@dataclass(frozen=True)
class Sizes:
    """Chosen lengths in the unit of the views. `noise` is how far two views disagree about a place (standard deviation,
    0 when no two views overlap), `extent` the diagonal of the scene without its farthest twentieth on each side."""

    voxel_size: float
    truncation: float
    max_depth: float
    noise: float
    extent: float


def choose_sizes(
    views: Sequence[DepthView], geometry: GeometryKind, *, metric: bool, settings: FuseSettings | None = None
) -> Sizes:
    """Cell size, band and depth limit from up to 24 views.

    Cells are 2 cm (sensors, generated), or 3 cm (estimates in metres), or 1/250 of the extent (in an unknown unit).
    They grow to half of the noise, by up to a half: averaging over views removes the rest of it, while a coarser grid
    would remove things too. In large scenes they are 1/800 of the extent at least.
    """
    settings = settings or FuseSettings()
    start = range(0, len(views), max(1, len(views) // _SAMPLE_VIEWS))
    clouds, depths, gaps = [], [], []
    for k in start:
        points, depth = _sample(views[k])
        clouds.append(points)
        depths.append(depth)
        if k + 1 < len(views):
            gaps.append(_disagreement(points, views[k + 1]))
    points, depth, gap = np.concatenate(clouds), np.concatenate(depths), np.concatenate([np.zeros(0), *gaps])
    if len(points) == 0:
        raise ReconstructionError("the depth images hold no known pixel; check the depth scale and the files")
    low, high = np.percentile(points, [5, 95], axis=0)
    extent = float(np.linalg.norm(high - low))
    # A median and not a mean: what one view sees and the other does not is no noise.
    noise = float(1.4826 * np.median(np.abs(gap)) / np.sqrt(2)) if len(gap) >= 50 else 0.0
    exact = geometry != "estimated"
    least = CELL_M if exact else 0.03 if metric else extent / 250
    voxel = settings.voxel_size or max(least, min(noise / 2, 1.5 * least), extent / 800)
    if settings.max_depth is not None:
        max_depth = settings.max_depth
    elif geometry == "measured":
        max_depth = 6.0
    else:
        max_depth = 2.0 * float(depth.max()) if exact else 4.0 * float(np.median(depth))
    truncation = max(settings.truncation_voxels * voxel, min(3 * noise, 10 * voxel))
    return Sizes(voxel, truncation, max_depth, noise, extent)


def _sample(view: DepthView) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n"]]:
    """World points and depths of some pixels; none when the image cannot be read (which is counted later)."""
    try:
        depth, camera = read_depth_view(view)
    except SceneError:
        return np.zeros((0, 3)), np.zeros(0)
    rows, columns = np.mgrid[
        _SAMPLE_STEP // 2 : depth.shape[0] : _SAMPLE_STEP, _SAMPLE_STEP // 2 : depth.shape[1] : _SAMPLE_STEP
    ].reshape(2, -1)
    known = depth[rows, columns] > 0
    rows, columns = rows[known], columns[known]
    z = depth[rows, columns].astype(float)
    points = camera.unproject(np.stack([columns + 0.5, rows + 0.5], -1), z)
    return transform_points(view.T_world_cam, points), z


def _disagreement(points: Float[np.ndarray, "n 3"], view: DepthView) -> Float[np.ndarray, "k"]:
    """How much deeper a view sees places that another one saw; more than a tenth is another surface."""
    try:
        depth, camera = read_depth_view(view)
    except SceneError:
        return np.zeros(0)
    uv, z = camera.project(transform_points(invert_rigid(view.T_world_cam), points))
    inside = camera.contains(uv)
    column, row = np.floor(uv[inside]).astype(int).T
    seen, z = depth[row, column].astype(float), z[inside]
    same = (seen > 0) & (np.abs(seen - z) < 0.1 * z)
    return (seen - z)[same]
