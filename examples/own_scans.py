"""A reader for scans of your own: the worked example of docs/own-scans.md.

Layout that it reads, one folder for each room:

    kitchen/
      poses.json     {"fx":.., "fy":.., "cx":.., "cy":.., "frames": [{"name": "0001", "cam_to_world": [[4x4]]}, ...]}
      0001.jpg       colour
      0001.png       16-bit depth in millimetres, 0 = none
      things.json    [{"id": 0, "label": "chair", "center": [x, y, z], "size": [dx, dy, dz], "yaw_deg": 30}, ...]

    spaceland check 'python:examples/own_scans.py?at=/data/my_scans'
    spaceland generate 'python:examples/own_scans.py?at=/data/my_scans' --out out/mine
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_image, read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import rotation_z, transform_points
from spaceland.scenes.scene import Frame, Scene, SceneObject, Surface, make_scene, normalise_label
from spaceland.scenes.sources import check_options


class OwnScans:
    """What a source is: a kind, the ids of its scenes, and how to open one."""

    kind = "own"

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob("*/poses.json"))

    def open(self, scene_id: str) -> Scene:
        return read_room(self.root / scene_id)


def open_source(location: str, options: dict[str, str]) -> OwnScans:
    """The function that spaceland calls."""
    check_options("own", options, [])
    source = OwnScans(Path(location))
    if not source.ids():
        raise SourceError(f"own: no */poses.json in '{location}'")
    return source


def read_room(path: Path) -> Scene:
    """One room. Nothing is decoded here: colour and depth are read when something asks for them."""
    poses = read_json(path / "poses.json")
    frames = [read_frame(path, poses, entry) for entry in poses["frames"]]
    points = np.concatenate([world_points(frame) for frame in frames[::3]])
    return make_scene(
        id=path.name,
        frames=frames,
        objects=[read_thing(entry, points) for entry in read_json(path / "things.json")],
        surface=Surface(points),
        room=None,
        geometry="measured",
        provenance={"kind": "own", "room": path.name},
    )


def read_frame(path: Path, poses: dict, entry: dict) -> Frame:
    """A frame: camera (OpenCV axes: x right, y down, z forward), pose camera to world, and how to read its images."""
    name = entry["name"]
    color, depth = path / f"{name}.jpg", path / f"{name}.png"
    if not color.is_file():
        raise SceneError(f"missing file: {color}")
    height, width = read_image(color).shape[:2]
    camera = PinholeCamera(width, height, poses["fx"], poses["fy"], poses["cx"], poses["cy"])
    return Frame(
        id=name,
        camera=camera,
        T_world_cam=np.array(entry["cam_to_world"], dtype=float),
        color=lambda: read_image(color),
        color_path=color,
        # Depth along the optical axis in metres, 0 where there is none.
        depth=lambda: read_image(depth).astype(np.float32) / 1000,
        depth_camera=camera,
        # Changes when the depth does: cached visibility hangs on it.
        content_key=lambda: f"{depth.stat().st_size}-{depth.stat().st_mtime_ns}",
    )


def world_points(frame: Frame) -> np.ndarray:
    """Every third pixel with depth, in both directions, as a point in the world."""
    assert frame.depth is not None
    z = frame.depth()[::3, ::3]
    rows, columns = np.nonzero(z)
    pixels = np.stack([columns, rows], -1) * 3 + 0.5
    return transform_points(frame.T_world_cam, frame.camera.unproject(pixels, z[rows, columns]))


def read_thing(entry: dict, points: np.ndarray) -> SceneObject:
    """An object: its box, and the measured points inside it."""
    box = OrientedBox(
        np.array(entry["center"], float), np.array(entry["size"], float), rotation_z(np.radians(entry["yaw_deg"]))
    )
    return SceneObject(
        id=int(entry["id"]),
        label=normalise_label(entry["label"]),
        raw_label=entry["label"],
        points=points[box.contains(points, 0.02)],
        box=box,
    )
