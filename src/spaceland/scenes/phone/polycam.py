"""Polycam's raw data: key frames with a JSON each, depth as PNG where the phone has a LiDAR.

    keyframes/images/<name>.jpg            or corrected_images/, with corrected_cameras/: poses after loop closure
    keyframes/cameras/<name>.json          fx, fy, cx, cy, width, height, timestamp, t_00 ... t_23
    keyframes/depth/<name>.png             millimetres

`t_<row><column>` are the rows of the camera-to-world pose in ARKit's axes (y up, camera looking along -z).
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.images import content_key, image_size, pick, read_color, read_depth
from spaceland.scenes.phone.arkit import OPENGL_CAMERA, arkit_scene
from spaceland.scenes.phone.options import PhoneOptions
from spaceland.scenes.scene import Frame, Scene

_MICROSECONDS = 1e6


def is_polycam(folder: Path) -> bool:
    """Whether a folder is Polycam's raw data."""
    return any((folder / "keyframes" / name).is_dir() for name in ("cameras", "corrected_cameras"))


def read_polycam(folder: Path, scene_id: str, options: PhoneOptions) -> Scene:
    """Read raw data; corrected poses and images where there are any.

    Raises:
        SceneError: a file is damaged. Pictures without a camera file are counted instead.
    """
    skipped: Counter[str] = Counter()
    base = folder / "keyframes"
    corrected = (base / "corrected_cameras").is_dir() and (base / "corrected_images").is_dir()
    images, cameras = (base / f"{'corrected_' if corrected else ''}{kind}" for kind in ("images", "cameras"))
    paths = sorted(
        (path for path in images.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")),
        key=lambda path: (len(path.stem), path.stem),
    )
    if not paths:
        raise SceneError(f"{images} holds no pictures; export the raw data again")
    frames = []
    for path in pick(paths, options.stride, options.max_frames):
        record_path = cameras / f"{path.stem}.json"
        if not record_path.is_file():
            skipped["frame: no camera file"] += 1
            continue
        camera, pose, time_s = _camera(record_path, path)
        depth_path = base / "depth" / f"{path.stem}.png"
        depth_camera = camera.scaled(*image_size(depth_path)) if depth_path.is_file() else None
        frames.append(
            Frame(
                id=path.stem,
                camera=camera,
                T_world_cam=pose,
                color=partial(read_color, path, camera),
                content_key=content_key(depth_path, "mm"),
                color_path=path,
                depth=None if depth_camera is None else partial(read_depth, depth_path, depth_camera, 1000.0),
                depth_camera=depth_camera,
                timestamp_s=time_s,
            )
        )
    return arkit_scene("polycam", scene_id, frames, skipped, {"corrected": corrected})


def _camera(path: Path, image: Path) -> tuple[PinholeCamera, Float[np.ndarray, "4 4"], float | None]:
    record = read_json(path)
    try:
        pose = np.eye(4)
        pose[:3] = [[float(record[f"t_{row}{column}"]) for column in range(4)] for row in range(3)]
        fx, fy, cx, cy = (float(record[name]) for name in ("fx", "fy", "cx", "cy"))
        camera = PinholeCamera(int(record["width"]), int(record["height"]), fx, fy, cx, cy)
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(f"{path} is not a camera of Polycam ({type(error).__name__}: {error})") from error
    # Pictures may have been exported at another size than the camera was measured for.
    camera = camera.scaled(*image_size(image))
    time = record.get("timestamp")
    return camera, pose @ OPENGL_CAMERA, float(time) / _MICROSECONDS if isinstance(time, int | float) else None
