"""Turning a world so that gravity is right: z up and the floor at height 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spaceland.geometry.planes import Plane, find_floor
from spaceland.geometry.transforms import WORLD_UP, from_rotation_translation, rotation_between
from spaceland.scenes.scene import Frame

MAX_TILT_GIVEN_DEG = 15.0


def camera_up(frames: Sequence[Frame]) -> Float[np.ndarray, "3"]:
    """Rough up direction of the world: the mean upward axis of the cameras, which people hold upright.

    World +z when there are no frames or the cameras disagree.
    """
    up = up_of_poses([frame.T_world_cam for frame in frames])
    return WORLD_UP if up is None else up


def up_of_poses(T_world_cams: Sequence[Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, "3"] | None:
    """The mean upward axis of cameras, unit length; None when there are none or they disagree."""
    axes = [-T_world_cam[:3, 1] for T_world_cam in T_world_cams if np.isfinite(T_world_cam).all()]
    mean = np.mean(axes, axis=0) if axes else np.zeros(3)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.2 else None


def level_transform(
    points: Float[np.ndarray, "n 3"], up: Float[np.ndarray, "3"], *, exact_up: bool
) -> tuple[Float[np.ndarray, "4 4"], Plane | None]:
    """`T_level_world`, and the floor that it was read from (None: not found).

    With `exact_up`, `up` becomes +z exactly and the floor only gives the height; else the floor's normal becomes +z.
    """
    floor = find_floor(points, up, max_tilt_deg=MAX_TILT_GIVEN_DEG if exact_up else 50.0)
    direction = up if exact_up or floor is None else floor.normal
    rotation = rotation_between(direction, WORLD_UP)
    height = 0.0
    if floor is not None:
        on_floor = points[np.abs(floor.height(points)) < 0.05]
        height = float(np.median(on_floor @ rotation[2])) if len(on_floor) else 0.0
    return from_rotation_translation(rotation, np.array([0.0, 0.0, -height])), floor
