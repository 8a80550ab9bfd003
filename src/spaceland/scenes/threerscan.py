"""`3rscan:PATH`: scans of 3RScan. PATH is the folder of scans, or one scan.

    3RScan.json                                  references, rescans and transforms between them (also in files/)
    <scan>/
      labels.instances.annotated.v2.ply          mesh with objectId of each vertex; its colours are those of labels
      mesh.refined.v2.obj, mesh.refined_0.png    the same vertices with a texture
      semseg.v2.json                             objects: objectId, label and oriented box
      sequence/ or sequence.zip
        _info.txt                                sizes, intrinsics of colour and depth, depth counts to the metre
        frame-000000.color.jpg                   960 x 540
        frame-000000.depth.pgm                   224 x 172, uint16, mm
        frame-000000.pose.txt                    camera to world, metres, OpenCV axes

The world of a scan is metric with z up. What was decided where the files leave a choice:

- Depth is registered to colour: one pose for both, each with its own size and intrinsics. Pixel centres are whole
  numbers.
- A pose that is infinite or all zero means that tracking was lost; such frames are counted.
- The phone was held upright, so stored pictures lie on their side. `upright=yes` (default) turns them; see `turns.py`.
- sequence.zip is read in place and never unpacked. An archive with an absolute path or `..` in a name is refused.
- Colours of the surface come from the texture, where OBJ and PNG are there and the OBJ has the vertices of the PLY.
- Transforms in 3RScan.json are column by column and map a rescan to its reference. The dataset's notes speak of
  millimetres while its tools use metres; translations beyond `MAX_SHIFT_M` are taken as millimetres.
- `world=reference` applies them, so that all scans of a room share one world; `world=scan` (default) leaves each its
  own.
- `provenance["room"]` is the id of the reference scan: all scans of one room have the same. None without 3RScan.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_json
from spaceland.geometry.transforms import pose_problem, transform_points
from spaceland.scenes.images import count_option
from spaceland.scenes.obb import Instance, build_objects, moved_box, read_obb, vertices_by_value
from spaceland.scenes.obj import read_obj
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import Scene, SceneObject, Surface, make_scene
from spaceland.scenes.sources import check_options
from spaceland.scenes.threerscan_frames import read_frames
from spaceland.scenes.turns import sky_direction, turned, turns_to_upright

MAX_SHIFT_M = 100.0
_PLY = "labels.instances.annotated.v2.ply"
_OBJ = "mesh.refined.v2.obj"
_MARKS = (_PLY, _OBJ, "semseg.v2.json", "sequence.zip", "sequence/_info.txt")


@dataclass(frozen=True)
class ThreeRScanSource:
    """Scan folders by scan id, and the room and transform of each that 3RScan.json names."""

    folders: dict[str, Path]
    rooms: dict[str, tuple[str, Float[np.ndarray, "4 4"] | None]]
    upright: bool = True
    world: str = "scan"
    stride: int = 1
    max_frames: int | None = None
    kind: str = "3rscan"

    def ids(self) -> Sequence[str]:
        return list(self.folders)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.folders:
            raise SourceError(f"3rscan: no scan '{scene_id}'; there are {', '.join(list(self.folders)[:8])}")
        return read_scan(self.folders[scene_id], self)

    def room_of(self, scene_id: str) -> str:
        """The reference scan of a scan's room, without opening it; the scan itself where 3RScan.json does not tell."""
        return self.rooms.get(scene_id, (scene_id, None))[0]


def recognise(path: Path) -> bool:
    """Whether `path` is a scan or holds some."""
    return path.is_dir() and bool(_scan_folders(path))


def open_source(location: str, options: dict[str, str]) -> ThreeRScanSource:
    """Scans of a folder. Options: `upright`, `world`, `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no scan there, or options that make no sense.
        SceneError: 3RScan.json is damaged.
    """
    check_options("3rscan", options, ("upright", "world", "stride", "max_frames"))
    for name, known in (("upright", ("yes", "no")), ("world", ("scan", "reference"))):
        if options.get(name, known[0]) not in known:
            raise SourceError(f"3rscan: {name}={options[name]}, expected {' or '.join(known)}")
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"3rscan: '{location}' is not a folder; give the folder of scans or one scan")
    folders = {folder.resolve().name: folder for folder in _scan_folders(path)}
    if not folders:
        raise SourceError(f"3rscan: no scan in '{location}'; a scan folder holds one of {', '.join(_MARKS)}")
    return ThreeRScanSource(
        folders,
        _rooms(path),
        options.get("upright", "yes") == "yes",
        options.get("world", "scan"),
        count_option(options, "stride", "3rscan") or 1,
        count_option(options, "max_frames", "3rscan"),
    )


def read_scan(path: Path, source: ThreeRScanSource) -> Scene:
    """Read one scan folder with the source's options.

    Raises:
        SceneError: a file is damaged, or `world=reference` without a transform.
    """
    scan_id = path.resolve().name
    skipped: Counter[str] = Counter()
    room, T_reference_scan = source.rooms.get(scan_id, (None, None))
    T = np.eye(4)
    if source.world == "reference":
        if T_reference_scan is None:
            raise SceneError(
                f"3rscan: no transform of {scan_id} to its reference; 3RScan.json must lie beside the scans and name it"
            )
        T = T_reference_scan
    frames = read_frames(path, source.stride, source.max_frames, skipped)
    frames = [replace(frame, T_world_cam=_moved(T, frame.T_world_cam)) for frame in frames]
    turns = turns_to_upright([frame.T_world_cam for frame in frames])
    surface, objects = _surface(path, T, skipped)
    return make_scene(
        id=scan_id,
        frames=[turned(frame, turns) for frame in frames] if source.upright else frames,
        objects=objects,
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "3rscan",
            "room": room,
            "world": source.world,
            "T_reference_scan": None if T_reference_scan is None else T_reference_scan.tolist(),
            "sky_direction": sky_direction(turns) if frames else None,
            "upright": source.upright,
            "stride": source.stride,
            "max_frames": source.max_frames,
        },
        skipped=+skipped,
    )


def _scan_folders(path: Path) -> list[Path]:
    if any((path / mark).is_file() for mark in _MARKS):
        return [path]
    roots = [path, *(path / name for name in ("data", "scans") if (path / name).is_dir())]
    children = [child for root in roots for child in sorted(root.iterdir()) if child.is_dir()]
    return [child for child in children if any((child / mark).is_file() for mark in _MARKS)]


def _moved(T: np.ndarray, T_cam: np.ndarray) -> Float[np.ndarray, "4 4"]:
    """The pose in the wanted world; a lost camera stays as it is and is counted later."""
    return T @ T_cam if np.isfinite(T_cam).all() else T_cam


def _rooms(path: Path) -> dict[str, tuple[str, Float[np.ndarray, "4 4"] | None]]:
    """For each scan that 3RScan.json names: its reference, and `T_reference_scan` where it is known."""
    folders = [path.resolve(), *path.resolve().parents[:2]]
    places = [folder / name for folder in folders for name in ("3RScan.json", "files/3RScan.json")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        return {}
    rooms: dict[str, tuple[str, Float[np.ndarray, "4 4"] | None]] = {}
    content = read_json(found)
    try:
        for entry in content:
            reference = str(entry["reference"])
            rooms[reference] = (reference, np.eye(4))
            for rescan in entry.get("scans", ()):
                rooms[str(rescan["reference"])] = (reference, _transform(rescan.get("transform")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{found}: expected a list of references with their rescans ({type(error).__name__}: {error})"
        ) from error
    return rooms


def _transform(numbers: Any) -> Float[np.ndarray, "4 4"] | None:
    """16 numbers column by column; None when there are none (hidden test scans) or they are no rigid transform."""
    if numbers is None:
        return None
    values = np.array(numbers, dtype=float)
    if values.size != 16:
        return None
    T = values.reshape(4, 4).T.copy()
    if np.isfinite(T).all() and np.abs(T[:3, 3]).max() > MAX_SHIFT_M:
        T[:3, 3] /= 1000.0
    return T if pose_problem(T) is None else None


def _surface(
    path: Path, T: Float[np.ndarray, "4 4"], skipped: Counter[str]
) -> tuple[Surface | None, list[SceneObject]]:
    """The mesh and its objects."""
    ply_path, obj_path, semseg = path / _PLY, path / _OBJ, path / "semseg.v2.json"
    textured = read_obj(obj_path) if obj_path.is_file() else None
    if not ply_path.is_file():
        skipped[f"objects: no {_PLY}; frames {'and mesh ' if textured else ''}still work"] += 1
        if textured is None:
            skipped[f"surface: no {_PLY} and no {_OBJ}"] += 1
            return None, []
        return Surface(transform_points(T, textured.vertices), textured.colors, textured.faces), []
    mesh = read_ply(ply_path)
    vertices = transform_points(T, mesh.vertices.astype(float))
    faces = mesh.faces if mesh.faces is not None and len(mesh.faces) else None
    colors = textured.colors if textured and len(textured.vertices) == len(vertices) else None
    if colors is None:
        skipped[f"surface: no colours, since {_OBJ} or its texture is missing or has other vertices"] += 1
    if not semseg.is_file():
        skipped["objects: no semseg.v2.json; frames and mesh still work"] += 1
        return Surface(vertices, colors, faces), []
    if "objectId" not in mesh.extra:
        raise SceneError(f"{ply_path}: vertices have no objectId; it must be the annotated mesh of version 2")
    members = vertices_by_value(mesh.extra["objectId"].astype(np.int64))
    objects, owner = build_objects(_instances(semseg, members, T, skipped), vertices, faces, skipped)
    return Surface(vertices, colors, faces, owner), objects


def _instances(
    path: Path, members: dict[int, np.ndarray], T: Float[np.ndarray, "4 4"], skipped: Counter[str]
) -> list[Instance]:
    instances = []
    try:
        for group in read_json(path)["segGroups"]:
            box = read_obb(group.get("obb"), skipped)
            number = int(group["objectId"] if "objectId" in group else group["id"])
            index = members.get(number, np.zeros(0, dtype=int))
            instances.append(Instance(number, str(group["label"]), index, moved_box(T, box) if box else None))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{path}: 'segGroups' needs objectId and label in each group ({type(error).__name__}: {error})"
        ) from error
    return instances
