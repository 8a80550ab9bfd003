"""A place beside an object for a disc that finds none on it: near, on ground that is no object, with a clear line.

The disc covers neither a disc nor the end of another line, and its own line ends on the object.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

GAP = 1.04
"""Discs keep 4 % of their diameter between them."""


def place_beside(
    object_ids: Int[np.ndarray, "h w"],
    scale: Float[np.ndarray, "2"],
    target: tuple[float, float],
    taken: Sequence[tuple[float, float]],
    targets: Sequence[tuple[float, float]],
    diameter_px: float,
    size: tuple[int, int],
    longest_px: float = np.inf,
) -> tuple[float, float] | None:
    """The best free place for a disc beside its object, or None.

    Args:
        object_ids: The object in every pixel of a map.
        scale: Pixels of the picture for each row and column of the map.
        target: Where the line ends, in pixels of the picture as all that follows.
        taken: Centres of the discs that are there.
        targets: Ends of the lines that are there.
        diameter_px: Of all discs.
        size: Width and height of the part of the picture that may hold discs.
        longest_px: No farther from the target than this.
    """
    radius = diameter_px / 2
    step = max(2, round(diameter_px / 8))
    u, v = np.meshgrid(np.arange(radius + 1, size[0] - radius, step), np.arange(radius + 1, size[1] - radius, step))
    centers = np.stack([u.ravel(), v.ravel()], -1)
    distance = np.linalg.norm(centers - target, axis=1)
    near = (distance >= 0.75 * diameter_px) & (distance <= longest_px)
    for other in targets:
        near &= np.linalg.norm(centers - other, axis=1) >= 0.7 * diameter_px
    centers, distance = centers[near], distance[near]
    line = np.array(target) - centers
    for other in taken:
        away = np.array(other) - centers
        along = np.clip((away * line).sum(1) / np.maximum((line**2).sum(1), 1e-9), 0, 1)
        from_line = np.linalg.norm(away - along[:, None] * line, axis=1)
        ok = np.linalg.norm(away, axis=1) >= diameter_px * GAP
        # A line that passes under another disc is worse than a longer one, but better than none.
        distance = np.where(from_line < 0.6 * diameter_px, distance + 4 * diameter_px, distance)
        centers, distance, line = centers[ok], distance[ok], line[ok]
    if len(centers) == 0:
        return None
    # How much of the disc would cover objects, from sums over squares.
    busy = np.pad(np.cumsum(np.cumsum(object_ids >= 0, 0), 1), ((1, 0), (1, 0)))
    rows, columns = object_ids.shape
    x0, y0 = np.clip(np.floor((centers - radius) / scale[::-1]), 0, None).astype(int).T
    x1 = np.minimum(x0 + int(diameter_px / scale[1]), columns)
    y1 = np.minimum(y0 + int(diameter_px / scale[0]), rows)
    covered = (busy[y1, x1] - busy[y0, x1] - busy[y1, x0] + busy[y0, x0]) * scale[0] * scale[1] / diameter_px**2
    cost = distance + 2.0 * diameter_px * covered
    best = centers[int(np.argmin(cost))]
    return float(best[0]), float(best[1])
