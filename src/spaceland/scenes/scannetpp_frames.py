"""The images of a ScanNet++ scene: phone video and photos with their lenses and poses.

A `View` is an image that is known but not read yet; `make_frame` turns it into a `Frame`. What the conventions are and
what was decided is told in `spaceland.scenes.scannetpp`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.colmap import read_colmap
from spaceland.scenes.depth_bin import HEIGHT, WIDTH, read_depth_bin
from spaceland.scenes.images import content_key, image_size, read_color, read_depth
from spaceland.scenes.lens import Lens, straighten
from spaceland.scenes.mp4 import frame_times, video_frame, video_size
from spaceland.scenes.scene import Frame

_IPHONE_SIZE = (1920, 1440)
_DEPTH_SCALE = 1000.0
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_NERFSTUDIO_WORLD = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])


@dataclass(frozen=True, eq=False)
class View:
    """One image before it is read. With a `number`, `image` and `depth` are streams, and it is the place in them."""

    name: str
    lens: Lens
    T_world_cam: Float[np.ndarray, "4 4"]
    image: Path
    number: int | None = None
    depth: Path | None = None
    depth_number: int | None = None
    timestamp_s: float | None = None
    has_depth: bool = True


def iphone_views(folder: Path, poses: str | None, skipped: Counter[str], notes: dict[str, object]) -> list[View]:
    """The phone's frames that have a pose and an image.

    Raises:
        SceneError: a file with poses, or the video, is damaged.
    """
    rgb, video = folder / "rgb", folder / "rgb.mp4"
    if not rgb.is_dir() and not video.is_file():
        skipped["frames: no iphone/rgb.mp4 and no iphone/rgb; mesh and objects still work"] += 1
        return []
    poses = poses or ("colmap" if (folder / "colmap" / "images.txt").is_file() else "arkit")
    notes["poses"] = poses
    files = {file.stem: file for file in rgb.iterdir()} if rgb.is_dir() else {}
    posed = _colmap(folder / "colmap") if poses == "colmap" else _arkit(folder / "pose_intrinsic_imu.json")
    length = len(frame_times(video)) if posed and not files else 0
    size, views = None, []
    for name, lens, T_world_cam, timestamp_s in posed:
        digits = name.rpartition("_")[2]
        number = int(digits) if digits.isdecimal() else None
        image = files.get(name) if files else (video if number is not None and number < length else None)
        if image is None:
            skipped["frame: no colour image"] += 1
            continue
        if size is None:
            size = video_size(video) if image == video else image_size(image)
        depth, stream = folder / "depth" / f"{name}.png", folder / "depth.bin"
        views.append(
            View(
                name=name.removeprefix("frame_"),
                lens=lens.scaled(*size),
                T_world_cam=T_world_cam,
                image=image,
                number=number if image == video else None,
                depth=depth if depth.is_file() else (stream if stream.is_file() else None),
                depth_number=None if depth.is_file() else number,
                timestamp_s=timestamp_s,
            )
        )
    return views


def dslr_views(folder: Path, skipped: Counter[str], notes: dict[str, object]) -> list[View]:
    """The photos that have a pose and an image: straightened ones where they are there, else the fisheye ones.

    Raises:
        SceneError: a file with poses is damaged.
    """
    images, json_path = folder / "resized_undistorted_images", folder / "nerfstudio" / "transforms_undistorted.json"
    if not (images.is_dir() and json_path.is_file()):
        images, json_path = folder / "resized_images", folder / "nerfstudio" / "transforms.json"
    if not images.is_dir():
        skipped["frames: no dslr/resized_images; mesh and objects still work"] += 1
        return []
    has_colmap = (folder / "colmap" / "images.txt").is_file()
    notes.update(images=images.name, poses="colmap" if has_colmap else "nerfstudio")
    posed = {Path(entry[0]).name: entry for entry in _transforms(json_path)} if json_path.is_file() else {}
    bad = {name for name, entry in posed.items() if entry[3]}
    lenses = {name: entry[1] for name, entry in posed.items()}
    poses = {name: entry[2] for name, entry in posed.items()}
    if has_colmap:  # its poses are in the mesh's own world; the lens of the other file fits the images at hand
        registered = read_colmap(folder / "colmap")
        lenses = {name: next(iter(lenses.values()), image.lens) for name, image in registered.items()}
        skipped["frame: no pose in colmap/images.txt"] += len(poses.keys() - registered.keys())
        poses = {name: image.T_world_cam for name, image in registered.items()}
    elif not posed:
        raise SceneError(f"{folder}: no poses; copy colmap/cameras.txt and images.txt, or nerfstudio/transforms.json")
    good = [name for name in sorted(poses) if name not in bad and (images / name).is_file()]
    skipped["frame: marked as bad (is_bad)"] += len(poses.keys() & bad)
    skipped["frame: no colour image"] += len(poses.keys() - bad) - len(good)
    size = image_size(images / good[0]) if good else (1, 1)
    return [
        View(Path(name).stem, lenses[name].scaled(*size), poses[name], images / name, has_depth=False) for name in good
    ]


def make_frame(view: View, skipped: Counter[str]) -> Frame:
    """The frame of a view; distorted images are straightened when they are read, depth with them."""
    lens = view.lens
    small = lens.scaled(WIDTH, HEIGHT)
    depth, key = None, content_key(None, _DEPTH_SCALE)
    if view.depth is not None:
        depth = partial(_depth, view.depth, view.depth_number, small)
        if view.depth_number is None:
            key = content_key(view.depth, _DEPTH_SCALE, repr(small))
        else:  # a stream of gigabytes is not hashed; its size and the frame's number stand for it
            key = content_key(repr((view.depth.name, view.depth.stat().st_size, view.depth_number, small)))
    elif view.has_depth:
        skipped["depth: no iphone/depth image for a frame; colour and mesh still work"] += 1
    return Frame(
        id=view.name,
        camera=lens.straight_camera(),
        T_world_cam=view.T_world_cam,
        color=partial(_color, view.image, view.number, lens),
        content_key=key,
        color_path=view.image if lens.straight and view.number is None else None,
        depth=depth,
        depth_camera=small.straight_camera() if depth is not None else None,
        timestamp_s=view.timestamp_s,
    )


def _color(path: Path, number: int | None, lens: Lens) -> UInt8[np.ndarray, "h w 3"]:
    image = read_color(path, lens.straight_camera()) if number is None else video_frame(path, number)
    return image if lens.straight else straighten(image, lens)


def _depth(path: Path, number: int | None, lens: Lens) -> Float[np.ndarray, "h w"]:
    image = read_depth(path, lens.straight_camera(), _DEPTH_SCALE) if number is None else read_depth_bin(path, number)
    return image if lens.straight else straighten(image, lens, "nearest")


_Posed = list[tuple[str, Lens, Float[np.ndarray, "4 4"], float | None]]  # name, lens, T_world_cam, time


def _colmap(folder: Path) -> _Posed:
    return [(Path(image.name).stem, image.lens, image.T_world_cam, None) for image in read_colmap(folder).values()]


def _arkit(path: Path) -> _Posed:
    """Poses and intrinsics of the phone itself."""
    content = read_json(path)
    posed = []
    try:
        for name, entry in sorted(content.items()):
            camera = PinholeCamera.from_opencv(*_IPHONE_SIZE, np.array(entry["intrinsic"], dtype=float).reshape(3, 3))
            lens = Lens("PINHOLE", camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
            T_world_cam = _without_scale(np.array(entry["aligned_pose"], dtype=float).reshape(4, 4))
            time = entry.get("timestamp")
            posed.append((name, lens, T_world_cam, None if time is None else float(time)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{path}: each frame needs 'intrinsic' (3x3) and 'aligned_pose' (4x4) ({type(error).__name__}: {error})"
        ) from error
    return posed


def _without_scale(T: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """A pose whose axes share a length gets axes of length 1; the alignment to the mesh may leave a scale in them."""
    volume = np.linalg.det(T[:3, :3]) if np.isfinite(T).all() else 0.0
    if volume > 1e-6:
        T = T.copy()
        T[:3, :3] /= np.cbrt(volume)
    return T


def _transforms(path: Path) -> list[tuple[str, Lens, Float[np.ndarray, "4 4"], bool]]:
    """(file, lens, T_world_cam, marked as bad) of each image of a nerfstudio file."""
    content = read_json(path)
    try:
        model = content.get("camera_model", "OPENCV_FISHEYE")
        size = [int(content[key]) for key in ("w", "h")]
        intrinsics = [float(content[key]) for key in ("fl_x", "fl_y", "cx", "cy")]
        names = {"OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"), "OPENCV": ("k1", "k2", "p1", "p2")}.get(model, ())
        lens = Lens.from_numbers(model, size, intrinsics, [float(content.get(key, 0.0)) for key in names])
        T_file_world = _NERFSTUDIO_WORLD.copy()
        if content.get("applied_transform") is not None:
            T_file_world[:3] = np.array(content["applied_transform"], dtype=float).reshape(-1, 4)[:3]
        T_world_file = np.linalg.inv(T_file_world)
        entries = [*content["frames"], *content.get("test_frames", ())]
        return [
            (str(e["file_path"]), lens, _from_opengl(T_world_file, e["transform_matrix"]), bool(e.get("is_bad")))
            for e in entries
        ]
    except (AttributeError, KeyError, TypeError, ValueError, np.linalg.LinAlgError) as error:
        raise SceneError(
            f"{path} is not a nerfstudio camera file as expected ({type(error).__name__}: {error})"
        ) from error


def _from_opengl(T_world_file: np.ndarray, matrix: Any) -> Float[np.ndarray, "4 4"]:
    T = np.array(matrix, dtype=float).reshape(4, 4)
    return T_world_file @ T @ _OPENGL if np.isfinite(T).all() else np.full((4, 4), np.nan)
