"""Boxes in a picture: how much they overlap, and which of several boxes around one thing stays.

Boxes are rows (x0, y0, x1, y1) in pixels. Detectors answer with many boxes for one thing; `suppress` keeps the best of
each heap:

>>> boxes = np.array([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [30.0, 0.0, 40.0, 10.0]])
>>> suppress(boxes, np.array([0.6, 0.9, 0.5]), max_iou=0.5)
array([1, 2])
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from spaceland.errors import SceneError

MIN_PICTURE_PX = 16


def check_picture(image: np.ndarray) -> None:
    """Refuse what is not a colour picture.

    Raises:
        SceneError: not uint8 [height, width, 3], or a side shorter than 16 px.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise SceneError(
            f"found a picture of shape {list(image.shape)} and type {image.dtype}, expected uint8 "
            "[height, width, 3]; convert grey pictures and pictures with transparency to RGB"
        )
    if min(image.shape[:2]) < MIN_PICTURE_PX:
        raise SceneError(
            f"found a picture of {image.shape[1]} x {image.shape[0]} px, in which nothing can be detected; "
            f"give pictures of at least {MIN_PICTURE_PX} px a side"
        )


def areas_px(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """Areas in square pixels; boxes turned inside out have none."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def intersections_px(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Area that each box of `a` shares with each of `b`, in square pixels."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.maximum(high - low, 0).prod(-1)


def ious(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of each box of `a` with each of `b`; 0 where both are empty."""
    shared = intersections_px(a, b)
    union = areas_px(a)[:, None] + areas_px(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def suppress(
    boxes: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, "n"],
    *,
    max_iou: float,
    max_inside: float = np.inf,
    groups: Int[np.ndarray, "n"] | None = None,
) -> Int[np.ndarray, "k"]:
    """Indices of the boxes that stay, best first: each loses to a better one that overlaps it too much.

    Args:
        boxes: In pixels.
        scores: Higher is better; equal scores keep their order.
        max_iou: A box goes when its intersection over union with a better one is above this.
        max_inside: It also goes when a larger share of the smaller of the two than this lies in the other.
        groups: Only boxes of one group (a class) compete; None: all do.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = ious(boxes, boxes)
    smaller = np.minimum(areas_px(boxes)[:, None], areas_px(boxes)[None])
    shared = intersections_px(boxes, boxes)
    inside = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
    rivals = (overlap > max_iou) | (inside > max_inside)
    if groups is not None:
        rivals &= groups[:, None] == groups[None]
    alive = np.ones(len(boxes), dtype=bool)
    kept = []
    for k in order:
        if alive[k]:
            kept.append(k)
            alive &= ~rivals[k]
    return np.array(kept, dtype=np.int64)
