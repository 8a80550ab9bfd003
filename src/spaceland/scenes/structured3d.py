"""`structured3d:PATH`: rooms of Structured3D. PATH is a scene, a folder of them, or the one above.

    scene_00000/
      bbox_3d.json                  oriented boxes of the whole flat, see `structured3d_room`
      annotation_3d.json            planes, lines and junctions of the rooms
      2D_rendering/485142/          one room
        perspective/full/0/         one picture; `full`, `simple` or `empty` of furniture
          rgb_rawlight.png  depth.png (uint16, mm along the axis)  instance.png (uint16)  semantic.png (NYU40 numbers)
          camera_pose.txt           vx vy vz tx ty tz ux uy uz xfov yfov 1

One scene is one room, named as in the dataset's own list of errata: `scene_00000_room_485142`. Eye `v` is in
millimetres, `t` is the direction of view, `u` is up, in a right-handed world with z up. `xfov` and `yfov` are half
angles in radians, from the middle of the picture to its border. The pictures are a few single views, not a video:
`provenance["is_video"]` is false. Panoramas are not read.

An object takes its box from `bbox_3d.json`, its pixels from `instance.png`, its points from depth at these pixels, and
the label that most of them have in `semantic.png`; so opening a room decodes those images. What no picture of the room
shows has no label and is no object of the room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_image
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.scenes.choices import choice_option
from spaceland.scenes.images import content_key, count_option, image_size, pick, read_color, read_depth
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, make_scene
from spaceland.scenes.sources import check_options
from spaceland.scenes.structured3d_room import RoomAnnotation, read_objects, read_room_annotation

CONFIGS = ("full", "simple", "empty")
LIGHTS = ("rawlight", "coldlight", "warmlight")
_BACKGROUND = 65535
_DEPTH_SCALE = 1000.0


@dataclass(frozen=True)
class Structured3DSource:
    """Room folders by scene id."""

    rooms: dict[str, Path]
    config: str = "full"
    light: str = "rawlight"
    stride: int = 1
    max_frames: int | None = None
    kind: str = "structured3d"

    def ids(self) -> Sequence[str]:
        return list(self.rooms)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.rooms:
            raise SourceError(f"structured3d: no room '{scene_id}'; ids look like scene_00000_room_485142")
        return read_room(self.rooms[scene_id], self.config, self.light, self.stride, self.max_frames)


def recognise(path: Path) -> bool:
    """Whether `path` is a scene of Structured3D or holds some."""
    return path.is_dir() and bool(_scene_folders(path))


def open_source(location: str, options: dict[str, str]) -> Structured3DSource:
    """Rooms of a folder. Options: `config`, `light`, `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no rooms with such pictures there, or unknown options.
    """
    check_options("structured3d", options, ("config", "light", "stride", "max_frames"))
    config = choice_option(options, "config", CONFIGS, "structured3d")
    light = choice_option(options, "light", LIGHTS, "structured3d")
    stride = count_option(options, "stride", "structured3d") or 1
    max_frames = count_option(options, "max_frames", "structured3d")
    path = Path(location)
    if not path.is_dir():
        raise SourceError(
            f"structured3d: '{location}' is not a folder; give a scene_XXXXX folder or one that holds some"
        )
    rooms = {
        f"{scene.resolve().name}_room_{room.name}": room
        for scene in _scene_folders(path)
        for room in sorted((scene / "2D_rendering").iterdir())
        if (room / "perspective" / config).is_dir()
    }
    if not rooms:
        raise SourceError(
            f"structured3d: no room with pictures in '{location}'; expected "
            f"scene_XXXXX/2D_rendering/<room>/perspective/{config}/<position>/ (unpack the perspective archives)"
        )
    return Structured3DSource(rooms, config, light, stride, max_frames)


def read_room(
    path: Path, config: str = "full", light: str = "rawlight", stride: int = 1, max_frames: int | None = None
) -> Scene:
    """Read one room folder (`scene_XXXXX/2D_rendering/<room>`).

    Raises:
        SceneError: a file is damaged, or no picture has the wanted light. Pictures without a camera are counted.
    """
    path = path.resolve()
    scene_folder = path.parent.parent
    skipped: Counter[str] = Counter()
    positions = pick(_positions(path / "perspective" / config), stride, max_frames)
    frames, folders = [], []
    for folder in positions:
        color = folder / f"rgb_{light}.png"
        if not color.is_file():
            skipped[f"frame: no {color.name}"] += 1
            continue
        frame = _frame(folder, color, skipped)
        if frame is not None:
            frames.append(frame)
            folders.append(folder)
    if positions and skipped[f"frame: no rgb_{light}.png"] == len(positions):
        raise SceneError(f"{path}/perspective/{config}: no picture is named rgb_{light}.png; choose another light")
    annotation = RoomAnnotation(None, None)
    if (scene_folder / "annotation_3d.json").is_file():
        annotation = read_room_annotation(scene_folder / "annotation_3d.json", path.name, skipped)
    else:
        skipped["room: no annotation_3d.json"] += 1
    objects = []
    if (scene_folder / "bbox_3d.json").is_file():
        objects = read_objects(scene_folder / "bbox_3d.json", frames, folders, annotation.room, skipped)
    else:
        skipped["objects: no bbox_3d.json"] += 1
    return make_scene(
        id=f"{scene_folder.name}_room_{path.name}",
        frames=frames,
        objects=objects,
        surface=None,
        room=annotation.room,
        geometry="generated",
        provenance={
            "kind": "structured3d",
            "config": config,
            "light": light,
            "stride": stride,
            "max_frames": max_frames,
            "room_type": annotation.kind,
            "is_video": False,
        },
        skipped=+skipped,
    )


def _scene_folders(path: Path) -> list[Path]:
    if (path / "2D_rendering").is_dir():
        return [path] if _is_scene(path) else []
    roots = [path, *([path / "Structured3D"] if (path / "Structured3D").is_dir() else [])]
    children = [child for root in roots for child in sorted(root.glob("scene_*"))]
    return [child for child in children if _is_scene(child)]


def _is_scene(path: Path) -> bool:
    return next(path.glob("2D_rendering/*/perspective"), None) is not None


def _positions(path: Path) -> list[Path]:
    """Picture folders, numbered ones in the order of their numbers."""
    folders = [child for child in path.iterdir() if child.is_dir()] if path.is_dir() else []
    return sorted(folders, key=lambda f: (int(f.name) if f.name.isdecimal() else -1, f.name))


def _frame(folder: Path, color: Path, skipped: Counter[str]) -> Frame | None:
    """One picture; None (counted) without a usable camera."""
    width, height = image_size(color)
    pose_path = folder / "camera_pose.txt"
    if not pose_path.is_file():
        skipped["frame: no camera_pose.txt"] += 1
        return None
    view = read_view(pose_path, width, height)
    if view is None:
        skipped["frame: camera_pose.txt is damaged"] += 1
        return None
    camera, T_world_cam = view
    depth: Path | None = folder / "depth.png"
    if depth is not None and not depth.is_file():
        skipped["depth: no image for a frame"] += 1
        depth = None
    instance: Path | None = folder / "instance.png" if (folder / "instance.png").is_file() else None
    return Frame(
        id=f"{int(folder.name):06d}" if folder.name.isdecimal() else folder.name,
        camera=camera,
        T_world_cam=T_world_cam,
        color=partial(read_color, color, camera),
        content_key=content_key(depth, instance, _DEPTH_SCALE),
        color_path=color,
        depth=partial(read_depth, depth, camera, _DEPTH_SCALE) if depth else None,
        depth_camera=camera if depth else None,
        object_ids=partial(read_instances, instance, camera) if instance else None,
    )


def read_view(path: Path, width: int, height: int) -> tuple[PinholeCamera, Float[np.ndarray, "4 4"]] | None:
    """Camera and `T_world_cam` (metres) of a camera_pose.txt; None when the file does not hold them.

    A place or direction that is not finite gives a pose that is not, which is counted as such.
    """
    try:
        numbers = np.array(path.read_text().split(), dtype=float)
    except (OSError, ValueError):
        return None
    if len(numbers) not in (11, 12):
        return None
    eye, direction, up, (xfov, yfov) = numbers[:3] / 1000.0, numbers[3:6], numbers[6:9], numbers[9:11]
    if not (0 < xfov < np.pi / 2 and 0 < yfov < np.pi / 2):
        return None
    camera = PinholeCamera(
        width, height, width / 2 / float(np.tan(xfov)), height / 2 / float(np.tan(yfov)), width / 2, height / 2
    )
    if not np.isfinite(numbers[:9]).all():
        return camera, np.full((4, 4), np.nan)
    try:
        return camera, look_at(eye, eye + direction, up)
    except ValueError:
        return None


def read_instances(path: Path, camera: PinholeCamera) -> Int[np.ndarray, "h w"]:
    """Object id of each pixel; the background is `NO_OBJECT`.

    Raises:
        SceneError: missing, truncated, or not a 16-bit image of the picture's size.
    """
    image = read_image(path)
    if image.shape != (camera.height, camera.width) or image.dtype == np.uint8:
        raise SceneError(
            f"{path} holds {image.dtype} values of shape {image.shape}, expected 16-bit instance numbers of size "
            f"{camera.width}x{camera.height}; unpack the archive again"
        )
    ids = image.astype(np.int32)
    ids[ids == _BACKGROUND] = NO_OBJECT
    return ids
