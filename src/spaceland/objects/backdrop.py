"""What lies behind a thing in a box: planes that run on beyond the box and have nothing behind them.

A box around a table also shows floor and wall. They differ from the table in two ways that need no knowledge of the
room: they go on outside the box, and nothing is ever seen behind them. A table top may go on outside a tight box, but
the floor is seen behind it. What fills most of the ring is behind the thing in any case, as a table is behind a cup;
and so is a level plane that fills most of the ring's lower half, if much of the box rises above it.

    +---ring----------+     ring: what is seen just outside the box
    |  +--box------+  |     plane through many of the ring's points   -> floor
    |  |   table   |  |     hardly any point behind that plane        -> it is what the table stands on
    |  +-----------+  |     points of the box on (or behind) it       -> not the table
    +-----------------+
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_TRIES = 64
_MAX_PLANES = 4
_MOST_POINTS = 500
_BEHIND_SHARE = 0.03
_ALL_AROUND = 0.6
_LEVEL, _UPRIGHT = 0.95, 0.25
_LOW_SHARE = 0.25
_RISES = 0.2


def backdrop(
    ring: Float[np.ndarray, "m 3"],
    inside: Float[np.ndarray, "n 3"],
    eye: Float[np.ndarray, "3"],
    tolerance_m: float,
    min_share: float,
    low: Bool[np.ndarray, "m"] | None = None,
) -> Bool[np.ndarray, "n"]:
    """Which points inside the box lie on what is behind the thing.

    Args:
        ring: World points seen in a ring around the box; hardly any (fewer than 30) tell nothing.
        inside: World points seen inside the box.
        eye: Where the camera is.
        tolerance_m: Points so near to a plane are on it.
        min_share: Share of the ring's points that a plane must hold.
        low: Which of the ring's points are beside or below the lower half of the box, where world z is up.
    """
    found = np.zeros(len(inside), dtype=bool)
    left = ring
    if low is not None:
        level = _level_at_foot(ring[low, 2], inside[:, 2], len(ring), tolerance_m)
        if level is not None:
            found |= np.abs(inside[:, 2] - level) <= tolerance_m
            left = ring[np.abs(ring[:, 2] - level) > tolerance_m]
    random = np.random.default_rng(0)
    for _ in range(_MAX_PLANES):
        if len(left) < max(30, min_share * len(ring)):
            break
        normal, offset = _best_plane(left, tolerance_m, random)
        if normal @ eye + offset < 0:
            normal, offset = -normal, -offset
        on = np.abs(left @ normal + offset) <= tolerance_m
        if on.sum() < min_share * len(ring):
            break
        height_inside = inside @ normal + offset
        behind = np.concatenate([height_inside, ring @ normal + offset]) < -3 * tolerance_m
        around = on.sum() >= _ALL_AROUND * len(ring)
        last = behind.mean() <= _BEHIND_SHARE and (abs(normal[2]) >= _LEVEL or abs(normal[2]) <= _UPRIGHT)
        if around or last:
            found |= height_inside <= tolerance_m
        left = left[~on]
    return found


def _level_at_foot(
    low_z: Float[np.ndarray, "k"], inside_z: Float[np.ndarray, "n"], num_ring: int, tolerance_m: float
) -> float | None:
    """Height of the level plane that is nearly all one sees around the foot of something that rises above it."""
    if len(low_z) < max(30, _LOW_SHARE * num_ring):
        return None
    heights = np.sort(low_z)
    held = np.searchsorted(heights, heights + tolerance_m) - np.arange(len(heights))
    first = int(np.argmax(held))
    level = float(np.median(heights[first : first + held[first]]))
    around = (np.abs(heights - level) <= tolerance_m).mean() >= _ALL_AROUND
    return level if around and (inside_z > level + tolerance_m).mean() >= _RISES else None


def _best_plane(
    points: Float[np.ndarray, "n 3"], tolerance_m: float, random: np.random.Generator
) -> tuple[Float[np.ndarray, "3"], float]:
    """The plane normal @ p + offset = 0 near most points: the best of some through three of them, then fitted again."""
    points = points[:: -(-len(points) // _MOST_POINTS)]
    corners = points[random.integers(0, len(points), (_TRIES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals / np.where(lengths > 1e-12, lengths, 1.0)[:, None]
    distance = np.abs(points @ normals.T - np.einsum("ij,ij->i", normals, corners[:, 0]))
    held = (distance <= tolerance_m).sum(0) * (lengths > 1e-12)
    near = distance[:, int(np.argmax(held))] <= tolerance_m
    normal, offset = _fitted(points[near] if near.sum() > 3 else points)
    # Again to those nearest, or what stands on the plane tilts it.
    near = np.abs(points @ normal + offset) <= tolerance_m / 2
    return _fitted(points[near]) if near.sum() > 3 else (normal, offset)


def _fitted(points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    middle = points.mean(0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    return normal, float(-normal @ middle)
