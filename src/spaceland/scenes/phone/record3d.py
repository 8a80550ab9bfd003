"""Record3D's own format: a ZIP archive (.r3d) or its unpacked folder.

    metadata          JSON: w, h of the pictures; K [9], column by column; fps; poses [n][7]: qx qy qz qw tx ty tz
                      (camera to world, ARKit's axes); perFrameIntrinsicCoeffs [n][4]: fx fy cx cy (newer versions);
                      frameTimestamps [n]; dw, dh of the depth (newer versions)
    rgbd/0.jpg        pictures
    rgbd/0.depth      float32 metres, compressed with LZFSE; NaN where unknown
    rgbd/0.conf       uint8 0..2, compressed likewise

Depth needs the package `pyliblzfse` (extra `phone`).
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import SceneError, require
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation, rotation_from_quaternion
from spaceland.scenes.images import content_key, pick
from spaceland.scenes.phone.arkit import OPENGL_CAMERA, arkit_scene, confident
from spaceland.scenes.phone.options import PhoneOptions
from spaceland.scenes.phone.packed import Packed
from spaceland.scenes.scene import Frame, Scene

_DEPTH_SIZES = ((192, 256), (480, 640))
"""Width and height of depth that older versions do not state: of a LiDAR and of a front camera, upright."""


def is_record3d(path: Path) -> bool:
    """Whether a path is a .r3d file or its unpacked folder."""
    if path.is_dir():
        return (path / "metadata").is_file() and (path / "rgbd").is_dir()
    return path.suffix.lower() == ".r3d" and zipfile.is_zipfile(path)


def read_record3d(path: Path, scene_id: str, options: PhoneOptions) -> Scene:
    """Read a recording.

    Raises:
        SceneError: damaged, or not of Record3D. Frames without a pose are counted instead.
        DependencyError: there is depth, and `pyliblzfse` is not installed.
    """
    skipped: Counter[str] = Counter()
    files = Packed(path)
    data = _metadata(files)
    names = files.names("rgbd/", ".jpg")
    numbers = sorted(int(stem) for name in names if (stem := Path(name).stem).isdigit())
    if not numbers:
        raise SceneError(f"{path} holds no pictures (rgbd/0.jpg, ...); export it again")
    has_depth = f"rgbd/{numbers[0]}.depth" in files
    if has_depth:
        require("liblzfse", "phone")
    frames = []
    for number in pick(numbers, options.stride, options.max_frames):
        if number >= len(data["poses"]):
            skipped["frame: no pose"] += 1
            continue
        camera = _camera(data, number, path)
        names = {kind: f"rgbd/{number}.{kind}" for kind in ("jpg", "depth", "conf")}
        depth_camera = camera.scaled(*_depth_size(files, names["depth"], data)) if has_depth else None
        times = data.get("frameTimestamps")
        frames.append(
            Frame(
                id=f"{number:06d}",
                camera=camera,
                T_world_cam=_pose(data["poses"][number]),
                color=partial(_color, files, names["jpg"], camera),
                content_key=content_key(files.stamp(), number, options.confidence),
                depth=partial(_depth, files, names["depth"], names["conf"], depth_camera, options.confidence)
                if depth_camera is not None
                else None,
                depth_camera=depth_camera,
                timestamp_s=float(times[number]) if isinstance(times, list) and number < len(times) else None,
            )
        )
    return arkit_scene("record3d", scene_id, frames, skipped, {"confidence": options.confidence})


def _metadata(files: Packed) -> dict[str, Any]:
    try:
        data = json.loads(files.read("metadata"))
        if not isinstance(data["poses"], list) or len(data["K"]) != 9 or not (data["w"] > 0 and data["h"] > 0):
            raise ValueError("K must have 9 numbers, w and h must be positive")
        return data
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{files.path}: its metadata is not that of Record3D ({type(error).__name__}: {error}); export it again"
        ) from error


def _camera(data: dict[str, Any], number: int, path: Path) -> PinholeCamera:
    """That of the frame where the app wrote one for each, else the common one."""
    own = data.get("perFrameIntrinsicCoeffs")
    try:
        if isinstance(own, list) and number < len(own):
            fx, fy, cx, cy = (float(v) for v in own[number])
        else:
            K = np.array(data["K"], dtype=float).reshape(3, 3).T
            fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
        return PinholeCamera(int(data["w"]), int(data["h"]), float(fx), float(fy), float(cx), float(cy))
    except (TypeError, ValueError) as error:
        raise SceneError(f"{path}: frame {number} has no usable intrinsics ({error})") from error


def _pose(values: Any) -> Float[np.ndarray, "4 4"]:
    """Camera (OpenCV axes) to ARKit's world; NaN where the recording has none."""
    numbers = np.array(values, dtype=float).ravel() if isinstance(values, list) else np.zeros(0)
    if numbers.shape != (7,) or not np.isfinite(numbers).all() or np.linalg.norm(numbers[:4]) < 1e-6:
        return np.full((4, 4), np.nan)
    x, y, z, w = numbers[:4]
    return from_rotation_translation(rotation_from_quaternion(np.array([w, x, y, z])), numbers[4:]) @ OPENGL_CAMERA


def _depth_size(files: Packed, name: str, data: dict[str, Any]) -> tuple[int, int]:
    if data.get("dw") and data.get("dh"):
        return int(data["dw"]), int(data["dh"])
    length = len(_unpack(files, name)) // 4
    for width, height in _DEPTH_SIZES:
        if width * height == length:
            return (width, height) if data["h"] >= data["w"] else (height, width)
    raise SceneError(f"{files.path}: {name} has {length} depths, which is no size that Record3D writes")


def _unpack(files: Packed, name: str) -> bytes:
    import liblzfse

    try:
        return liblzfse.decompress(files.read(name))
    except liblzfse.error as error:
        raise SceneError(f"{files.path}: {name} cannot be unpacked ({error}); export it again") from error


def _color(files: Packed, name: str, camera: PinholeCamera) -> UInt8[np.ndarray, "h w 3"]:
    image = files.image(name)
    if image.shape[:2] != (camera.height, camera.width):
        raise SceneError(
            f"{files.path}: {name} is {image.shape[1]}x{image.shape[0]}, metadata says {camera.width}x{camera.height}"
        )
    return image


def _depth(
    files: Packed, name: str, confidence_name: str, camera: PinholeCamera, least: int
) -> Float[np.ndarray, "h w"]:
    size = camera.width * camera.height
    data = _unpack(files, name)
    if len(data) != 4 * size:
        raise SceneError(f"{files.path}: {name} has {len(data)} bytes, expected {4 * size}; export it again")
    depth = np.frombuffer(data, "<f4").reshape(camera.height, camera.width)
    depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0)).astype(np.float32)
    known = None
    if least > 0 and confidence_name in files:
        levels = _unpack(files, confidence_name)
        if len(levels) == size:
            known = np.frombuffer(levels, np.uint8).reshape(depth.shape)
    return confident(depth, known, least)
