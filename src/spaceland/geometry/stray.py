"""Whether a few points that do not belong to a thing stretch its box.

Annotations of scanned rooms hold stray points: a bit of the wall behind a cabinet, a strip of floor beside a desk. They
are few, but a box around all points is as long as the farthest of them say.

Worked example. 980 points fill a cube with sides of 1 m, 20 more lie within half a metre beside it:

>>> rng = np.random.default_rng(0)
>>> cube, strip = rng.uniform(0, 1, (980, 3)), rng.uniform((1, 0, 0), (1.5, 1, 1), (20, 3))
>>> tight = OrientedBox(np.full(3, 0.5), np.ones(3), np.eye(3))
>>> around_all = OrientedBox(np.array([0.75, 0.5, 0.5]), np.array([1.5, 1, 1]), np.eye(3))
>>> stray_share(tight, cube) < 0.05, stray_share(around_all, np.vstack([cube, strip])) > 0.3
(True, True)
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spaceland.geometry.boxes import OrientedBox

_TAIL_PERCENT = 2.0


def stray_share(box: OrientedBox, points: Float[np.ndarray, "n 3"]) -> float:
    """By which share the side shrinks most when the outermost 2 % of the points at both of its ends are left out.

    Points beyond the box do not stretch it: a side counts up to where the box and the points end.
    """
    if len(points) == 0:
        return 0.0
    local = np.clip(box.to_box_frame(points), -box.size / 2, box.size / 2)
    full = np.ptp(local, axis=0)
    low, high = np.percentile(local, [_TAIL_PERCENT, 100 - _TAIL_PERCENT], axis=0)
    return float(np.max(1 - (high - low) / np.maximum(full, 1e-9), where=full > 1e-6, initial=0.0))
