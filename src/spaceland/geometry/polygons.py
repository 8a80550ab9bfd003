"""Polygons in the plane, as vertex lists [k, 2] that are not closed (the last vertex joins the first)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def signed_area(polygon: Float[np.ndarray, "k 2"]) -> float:
    """Area by the shoelace formula, positive for counter-clockwise order.

    >>> signed_area(np.array([[0.0, 0], [6, 0], [6, 4], [3, 4], [3, 8], [0, 8]]))
    36.0
    """
    x, y = (polygon - polygon[0]).T  # near the origin, so that far-away coordinates keep their digits
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def area(polygon: Float[np.ndarray, "k 2"]) -> float:
    """Area, whatever the order of the vertices."""
    return abs(signed_area(polygon))


def contains(polygon: Float[np.ndarray, "k 2"], points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Whether points lie inside, by counting crossings of a ray to the right; the border may go either way."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, 0, None], points[:, 1, None]
    crosses = (start[:, 1] > y) != (end[:, 1] > y)
    height = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    at = start[:, 0] + (y - start[:, 1]) / height * (end[:, 0] - start[:, 0])
    return (crosses & (x < at)).sum(1) % 2 == 1
