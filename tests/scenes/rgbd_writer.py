"""Writes a scene's frames in each of the RGB-D layouts, in a file world and with conventions of one's choice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spaceland.files import encode_jpeg, encode_png
from spaceland.scenes.ply import write_ply
from spaceland.scenes.scene import Scene

SCALES = {"7scenes": 1000.0, "replica": 6553.5, "tum": 5000.0, "open3d": 1000.0, "poselist": 5000.0}
FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Written:
    """The folder, the poses as they stand in the files, and options that the layout cannot do without."""

    folder: Path
    poses: list[np.ndarray]
    options: dict[str, str] = field(default_factory=dict)


def write_rgbd(
    scene: Scene, folder: Path, layout: str, *, T_file_world: np.ndarray | None = None, negative_fy: bool = False
) -> Written:
    """Write color, depth, poses and intrinsics of all frames.

    `T_file_world` moves the world; `negative_fy` turns the camera's y axis up and mirrors the world, as ICL-NUIM does.
    """
    T = np.eye(4) if T_file_world is None else T_file_world
    poses = [T @ frame.T_world_cam for frame in scene.frames]
    if negative_fy:
        poses = [FLIP_Y @ pose @ FLIP_Y for pose in poses]
    camera = scene.frames[0].camera
    K = np.array(
        [[camera.fx, 0, camera.cx - 0.5], [0, camera.fy * (-1 if negative_fy else 1), camera.cy - 0.5], [0, 0, 1]]
    )
    writers = {"7scenes": _seven, "replica": _replica, "tum": _tum, "open3d": _open3d, "poselist": _poselist}
    folder.mkdir(parents=True)
    options = writers[layout](scene, folder, poses, K)
    return Written(folder, poses, options)


def _images(scene: Scene, folder: Path, color: str, depth: str, scale: float) -> None:
    for k, frame in enumerate(scene.frames):
        assert frame.depth is not None
        for path in (folder / color.format(k), folder / depth.format(k)):
            path.parent.mkdir(parents=True, exist_ok=True)
        data = encode_png(frame.color()) if color.endswith("png") else encode_jpeg(frame.color())
        (folder / color.format(k)).write_bytes(data)
        counts = np.rint(frame.depth().astype(float) * scale)
        (folder / depth.format(k)).write_bytes(encode_png(np.minimum(counts, 65535).astype(np.uint16)))


def _seven(scene: Scene, folder: Path, poses: list[np.ndarray], K: np.ndarray) -> dict[str, str]:
    _images(scene, folder, "frame-{:06d}.color.png", "frame-{:06d}.depth.png", 1000.0)
    for k, pose in enumerate(poses):
        (folder / f"frame-{k:06d}.pose.txt").write_text(_rows(pose))
    (folder / "camera-intrinsics.txt").write_text(_rows(K))
    return {}


def _replica(scene: Scene, folder: Path, poses: list[np.ndarray], K: np.ndarray) -> dict[str, str]:
    _images(scene, folder, "results/frame{:06d}.jpg", "results/depth{:06d}.png", 6553.5)
    (folder / "traj.txt").write_text("\n".join(" ".join(repr(float(v)) for v in pose.ravel()) for pose in poses) + "\n")
    camera = {"w": 0, "h": 0, "fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "scale": 6553.5}
    (folder.parent / "cam_params.json").write_text(json.dumps({"camera": camera}))
    if scene.surface is not None:
        surface = scene.surface
        write_ply(folder.parent / f"{folder.name}_mesh.ply", surface.vertices, surface.colors, surface.faces)
    return {}


def _tum(scene: Scene, folder: Path, poses: list[np.ndarray], K: np.ndarray) -> dict[str, str]:
    """Colour, depth and poses at slightly different times, as they come from a real sensor."""
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    _images(scene, folder, "rgb/1305031{:03d}.100000.png", "depth/1305031{:03d}.110000.png", 5000.0)
    for k, pose in enumerate(poses):
        lines.append(f"1305031{k:03d}.095 {_quaternion_row(pose)}")
        lines.append(f"1305031{k:03d}.500 9 9 9 0 0 0 1")  # between the frames
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return _camera_options(K)


def _open3d(scene: Scene, folder: Path, poses: list[np.ndarray], K: np.ndarray) -> dict[str, str]:
    _images(scene, folder, "image/{:05d}.jpg", "depth/{:05d}.png", 1000.0)
    (folder / "trajectory.log").write_text("".join(f"{k} {k} {k + 1}\n{_rows(pose)}" for k, pose in enumerate(poses)))
    camera = {"width": 320, "height": 240, "intrinsic_matrix": K.T.ravel().tolist()}
    (folder / "intrinsic.json").write_text(json.dumps(camera))
    return {}


def _poselist(scene: Scene, folder: Path, poses: list[np.ndarray], K: np.ndarray) -> dict[str, str]:
    _images(scene, folder, "color/{}.png", "depth/{}.png", 5000.0)
    (folder / "pose.txt").write_text("\n".join(_quaternion_row(pose) for pose in poses) + "\n")
    return {**_camera_options(K), "depth_scale": "5000"}


def _camera_options(K: np.ndarray) -> dict[str, str]:
    return {
        "fx": repr(float(K[0, 0])),
        "fy": repr(float(K[1, 1])),
        "cx": repr(float(K[0, 2])),
        "cy": repr(float(K[1, 2])),
    }


def _rows(matrix: np.ndarray) -> str:
    return "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in matrix)


def _quaternion_row(pose: np.ndarray) -> str:
    """tx ty tz qx qy qz qw."""
    from scipy.spatial.transform import Rotation

    return " ".join(repr(float(v)) for v in [*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat()])
