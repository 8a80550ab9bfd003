"""The visible part of each object in an id map: its box and its anchor, a pixel deep inside it.

The anchor is the pixel farthest from the edge of the visible part, so it lies on the object even where the middle of
the object is a hole or hidden: for a ring it is in the band, for a chair behind a table on the part that looks out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.scenes.scene import NO_OBJECT


@dataclass(frozen=True)
class VisiblePart:
    """In map pixels: box (row0, column0, row1, column1; ends exclusive), anchor (row, column) and its clearance."""

    box: tuple[int, int, int, int]
    anchor: tuple[float, float]
    clearance: float


def label_map(object_ids: Int[np.ndarray, "h w"], ids: Int[np.ndarray, "k"]) -> Int[np.ndarray, "h w"]:
    """The id map with ids replaced by 1 + their index in `ids`, and 0 for everything else."""
    if len(ids) == 0:
        return np.zeros(object_ids.shape, dtype=np.int32)
    order = np.argsort(ids)
    position = np.minimum(np.searchsorted(ids[order], object_ids), len(ids) - 1)
    known = (object_ids != NO_OBJECT) & (ids[order][position] == object_ids)
    return np.where(known, order[position] + 1, 0).astype(np.int32)


def visible_parts(
    labels: Int[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"], wanted: Int[np.ndarray, "p"]
) -> dict[int, VisiblePart]:
    """Parts with the wanted labels, where there are any. Anchors have a depth if any pixel of the part has one."""
    wanted = wanted[wanted > 0]
    if len(wanted) == 0:
        return {}
    squared = _squared_depth_inside(labels)
    boxes = ndimage.find_objects(labels)
    parts: dict[int, VisiblePart] = {}
    for label in wanted.tolist():
        if label > len(boxes) or boxes[label - 1] is None:
            continue
        rows, columns = boxes[label - 1]
        mask = labels[rows, columns] == label
        with_depth = mask & (depth[rows, columns] > 0)
        score = np.where(with_depth if with_depth.any() else mask, squared[rows, columns], -1)
        best = int(score.max())
        deepest = np.argwhere(score == best)
        # Of equally deep pixels the one nearest to their middle. Neighbours that are equally near give the point
        # between them, so that a mirrored picture gives the mirrored anchor.
        offset = ((deepest - deepest.mean(0)) ** 2).sum(1)
        nearest = deepest[offset <= offset.min() + 1e-9]
        row, column = (nearest.mean(0) if np.ptp(nearest, axis=0).max() <= 1 else nearest[0]).tolist()
        parts[label] = VisiblePart(
            (rows.start, columns.start, rows.stop, columns.stop),
            (rows.start + row, columns.start + column),
            float(np.sqrt(best)) + 0.5,
        )
    return parts


def _squared_depth_inside(labels: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Squared distance of each pixel to the nearest edge pixel (0 on edge pixels and where no object is).

    An edge pixel has a neighbour (of four) that shows something else; the image border ends every object.
    """
    inner = np.zeros(labels.shape, dtype=bool)
    middle = labels[1:-1, 1:-1]
    inside = middle > 0
    for neighbour in (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
        inside &= middle == neighbour
    inner[1:-1, 1:-1] = inside
    row, column = ndimage.distance_transform_edt(inner, return_distances=False, return_indices=True)
    row -= np.arange(labels.shape[0], dtype=np.int32)[:, None]
    column -= np.arange(labels.shape[1], dtype=np.int32)[None]
    return row * row + column * column
