"""Cells of a fixed grid in the world, as single numbers: sets of places that can be united and compared fast.

Cell (i, j, k) covers [i, i + 1) x [j, j + 1) x [k, k + 1) times the edge length. The grid starts at the world's origin,
so cells of different frames can be compared without agreeing on anything.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

_BITS = 21
_OFFSET = 1 << (_BITS - 1)
_MAX_SPAN = 400


def cell_keys(points: Float[np.ndarray, "n 3"], edge_m: float) -> Int[np.ndarray, "n"]:
    """The cell of each point, within a million cells of the origin along each axis (points beyond are moved there)."""
    index = np.clip(np.floor(points / edge_m), -_OFFSET, _OFFSET - 1).astype(np.int64) + _OFFSET
    return (index[:, 0] << 2 * _BITS) | (index[:, 1] << _BITS) | index[:, 2]


def cell_means(
    points: Float[np.ndarray, "n 3"], edge_m: float
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k 3"], Int[np.ndarray, "k"]]:
    """Cells that hold points (ascending), the sum of the points in each, and how many there are."""
    keys, place, counts = np.unique(cell_keys(points, edge_m), return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(place, points[:, axis], minlength=len(keys)) for axis in range(3)], -1)
    return keys, sums, counts


def lumps(points: Float[np.ndarray, "n 3"], link_m: float) -> Int[np.ndarray, "n"]:
    """Number of the lump that each point belongs to, from 0.

    Points belong together when a chain of occupied cells with edge `link_m` that touch, if only at a corner, leads from
    one to the other; so gaps below `link_m` never part a lump and gaps over twice of it always do.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=np.int64)
    cell = np.floor((points - points.min(0)) / link_m).astype(np.int64)
    # A grid too large to hold is coarsened: only scattered points far apart make one.
    cell //= max(1, -(-int(cell.max() + 1) // _MAX_SPAN))
    grid = np.zeros(cell.max(0) + 1, dtype=bool)
    x, y, z = cell.T
    grid[x, y, z] = True
    named, _ = ndimage.label(grid, structure=np.ones((3, 3, 3)))
    return named[x, y, z].astype(np.int64) - 1
