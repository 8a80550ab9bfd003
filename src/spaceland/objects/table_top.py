"""What of the points in boxes around a table is the table: its top, and what is below the top.

A box around a table also shows the chairs that stand around it and what lies on it, and boxes hold whatever a detector
takes for a table: a shelf with the wall below it, the front of a cabinet. But a table has a level top, at a height
that tables have, and nothing of it is above the top or beside it:

        +-+ cup                back of a chair
     ===+=+=============  top  |
      |               |        |    below the top, within its outline: legs, and things under the table
      |               |     ---+    below it, outside its outline: seats, other things

    points above the top         -> something else
    points beside the outline    -> something else
    hardly any point on a top    -> no table
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

LABELS = ("table",)
LEAST_M, MOST_M = 0.3, 1.2
MIN_SHARE, MIN_AREA_M2, MIN_TABLE = 0.15, 0.1, 0.45
_HALF_M = 0.03
_MAX_SLOPE = 0.12
_ABOVE_M = 0.05
_CLEAR_M = 0.15
_BESIDE_M = 0.04
_FROM_ABOVE_M = 0.15
_NARROW_M = 0.2
_CELL_M = 0.04
_MARGIN = 4


@dataclass(frozen=True, eq=False)
class TableTop:
    """Which points lie on the top, and which belong to the table (the top among them)."""

    top: Bool[np.ndarray, "n"]
    table: Bool[np.ndarray, "n"]


def table_top(points: Float[np.ndarray, "n 3"], eye_z_m: float, floor_z_m: float, voxel_m: float) -> TableTop | None:
    """The table among points that boxes around a table hold; None where there is none.

    Args:
        points: World points, in cells of one size, so that equal areas count alike.
        eye_z_m: Height of the cameras. From below the height of a top nothing can be said, and all points stay.
        floor_z_m: Height of the floor: tops are 0.3 to 1.2 m above it.
        voxel_m: Edge of those cells.
    """
    most_m = min(MOST_M, eye_z_m - floor_z_m - _FROM_ABOVE_M)
    if most_m <= LEAST_M:
        everything = np.ones(len(points), dtype=bool)
        return TableTop(everything & False, everything)
    layer = _layer(points, floor_z_m + LEAST_M, floor_z_m + most_m)
    if layer is None:
        return None
    height, on = layer
    cell, shape = _grid(points)
    outline = _outline(cell[on], shape)
    if outline is None:
        return None
    top = on & outline[tuple(cell.T)]
    clear = top & ~_walls(cell, shape, height)[tuple(cell.T)]
    if clear.sum() < max(MIN_SHARE * len(points), MIN_AREA_M2 / voxel_m**2):
        return None
    near = ndimage.binary_dilation(outline, iterations=round(_BESIDE_M / _CELL_M))
    table = outline[tuple(cell.T)] & (height <= _ABOVE_M) | near[tuple(cell.T)] & (height < -_HALF_M)
    return TableTop(top, table) if table.sum() >= MIN_TABLE * len(points) else None


def _layer(
    points: Float[np.ndarray, "n 3"], low_m: float, high_m: float
) -> tuple[Float[np.ndarray, "n"], Bool[np.ndarray, "n"]] | None:
    """Height of the points above the nearly level plane that holds most of them, and which are on it.

    The plane may lean a little: where poses are estimated, up is known to a few degrees only.
    """
    z = points[:, 2]
    levels = np.arange(low_m, high_m + 0.01, 0.01)
    held = np.searchsorted(np.sort(z), levels + _HALF_M) - np.searchsorted(np.sort(z), levels - _HALF_M)
    if held.max() < 20:
        return None
    height = z - levels[int(np.argmax(held))]
    for reach in (2 * _HALF_M, 1.5 * _HALF_M, _HALF_M, _HALF_M):
        on = np.abs(height) <= reach
        if on.sum() < 20:
            return None
        middle = points[on, :2].mean(0)
        flat = np.column_stack([points[:, :2] - middle, np.ones(len(points))])
        slope, *_ = np.linalg.lstsq(flat[on], z[on], rcond=None)
        steep = float(np.linalg.norm(slope[:2]))
        if steep > _MAX_SLOPE:
            slope[:2] *= _MAX_SLOPE / steep
        height = z - flat @ slope
    return height, np.abs(height) <= _HALF_M


def _outline(cell: Int[np.ndarray, "n 2"], shape: tuple[int, int]) -> Bool[np.ndarray, "h w"] | None:
    """The largest part of the layer that is not narrow: backs of chairs reach through the layer beside a table.

    Holes, such as things on the table leave, are filled.
    """
    marked = np.zeros(shape, dtype=bool)
    marked[tuple(cell.T)] = True
    filled = ndimage.binary_fill_holes(marked)
    wide = ndimage.binary_opening(filled, _disc(_NARROW_M / 2))
    named, count = ndimage.label(wide)
    if count == 0:
        return None
    sizes = np.bincount(named.ravel())
    main = named == 1 + int(np.argmax(sizes[1:]))
    # Opening rounds the corners off; what is left of them lies beside it.
    return main | filled & ndimage.binary_dilation(main)


def _walls(
    cell: Int[np.ndarray, "n 2"], shape: tuple[int, int], height: Float[np.ndarray, "n"]
) -> Bool[np.ndarray, "h w"]:
    """Where something is right below and right above the layer: walls and fronts of cabinets go through it."""
    below, above = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    below[tuple(cell[(height < -_HALF_M) & (height > -_CLEAR_M)].T)] = True
    above[tuple(cell[(height > _HALF_M) & (height < _CLEAR_M)].T)] = True
    return below & above


def _disc(radius_m: float) -> Bool[np.ndarray, "k k"]:
    reach = round(radius_m / _CELL_M)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return x**2 + y**2 <= (reach + 0.5) ** 2


def _grid(points: Float[np.ndarray, "n 3"]) -> tuple[Int[np.ndarray, "n 2"], tuple[int, int]]:
    """Cells of the points seen from above, with a margin around them."""
    cell = np.floor((points[:, :2] - points[:, :2].min(0)) / _CELL_M).astype(np.int64) + _MARGIN
    return cell, (int(cell[:, 0].max()) + 1 + _MARGIN, int(cell[:, 1].max()) + 1 + _MARGIN)
