"""Which of some marked cells of a grid is nearest, within a reach: exact, one axis after the other.

The square of a distance is a sum over the axes, so the nearest marked cell is found along z first, then among what was
found along y, then along x (P. Felzenszwalb, D. Huttenlocher, "Distance Transforms of Sampled Functions", 2012). With a
short reach every shift is tried, on slices that stay in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

MAX_REACH = 100
"""Cells. Squares of longer distances would not fit beside the owner."""
_OWNER_BITS = 16


def nearest_owners(
    owners: Int[np.ndarray, "x y z"], reach: int
) -> tuple[Int[np.ndarray, "x y z"], Int[np.ndarray, "x y z"]]:
    """Owner of the nearest marked cell of every cell, and the square of its distance in cells.

    Of equally near ones the lowest owner counts, so turning or mirroring the grid changes nothing.

    Args:
        owners: 0 to 65535; -1 where a cell is not marked.
        reach: Cells, at most `MAX_REACH`. Where no marked cell is so near, the owner is -1, and the square
            `reach * reach + 1`.
    """
    if not 0 <= reach <= MAX_REACH:
        raise ValueError(f"a reach of {reach} cells; it must be 0 to {MAX_REACH}")
    # Square and owner share one number: the smaller number is the nearer cell, of equally near ones the lower owner.
    costs = [np.int32(shift * shift << _OWNER_BITS) for shift in range(reach + 1)]
    nobody = np.int32(np.iinfo(np.int32).max) - costs[-1]
    key = np.where(owners < 0, nobody, owners).astype(np.int32)
    for row in key:
        row[:] = _along_first(_along_first(row.T, costs).T, costs)
    for column in range(key.shape[1]):
        key[:, column] = _along_first(key[:, column], costs)
    square = key >> _OWNER_BITS
    near = square <= reach * reach
    return np.where(near, key & 0xFFFF, -1), np.where(near, square, reach * reach + 1)


def _along_first(slice_: Int[np.ndarray, "n m"], costs: list[np.int32]) -> Int[np.ndarray, "n m"]:
    """The least of every number and its neighbours along the first axis, each with the cost of the way to it."""
    source = np.ascontiguousarray(slice_)
    least, shifted = source.copy(), np.empty_like(source)
    for shift, cost in enumerate(costs[1 : len(source)], 1):
        np.add(source, cost, out=shifted)
        np.minimum(least[shift:], shifted[:-shift], out=least[shift:])
        np.minimum(least[:-shift], shifted[shift:], out=least[:-shift])
    return least
