"""What lies behind a thing in a box: planes that run on beyond the box and have nothing behind them.

A box around a table also shows floor and wall. They differ from the table in two ways that need no knowledge of the
room: they go on outside the box, and nothing is ever seen behind them. A table top may go on outside a tight box, but
the floor is seen behind it. What fills most of the ring is behind the thing in any case, as a table is behind a cup.

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


def backdrop(
    ring: Float[np.ndarray, "m 3"],
    inside: Float[np.ndarray, "n 3"],
    eye: Float[np.ndarray, "3"],
    tolerance_m: float,
    min_share: float,
) -> Bool[np.ndarray, "n"]:
    """Which points inside the box lie on what is behind the thing.

    Args:
        ring: World points seen in a ring around the box; hardly any (fewer than 30) tell nothing.
        inside: World points seen inside the box.
        eye: Where the camera is.
        tolerance_m: Points so near to a plane are on it.
        min_share: Share of the ring's points that a plane must hold.
    """
    found = np.zeros(len(inside), dtype=bool)
    left = ring
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
        if behind.mean() <= _BEHIND_SHARE or on.sum() >= _ALL_AROUND * len(ring):
            found |= height_inside <= tolerance_m
        left = left[~on]
    return found


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
    chosen = points[distance[:, int(np.argmax(held))] <= tolerance_m]
    middle = chosen.mean(0) if len(chosen) else points.mean(0)
    normal = np.linalg.svd((chosen if len(chosen) > 3 else points) - middle, full_matrices=False)[2][2]
    return normal, float(-normal @ middle)
