"""A grid of cells over a room seen from above, turned along its walls, and the outline of what the cells cover.

Worked example. A floor of 4.02 m x 3 m, asked for in cells of 5 cm, gets 81 x 61 cells of 5.03 cm x 5 cm: the middles
of the outermost cells lie on the walls. The outline of all of them runs through these middles: 4.02 m x 3 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from spaceland.geometry.boxes import OrientedBox


@dataclass(frozen=True, eq=False)
class Grid:
    """Square-like cells along the walls: `origin` is the middle of cell (0, 0), `axes` are rows."""

    origin: Float[np.ndarray, "2"]
    axes: Float[np.ndarray, "2 2"]
    size_m: Float[np.ndarray, "2"]
    shape: tuple[int, int]

    @classmethod
    def along(cls, floor: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "m 2"], cell_m: float) -> Grid | None:
        """A grid whose outermost cell middles lie on the bounds of the floor, turned as its smallest rectangle."""
        box = OrientedBox.upright_from_points(np.column_stack([floor, np.zeros(len(floor))]))
        axes = box.rotation[:2, :2].T
        local, own = points @ axes.T, floor @ axes.T
        low, high = own.min(0), own.max(0)
        if (np.ptp(local, axis=0) > 80).any() or (high - low < 4 * cell_m).any():
            return None
        # Cells that divide the bounds evenly put opposite walls of a rectangle on cell middles.
        size = (high - low) / np.maximum(1, np.round((high - low) / cell_m))
        before = np.ceil((low - local.min(0)) / size) + 1
        after = np.ceil((local.max(0) - low) / size) + 2
        shape = int(before[0] + after[0]), int(before[1] + after[1])
        return cls(low - before * size, axes, size, shape)

    def cells(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "a b"]:
        """Which cells hold points."""
        mask = np.zeros(self.shape, dtype=bool)
        index = np.round((points @ self.axes.T - self.origin) / self.size_m).astype(int)
        mask[index[:, 0], index[:, 1]] = True
        return mask

    def outline(self, mask: Bool[np.ndarray, "a b"]) -> Float[np.ndarray, "k 2"]:
        """The polygon through the middles of the outermost cells, in world x, y."""
        return (self.origin + trace(mask) * self.size_m) @ self.axes


def grown(mask: Bool[np.ndarray, "a b"], cells: int) -> Bool[np.ndarray, "a b"]:
    """The mask grown by some cells on all sides, by squares."""
    return ndimage.maximum_filter(mask, 2 * cells + 1, mode="constant", cval=False)


def trace(mask: Bool[np.ndarray, "a b"]) -> Float[np.ndarray, "k 2"]:
    """The cells around the outside of one piece, in order, without those on straight lines.

    >>> trace(np.ones((3, 4), dtype=bool)).tolist()
    [[0.0, 0.0], [0.0, 3.0], [2.0, 3.0], [2.0, 0.0]]
    """
    padded = np.pad(mask, 1)
    # The eight neighbours in turning order; each step starts its search behind the last one.
    steps = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
    start = next(zip(*np.nonzero(padded), strict=True))
    place, heading, path = (int(start[0]), int(start[1])), 0, []
    first: tuple[tuple[int, int], int] | None = None
    for _ in range(4 * int(padded.sum()) + 8):
        for turn in range(8):
            way = (heading + 6 + turn) % 8
            there = place[0] + steps[way][0], place[1] + steps[way][1]
            if padded[there]:
                break
        else:
            return np.array([place], dtype=float) - 1
        if (place, way) == first:
            break
        first = first or (place, way)
        path.append(place)
        place, heading = there, way
    corners = np.array(path, dtype=float) - 1
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    into, out = corners - before, after - corners
    bends = (into[:, 0] * out[:, 1] != into[:, 1] * out[:, 0]) | ((into * out).sum(1) < 0)
    return corners[bends]
