"""`folder:PATH`: spaceland's own open scene folders, read. PATH is one scene folder or a folder of them.

    room0007/
      scene.json       everything but arrays; written last, so a folder that has it is complete
      color/           000000.jpg or .png
      depth/           16-bit PNG, "depth_scale" counts to the metre, 0 = none
      object_ids/      16-bit PNG, object id + 1, 0 = none
      objects.npz      points_<id> and faces_<id> of each object
      surface.ply      vertices, colours, triangles, object_id

docs/scene-folder.md describes every field. Nothing is unpickled, and file names must stay inside the folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_image, read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.folder_write import SCHEMA, check_file_name, write_scene
from spaceland.scenes.images import check_size, content_key, read_color, read_depth
from spaceland.scenes.npz import read_npz
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import Frame, Room, Scene, SceneObject, Surface, make_scene
from spaceland.scenes.sources import check_options

__all__ = ["FolderSource", "open_source", "read_scene", "recognise", "write_scene"]


@dataclass(frozen=True)
class FolderSource:
    """Scene folders by scene id."""

    folders: dict[str, Path]
    kind: str = "folder"

    def ids(self) -> Sequence[str]:
        return list(self.folders)

    def open(self, scene_id: str) -> Scene:
        return read_scene(self.folders[scene_id])


def recognise(path: Path) -> bool:
    """Whether `path` is a scene folder or holds some."""
    return path.is_dir() and bool(_scene_folders(path))


def open_source(location: str, options: dict[str, str]) -> FolderSource:
    """Scenes of a folder.

    Raises:
        SourceError: no scene folder there, unknown options, or one scene id twice.
    """
    check_options("folder", options, ())
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"folder: '{location}' is not a folder; give a scene folder or a folder of them")
    folders: dict[str, Path] = {}
    for folder in _scene_folders(path):
        scene_id = _id_of(folder)
        if scene_id in folders:
            raise SourceError(
                f"folder: '{folders[scene_id].name}' and '{folder.name}' both hold scene '{scene_id}'; remove one"
            )
        folders[scene_id] = folder
    if not folders:
        raise SourceError(
            f"folder: no scene.json in '{location}' or one level below; unfinished scenes lack it: save them again"
        )
    return FolderSource(folders)


def read_scene(path: Path) -> Scene:
    """Read one scene folder; images stay on disk until they are asked for.

    Raises:
        SceneError: a file is missing or damaged; the message names the file and the field.
    """
    path = Path(path)
    top = _Fields(read_json(path / "scene.json"), str(path / "scene.json"), path)
    if top.whole("schema") > SCHEMA:
        raise SceneError(f"{top.where}: schema {top.whole('schema')} is newer than {SCHEMA}; update spaceland")
    if top.text("units") != "metre":
        raise SceneError(f"{top.where}: units are '{top.text('units')}', expected 'metre'")
    geometry = top.text("geometry")
    if geometry not in ("measured", "estimated", "generated"):
        raise SceneError(f"{top.where}: geometry is '{geometry}', expected measured, estimated or generated")
    check_file_name(top.text("id"))
    entries = top.items("objects")
    arrays = read_npz(top.file("objects_file")) if entries else {}
    room = top.optional("room")
    skipped = Counter(top.mapping("skipped"))
    if not all(isinstance(count, int) for count in skipped.values()):
        raise SceneError(f"{top.where}: 'skipped' holds counts that are no whole numbers")
    posed = [entry for entry in top.items("frames") if entry.value.get("T_world_cam") is not None]
    skipped["frame: no pose"] += len(top.items("frames")) - len(posed)
    return make_scene(
        id=top.text("id"),
        frames=[_frame(entry) for entry in posed],
        objects=[_object(entry, arrays) for entry in entries],
        surface=None if top.value.get("surface") is None else _surface(top.file("surface")),
        room=None if room is None else _room(room),
        geometry=geometry,
        provenance=top.mapping("provenance"),
        skipped=+skipped,
    )


def _scene_folders(path: Path) -> list[Path]:
    if (path / "scene.json").is_file():
        return [path]
    return sorted(child for child in path.iterdir() if (child / "scene.json").is_file())


def _id_of(folder: Path) -> str:
    """The id that scene.json states; the folder's name when it cannot be read, so that opening it tells why."""
    try:
        scene_id = read_json(folder / "scene.json")["id"]
        return scene_id if isinstance(scene_id, str) else folder.name
    except (SceneError, KeyError, TypeError):
        return folder.resolve().name


@dataclass(frozen=True)
class _Fields:
    """A JSON object with checked access; `where` names it in errors."""

    value: dict[str, Any]
    where: str
    root: Path

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise SceneError(f"{self.where}: expected a JSON object, found {type(self.value).__name__}")

    def get(self, name: str) -> Any:
        if name not in self.value:
            raise SceneError(f"{self.where}: '{name}' is missing; see docs/scene-folder.md")
        return self.value[name]

    def _typed(self, name: str, kind: type | tuple[type, ...], word: str) -> Any:
        value = self.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SceneError(f"{self.where}: '{name}' is {str(value)[:60]!r}, expected {word}")
        return value

    def text(self, name: str) -> str:
        return self._typed(name, str, "text")

    def whole(self, name: str) -> int:
        return self._typed(name, int, "a whole number")

    def number(self, name: str) -> float:
        return float(self._typed(name, (int, float), "a number"))

    def mapping(self, name: str) -> dict[str, Any]:
        return self._typed(name, dict, "an object")

    def array(self, name: str, *shape: int) -> np.ndarray:
        """Numbers of a given shape; -1 stands for any length."""
        try:
            array = np.array(self.get(name), dtype=float)
        except (TypeError, ValueError):
            array = np.zeros(())
        if array.ndim != len(shape) or any(
            want not in (-1, have) for want, have in zip(shape, array.shape, strict=True)
        ):
            raise SceneError(f"{self.where}: '{name}' is not an array of numbers of shape {list(shape)}")
        return array

    def optional(self, name: str) -> _Fields | None:
        return None if self.value.get(name) is None else _Fields(self.value[name], f"{self.where}: {name}", self.root)

    def items(self, name: str) -> list[_Fields]:
        values = self._typed(name, list, "a list")
        return [_Fields(value, f"{self.where}: {name}[{k}]", self.root) for k, value in enumerate(values)]

    def file(self, name: str) -> Path:
        """A file inside the scene folder; names that lead out of it are refused."""
        text = self.text(name)
        relative = PurePosixPath(text)
        if relative.is_absolute() or ".." in relative.parts or "\\" in text or ":" in text or not relative.parts:
            raise SceneError(f"{self.where}: '{name}' is {text[:80]!r}, which leads out of the scene folder; refused")
        return self.root / relative


def _camera(fields: _Fields) -> PinholeCamera:
    width, height = fields.whole("width"), fields.whole("height")
    check_size(width, height, fields.where)
    try:
        return PinholeCamera(width, height, *(fields.number(name) for name in ("fx", "fy", "cx", "cy")))
    except ValueError as error:
        raise SceneError(f"{fields.where}: {error}") from error


def _frame(fields: _Fields) -> Frame:
    camera_fields, depth_fields = fields.optional("camera"), fields.optional("depth_camera")
    if camera_fields is None:
        raise SceneError(f"{fields.where}: 'camera' is missing; see docs/scene-folder.md")
    camera = _camera(camera_fields)
    depth_camera = None if depth_fields is None else _camera(depth_fields)
    color_path, depth, object_ids, scale = fields.file("color"), None, None, None
    parts: list[Path | float | None] = []
    if fields.value.get("depth") is not None:
        depth_path, scale = fields.file("depth"), fields.number("depth_scale")
        if not scale > 0:
            raise SceneError(f"{fields.where}: 'depth_scale' is {scale}, expected a positive number")
        depth = partial(_depth, depth_path, depth_camera or camera, scale)
        parts += [depth_path, scale]
    if fields.value.get("object_ids") is not None:
        ids_path = fields.file("object_ids")
        object_ids = partial(_object_ids, ids_path)
        parts += [None, ids_path]
    frame_id = fields.text("id")
    check_file_name(frame_id)
    return Frame(
        id=frame_id,
        camera=camera,
        T_world_cam=fields.array("T_world_cam", 4, 4),
        color=partial(read_color, color_path, camera),
        content_key=content_key(*parts),
        color_path=color_path,
        depth=depth,
        depth_camera=depth_camera,
        object_ids=object_ids,
        timestamp_s=None if fields.value.get("timestamp_s") is None else fields.number("timestamp_s"),
    )


def _depth(path: Path, camera: PinholeCamera, scale: float) -> np.ndarray:
    if path.suffix != ".npz":
        return read_depth(path, camera, scale)
    depth = read_npz(path).get("depth", np.zeros(0)).astype(np.float32)
    if depth.shape != (camera.height, camera.width):
        raise SceneError(f"{path}: depth has shape {depth.shape}, but its camera is {camera.width}x{camera.height}")
    return depth


def _object_ids(path: Path) -> np.ndarray:
    ids = read_npz(path).get("object_ids", np.zeros(0)) if path.suffix == ".npz" else read_image(path)
    if ids.ndim != 2:
        raise SceneError(f"{path}: object ids have shape {ids.shape}, expected one number for each pixel")
    return ids.astype(np.int32) - (path.suffix != ".npz")


def _object(fields: _Fields, arrays: dict[str, np.ndarray]) -> SceneObject:
    object_id, box = fields.whole("id"), fields.optional("box")
    points = arrays.get(f"points_{object_id}", np.zeros((0, 3)))
    faces = arrays.get(f"faces_{object_id}")
    for name, array in (("points", points), ("faces", faces)):
        if array is not None and (array.ndim != 2 or array.shape[1] != 3):
            raise SceneError(f"{fields.where}: {name}_{object_id} has shape {array.shape}, expected [n, 3]")
    if faces is not None and len(faces) and not (faces.min() >= 0 and faces.max() < len(points)):
        raise SceneError(f"{fields.where}: faces_{object_id} name points that do not exist (there are {len(points)})")
    if box is None:
        raise SceneError(f"{fields.where}: 'box' is missing; see docs/scene-folder.md")
    try:
        oriented = OrientedBox(box.array("center", 3), box.array("size", 3), box.array("rotation", 3, 3))
    except ValueError as error:
        raise SceneError(f"{fields.where}: {error}") from error
    front = None if fields.value.get("front_world") is None else fields.array("front_world", 3)
    score = None if fields.value.get("score") is None else fields.number("score")
    if score is not None and not 0 <= score <= 1:
        raise SceneError(f"{fields.where}: 'score' is {score}, expected a number from 0 to 1, or none")
    label, raw_label = fields.text("label"), fields.text("raw_label")
    return SceneObject(object_id, label, raw_label, points, oriented, faces, front, score)


def _surface(path: Path) -> Surface:
    if path.suffix == ".npz":
        arrays = read_npz(path)
        if "vertices" not in arrays:
            raise SceneError(f"{path}: 'vertices' is missing; see docs/scene-folder.md")
        return Surface(arrays["vertices"], *(arrays.get(name) for name in ("colors", "faces", "object_ids")))
    mesh = read_ply(path)
    return Surface(mesh.vertices, mesh.colors, mesh.faces, mesh.extra.get("object_id"))


def _room(fields: _Fields) -> Room:
    height = None if fields.value.get("height_m") is None else fields.number("height_m")
    # An empty list: the area alone is known.
    outline = np.zeros((0, 2)) if fields.get("floor_polygon") == [] else fields.array("floor_polygon", -1, 2)
    return Room(outline, fields.number("floor_z_m"), height, fields.number("area_m2"))
