"""The object itself drawn on a picture: a translucent mask, an outline, or a rectangle around its visible part.

Id maps may be smaller than the picture; masks are brought to its size with soft edges, so outlines are smooth. Lines
run inside the object, so those of neighbours do not cover each other. Id maps of scans are speckled: gaps of a line's
width that belong to no other object are closed and tiny islands left out, in what is drawn and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from scipy import ndimage

from spaceland.prompts.styles import Color, MarkStyle
from spaceland.scenes.scene import NO_OBJECT

_MASK_ALPHA = 0.40
_LINE_SHARE = 0.004
"""Width of lines as a share of the picture's longest side (2.6 px at 640)."""


def draw_regions(
    image: UInt8[np.ndarray, "h w 3"],
    colors: Mapping[int, Color],
    object_ids: Int[np.ndarray, "hm wm"],
    style: MarkStyle,
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the image in which the given objects are drawn in their colours."""
    result = image.astype(np.float32)
    line_px = max(1.5, _LINE_SHARE * max(image.shape[:2]))
    for object_id, color in colors.items():
        found = _cut_out(object_ids, object_id, image.shape[:2])
        if found is None:
            continue
        mask, rows, columns = found
        mask = _without_islands(mask, (2 * line_px) ** 2)
        if style.region == "box":
            cover = _frame(mask, line_px)
        else:
            inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
            cover = np.where(mask, np.clip(line_px - inside + 1.0, 0, 1), 0)
            if style.region == "mask":
                cover = np.maximum(cover, _MASK_ALPHA * mask)
        part = result[rows, columns]
        part += (np.array(color, dtype=np.float32) - part) * cover[..., None].astype(np.float32)
    return np.rint(result).astype(np.uint8)


def _cut_out(
    object_ids: np.ndarray, object_id: int, shape: tuple[int, int]
) -> tuple[Bool[np.ndarray, "r c"], slice, slice] | None:
    """The object's mask at the picture's size, cut to its box, and the box's rows and columns; None: not there."""
    mask = object_ids == object_id
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return None
    # One pixel more on each side, so that the edge is soft on both of its sides.
    y0, x0 = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
    y1, x1 = min(int(rows[-1]) + 2, mask.shape[0]), min(int(columns[-1]) + 2, mask.shape[1])
    part = mask[y0:y1, x0:x1]
    closed = ndimage.binary_closing(np.pad(part, 2), np.ones((3, 3)), iterations=2)[2:-2, 2:-2]
    mask[y0:y1, x0:x1] = part | (closed & (object_ids[y0:y1, x0:x1] == NO_OBJECT))
    if mask.shape == shape:
        return mask[y0:y1, x0:x1], slice(y0, y1), slice(x0, x1)
    sy, sx = shape[0] / mask.shape[0], shape[1] / mask.shape[1]
    top, left = int(np.floor(y0 * sy)), int(np.floor(x0 * sx))
    bottom, right = min(int(np.ceil(y1 * sy)), shape[0]), min(int(np.ceil(x1 * sx)), shape[1])
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR, box=(left / sx, top / sy, right / sx, bottom / sy)
    )
    return np.asarray(soft) > 127, slice(top, bottom), slice(left, right)


def _without_islands(mask: Bool[np.ndarray, "r c"], least_px: float) -> Bool[np.ndarray, "r c"]:
    """The mask without parts smaller than `least_px`; the largest part always stays."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return mask
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    keep = areas >= min(least_px, areas.max())
    return keep[labels]


def _frame(mask: Bool[np.ndarray, "r c"], line_px: float) -> Float[np.ndarray, "r c"]:
    """A rectangle of lines around the mask, inside its extent."""
    cover = np.zeros(mask.shape, dtype=np.float32)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return cover
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    thick = max(2, round(line_px))
    cover[y0:y1, x0:x1] = 1
    if y1 - y0 > 2 * thick and x1 - x0 > 2 * thick:
        cover[y0 + thick : y1 - thick, x0 + thick : x1 - thick] = 0
    return cover
