"""Levelling a world: where is up, where is the floor, which way do the walls run.

1. **Rough up** from the cameras, which people hold level: their x axes are horizontal whatever they look at.
2. **Floor**: the plane that many upward patches lie on with next to nothing below (`geometry.planes.find_floor`); if a
   lower level layer of notable area turns up, that one (a table top is no floor).
3. **Walls check it**: patches that stand upright must be perpendicular to the floor. Up to 2 degrees the floor is
   believed; beyond that floor and walls settle on a common up, by area, and the report says so.
4. **Turn**: the direction that most wall area faces, modulo 90 degrees, goes along x and y; of the four ways the one in
   which the first camera looks most towards +y.
5. **Origin**: the floor goes to z = 0, the middle of the room to x = y = 0.

`T_level_world` is rigid: the unit stays what it was (`scale.py` sets it). Nothing here needs metres. When the unit is
unknown, thresholds count in a unit in which the cameras are 1.5 m above the floor.

Worked example. A phone walk in the world of its first frame: the floor's normal is (0.02, -0.89, -0.46), 1.55 below the
camera. The level world has it at z = 0 and the first camera at z = 1.55.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError
from spaceland.geometry.planes import Plane, find_floor
from spaceland.geometry.transforms import (
    WORLD_UP,
    from_rotation_translation,
    pose_problem,
    rotation_between,
    rotation_z,
    transform_points,
)
from spaceland.reconstruct.layers import Patches, horizontal_layers, patches_of, weighted_median
from spaceland.reconstruct.walls import UprightSettings, plan_yaw, stand_walls, upright_patches, wall_yaw
from spaceland.scenes.level import up_of_poses
from spaceland.scenes.scene import Surface

ASSUMED_CAMERA_HEIGHT_M = 1.5
_ROUGH_EXTENT_M = 5.0
"""What the extent of a scene of unknown unit counts as until the camera height is known."""


@dataclass(frozen=True)
class WorldFix:
    """How a world was levelled.

    `T_level_world` maps the world as it was to the level one; it is rigid, and lengths are in the unit of that world.
    `up_source` is "floor", "floor and walls", "cameras held level" or "world z". `floor_source` is "floor plane" or
    "lowest surface seen" (a guess). `tilt_deg` is the angle between the world's z and up, `rough_off_deg` the one
    between what the cameras said and up. `floor_inlier_share` is the share of the surface on the floor. `wall_lean_deg`
    is how far walls were from perpendicular to the floor (None: too few walls). `wall_confidence` is the share of the
    wall area that faces along the axes within 5 degrees (1 of a perfect box; 0.11 when walls run anyhow), and
    `yaw_source` is "walls", "lines in plan" (the surface is too rough to tell which way it faces) or "none".
    `camera_height` is the median height of the cameras.
    """

    T_level_world: Float[np.ndarray, "4 4"]
    up_source: str
    floor_source: str
    yaw_source: str
    tilt_deg: float
    rough_off_deg: float
    floor_inlier_share: float
    wall_lean_deg: float | None
    wall_confidence: float
    camera_height: float | None
    warnings: tuple[str, ...] = ()

    @property
    def floor_found(self) -> bool:
        """Whether z = 0 is a floor that was seen."""
        return self.floor_source == "floor plane"

    def to_json(self) -> Mapping[str, Any]:
        """All of it as plain numbers and words."""
        origin = -self.T_level_world[:3, :3].T @ self.T_level_world[:3, 3]
        return asdict(self) | {
            "T_level_world": self.T_level_world.tolist(),
            "origin_world": origin.tolist(),
            "warnings": list(self.warnings),
        }


def level_world(
    surface: Surface,
    T_world_cams: Sequence[Float[np.ndarray, "4 4"]],
    *,
    metric: bool,
    settings: UprightSettings | None = None,
) -> WorldFix:
    """Find the transform that levels a world.

    Args:
        surface: A mesh whose triangles face where they were seen from (as `fuse` makes it), or a cloud.
        T_world_cams: Camera poses in order, in the same world and unit; impossible ones are left out.
        metric: Whether the unit is a metre.

    Raises:
        ReconstructionError: the surface is empty.
    """
    settings = settings or UprightSettings()
    poses = [np.asarray(T, dtype=float) for T in T_world_cams if pose_problem(np.asarray(T)) is None]
    eyes = np.array([T[:3, 3] for T in poses]).reshape(-1, 3)
    patches = patches_of(surface, eyes)
    if len(patches) < 20:
        raise ReconstructionError(
            f"the surface has {len(patches)} flat patches, too few to tell up from down; fuse more views"
        )
    rough, rough_source = rough_up(poses)
    low, high = np.percentile(patches.points, [2, 98], axis=0)
    extent = float(np.linalg.norm(high - low))
    to_m = 1.0 if metric else _ROUGH_EXTENT_M / extent
    floor = _find_floor(patches.scaled(to_m), rough, settings)
    if not metric and floor is not None and len(eyes):
        height = float(np.median(floor.height(eyes * to_m)))
        if height > 0.1:
            to_m *= ASSUMED_CAMERA_HEIGHT_M / height
            floor = _find_floor(patches.scaled(to_m), rough, settings) or floor
    return _fix(patches.scaled(to_m), poses, to_m, floor, rough, rough_source, settings)


def rough_up(T_world_cams: Sequence[Float[np.ndarray, "4 4"]]) -> tuple[Float[np.ndarray, "3"], str]:
    """Up as cameras tell it, and where it comes from: "cameras held level", or "world z" when they do not agree.

    Cameras look down more often than up, so the mean of their upward axes leans forward. Their x axes do not: up is the
    direction that all of them are perpendicular to, provided that they look different ways.
    """
    mean = up_of_poses(T_world_cams)
    if mean is None:
        return WORLD_UP.copy(), "world z"
    sideways = np.array([T[:3, 0] for T in T_world_cams])
    values, vectors = np.linalg.eigh(sideways.T @ sideways / len(sideways))
    axis = vectors[:, 0] if vectors[:, 0] @ mean >= 0 else -vectors[:, 0]
    # The two other directions must both be seen, and the result must be no surprise.
    sure = values[1] > 0.05 and values[0] < 0.25 * values[1] and axis @ mean > np.cos(np.radians(45))
    return (axis if sure else mean), "cameras held level"


def _find_floor(patches: Patches, rough: Float[np.ndarray, "3"], settings: UprightSettings) -> Plane | None:
    """The floor in metres (or their stand-in)."""
    plane = find_floor(
        patches.points,
        rough,
        normals=patches.normals,
        max_tilt_deg=settings.max_tilt_deg,
        tolerance_m=settings.floor_tolerance_m,
    )
    up = rough if plane is None else plane.normal
    layers = [layer for layer in horizontal_layers(patches, up) if layer.area >= settings.min_floor_m2]
    if not layers:
        return plane
    # What is below a floor is noise: a mirror, a window, a hole in the scan.
    above = patches.points @ up
    layers = [y for y in layers if patches.areas[above < y.height - 0.15].sum() < 0.1 * patches.areas.sum()]
    # Seats and shelves are small beside the floor; without a plane the largest layer is what others compare with.
    best = max((y.area for y in layers), default=0.0)
    wanted = best if plane is None else max(_layer_at(patches, plane, settings), settings.min_floor_m2)
    for layer in layers:
        if plane is not None and layer.height > plane.offset_m - 3 * settings.floor_tolerance_m:
            break
        if layer.area >= settings.min_lower_share * wanted:
            return _refined(patches, Plane(up, layer.height), settings)
    return None if plane is None else _refined(patches, plane, settings)


def _layer_at(patches: Patches, plane: Plane, settings: UprightSettings) -> float:
    near = np.abs(plane.height(patches.points)) < settings.floor_tolerance_m
    return float(patches.areas[near & (patches.normals @ plane.normal > 0.9)].sum())


def _refined(patches: Patches, plane: Plane, settings: UprightSettings) -> Plane:
    """The plane through its patches by area; noise and things that lie about are left out by narrowing the band."""
    for tolerance_m in (
        settings.floor_tolerance_m,
        0.75 * settings.floor_tolerance_m,
        0.5 * settings.floor_tolerance_m,
    ):
        on = (np.abs(plane.height(patches.points)) < tolerance_m) & (patches.normals @ plane.normal > 0.85)
        if on.sum() < 10:
            break
        points, areas = patches.points[on], patches.areas[on]
        middle = np.average(points, axis=0, weights=areas)
        off = (points - middle) * np.sqrt(areas)[:, None]
        values, vectors = np.linalg.eigh(off.T @ off)
        # A strip has no direction across.
        if values[1] < 1e-3 * values[2] or values[1] <= 0:
            break
        normal = vectors[:, 0] if vectors[:, 0] @ plane.normal >= 0 else -vectors[:, 0]
        plane = Plane(normal, float(normal @ middle), 0.0)
    share = _layer_at(patches, plane, settings) / float(patches.areas.sum())
    return Plane(plane.normal, plane.offset_m, share)


def _fix(
    patches: Patches,
    poses: list[np.ndarray],
    to_m: float,
    floor: Plane | None,
    rough: np.ndarray,
    rough_source: str,
    settings: UprightSettings,
) -> WorldFix:
    warnings = []
    up, up_source = (rough, rough_source) if floor is None else (floor.normal, "floor")
    if floor is None:
        warnings.append(f"no floor was seen: up comes from {rough_source}, z = 0 is the lowest surface")
    walls = upright_patches(patches, up, settings)
    lean: float | None = None
    floor_area = 0.0 if floor is None else _layer_at(patches, floor, settings)
    if len(walls):
        corrected, lean = stand_walls(walls, up, floor_area, settings)
        if lean > settings.max_disagreement_deg or floor is None:
            if floor is None:
                up, up_source = corrected, f"{rough_source}, refined by walls"
            else:
                up, up_source = corrected, "floor and walls"
                warnings.append(
                    f"walls lean {lean:.1f} degrees against the floor; up is a compromise, the surface may be bent"
                )
    R_up = rotation_between(up, WORLD_UP)
    yaw, confidence = wall_yaw(walls, R_up)
    yaw_source = "walls"
    if confidence < settings.min_wall_confidence:
        yaw, contrast = plan_yaw(patches, R_up)
        yaw_source = "lines in plan" if contrast >= settings.min_plan_contrast else "none"
    if yaw_source == "none":
        yaw = 0.0
        warnings.append("no walls with a common direction were seen: the world is not turned about z")
    R = rotation_z(-yaw) @ R_up
    if yaw_source != "none":
        R = _towards_first_view(R, poses)
    height = patches.points @ R[2]
    if floor is None:
        order = np.argsort(height)
        below = np.cumsum(patches.areas[order]) >= 0.02 * patches.areas.sum()
        floor_z = float(height[order][below][0])
    else:
        near = (np.abs(floor.height(patches.points)) < settings.floor_tolerance_m) & (
            patches.normals @ floor.normal > 0.85
        )
        floor_z = weighted_median(height[near], patches.areas[near]) if near.any() else floor.offset_m
    level = patches.points @ R.T
    middle = (np.percentile(level[:, :2], 1, axis=0) + np.percentile(level[:, :2], 99, axis=0)) / 2
    T = from_rotation_translation(R, np.array([-middle[0], -middle[1], -floor_z]) / to_m)
    camera_height = None
    if poses:
        camera_height = float(np.median(transform_points(T, np.array([p[:3, 3] for p in poses]))[:, 2]))
        if floor is not None and camera_height * to_m < 0.5:
            warnings.append(
                f"the cameras are only {camera_height * to_m:.2f} m above the floor found: it may be a table or a bed"
            )
    return WorldFix(
        T,
        up_source,
        "lowest surface seen" if floor is None else "floor plane",
        yaw_source,
        _angle_deg(up, WORLD_UP),
        _angle_deg(up, rough),
        0.0 if floor is None else floor.support,
        lean,
        confidence,
        camera_height,
        tuple(warnings),
    )


def _towards_first_view(R: np.ndarray, poses: list[np.ndarray]) -> np.ndarray:
    """Of four quarter turns the one in which the first camera looks most towards +y; as it is without cameras."""
    for pose in poses:
        forward = R @ pose[:3, 2]
        if np.hypot(forward[0], forward[1]) < 0.2:  # straight down: the top of its picture points ahead
            forward = R @ -pose[:3, 1]
        turns = round((np.pi / 2 - np.arctan2(forward[1], forward[0])) / (np.pi / 2))
        return np.rint(rotation_z(turns * np.pi / 2)) @ R
    return R


def _angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
