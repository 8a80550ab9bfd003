"""Camera poses at any time, from a trajectory of poses at some times.

A trajectory file has one line for each pose: time, rotation as axis-angle (radians), translation. It maps the world to
the camera, as ARKitScenes has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from spaceland.errors import SceneError
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid

EXACT_S = 0.0011
"""A pose this near is taken as it is: file names are rounded to milliseconds."""
MAX_GAP_S = 0.25
"""Neighbours farther apart than this say too little about the time between them."""


def read_trajectory(path: Path) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n 4 4"]]:
    """Times, ascending, and `T_world_cam`; lines with numbers that are not finite give NaN poses.

    Raises:
        SceneError: missing, or lines without seven numbers.
    """
    try:
        lines = path.read_text().splitlines()
        rows = np.array([[float(word) for word in line.split()] for line in lines if line.strip()])
        if rows.ndim != 2 or rows.shape[1] != 7 or not np.isfinite(rows[:, 0]).all():
            raise ValueError("expected lines of 7 numbers")
    except (OSError, ValueError) as error:
        raise SceneError(f"{path} is not a trajectory ({error}); the file may be truncated, copy it again") from error
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    lost = ~np.isfinite(rows).all(axis=1)
    rows[lost, 1:] = 0.0
    rotation = Rotation.from_rotvec(rows[:, 1:4]).as_matrix()
    poses = invert_rigid(from_rotation_translation(rotation, rows[:, 4:7]))
    poses[lost] = np.nan
    return rows[:, 0], poses


def pose_at(time: float, times: Float[np.ndarray, "n"], poses: Float[np.ndarray, "n 4 4"]) -> np.ndarray | None:
    """The pose at a time, between two neighbours where needed; None outside, or when they are too far apart."""
    nearest = int(np.argmin(np.abs(times - time)))
    if abs(times[nearest] - time) <= EXACT_S:
        return poses[nearest]
    after = int(np.searchsorted(times, time))
    if after in (0, len(times)) or times[after] - times[after - 1] > MAX_GAP_S:
        return None
    pair = poses[after - 1 : after + 1]
    if not np.isfinite(pair).all():
        return np.full((4, 4), np.nan)
    share = (time - times[after - 1]) / (times[after] - times[after - 1])
    rotation = Slerp([0.0, 1.0], Rotation.from_matrix(pair[:, :3, :3]))(share).as_matrix()
    return from_rotation_translation(rotation, (1 - share) * pair[0, :3, 3] + share * pair[1, :3, 3])
