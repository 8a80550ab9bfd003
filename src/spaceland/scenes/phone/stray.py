"""Stray Scanner: a video, a table of poses, one calibration, depth and confidence as PNG.

    rgb.mp4                 every frame; 1920x1440
    camera_matrix.csv       3x3, for the pixels of the video
    odometry.csv            header; timestamp, frame, x, y, z, qx, qy, qz, qw  (camera to world, OpenCV axes, y up)
    depth/000000.png        millimetres, 256x192, one for each frame
    confidence/000000.png   0, 1 or 2

Old recordings have odometry without timestamp and frame; then line k belongs to frame k.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import SceneError
from spaceland.files import read_image
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation, rotation_from_quaternion
from spaceland.scenes.images import content_key, image_size, pick, read_depth
from spaceland.scenes.mp4 import frame_times, video_frame, video_size
from spaceland.scenes.phone.arkit import arkit_scene, confident
from spaceland.scenes.phone.options import PhoneOptions
from spaceland.scenes.scene import Frame, Scene


def is_stray(folder: Path) -> bool:
    """Whether a folder is a recording of Stray Scanner."""
    return all((folder / name).is_file() for name in ("rgb.mp4", "odometry.csv", "camera_matrix.csv"))


def read_stray(folder: Path, scene_id: str, options: PhoneOptions) -> Scene:
    """Read a recording.

    Raises:
        SceneError: a file is missing or damaged. Frames without a usable pose or depth are counted instead.
    """
    skipped: Counter[str] = Counter()
    video = folder / "rgb.mp4"
    camera = _camera(folder / "camera_matrix.csv", *video_size(video))
    num_frames = len(frame_times(video))
    rows = [row for row in _odometry(folder / "odometry.csv") if row[0] < num_frames or _count(skipped, "no picture")]
    frames = []
    for number, time_s, pose in pick(rows, options.stride, options.max_frames):
        depth_path, confidence_path = (folder / kind / f"{number:06d}.png" for kind in ("depth", "confidence"))
        depth_camera = camera.scaled(*image_size(depth_path)) if depth_path.is_file() else None
        skipped["depth: no image for a frame"] += depth_camera is None
        frames.append(
            Frame(
                id=f"{number:06d}",
                camera=camera,
                T_world_cam=pose,
                color=partial(_color, video, number),
                content_key=content_key(depth_path, confidence_path, options.confidence),
                depth=None
                if depth_camera is None
                else partial(_depth, depth_path, confidence_path, depth_camera, options.confidence),
                depth_camera=depth_camera,
                timestamp_s=time_s,
            )
        )
    return arkit_scene("stray", scene_id, frames, skipped, {"confidence": options.confidence})


def _count(skipped: Counter[str], reason: str) -> bool:
    skipped[f"frame: {reason}"] += 1
    return False


def _color(video: Path, number: int) -> UInt8[np.ndarray, "h w 3"]:
    return video_frame(video, number)


def _depth(path: Path, confidence: Path, camera: PinholeCamera, least: int) -> Float[np.ndarray, "h w"]:
    known = read_image(confidence) if least > 0 and confidence.is_file() else None
    return confident(read_depth(path, camera, 1000.0), known, least)


def _camera(path: Path, width: int, height: int) -> PinholeCamera:
    K = _table(path)
    if K.shape != (3, 3):
        raise SceneError(f"{path}: expected 3 rows of 3 numbers, found an array of {K.shape}")
    try:
        return PinholeCamera.from_opencv(width, height, K)
    except ValueError as error:
        raise SceneError(f"{path}: {error}") from error


def _odometry(path: Path) -> list[tuple[int, float | None, Float[np.ndarray, "4 4"]]]:
    """Frame number, time in seconds and pose (NaN where the line has none) of every line."""
    table = _table(path)
    if table.ndim != 2 or table.shape[1] not in (7, 9):
        raise SceneError(
            f"{path}: expected 9 columns (timestamp, frame, x, y, z, qx, qy, qz, qw), found {table.shape[-1]}; "
            "is the file truncated?"
        )
    found = []
    for k, row in enumerate(table):
        time_s, number = (float(row[0]), row[1]) if len(row) == 9 else (None, k)
        x, y, z, qx, qy, qz, qw = row[-7:]
        good = np.isfinite(row).all() and np.hypot.reduce([qx, qy, qz, qw]) > 1e-6 and number >= 0
        if not good:
            found.append((k, time_s, np.full((4, 4), np.nan)))
            continue
        rotation = rotation_from_quaternion(np.array([qw, qx, qy, qz]))
        found.append((int(number), time_s, from_rotation_translation(rotation, np.array([x, y, z]))))
    return found


def _table(path: Path) -> np.ndarray:
    """Numbers separated by commas, line by line; a first line of words is a header."""
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        if lines and not _is_number(lines[0].split(",")[0]):
            lines = lines[1:]
        return np.array([[float(word) for word in line.split(",")] for line in lines])
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, ValueError) as error:
        raise SceneError(f"{path} is not a table of numbers ({error}); copy it again") from error


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
