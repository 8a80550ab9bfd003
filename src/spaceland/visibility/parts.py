"""The visible part of each object in an id map: its box and its anchor, a pixel deep inside it.

The anchor is the middle of the largest upright square that fits into the visible part, so it lies on the object even
where the middle of the object is a hole or hidden: for a ring it is in the band, for a chair behind a table on the part
that looks out. Its clearance is the straight distance to the nearest edge pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from spaceland.scenes.scene import NO_OBJECT

_WITHOUT_DEPTH = np.int32(1 << 29)  # more than any distance in pixels


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
    # Neighbours mostly have the same id, so only the first of a run is looked up.
    flat = object_ids.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)[: len(flat)]
    found, order = flat[starts], np.argsort(ids)
    position = np.minimum(np.searchsorted(ids[order], found), len(ids) - 1)
    known = (found != NO_OBJECT) & (ids[order][position] == found)
    labels = np.where(known, order[position] + 1, 0).astype(np.int32)
    return np.repeat(labels, np.diff(np.append(starts, len(flat)))).reshape(object_ids.shape)


def visible_parts(
    labels: Int[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"], wanted: Int[np.ndarray, "p"]
) -> dict[int, VisiblePart]:
    """Parts with the wanted labels, where there are any. Anchors have a depth if any pixel of the part has one."""
    wanted = wanted[wanted > 0]
    if len(wanted) == 0:
        return {}
    inner = _inner(labels)
    steps = ndimage.distance_transform_cdt(inner, metric="chessboard")
    # Pixels without depth come after all that have one.
    score = np.where(depth > 0, steps, steps - _WITHOUT_DEPTH)
    boxes = ndimage.find_objects(labels)
    parts: dict[int, VisiblePart] = {}
    for label in wanted.tolist():
        if label > len(boxes) or boxes[label - 1] is None:
            continue
        rows, columns = boxes[label - 1]
        own = np.where(labels[rows, columns] == label, score[rows, columns], -2 * _WITHOUT_DEPTH)
        best = int(own.max())
        y, x = np.nonzero(own == best)
        # Of equally deep pixels the one nearest to their middle. Neighbours that are equally near give the point
        # between them, so that a mirrored picture gives the mirrored anchor.
        offset = (y - y.sum() / len(y)) ** 2 + (x - x.sum() / len(x)) ** 2
        nearest = np.flatnonzero(offset <= offset.min() + 1e-9)
        y, x = y[nearest].tolist(), x[nearest].tolist()
        together = max(y) - min(y) <= 1 and max(x) - min(x) <= 1
        row, column = (sum(y) / len(y), sum(x) / len(x)) if together else (y[0], x[0])
        anchor = rows.start + row, columns.start + column
        clearance = _clearance(inner, anchor, best if best >= 0 else best + int(_WITHOUT_DEPTH))
        parts[label] = VisiblePart((rows.start, columns.start, rows.stop, columns.stop), anchor, clearance)
    return parts


def _inner(labels: Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of objects whose neighbours (of four) show the same object; the image border ends every object."""
    inner = np.zeros(labels.shape, dtype=bool)
    middle = labels[1:-1, 1:-1]
    inside = middle > 0
    for neighbour in (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
        inside &= middle == neighbour
    inner[1:-1, 1:-1] = inside
    return inner


def _clearance(inner: Bool[np.ndarray, "h w"], anchor: tuple[float, float], steps: int) -> float:
    """Distance in pixels from an anchor to the border of its part, when the nearest edge pixel is `steps` king's moves
    from a pixel of it."""
    row, column = anchor
    reach = int(np.ceil(1.5 * steps)) + 1  # no nearest edge pixel is farther than the diagonal of the square
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    y, x = np.nonzero(~inner[top : int(row) + reach + 1, left : int(column) + reach + 1])
    return float(np.sqrt(np.min((y + top - row) ** 2 + (x + left - column) ** 2))) + 0.5
