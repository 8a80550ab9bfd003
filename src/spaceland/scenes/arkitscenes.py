"""`arkitscenes:PATH`: ARKitScenes, 3dod and raw. PATH is the dataset, 3dod/ or raw/, one fold, or one video folder.

    [3dod|raw/][Training|Validation/]<video>/
      <video>_frames/ (3dod; raw has these in <video>/ itself)
        lowres_wide/<video>_<time>.png                256 x 192 colour; raw also has vga_wide (640 x 480), wide
        lowres_depth/<video>_<time>.png               uint16, mm, seen by the same camera
        lowres_wide_intrinsics/<video>_<time>.pincam  width height fx fy cx cy
        lowres_wide.traj                              time, axis-angle, translation: world to camera, 10 a second
      <video>_3dod_mesh.ply, <video>_3dod_annotation.json
    3dod_train_val_splits.csv, raw_train_val_splits.csv, metadata.csv     which videos are of one visit

The world is metric with z up; cameras have OpenCV axes. What was decided where the files leave a choice:

- A frame has the pose that is nearest in time when it is at most 1 ms away (names are rounded to that), else one
  between its two neighbours (rotation by slerp) when they are at most 0.25 s apart (`timed_poses.py`). Others are
  counted, none is extrapolated.
- Intrinsics and depth are those nearest in time, at most `MATCH_S` away, so that 30 Hz colour finds its 60 Hz depth.
- `images=lowres_wide` is the default; `vga_wide` and `wide` take the same trajectory, as the authors recommend.
- Pixel centres of .pincam are whole numbers, as the dataset's own tools have them (0.4 pixels of doubt).
- Pictures are stored as the sensor lies. `upright=yes` (default) turns all of a scene by the quarter turns that most of
  them need; `provenance["sky_direction"]` says where the sky is in the stored ones.
- The annotation has boxes only (`obbAligned`). An object's points are the mesh vertices in its box; a vertex in several
  boxes belongs to the smallest. Ids are positions in the file. Without a mesh, points come from the depth images.
- `provenance["room"]` is the visit of the CSV files, None where there are none: one room has several videos.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.images import content_key, count_option, image_size, pick, read_color, read_depth
from spaceland.scenes.obb import Instance, build_objects, inside_boxes, read_obb
from spaceland.scenes.ply import read_ply
from spaceland.scenes.points import depth_points
from spaceland.scenes.scene import Frame, Scene, SceneObject, Surface, make_scene
from spaceland.scenes.sources import check_options
from spaceland.scenes.timed_poses import pose_at, read_trajectory
from spaceland.scenes.turns import sky_direction, turned, turns_to_upright

IMAGES = ("lowres_wide", "vga_wide", "wide")
MATCH_S = 0.02
BOX_MARGIN_M = 0.01
_DEPTH_SCALE = 1000.0
_TABLES = ("3dod_train_val_splits.csv", "raw_train_val_splits.csv", "metadata.csv")


@dataclass(frozen=True)
class ArkitScenesSource:
    """Video folders by video id."""

    folders: dict[str, Path]
    images: str = "lowres_wide"
    upright: bool = True
    stride: int = 1
    max_frames: int | None = None
    kind: str = "arkitscenes"

    def ids(self) -> Sequence[str]:
        return list(self.folders)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.folders:
            raise SourceError(f"arkitscenes: no video '{scene_id}'; there are {', '.join(list(self.folders)[:8])}")
        return read_video(self.folders[scene_id], self)

    def room_of(self, scene_id: str) -> str:
        """The visit of a video, without opening it; the video itself where no CSV tells."""
        return _visit(self.folders[scene_id], scene_id) or scene_id


def recognise(path: Path) -> bool:
    """Whether `path` is a video folder or holds some."""
    return path.is_dir() and bool(_video_folders(path))


def open_source(location: str, options: dict[str, str]) -> ArkitScenesSource:
    """Videos of a folder. Options: `images`, `upright`, `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no video there, one is there twice, or options that make no sense.
    """
    check_options("arkitscenes", options, ("images", "upright", "stride", "max_frames"))
    for name, known in (("images", IMAGES), ("upright", ("yes", "no"))):
        if options.get(name, known[0]) not in known:
            raise SourceError(f"arkitscenes: {name}={options[name]}, expected {' or '.join(known)}")
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"arkitscenes: '{location}' is not a folder; give the dataset, 3dod/, raw/ or one video")
    found = _video_folders(path)
    folders = {folder.resolve().name: folder for folder in found}
    if not folders:
        raise SourceError(
            f"arkitscenes: no video in '{location}'; a video folder holds <video>_3dod_mesh.ply or lowres_wide.traj"
        )
    if len(folders) < len(found):
        double = next(folder for folder in found if folders[folder.resolve().name] != folder)
        raise SourceError(f"arkitscenes: video {double.name} is in '{location}' twice; give 3dod/ or raw/ alone")
    return ArkitScenesSource(
        folders,
        options.get("images", IMAGES[0]),
        options.get("upright", "yes") == "yes",
        count_option(options, "stride", "arkitscenes") or 1,
        count_option(options, "max_frames", "arkitscenes"),
    )


def read_video(path: Path, source: ArkitScenesSource) -> Scene:
    """Read one video folder with the source's options.

    Raises:
        SceneError: a file is damaged. What is missing, and frames without a pose, are counted instead.
    """
    video = path.resolve().name
    skipped: Counter[str] = Counter()
    frames = _frames(path, video, source, skipped)
    turns = turns_to_upright([frame.T_world_cam for frame in frames])
    surface, objects = _surface(path, video, frames, skipped)
    return make_scene(
        id=video,
        frames=[turned(frame, turns) for frame in frames] if source.upright else frames,
        objects=objects,
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "arkitscenes",
            "room": _visit(path, video),
            "images": source.images,
            "sky_direction": sky_direction(turns) if frames else None,
            "upright": source.upright,
            "stride": source.stride,
            "max_frames": source.max_frames,
        },
        skipped=+skipped,
    )


def _is_video(path: Path) -> bool:
    name = path.resolve().name
    marks = (f"{name}_3dod_mesh.ply", f"{name}_frames/lowres_wide.traj", "lowres_wide.traj")
    return any((path / mark).is_file() for mark in marks)


def _video_folders(path: Path) -> list[Path]:
    if _is_video(path):
        return [path]
    folds = ("Training", "Validation")
    names = ("", *folds, *(f"{kind}/{fold}" for kind in ("3dod", "raw") for fold in folds))
    roots = [path / name for name in names if (path / name).is_dir()]
    return [child for root in roots for child in sorted(root.iterdir()) if child.is_dir() and _is_video(child)]


def _visit(path: Path, video: str) -> str | None:
    """The visit that a video belongs to, from a CSV of the dataset up to three folders above."""
    for table in (folder / name for folder in path.resolve().parents[:3] for name in _TABLES):
        if table.is_file():
            visit = _visits(table, table.stat().st_mtime_ns).get(video)
            if visit is not None:
                return visit
    return None


@lru_cache(maxsize=8)
def _visits(table: Path, _mtime_ns: int) -> dict[str, str]:
    """Visits by video; a table has thousands of lines and is asked once for each video."""
    visits: dict[str, str] = {}
    with table.open(newline="", errors="replace") as stream:
        for row in csv.DictReader(stream):
            visit = (row.get("visit_id") or "").strip()
            if visit.lower() not in ("", "nan", "na"):
                visits.setdefault((row.get("video_id") or "").strip(), visit.removesuffix(".0"))
    return visits


def _frames(path: Path, video: str, source: ArkitScenesSource, skipped: Counter[str]) -> list[Frame]:
    inner = path / f"{video}_frames"
    folder = inner if inner.is_dir() else path
    colors, depths = _Timed(folder / source.images, (".png", ".jpg")), _Timed(folder / "lowres_depth", (".png",))
    trajectory = folder / "lowres_wide.traj"
    if not colors.files or not trajectory.is_file():
        what = f"{source.images}/" if not colors.files else "lowres_wide.traj"
        skipped[f"frames: no {what}; mesh and objects still work"] += 1
        return []
    times, poses = read_trajectory(trajectory)
    pincams, depth_pincams = (_Timed(folder / f"{k}_intrinsics", (".pincam",)) for k in (source.images, "lowres_wide"))
    if not depths.files:
        skipped["depth: no lowres_depth/; colour and mesh still work"] += 1
    size = image_size(colors.files[0])
    depth_size = image_size(depths.files[0]) if depths.files else size
    frames = []
    chosen = pick(list(zip(colors.times, colors.files, strict=True)), source.stride, source.max_frames)
    for time, color in chosen:
        pincam, T_world_cam = pincams.nearest(time), pose_at(time, times, poses)
        if pincam is None or T_world_cam is None:
            skipped["frame: no intrinsics near its time" if pincam is None else "frame: no pose near its time"] += 1
            continue
        camera, depth, depth_camera = _camera(pincam).scaled(*size), depths.nearest(time), None
        if depth is not None:
            depth_camera = _camera(depth_pincams.nearest(time) or pincam).scaled(*depth_size)
        elif depths.files:
            skipped["depth: no image near the time of a frame"] += 1
        frames.append(
            Frame(
                id=f"{time:.3f}",
                camera=camera,
                T_world_cam=T_world_cam,
                color=partial(read_color, color, camera),
                content_key=content_key(depth, _DEPTH_SCALE),
                color_path=color,
                depth=partial(read_depth, depth, depth_camera, _DEPTH_SCALE) if depth and depth_camera else None,
                depth_camera=depth_camera,
                timestamp_s=time,
            )
        )
    return frames


class _Timed:
    """Files named <video>_<seconds>, by their times."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        found = {}
        for file in folder.iterdir() if folder.is_dir() else ():
            seconds = file.name.removesuffix(file.suffix).rpartition("_")[2]
            if file.suffix.lower() in suffixes and seconds.replace(".", "", 1).isdecimal():
                found[float(seconds)] = file
        self.times = sorted(found)
        self.files = [found[time] for time in self.times]

    def nearest(self, time: float) -> Path | None:
        """The file nearest in time, None when it is farther than `MATCH_S`."""
        after = bisect_left(self.times, time)
        near = [k for k in (after - 1, after) if 0 <= k < len(self.times) and abs(self.times[k] - time) <= MATCH_S]
        return self.files[min(near, key=lambda k: abs(self.times[k] - time))] if near else None


def _camera(pincam: Path) -> PinholeCamera:
    """The camera of a .pincam file."""
    try:
        width, height, fx, fy, cx, cy = (float(word) for word in pincam.read_text().split())
        K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        return PinholeCamera.from_opencv(int(width), int(height), K)
    except (OSError, ValueError) as error:
        raise SceneError(f"{pincam} is not 'width height fx fy cx cy' ({error}); copy it again") from error


def _surface(
    path: Path, video: str, frames: Sequence[Frame], skipped: Counter[str]
) -> tuple[Surface | None, list[SceneObject]]:
    """The mesh and the annotated objects."""
    mesh_path, annotation = path / f"{video}_3dod_mesh.ply", path / f"{video}_3dod_annotation.json"
    mesh = read_ply(mesh_path) if mesh_path.is_file() else None
    if mesh is None:
        skipped[f"surface: no {video}_3dod_mesh.ply; frames and boxes still work"] += 1
    if not annotation.is_file():
        skipped[f"objects: no {video}_3dod_annotation.json; frames and mesh still work"] += 1
    content = read_json(annotation) if annotation.is_file() else {"data": []}
    boxes, labels = {}, {}
    try:
        for number, entry in enumerate(content["data"]):
            box = read_obb(entry["segments"].get("obbAligned"), skipped)
            if box is not None:
                boxes[number], labels[number] = box, str(entry["label"])
    except (AttributeError, KeyError, TypeError) as error:
        raise SceneError(
            f"{annotation}: 'data' needs label and segments.obbAligned in each entry ({type(error).__name__}: {error})"
        ) from error
    usable = [frame for frame in frames if np.isfinite(frame.T_world_cam).all()]
    vertices = mesh.vertices.astype(float) if mesh else (depth_points(usable) if boxes else np.zeros((0, 3)))
    faces = mesh.faces if mesh and mesh.faces is not None and len(mesh.faces) else None
    inside = inside_boxes(boxes, vertices, BOX_MARGIN_M)
    instances = [Instance(number, labels[number], inside[number], boxes[number]) for number in boxes]
    objects, owner = build_objects(instances, vertices, faces, skipped)
    return (Surface(vertices, mesh.colors, faces, owner) if mesh else None), objects
