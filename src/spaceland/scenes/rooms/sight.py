"""What is in view: objects as targets, rays in the furnished room, and the measure of a good view of an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid

MIN_PX = 520.0
"""Least visible pixels of 640x480; the promise is 400, the measure is a sample."""
_MAX_HIDDEN = 0.3
_MAX_CUT = 0.3


@dataclass(frozen=True, eq=False)
class Target:
    """An object to be seen: some points on it [s, 3], its box, and the id that rays report for it."""

    id: int
    points: Float[np.ndarray, "s 3"]
    box: OrientedBox


@dataclass(frozen=True, eq=False)
class Sight:
    """Rays in the room: a caster, and the owner of each of its faces (-1: the room itself)."""

    caster: RayCaster
    face_owner: Int[np.ndarray, "m"]

    def owner(self, origins: np.ndarray, directions: np.ndarray) -> Int[np.ndarray, "..."]:
        """Owner of what each ray hits first."""
        face = self.caster.cast(origins, directions).face
        return np.where(face >= 0, self.face_owner[face], -2)


def good_views(
    poses: Float[np.ndarray, "f 4 4"], targets: list[Target], sight: Sight, camera: PinholeCamera
) -> Bool[np.ndarray, "f o"]:
    """In which frames each target is large enough, mostly unhidden and mostly inside the picture.

    Every target is probed by rays to its points and by a grid of rays through the pixels around them.
    """
    points = np.stack([t.points for t in targets])
    ids = np.array([t.id for t in targets])
    T_cam_room = invert_rigid(poses)
    local = np.einsum("fij,osj->fosi", T_cam_room[:, :3, :3], points) + T_cam_room[:, None, None, :3, 3]
    pixels, z = camera.project(local)
    in_image = camera.contains(pixels) & (z > 0.1)
    share_in = in_image.mean(-1)
    frame, which = np.nonzero(share_in > 1 - _MAX_CUT)
    result = np.zeros(share_in.shape, dtype=bool)
    if len(frame) == 0:
        return result
    eye = poses[frame, :3, 3]
    seen = sight.owner(np.broadcast_to(eye[:, None], (len(frame), *points.shape[1:])), points[which] - eye[:, None])
    inside = in_image[frame, which]
    visible = ((seen == ids[which][:, None]) & inside).sum(1) / np.maximum(inside.sum(1), 1)
    corners = np.stack([t.box.corners() for t in targets])[which]
    R = T_cam_room[frame]
    corner_px, corner_z = camera.project(np.einsum("kij,kcj->kci", R[:, :3, :3], corners) + R[:, None, :3, 3])
    whole = (corner_z > 0.05).all(axis=1, keepdims=True)
    low = np.where(whole, np.nan_to_num(corner_px).min(1), 0.0)
    high = np.where(whole, np.nan_to_num(corner_px).max(1), [camera.width, camera.height])
    low, high = np.maximum(low, 0), np.minimum(high, [camera.width, camera.height])
    n = 10
    s = (np.arange(n) + 0.5) / n
    u = low[:, :1] + s * (high - low)[:, :1]
    v = low[:, 1:] + s * (high - low)[:, 1:]
    grid = np.stack(np.broadcast_arrays(u[:, None, :], v[:, :, None]), -1).reshape(len(frame), -1, 2)
    rays = camera.unproject(grid, np.ones(grid.shape[:-1]))
    directions = np.einsum("kij,kgj->kgi", poses[frame, :3, :3], rays)
    hit = sight.owner(np.broadcast_to(eye[:, None], directions.shape), directions) == ids[which][:, None]
    area = hit.mean(1) * np.prod(np.maximum(high - low, 0), axis=1)
    result[frame, which] = (area > MIN_PX) & (visible > 1 - _MAX_HIDDEN)
    return result
