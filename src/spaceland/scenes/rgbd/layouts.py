"""The layouts of posed RGB-D folders that are known, each a small description.

A layout says which files are colour and depth, where the poses are and what the depth counts mean. `list_frames` turns
a folder into a `Listing`; nothing here opens an image.

    7scenes   frame-000000.color.png, frame-000000.depth.png, frame-000000.pose.txt      (also 3DMatch)
    replica   results/frame000000.jpg, results/depth000000.png, traj.txt
    tum       rgb/<time>.png, depth/<time>.png, groundtruth.txt
    open3d    color/ or image/ or rgb/, depth/, trajectory.log
    poselist  color/ or image/ or rgb/, depth/, pose.txt (tx ty tz qx qy qz qw), in the order of the sorted names

Frames with a number belong together by that number; a layout without numbers goes by order or by time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.scenes.matrices import read_pose
from spaceland.scenes.rgbd.calibration import Intrinsics
from spaceland.scenes.rgbd.trajectories import log_blocks, matrix_lines, quaternion_lines, timed_quaternion_lines

_IMAGES = (".jpg", ".jpeg", ".png")
_MAX_TIME_APART_S = 0.02

Poses = list[Float[np.ndarray, "4 4"] | None]


@dataclass(frozen=True, eq=False)
class Entry:
    """One frame of a listing; `pose` is as the file has it, None when there is none."""

    id: str
    color: Path
    depth: Path | None
    pose: Float[np.ndarray, "4 4"] | None
    timestamp_s: float | None = None


@dataclass(frozen=True)
class Layout:
    """A description: globs of files (the first that matches counts), how poses are found, and defaults.

    `depth_scale` is None where datasets of the layout differ; then it must be given. `color_of_depth` maps depth
    intrinsics of known cameras, where the intrinsics file describes the depth camera, to those of their colour camera.
    """

    name: str
    color: tuple[str, ...]
    depth: tuple[str, ...]
    pose_files: tuple[str, ...]
    find_poses: Callable[[Path, list[Path], list[int]], Poses]
    depth_scale: float | None = None
    by_time: bool = False
    color_of_depth: dict[Intrinsics, Intrinsics] | None = None

    def matches(self, folder: Path) -> bool:
        """Whether the folder has this layout's colour images and pose files."""
        return _has(folder, self.color) and _has(folder, self.pose_files)


def list_frames(folder: Path, layout: Layout, skipped: Counter[str]) -> list[Entry]:
    """The frames of a folder in order. What has no depth or pose is counted.

    Raises:
        SceneError: a pose file is damaged or does not fit the images.
    """
    colors, depths = _files(folder, layout.color), _files(folder, layout.depth)
    times = [_time(file) for file in colors] if layout.by_time else None
    numbers = list(range(len(colors))) if layout.by_time else _numbers(colors)
    if layout.by_time:
        matched = _nearest([_time(file) for file in depths], [_time(file) for file in colors])
        depth_of = {k: depths[j] for k, j in enumerate(matched) if j is not None}
    else:
        depth_of = dict(zip(_numbers(depths), depths, strict=True))
    poses = layout.find_poses(folder, colors, numbers)
    entries = []
    for k, (color, number) in enumerate(zip(colors, numbers, strict=True)):
        if number not in depth_of and depths:
            skipped["depth: no image for a frame"] += 1
        timestamp_s = times[k] if times is not None else None
        entries.append(Entry(f"{number:06d}", color, depth_of.get(number), poses[k], timestamp_s))
    return entries


def _pose_of_each(folder: Path, colors: list[Path], numbers: list[int]) -> Poses:
    """One file a frame, named like the colour image."""
    files = [file.with_name(file.name.split(".color.")[0] + ".pose.txt") for file in colors]
    return [read_pose(file) if file.is_file() else None for file in files]


def _pose_by_number(folder: Path, colors: list[Path], numbers: list[int]) -> Poses:
    """Line n belongs to frame number n."""
    poses = matrix_lines(_files(folder, ("traj.txt",))[0])
    return [poses[n] if n < len(poses) else None for n in numbers]


def _pose_by_log(folder: Path, colors: list[Path], numbers: list[int]) -> Poses:
    """By the frame number that a block states; by order when there are as many blocks as images and numbers differ."""
    path = _files(folder, ("trajectory.log", "*.log"))[0]
    stated, poses = log_blocks(path)
    by_number = dict(zip(stated.astype(int).tolist(), poses, strict=True))
    found = [by_number.get(n) for n in numbers]
    if any(pose is None for pose in found) and len(poses) == len(colors):
        return list(poses)
    return found


def _pose_by_order(folder: Path, colors: list[Path], numbers: list[int]) -> Poses:
    path = _files(folder, ("pose.txt", "poses.txt"))[0]
    poses = quaternion_lines(path)
    if len(poses) != len(colors):
        raise SceneError(
            f"{path} has {len(poses)} poses for {len(colors)} images; there must be one line for each image, in order"
        )
    return list(poses)


def _pose_by_time(folder: Path, colors: list[Path], numbers: list[int]) -> Poses:
    times, poses = timed_quaternion_lines(folder / "groundtruth.txt")
    return [None if k is None else poses[k] for k in _nearest(times.tolist(), [_time(file) for file in colors])]


_FOLDERS = ("color/*", "image/*", "rgb/*")
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "7scenes",
            ("frame-*.color.*",),
            ("frame-*.depth.*",),
            ("frame-*.pose.txt",),
            _pose_of_each,
            depth_scale=1000.0,
            # Depth is not registered to colour there: the depth camera has f = 585, the colour camera 525.
            color_of_depth={Intrinsics(585.0, 585.0, 320.0, 240.0): Intrinsics(525.0, 525.0, 320.0, 240.0)},
        ),
        Layout("replica", ("results/frame*",), ("results/depth*",), ("traj.txt",), _pose_by_number, depth_scale=6553.5),
        Layout("tum", ("rgb/*",), ("depth/*",), ("groundtruth.txt",), _pose_by_time, depth_scale=5000.0, by_time=True),
        Layout("open3d", _FOLDERS, ("depth/*",), ("trajectory.log", "*.log"), _pose_by_log, depth_scale=1000.0),
        Layout("poselist", _FOLDERS, ("depth/*",), ("pose.txt", "poses.txt"), _pose_by_order),
    )
}


def _suits(file: Path, pattern: str) -> bool:
    return file.is_file() and (file.suffix.lower() in _IMAGES or not pattern.endswith("*"))


def _has(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(_suits(file, pattern) for pattern in patterns for file in folder.glob(pattern))


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Files of the first pattern that matches, by their number and name."""
    for pattern in patterns:
        files = [file for file in folder.glob(pattern) if _suits(file, pattern)]
        if files:
            return sorted(files, key=lambda file: (_number(file) or 0, file.name))
    return []


def _number(file: Path) -> int | None:
    digits = re.search(r"\d+", file.name)
    return int(digits.group()) if digits else None


def _numbers(files: list[Path]) -> list[int]:
    """The number in each name; the position where names have no or no distinct numbers."""
    numbers = [_number(file) for file in files]
    known = [number for number in numbers if number is not None]
    return known if len(set(known)) == len(files) else list(range(len(files)))


def _time(file: Path) -> float:
    try:
        return float(file.stem)
    except ValueError:
        raise SceneError(f"{file}: expected a time in seconds as the name, such as 1305031102.175304.png") from None


def _nearest(times: list[float], wanted: list[float]) -> list[int | None]:
    """For each wanted time, the index of the nearest of the times, None if it is too far."""
    if not times:
        return [None] * len(wanted)
    gaps = np.abs(np.array(times)[None] - np.array(wanted)[:, None])
    best = gaps.argmin(1)
    return [int(j) if gaps[k, j] <= _MAX_TIME_APART_S else None for k, j in enumerate(best)]
