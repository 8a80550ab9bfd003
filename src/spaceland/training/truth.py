"""True points and poses of pictures in rows of sample rooms, for the `oracle` encoder alone.

A dataset folder says in config.json which rooms it was made from, and a picture lies in `images/SCENE/FRAME.jpg`. That
is enough to open the room again: nothing but the path is needed, so rows and conversations about them both work. What
was found is kept in the cache, as making a room takes longer than a training step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.cache import default_cache_dir
from spaceland.errors import SceneError, SourceError, TrainingError
from spaceland.files import ZIP_ERRORS, atomic_path, read_json
from spaceland.geometry.camera import PinholeCamera, nearest_pixels
from spaceland.geometry.transforms import transform_points
from spaceland.models.processor import CameraPicture
from spaceland.scenes.rooms.generate import GENERATOR
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_source
from spaceland.training.samples import Sample, Still, View

_MOST_SCENES, _MOST_FRAMES = 4, 4096
_FOCAL_SLACK = 0.01  # rows write fields of view with one decimal


def room_truth(sample: Sample, views: Sequence[View]) -> list[CameraPicture]:
    """The pictures of a sample with their true points and poses (a `TruthOf` of `collate`).

    A picture that is no frame of its room, such as a bird's-eye view, has no point anywhere.

    Raises:
        TrainingError: a picture is not from a dataset of sample rooms, or shows only a part of its frame.
    """
    if len(views) != len(sample.media):
        raise TrainingError(f"{sample.id} shows a video; the truth is only known of single pictures of sample rooms")
    return [
        _picture(medium, view) for medium, view in zip(sample.media, views, strict=True) if isinstance(medium, Still)
    ]


def _picture(still: Still, view: View) -> CameraPicture:
    truth = frame_depth(str(still.path.absolute()))
    width, height = view.image.size
    if truth is None:
        return CameraPicture(view.image, None, np.full((height, width, 3), np.nan, np.float32), np.eye(4))
    camera = truth.camera
    if view.camera is not None and abs(view.camera.fx / width * camera.width / camera.fx - 1) > _FOCAL_SLACK:
        raise TrainingError(
            f"{still.path} is zoomed, and the truth is only known of whole pictures; set augment = false"
        )
    points = world_points(truth.depth_m, camera, truth.T_world_cam, width, height)
    return CameraPicture(view.image, camera.scaled(width, height).K, points, truth.T_world_cam)


def world_points(
    depth_m: Float[np.ndarray, "hd wd"],
    camera: PinholeCamera,
    T_world_cam: Float[np.ndarray, "4 4"],
    width: int,
    height: int,
) -> Float[np.ndarray, "h w 3"]:
    """World points in metres of a picture of another size than its depth; NaN where there is no depth."""
    x, y = nearest_pixels(width, camera.width), nearest_pixels(height, camera.height)
    z = depth_m[y[:, None], x[None]]
    points = camera.unproject(camera.pixel_centers()[y[:, None], x[None]], np.where(z > 0, z, np.nan))
    return transform_points(T_world_cam, points.reshape(-1, 3)).reshape(height, width, 3).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FrameDepth:
    """Depth along the optical axis in metres, 0 where there is none; whose camera and pose these are."""

    depth_m: Float[np.ndarray, "h w"]
    camera: PinholeCamera
    T_world_cam: Float[np.ndarray, "4 4"]


@lru_cache(maxsize=_MOST_FRAMES)
def frame_depth(path: str) -> FrameDepth | None:
    """The truth behind a picture file; None if it shows no frame of its room.

    Raises:
        TrainingError: the file is not from a dataset of sample rooms.
    """
    picture = Path(path)
    spec = _room_spec(str(picture.parents[2]), picture.parent.name)
    kept = _kept_path(spec, picture.parent.name, picture.stem)
    try:
        with np.load(kept, allow_pickle=False) as found:
            width, height, *intrinsics = found["camera"].tolist()
            camera = PinholeCamera(int(width), int(height), *intrinsics)
            return FrameDepth(found["depth_m"], camera, found["T_world_cam"])
    except (OSError, ValueError, KeyError, *ZIP_ERRORS):
        frame = _scene(spec, picture.parent.name).frames_by_id.get(picture.stem)
        return None if frame is None else keep_depth(frame, spec, picture.parent.name)


def keep_depth(frame: Frame, spec: str, scene_id: str) -> FrameDepth:
    """Render the depth of a frame of a sample room and keep it in the cache.

    Args:
        frame: With depth.
        spec: The rooms it is from, such as "rooms:1-4".
        scene_id: Its room.
    """
    assert frame.depth is not None and frame.depth_camera is not None
    c = frame.depth_camera
    made = FrameDepth(frame.depth().astype(np.float32), c, np.asarray(frame.T_world_cam, float))
    with atomic_path(_kept_path(spec, scene_id, frame.id)) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            depth_m=made.depth_m,
            camera=np.array([c.width, c.height, c.fx, c.fy, c.cx, c.cy]),
            T_world_cam=made.T_world_cam,
        )
    return made


def _kept_path(spec: str, scene_id: str, frame_id: str) -> Path:
    """A frame is the same whatever other rooms the source holds."""
    key = f"{GENERATOR} {spec.partition('?')[2]} {scene_id} {frame_id}"
    return default_cache_dir() / "truth" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


@lru_cache(maxsize=_MOST_SCENES)
def _scene(spec: str, scene_id: str) -> Scene:
    return open_source(spec).open(scene_id)


@lru_cache(maxsize=4096)
def _room_spec(folder: str, scene_id: str) -> str:
    """The rooms that a folder was made from, and that hold this one."""
    try:
        sources = read_json(Path(folder) / "config.json")["sources"]
        rooms = [str(source) for source in sources if str(source).startswith("rooms:")]
        found = [spec for spec in rooms if scene_id in open_source(spec).ids()]
    except (SceneError, SourceError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder} does not say what it was made from ({error}); the oracle needs rows of sample rooms, as "
            "`spaceland generate rooms:1-4` writes them"
        ) from error
    if not found:
        raise TrainingError(f"{folder} has no sample room '{scene_id}'; the truth is only known of sample rooms")
    return found[0]
