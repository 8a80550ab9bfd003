"""Pictures that lie on their side, stood upright by quarter turns.

Phones store what the sensor sees: held upright, the picture lies on its side although the pose is right. "Left" and
"above" then mean other things in the picture than in the room. All frames of a scene are turned alike, the way that
most of them need, so that they keep one size. Turning changes pixels, camera and pose together: every world point stays
at the pixel that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.scene import Frame

SKY = ("up", "left", "down", "right")
"""Where the sky is in the stored pictures when they need 0, 3, 2, 1 quarter turns counter-clockwise."""

# Axes of the turned camera in the axes of the stored one, for one quarter turn: x' = y, y' = -x.
_R_STORED_TURNED = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def turns_to_upright(poses: Sequence[Float[np.ndarray, "4 4"]]) -> int:
    """How many quarter turns counter-clockwise (0 to 3) put world up on top of most pictures."""
    votes = np.zeros(4)
    for T_world_cam in poses:
        if np.isfinite(T_world_cam).all():
            right, down = T_world_cam[2, 0], T_world_cam[2, 1]
            votes += (-down, right, down, -right)
    return int(np.argmax(votes))


def sky_direction(turns: int) -> str:
    """The side of the stored picture that the sky is on."""
    return SKY[-turns % 4]


def turned_camera(camera: PinholeCamera, turns: int) -> PinholeCamera:
    """The camera of `np.rot90(image, turns)`."""
    for _ in range(turns % 4):
        camera = PinholeCamera(camera.height, camera.width, camera.fy, camera.fx, camera.cy, camera.width - camera.cx)
    return camera


def turned(frame: Frame, turns: int) -> Frame:
    """The frame with all its pictures turned by quarter turns counter-clockwise.

    `color_path` becomes None, since the file shows the picture as it was stored.
    """
    if turns % 4 == 0:
        return frame
    pose = frame.T_world_cam.copy()
    pose[:3, :3] = pose[:3, :3] @ np.linalg.matrix_power(_R_STORED_TURNED, turns % 4)
    return replace(
        frame,
        camera=turned_camera(frame.camera, turns),
        T_world_cam=pose,
        color=_Turned(frame.color, turns),
        content_key=_Key(frame.content_key, turns),
        color_path=None,
        depth=None if frame.depth is None else _Turned(frame.depth, turns),
        depth_camera=None if frame.depth_camera is None else turned_camera(frame.depth_camera, turns),
        object_ids=None if frame.object_ids is None else _Turned(frame.object_ids, turns),
    )


class _Turned:
    """A reader whose image is turned; a class, so that frames can go to worker processes."""

    def __init__(self, read: Callable[[], np.ndarray], turns: int) -> None:
        self._read, self._turns = read, turns

    def __call__(self) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(self._read(), self._turns))


class _Key:
    def __init__(self, key: Callable[[], str], turns: int) -> None:
        self._key, self._turns = key, turns

    def __call__(self) -> str:
        return f"{self._key()}-{self._turns % 4}"
