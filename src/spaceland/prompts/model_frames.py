"""Which frames of a posed scene a model is shown: few (8, 16, 32), so that each should show something new.

uniform     evenly spread: of N frames, frame floor((i - 1) N / n) + 1 for i = 1 .. n (GPT4Scene's formula)
coverage    greedily the frame that shows most of the room that no chosen one shows yet

For coverage the room is cut into cubes of 0.2 m; a frame shows those in which its depth ends (measured depth, else
depth of the surface from its pose). Where all cubes are shown before all frames are chosen, the rest fills the longest
gaps.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.coverage import greedy_cover
from spaceland.geometry.transforms import transform_points
from spaceland.sampling import evenly
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import VisibilityConfig
from spaceland.visibility.frame_maps import spread_frames
from spaceland.visibility.maps import map_maker

ModelFrameMethod = Literal["uniform", "coverage"]
_CUBE_M = 0.2
_MAX_DEPTH_M = 10.0
_SAMPLES = 80


def choose_model_frames(scene: Scene, count: int, method: ModelFrameMethod = "uniform") -> list[int]:
    """Ascending positions in `scene.frames` of at most `count` frames.

    Of more than 400 frames, every n-th is a candidate for "coverage".

    Raises:
        SceneError: a depth image is damaged, or there is neither depth nor a surface ("coverage").
    """
    total = len(scene.frames)
    if method == "uniform" or count >= total:
        return evenly(total, count)
    candidates = list(spread_frames(total))
    if len(candidates) < count:
        return evenly(total, count)
    shown = shown_cubes(scene, [scene.frames[k] for k in candidates])
    order = greedy_cover(shown, np.ones(len(shown)), count)
    covered = np.zeros(len(shown), dtype=bool)
    chosen: list[int] = []
    for column in order:
        if not (shown[:, column] & ~covered).any():
            break
        covered |= shown[:, column]
        chosen.append(column)
    while len(chosen) < count:
        away = np.abs(np.arange(len(candidates))[:, None] - np.array(chosen or [-1])[None]).min(1)
        chosen.append(int(np.argmax(away)))
    return sorted(candidates[k] for k in chosen)


def shown_cubes(scene: Scene, frames: list[Frame]) -> Bool[np.ndarray, "cubes f"]:
    """Which cubes of the room each frame shows."""
    found = [np.unique(np.floor(_points(scene, frame) / _CUBE_M).astype(np.int64), axis=0) for frame in frames]
    cubes, place = np.unique(np.concatenate(found), axis=0, return_inverse=True)
    shown = np.zeros((len(cubes), len(frames)), dtype=bool)
    shown[place.ravel(), np.repeat(np.arange(len(frames)), [len(part) for part in found])] = True
    return shown


def _points(scene: Scene, frame: Frame) -> Float[np.ndarray, "n 3"]:
    """World points that the frame sees, on a coarse grid of its pixels."""
    if frame.depth is not None:
        depth, camera = frame.depth(), frame.depth_camera or frame.camera
    else:
        maps = map_maker(scene, VisibilityConfig()).maps(frame)
        depth, camera = maps.depth, maps.camera
    step = max(1, max(depth.shape) // _SAMPLES)
    part = np.s_[step // 2 :: step, step // 2 :: step]
    z = depth[part]
    good = (z > 0) & (z < _MAX_DEPTH_M)
    points = camera.unproject(camera.pixel_centers()[part][good], z[good].astype(np.float64))
    return transform_points(frame.T_world_cam, points)
