"""An upright box around points of which the far side was never seen.

The smallest box is a poor guess then. Of a wardrobe in a corner two sides are seen, an L from above, and a rectangle
along the diagonal of an L is exactly as small as the one along its sides:

    seen from above      as small         sides along the points
      |                  /\\                +----+
      |                 /  \\               |    |
      |____             \\  /               |____|

So the box is turned such that the points lie near its sides, which is right for an L and for a full rectangle alike.
Sides thinner than a limit grow, away from the cameras: what is hidden lies behind.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spaceland.geometry.boxes import OrientedBox

_ANGLES_DEG = np.arange(0.0, 90.0, 1.5)
_FINE_DEG = np.arange(-1.25, 1.5, 0.25)
_MAX_POINTS = 1500
_OUTSIDE_PERCENT = 0.3
_CLEARLY_BETTER = 0.97


def fit_box(
    points: Float[np.ndarray, "n 3"],
    eye: Float[np.ndarray, "3"] | None = None,
    min_side_m: float = 0.0,
    outside_percent: float = 0.0,
) -> OrientedBox:
    """The upright box (third axis = world z, first axis the longer horizontal one) whose sides the points lie on.

    Args:
        points: World points, at least one.
        eye: Where the thing was seen from; sides below `min_side_m` grow away from there.
        min_side_m: Least length of a side.
        outside_percent: Share of the points that may lie beyond each side.
    """
    xy = points[:: -(-len(points) // _MAX_POINTS), :2]
    coarse = np.array([_mean_gap(xy, angle) for angle in _ANGLES_DEG])
    best = float(_ANGLES_DEG[int(np.argmin(coarse))])
    fine = np.array([_mean_gap(xy, best + step) for step in _FINE_DEG])
    best += float(_FINE_DEG[int(np.argmin(fine))])
    if float(fine.min()) > _CLEARLY_BETTER * float(np.median(coarse)):  # round or tiny: no direction is better
        box = OrientedBox.upright_from_points(points)
    else:
        box = _box_at(points, best, outside_percent)
    return box if eye is None else thicken(box, eye, min_side_m)


def thicken(box: OrientedBox, eye: Float[np.ndarray, "3"], min_side_m: float) -> OrientedBox:
    """The box with sides below `min_side_m` grown to it, away from `eye`."""
    size, center = box.size.copy(), box.center.copy()
    for axis in range(3):
        if size[axis] < min_side_m:
            direction = box.rotation[:, axis]
            sign = -1.0 if direction @ (eye - center) > 0 else 1.0
            center = center + sign * (min_side_m - size[axis]) / 2 * direction
            size[axis] = min_side_m
    return OrientedBox(center, size, box.rotation)


def _mean_gap(xy: Float[np.ndarray, "n 2"], angle_deg: float) -> float:
    """Mean distance from the points to the nearest side of the rectangle around them that is turned by an angle."""
    angle = np.radians(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    local = xy @ turn
    # A few points that stick out must not move the sides.
    low, high = np.percentile(local, [_OUTSIDE_PERCENT, 100 - _OUTSIDE_PERCENT], axis=0)
    gap = np.minimum(np.abs(local - low), np.abs(high - local)).min(1)
    return float(gap.mean())


def _box_at(points: Float[np.ndarray, "n 3"], angle_deg: float, outside_percent: float) -> OrientedBox:
    angle = np.radians(angle_deg)
    rotation = np.eye(3)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    local = points @ rotation
    low, high = np.percentile(local, [outside_percent, 100 - outside_percent], axis=0)
    size, center = high - low, rotation @ ((low + high) / 2)
    if size[1] > size[0]:
        rotation = np.stack([rotation[:, 1], -rotation[:, 0], rotation[:, 2]], -1)
        size = size[[1, 0, 2]]
    return OrientedBox(center, size, rotation)
