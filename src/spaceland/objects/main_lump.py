"""Which lumps of the points in a mask or a box are the thing: the main one, and those that go with it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.objects.cells import lumps


def main_lumps(
    lump: Int[np.ndarray, "n"], depth: Float[np.ndarray, "n"], link_m: float, minor_share: float
) -> Bool[np.ndarray, "n"]:
    """The main lump of a mask, those not small beside it, and small ones no nearer or farther: legs under a table."""
    if len(lump) == 0:
        return np.zeros(0, dtype=bool)
    sizes = np.bincount(lump)
    near, far = np.percentile(depth[lump == np.argmax(sizes)], [2, 98])
    good = sizes >= minor_share * sizes.max()
    for other in np.flatnonzero(~good).tolist():
        good[other] = near - link_m <= np.median(depth[lump == other]) <= far + link_m
    return good[lump]


def front_lump(
    points: Float[np.ndarray, "n 3"],
    depth: Float[np.ndarray, "n"],
    weight: Float[np.ndarray, "n"],
    link_m: float,
    minor_share: float,
) -> Bool[np.ndarray, "n"]:
    """The nearest of the lumps that hold much of the box's middle, and others as near that are not small beside it."""
    lump = lumps(points, link_m)
    weights, sizes = np.bincount(lump, weight), np.bincount(lump)
    candidates = np.flatnonzero(weights >= 0.5 * weights.max())
    main = min(candidates.tolist(), key=lambda k: float(np.median(depth[lump == k])))
    near, far = np.percentile(depth[lump == main], [2, 98])
    keep = lump == main
    for other in np.flatnonzero(sizes >= minor_share * sizes[main]).tolist():
        if near - link_m <= np.median(depth[lump == other]) <= far + link_m:
            keep |= lump == other
    return keep
