"""Length, width and height of boxes, and how far they lean.

Height is the side along the vertical of the world; of the two others the longer one is the length, whatever the order
of the box's axes. So nobody has to know what the front of a thing is. A box that leans has no height in this sense:
callers ask `lean_deg` first.

Worked example. A plank of 2.0 x 0.4 x 1.2 m is turned about its second axis by a right angle, so that its first side
points up:

>>> import numpy as np
>>> turned = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
>>> plank = OrientedBox(np.zeros(3), np.array([2.0, 0.4, 1.2]), turned)
>>> length_width_height(plank), lean_deg(plank)
((1.2, 0.4, 2.0), 0.0)
"""

from __future__ import annotations

import numpy as np

from spaceland.geometry.boxes import OrientedBox


def upright_axis(box: OrientedBox) -> int:
    """Which of the box's axes is nearest to the vertical; the earlier one of equals."""
    # Rounded, so that ties do not hang on noise.
    return int(np.argmax(np.abs(box.rotation[2]).round(6)))


def lean_deg(box: OrientedBox) -> float:
    """The angle between the vertical and the axis nearest to it, 0 to 54.7 degrees."""
    return float(np.degrees(np.arccos(min(1.0, float(np.abs(box.rotation[2]).max())))))


def length_width_height(box: OrientedBox) -> tuple[float, float, float]:
    """The longer and the shorter horizontal side, and the side along the vertical, metres.

    Of a box that does not stand upright the side nearest to the vertical counts as its height.
    """
    vertical = upright_axis(box)
    first, second = (float(box.size[k]) for k in range(3) if k != vertical)
    return max(first, second), min(first, second), float(box.size[vertical])
