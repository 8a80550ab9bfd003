"""A room with a walk that can be worked out with a pencil.

At (1.2, 1.0) the camera looks round to the right in four steps, and with each step one more thing comes into view: the
lamp (and a plant), chair, table and shelf. Then it is carried 2.8 m along x, past the box, and 2.0 m along y towards
the table.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from handmade import box_scene
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import Scene

THINGS = [
    ("lamp", (0.4, 4.0, 0.9), (0.3, 0.3, 1.8)),
    ("chair", (2.0, 4.2, 0.5), (0.5, 0.5, 1.0)),
    ("table", (3.6, 3.6, 0.5), (1.2, 0.6, 1.0)),
    ("shelf", (5.5, 2.6, 1.0), (0.4, 0.9, 2.0)),
    ("box", (2.6, 2.4, 0.2), (0.5, 0.5, 0.4)),
    ("plant", (0.3, 1.6, 1.3), (0.2, 0.2, 0.5)),
]
CAMERA = PinholeCamera(160, 120, 130.0, 130.0, 80.0, 60.0)
START = np.array([1.2, 1.0, 1.5])
LOOK_DEG = (-37.0, -7.0, 25.0, 52.0)
"""Headings of the look round, clockwise from +y."""


def poses(per_look: int = 3) -> list[np.ndarray]:
    """Three frames of each look, then 14 and 12 steps."""
    looks = [
        look_at(START, START + [np.sin(np.radians(a)), np.cos(np.radians(a)), -0.05])
        for a in LOOK_DEG
        for _ in range(per_look)
    ]
    across = [look_at(START + [0.2 * k, 0, 0], np.array([3.0, 3.4, 0.6])) for k in range(1, 15)]
    along = [look_at(START + [2.8, 0.17 * k, 0], np.array([3.6, 3.6, 0.4])) for k in range(1, 13)]
    return looks + across + along


@cache
def walked_scene() -> Scene:
    return box_scene(THINGS, poses(), camera=CAMERA, with_ids=True, id="walked")
