"""`scannetpp:PATH`: ScanNet++ (v2 layout). PATH is the dataset, its data/ folder, or one scene.

    data/<scene>/
      scans/mesh_aligned_0.05.ply, segments.json, segments_anno.json         mesh, segment of each vertex, objects
      iphone/rgb.mp4 or rgb/frame_000000.jpg ...                             1920 x 1440, 60 a second
      iphone/depth.bin or depth/frame_000000.png (uint16, mm)                256 x 192, registered to colour
      iphone/colmap/cameras.txt, images.txt                                  refined poses of some frames
      iphone/pose_intrinsic_imu.json                                         the phone's own poses of all frames
      dslr/resized_images/DSC00001.JPG ...                                   fisheye photos
      dslr/resized_undistorted_images/, nerfstudio/transforms_undistorted.json     or the same, already straightened
      dslr/colmap/..., nerfstudio/transforms.json                            their poses

The world of mesh, boxes and COLMAP poses is one: metres, z up. What was decided where the files leave a choice:

- `stream=iphone` (the video, with sensor depth) or `dslr` (photos without depth; visibility then rests on the mesh).
- `poses=colmap` is the default where COLMAP files are there, else `arkit`: `aligned_pose` of pose_intrinsic_imu.json,
  camera to world with OpenCV axes. These exist for every frame but drift. A common scale in them is divided out.
- Images with distortion (all COLMAP cameras) are straightened, and phone depth with them (`spaceland.scenes.lens`).
- COLMAP's pixel centres are at +0.5 as ours; ARKit's intrinsics are taken to be for 1920 x 1440 and whole numbers.
- nerfstudio poses have OpenGL camera axes and a world with x and y swapped and z turned round, as that project's COLMAP
  converter makes them, unless the file states another `applied_transform`.
- Each scene is a room of its own: `provenance["room"]` is the scene's id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_json
from spaceland.scenes.images import count_option, pick
from spaceland.scenes.obb import Instance, build_objects, read_obb, vertices_by_value
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scannetpp_frames import dslr_views, iphone_views, make_frame
from spaceland.scenes.scene import Scene, SceneObject, Surface, make_scene
from spaceland.scenes.sources import check_options

STREAMS = ("iphone", "dslr")
POSES = ("colmap", "arkit")
_MARKS = (
    "scans/mesh_aligned_0.05.ply",
    "iphone/pose_intrinsic_imu.json",
    "iphone/colmap",
    "dslr/colmap",
    "dslr/nerfstudio",
)


@dataclass(frozen=True)
class ScanNetPPSource:
    """Scene folders by id; frames of one stream."""

    folders: dict[str, Path]
    stream: str = "iphone"
    poses: str | None = None
    stride: int = 1
    max_frames: int | None = None
    kind: str = "scannetpp"

    def ids(self) -> Sequence[str]:
        return list(self.folders)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.folders:
            raise SourceError(f"scannetpp: no scene '{scene_id}'; there are {', '.join(list(self.folders)[:8])}")
        return read_scene(self.folders[scene_id], self)


def recognise(path: Path) -> bool:
    """Whether `path` is a scene or holds some."""
    return path.is_dir() and bool(_scene_folders(path))


def open_source(location: str, options: dict[str, str]) -> ScanNetPPSource:
    """Scenes of a folder. Options: `stream`, `poses`, `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no scene there, or options that make no sense.
    """
    check_options("scannetpp", options, ("stream", "poses", "stride", "max_frames"))
    for name, known in (("stream", STREAMS), ("poses", POSES)):
        if options.get(name, known[0]) not in known:
            raise SourceError(f"scannetpp: {name}={options[name]}, expected {' or '.join(known)}")
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"scannetpp: '{location}' is not a folder; give the dataset, its data/ or one scene")
    folders = {folder.resolve().name: folder for folder in _scene_folders(path)}
    if not folders:
        raise SourceError(f"scannetpp: no scene in '{location}'; a scene folder holds one of {', '.join(_MARKS)}")
    counts = (count_option(options, "stride", "scannetpp") or 1, count_option(options, "max_frames", "scannetpp"))
    return ScanNetPPSource(folders, options.get("stream", "iphone"), options.get("poses"), *counts)


def read_scene(path: Path, source: ScanNetPPSource) -> Scene:
    """Read one scene folder with the source's options.

    Raises:
        SceneError: a file is damaged. What is missing, and frames without a valid pose, are counted instead.
    """
    skipped: Counter[str] = Counter()
    notes: dict[str, object] = {}
    if source.stream == "iphone":
        views = iphone_views(path / "iphone", source.poses, skipped, notes)
    else:
        views = dslr_views(path / "dslr", skipped, notes)
    frames = [make_frame(view, skipped) for view in pick(views, source.stride, source.max_frames)]
    surface, objects = _surface(path / "scans", skipped)
    return make_scene(
        id=path.resolve().name,
        frames=frames,
        objects=objects,
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "scannetpp",
            "room": path.resolve().name,
            "stream": source.stream,
            "stride": source.stride,
            "max_frames": source.max_frames,
            **notes,
        },
        skipped=+skipped,
    )


def _scene_folders(path: Path) -> list[Path]:
    if any((path / mark).exists() for mark in _MARKS):
        return [path]
    root = path / "data" if (path / "data").is_dir() else path
    return [child for child in sorted(root.iterdir()) if any((child / mark).exists() for mark in _MARKS)]


def _surface(folder: Path, skipped: Counter[str]) -> tuple[Surface | None, list[SceneObject]]:
    """The mesh and its objects."""
    path = folder / "mesh_aligned_0.05.ply"
    if not path.is_file():
        skipped["surface and objects: no scans/mesh_aligned_0.05.ply; frames still work"] += 1
        return None, []
    mesh = read_ply(path)
    vertices = mesh.vertices.astype(float)
    faces = mesh.faces if mesh.faces is not None and len(mesh.faces) else None
    missing = [name for name in ("segments.json", "segments_anno.json") if not (folder / name).is_file()]
    if missing:
        skipped[f"objects: no scans/{missing[0]}; frames and mesh still work"] += 1
        return Surface(vertices, mesh.colors, faces), []
    try:
        segments = np.array(read_json(folder / "segments.json")["segIndices"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise SceneError(
            f"{folder / 'segments.json'}: 'segIndices' is missing or not a list of whole numbers"
        ) from None
    if segments.shape != (len(vertices),):
        raise SceneError(
            f"{folder / 'segments.json'} has segments for {segments.size} vertices, but the mesh has {len(vertices)}; "
            "both must come from the same release"
        )
    objects, owner = build_objects(_instances(folder, segments, skipped), vertices, faces, skipped)
    return Surface(vertices, mesh.colors, faces, owner), objects


def _instances(folder: Path, segments: np.ndarray, skipped: Counter[str]) -> list[Instance]:
    members = vertices_by_value(segments)
    instances = []
    try:
        groups: list[Mapping[str, Any]] = read_json(folder / "segments_anno.json")["segGroups"]
        for group in groups:
            wanted = list(dict.fromkeys(int(segment) for segment in group["segments"]))
            skipped["segment: not in the mesh"] += sum(segment not in members for segment in wanted)
            parts = [members[segment] for segment in wanted if segment in members]
            index = np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=int)
            box = read_obb(group.get("obb"), skipped)
            instances.append(Instance(int(group["objectId"]), str(group["label"]), index, box))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{folder / 'segments_anno.json'}: 'segGroups' needs objectId, label and segments in each group "
            f"({type(error).__name__}: {error})"
        ) from error
    return instances
