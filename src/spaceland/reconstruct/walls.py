"""What walls say about a world: whether up is up, and which way the room runs.

Walls are patches that stand upright within some degrees: cupboards, doors and bookshelves count too, and they mostly
run along the walls. There are two ways to see their direction: which way they face (`wall_yaw`, exact when the surface
is smooth), and in which direction the plan of the room has the sharpest lines (`plan_yaw`, which also works when the
surface is so rough that nothing faces anywhere).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from spaceland.geometry.transforms import WORLD_UP, rotation_between, rotation_z
from spaceland.reconstruct.layers import Patches, weighted_median

_MAX_PLAN = 20_000
_PLAN_RADIUS_M = 30.0


@dataclass(frozen=True, kw_only=True)
class UprightSettings:
    """Lengths in metres, or in the stand-in for metres when the unit is unknown."""

    max_tilt_deg: float = 50.0
    """How far the floor's normal may lean from what the cameras say."""
    floor_tolerance_m: float = 0.04
    min_lower_share: float = 0.12
    """A level layer below the floor found is the true floor when it has this share of its area."""
    min_floor_m2: float = 0.1
    wall_lean_deg: float = 12.0
    """Patches this near to upright count as walls."""
    wall_cell_m: float = 0.15
    """Size of the pieces in which walls are looked at."""
    max_disagreement_deg: float = 2.0
    min_wall_share: float = 0.05
    """Least share of the area that must be walls before they say anything."""
    min_wall_confidence: float = 0.3
    """Below it the walls' normals are not believed: in rough surfaces they were off by 4 to 28 degrees then."""
    min_plan_contrast: float = 1.2
    """Lines of the plan must be this much sharper along the walls than in the median direction."""


def upright_patches(patches: Patches, up: Float[np.ndarray, "3"], settings: UprightSettings) -> Patches:
    """What stands upright, in pieces of `wall_cell_m`; none when that is too little of the surface to say anything.

    The patches of a piece are averaged by area, so noise cancels out, and so do round things in part.
    """
    lean = np.abs(patches.normals @ up)
    near = patches.where(lean < np.sin(np.radians(3 * settings.wall_lean_deg)))
    merged = _merged(near, settings.wall_cell_m)
    walls = merged.where(np.abs(merged.normals @ up) < np.sin(np.radians(settings.wall_lean_deg)))
    enough = walls.areas.sum() >= settings.min_wall_share * patches.areas.sum()
    return walls if enough else walls.where(np.zeros(len(walls), dtype=bool))


def _merged(patches: Patches, cell_m: float) -> Patches:
    """One patch for each cell and each of six rough directions (both sides of a thin wall must not cancel out)."""
    if len(patches) == 0:
        return patches
    cell = np.floor((patches.points - patches.points.min(0)) / cell_m).astype(np.int64)
    axis = np.abs(patches.normals).argmax(1)
    side = 2 * axis + (np.take_along_axis(patches.normals, axis[:, None], 1)[:, 0] > 0)
    _, group = np.unique(np.column_stack([cell, side]), axis=0, return_inverse=True)
    group = group.ravel()
    count = int(group.max()) + 1

    def total(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(group, column * patches.areas, count) for column in values.T], -1)

    normal = total(patches.normals)
    area = np.linalg.norm(normal, axis=1)
    middle = total(patches.points) / np.bincount(group, patches.areas, count)[:, None]
    good = area > 0
    return Patches(middle[good], normal[good] / area[good, None], area[good])


def stand_walls(
    walls: Patches, up: Float[np.ndarray, "3"], floor_area: float, settings: UprightSettings
) -> tuple[Float[np.ndarray, "3"], float]:
    """The up that floor and walls agree on best, each by its area, and how far walls alone are from `up` in degrees.

    Along each of the two directions of walls: facing one way they lean forward by as much as those facing the other way
    lean back, when it is up that is wrong.

    Args:
        walls: From `upright_patches`; some.
        up: What the floor (or the cameras) say.
        floor_area: In the unit of the patches; 0: only the walls count.
    """
    R = rotation_between(up, WORLD_UP)
    R = rotation_z(-wall_yaw(walls, R)[0]) @ R
    turned = walls.normals @ R.T
    slopes, moved = np.zeros(2), np.zeros(2)
    for axis in (0, 1):
        facing = np.abs(turned[:, axis]) > np.cos(np.radians(settings.wall_lean_deg + 3.0))
        area = float(walls.areas[facing].sum())
        if area < 0.1 * float(walls.areas.sum()):
            continue
        # For up = (a, b, 1): normal . up = 0, so a = -z / x.
        slopes[axis] = weighted_median(-turned[facing, 2] / turned[facing, axis], walls.areas[facing])
        moved[axis] = slopes[axis] * area / (area + floor_area)
    new = R.T @ np.array([*moved, 1.0])
    return new / np.linalg.norm(new), float(np.degrees(np.arctan(np.linalg.norm(slopes))))


def wall_yaw(walls: Patches, R_level_world: Float[np.ndarray, "3 3"]) -> tuple[float, float]:
    """Direction of the walls in radians, modulo a quarter turn, -pi/4 to pi/4, and the share of wall area along it.

    The share counts what is within 5 degrees: 1 in a perfect box, 0.11 when walls run anyhow, 0 without walls.
    """
    if len(walls) == 0:
        return 0.0, 0.0
    turned = walls.normals @ R_level_world.T
    angle = np.degrees(np.arctan2(turned[:, 1], turned[:, 0])) % 90.0
    histogram = np.bincount(np.floor(angle).astype(int) % 90, walls.areas, minlength=90)
    smooth = sum(np.roll(histogram, k) * (4 - abs(k)) for k in range(-3, 4))
    peak = float(np.argmax(smooth)) + 0.5
    for reach_deg in (6.0, 4.0, 3.0, 3.0):
        off = (angle - peak + 45.0) % 90.0 - 45.0
        near = np.abs(off) < reach_deg
        peak += weighted_median(off[near], walls.areas[near]) if near.any() else 0.0
    off = (angle - peak + 45.0) % 90.0 - 45.0
    share = float(walls.areas[np.abs(off) < 5.0].sum() / walls.areas.sum())
    return float(np.radians((peak + 45.0) % 90.0 - 45.0)), share


def plan_yaw(patches: Patches, R_level_world: Float[np.ndarray, "3 3"], cell_m: float = 0.1) -> tuple[float, float]:
    """Direction in which the plan of the room has the sharpest lines, in radians, -pi/4 to pi/4, and the contrast.

    What stands upright is projected on two perpendicular directions; walls that run along one of them pile up. The
    contrast is the squared sum of the piles over that of the median direction, 1 without any walls.
    """
    turned = patches.normals @ R_level_world.T
    upright = np.flatnonzero(np.abs(turned[:, 2]) < 0.5)
    upright = upright[:: max(1, len(upright) // _MAX_PLAN)]
    if len(upright) < 100:
        return 0.0, 1.0
    xy, areas = (patches.points[upright] @ R_level_world.T)[:, :2], patches.areas[upright]
    xy = xy - np.median(xy, axis=0)
    near = np.linalg.norm(xy, axis=1) < _PLAN_RADIUS_M
    xy, areas = xy[near], areas[near]
    offset, length = int(_PLAN_RADIUS_M / cell_m) + 1, 2 * int(_PLAN_RADIUS_M / cell_m) + 3
    angles = np.radians(np.arange(0.0, 90.0, 0.5))
    sharp = np.zeros(len(angles))
    for k, angle in enumerate(angles):
        for along in (xy @ [np.cos(angle), np.sin(angle)], xy @ [-np.sin(angle), np.cos(angle)]):
            pile = np.bincount(np.floor(along / cell_m).astype(int) + offset, areas, length)
            sharp[k] += float((ndimage.gaussian_filter1d(pile, 1.0) ** 2).sum())
    best = float(angles[int(np.argmax(sharp))])
    quarter = np.pi / 2
    return (best + quarter / 2) % quarter - quarter / 2, float(sharp.max() / np.median(sharp))
