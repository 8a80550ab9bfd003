"""What boxes cover of the floor, seen from straight above: convex shapes, given by the lines along their sides.

The footprint of a box is the sum of three line segments, its sides seen from above. So it has at most three pairs of
parallel sides, each pair along one of them. An upright box has a rectangle, a leaning one up to six sides.

Worked example. A table top of 2 x 1 m whose long side points along y covers half a metre to either side in x:

>>> table = OrientedBox(np.array([1.0, 1.0, 0.7]), np.array([1.0, 2.0, 0.1]), np.eye(3))
>>> over_footprint(table, np.array([[1.4, 1.9], [1.6, 1.0]])).tolist()
[True, False]
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.boxes import OrientedBox

_SHORT = 1e-4


def footprint_sides(boxes: Boxes, least_m: float = 0.01) -> tuple[Float[np.ndarray, "n 6 2"], Float[np.ndarray, "n 6"]]:
    """Outward unit normals and offsets: a place p lies on footprint i where `normals[i] @ p <= offsets[i]` holds.

    A side that cannot be seen from above (that of a vertical edge) has a zero normal and holds everywhere; its offset
    is infinite. Growing a footprint by d metres is adding d to the offsets.

    Args:
        boxes: In world metres, z up.
        least_m: Flat boxes are given this thickness.
    """
    size = np.maximum(boxes.size, least_m)
    halves = np.swapaxes(boxes.rotation * size[:, None] / 2, 1, 2)[:, :, :2]  # [n, edge, xy]
    lengths = np.linalg.norm(halves, axis=2)
    seen = lengths > _SHORT
    normals = np.stack([halves[..., 1], -halves[..., 0]], -1) / np.where(seen, lengths, 1)[..., None]
    normals = np.where(seen[..., None], normals, 0.0)
    reach = np.abs(np.einsum("nik,njk->nij", normals, halves)).sum(2)
    middle = np.einsum("nik,nk->ni", normals, boxes.center[:, :2])
    offsets = np.where(seen, np.stack([middle + reach, -middle + reach]), np.inf)
    return np.concatenate([normals, -normals], 1), np.concatenate(list(offsets), 1)


def over_footprint(box: OrientedBox, xy: Float[np.ndarray, "n 2"], margin_m: float = 0.0) -> Bool[np.ndarray, "n"]:
    """Whether places on the floor lie below or above a box whose footprint is grown by a margin."""
    normals, offsets = footprint_sides(Boxes.stack([box]))
    return np.all(xy @ normals[0].T <= offsets[0] + margin_m, axis=-1)


def footprint_gaps(box: OrientedBox, xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Straight distance on the floor from places to the footprint of a box; 0 on it.

    >>> shelf = OrientedBox(np.array([1.0, 1.0, 0.7]), np.array([2.0, 2.0, 0.1]), np.eye(3))
    >>> footprint_gaps(shelf, np.array([[2.3, 1.0], [2.3, 2.4], [1.5, 0.5]])).round(6).tolist()
    [0.3, 0.5, 0.0]
    """
    corners = box.corners()[:, :2]
    first, second = np.triu_indices(len(corners), 1)
    # The sides are among the lines between all corners, and the others of these lie inside.
    a, along = corners[first], corners[second] - corners[first]
    offset = xy[:, None] - a
    share = (offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
    away = np.linalg.norm(offset - np.clip(share, 0, 1)[..., None] * along, axis=-1).min(1)
    return np.where(over_footprint(box, xy), 0.0, away)
