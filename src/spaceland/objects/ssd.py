"""Anchors and box code of a single-shot detector (SSD) on six feature maps.

The network answers for 1,917 fixed boxes, the anchors, how far the thing's box lies from each and how likely each
class is. On the map of grid n x n, anchors sit at the middles of the cells. The coarser the map, the larger they are:
0.2, 0.35, 0.5, 0.65, 0.8 and 0.95 of the picture's side. The finest map has three anchors in a cell (a square of 0.1,
then 0.2 at aspects 2 and 1/2), the others six (aspects 1, 2, 1/2, 3, 1/3, and a square of the geometric mean of this
scale and the next).

A box with centre (y, x) and size (h, w) is coded against its anchor (ya, xa, ha, wa) as

    10 (y - ya) / ha,   10 (x - xa) / wa,   5 log(h / ha),   5 log(w / wa)

>>> anchors = ssd_anchors()
>>> anchors.shape
(1917, 4)
>>> anchors[0].round(3)  # centre y, x, height, width as shares of the picture: the first cell of the 19 x 19 map
array([0.026, 0.026, 0.1  , 0.1  ])

Source: Liu et al., SSD: Single Shot MultiBox Detector (2016), with the scales of the TensorFlow detection models.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

INPUT_PX = 300
STRIDES_PX = (16, 32, 64, 128, 256, 512)
LOWEST_SCALE, HIGHEST_SCALE = 0.2, 0.95
CODE_SCALE = np.array([10.0, 10.0, 5.0, 5.0])
_LARGEST_LOG = 10.0


def ssd_anchors() -> Float[np.ndarray, "1917 4"]:
    """Anchors as rows (centre y, centre x, height, width), in shares of the picture, in the network's order."""
    scales = [*np.linspace(LOWEST_SCALE, HIGHEST_SCALE, len(STRIDES_PX)).tolist(), 1.0]
    parts = []
    for level, stride in enumerate(STRIDES_PX):
        grid = -(-INPUT_PX // stride)
        scale = scales[level]
        if level == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, aspect) for aspect in (1.0, 2.0, 0.5, 3.0, 1 / 3)]
            shapes.append((float(np.sqrt(scale * scales[level + 1])), 1.0))
        sizes = np.array([(s / np.sqrt(aspect), s * np.sqrt(aspect)) for s, aspect in shapes])
        middles = (np.arange(grid) + 0.5) / grid
        anchors = np.empty((grid, grid, len(shapes), 4))
        anchors[..., 0] = middles[:, None, None]
        anchors[..., 1] = middles[None, :, None]
        anchors[..., 2:] = sizes
        parts.append(anchors.reshape(-1, 4))
    return np.concatenate(parts)


def decode_boxes(codes: Float[np.ndarray, "n 4"], anchors: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Boxes (x0, y0, x1, y1) in shares of the picture from the network's codes (y, x, height, width)."""
    code = codes.astype(float) / CODE_SCALE
    center = anchors[:, :2] + code[:, :2] * anchors[:, 2:]
    half = anchors[:, 2:] * np.exp(np.minimum(code[:, 2:], _LARGEST_LOG)) / 2
    return np.concatenate([center - half, center + half], 1)[:, [1, 0, 3, 2]]
