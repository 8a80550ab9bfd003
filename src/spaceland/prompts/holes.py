"""Close small holes of a scan in its bird's-eye view, and say which pixels that were.

A hole is a white patch with seen surface all around. It is filled only if it is nowhere wider than a given length and
at least half of its rim has one height, the lowest one: what a hole shows is what lies under things, mostly the floor.
Colours come from the rim of that height, nothing else is invented: filled pixels belong to no object, so they never
carry a mark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from spaceland.prompts.raster import TopLayers
from spaceland.scenes.scene import NO_OBJECT

_SAME_HEIGHT_M = 0.1
_LEVEL_SHARE = 0.5
_SOFT_PX = 2.0


@dataclass(frozen=True, eq=False)
class FilledHoles:
    """The filled picture, which of its pixels were filled, and how many holes were and were not."""

    layers: TopLayers
    filled: Bool[np.ndarray, "h w"]
    num_filled: int
    num_left: int


def fill_holes(layers: TopLayers, metres_per_px: float, largest_m: float) -> FilledHoles:
    """Fill holes at most `largest_m` wide (the widest circle that fits in)."""
    empty = np.isnan(layers.height_m)
    labels, count = ndimage.label(empty)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    boxes = ndimage.find_objects(labels)
    color, height_m, ids = layers.color.copy(), layers.height_m.copy(), layers.object_ids.copy()
    filled = np.zeros(empty.shape, dtype=bool)
    num_filled = num_left = 0
    for k in range(1, count + 1):
        if k in outside:
            continue
        rows, columns = boxes[k - 1]
        part = (slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1))
        hole = labels[part] == k
        width_m = 2 * float(ndimage.distance_transform_edt(hole).max()) * metres_per_px
        rim = ndimage.binary_dilation(hole, np.ones((3, 3))) & ~empty[part]
        level = np.percentile(layers.height_m[part][rim], 20)
        same = rim & (np.abs(layers.height_m[part] - level) <= _SAME_HEIGHT_M)
        if width_m > largest_m or same.sum() < _LEVEL_SHARE * rim.sum():
            num_left += 1
            continue
        row, column = ndimage.distance_transform_edt(~same, return_distances=False, return_indices=True)
        patch = layers.color[part][row, column]
        # Nearest colours alone would leave rays; a soft blur of them does not.
        patch = ndimage.gaussian_filter(patch, (_SOFT_PX, _SOFT_PX, 0), mode="nearest")
        color[part][hole] = patch[hole]
        height_m[part][hole] = layers.height_m[part][row, column][hole]
        filled[part] |= hole
        num_filled += 1
    ids[filled] = NO_OBJECT
    return FilledHoles(replace(layers, color=color, height_m=height_m, object_ids=ids), filled, num_filled, num_left)
