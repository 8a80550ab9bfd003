"""True points and poses of pictures in rows of sample rooms, for the `oracle` encoder alone.

A dataset folder says in config.json which rooms it was made from, and a picture lies in `images/SCENE/FRAME.jpg`. That
is enough to open the room again: nothing but the path is needed, so rows and conversations about them both work.
Depth is kept in the cache, as rendering takes longer than a training step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from spaceland.cache import default_cache_dir
from spaceland.errors import SceneError, SourceError, TrainingError
from spaceland.files import atomic_path, read_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.models.processor import CameraPicture
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import iterate_scenes
from spaceland.training.samples import Sample, Still, View

_MOST_SCENES, _MOST_FRAMES = 4, 1024


def room_truth(sample: Sample, views: Sequence[View]) -> list[CameraPicture]:
    """The pictures of a sample with their true points and poses (a `TruthOf` of `collate`).

    A picture that is no frame of its room, such as a bird's-eye view, has no point anywhere.

    Raises:
        TrainingError: a picture is not from a dataset of sample rooms, or shows only a part of its frame.
    """
    if len(views) != len(sample.media):
        raise TrainingError(f"{sample.id} shows a video; the truth is only known of single pictures of sample rooms")
    return [_picture(medium, view) for medium, view in zip(sample.media, views, strict=True) if isinstance(medium, Still)]


def _picture(still: Still, view: View) -> CameraPicture:
    depth, camera, T_world_cam = frame_depth(str(still.path))
    width, height = view.image.size
    if view.camera is not None and abs(view.camera.fx / width * camera.width / camera.fx - 1) > 1e-3:
        raise TrainingError(
            f"{still.path} is zoomed, and the truth is only known of whole pictures; set augment = false"
        )
    K = camera.scaled(width, height).K
    if depth is None:
        return CameraPicture(view.image, None, np.full((height, width, 3), np.nan, np.float32), np.eye(4))
    return CameraPicture(view.image, K, world_points(depth, camera, T_world_cam, width, height), T_world_cam)


def world_points(
    depth_m: Float[np.ndarray, "hd wd"],
    camera: PinholeCamera,
    T_world_cam: Float[np.ndarray, "4 4"],
    width: int,
    height: int,
) -> Float[np.ndarray, "h w 3"]:
    """World points in metres of a picture of another size than its depth; NaN where there is no depth."""
    x = ((np.arange(width) + 0.5) * camera.width / width).astype(int)
    y = ((np.arange(height) + 0.5) * camera.height / height).astype(int)
    z = depth_m[y[:, None], x[None]]
    points = camera.unproject(camera.pixel_centers()[y[:, None], x[None]], np.where(z > 0, z, np.nan))
    return transform_points(T_world_cam, points.reshape(-1, 3)).reshape(height, width, 3).astype(np.float32)


@lru_cache(maxsize=_MOST_FRAMES)
def frame_depth(
    path: str,
) -> tuple[Float[np.ndarray, "h w"] | None, PinholeCamera, Float[np.ndarray, "4 4"]]:
    """Depth of the frame that a picture file shows (None: it is no frame), its camera and pose.

    Raises:
        TrainingError: the file is not from a dataset of sample rooms.
    """
    picture = Path(path)
    scene = _scene(str(picture.parents[2]), picture.parent.name)
    frame = scene.frames_by_id.get(picture.stem)
    if frame is None or frame.depth is None or frame.depth_camera is None:
        with Image.open(picture) as image:
            return None, PinholeCamera.from_fov(*image.size, 60.0), np.eye(4)
    return cached_depth(frame), frame.depth_camera, frame.T_world_cam


def cached_depth(frame: Frame) -> Float[np.ndarray, "h w"]:
    """Depth of a frame that has one, rendered once."""
    assert frame.depth is not None
    key = hashlib.sha256(frame.content_key().encode()).hexdigest()[:32]
    path = default_cache_dir() / "truth" / f"{key}.npy"
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        depth = frame.depth().astype(np.float32)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, depth, allow_pickle=False)
        return depth


@lru_cache(maxsize=_MOST_SCENES)
def _scene(folder: str, scene_id: str) -> Scene:
    try:
        for _, found, source in iterate_scenes(_rooms(folder)):
            if found == scene_id:
                return source.open(found)
    except (SceneError, SourceError) as error:
        raise TrainingError(f"the rooms of {folder} cannot be opened: {error}") from error
    raise TrainingError(f"{folder} has no sample room '{scene_id}'; the truth is only known of sample rooms")


@lru_cache(maxsize=64)
def _rooms(folder: str) -> tuple[str, ...]:
    try:
        sources = read_json(Path(folder) / "config.json")["sources"]
        rooms = tuple(str(source) for source in sources if str(source).startswith("rooms:"))
    except (SceneError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder} does not say what it was made from ({error}); the oracle needs rows of sample rooms, as "
            "`spaceland generate rooms:1-4` writes them"
        ) from error
    return rooms
