"""`scannet:PATH`: scans in ScanNet's export layout. PATH is one scan folder, or a folder of them (also under `scans/`).

    scene0000_00/
      color/0.jpg ...  depth/0.png (uint16, mm) ...  pose/0.txt (camera to world) ...    or  scene0000_00.sens
      intrinsic/intrinsic_color.txt, intrinsic_depth.txt        (also beside the folders, also named intrinsics_*)
      scene0000_00_vh_clean_2.ply                               mesh, or points only
      scene0000_00_vh_clean_2.0.010000.segs.json                segment of each vertex
      scene0000_00.aggregation.json                             objects: label and segments
      scene0000_00.txt                                          axisAlignment and image sizes

The axis alignment is applied to everything: `T_world_cam = axis_alignment @ camera_to_world`. Colour and depth have
their own size and intrinsics. Object ids are the `objectId` of the aggregation. What is not there is left out: no
meshes without faces, no depth, no annotation needed. Walls and floors are objects here like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.images import (
    content_key,
    count_option,
    depth_from_counts,
    image_size,
    pick,
    read_color,
    read_depth,
)
from spaceland.scenes.matrices import read_matrix, read_pose
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scannet_objects import read_annotation
from spaceland.scenes.scene import Frame, Scene, Surface, make_scene
from spaceland.scenes.sens import Sens, open_sens
from spaceland.scenes.sources import check_options

_IMAGES = (".jpg", ".jpeg", ".png")
_DEPTH_SCALE = 1000.0


@dataclass(frozen=True)
class ScanNetSource:
    """Scan folders by scan id; every `stride`-th frame, at most `max_frames` evenly spread ones."""

    folders: dict[str, Path]
    stride: int = 1
    max_frames: int | None = None
    kind: str = "scannet"

    def ids(self) -> Sequence[str]:
        return list(self.folders)

    def open(self, scene_id: str) -> Scene:
        return read_scan(self.folders[scene_id], self.stride, self.max_frames)


def recognise(path: Path) -> bool:
    """Whether `path` is a scan or holds some."""
    return path.is_dir() and bool(_scan_folders(path))


def open_source(location: str, options: dict[str, str]) -> ScanNetSource:
    """Scans of a folder. Options: `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no scan there, or unknown options.
    """
    check_options("scannet", options, ("stride", "max_frames"))
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"scannet: '{location}' is not a folder; give a scan folder or the folder that holds scans/")
    folders = {folder.resolve().name: folder for folder in _scan_folders(path)}
    if not folders:
        raise SourceError(
            f"scannet: no scan in '{location}'; a scan folder holds <scan>_vh_clean_2.ply, <scan>.aggregation.json or "
            "<scan>.sens, or color/ with pose/ and intrinsic/"
        )
    stride = count_option(options, "stride", "scannet") or 1
    return ScanNetSource(folders, stride, count_option(options, "max_frames", "scannet"))


def read_scan(path: Path, stride: int = 1, max_frames: int | None = None) -> Scene:
    """Read one scan folder.

    Raises:
        SceneError: a file is damaged, or images have no intrinsics. Frames without a valid pose are counted instead.
    """
    scan_id = path.resolve().name
    facts = _read_facts(_find(path, f"{scan_id}.txt"))
    T_align = facts.get("axisAlignment", np.eye(4).ravel()).reshape(4, 4)
    skipped: Counter[str] = Counter()
    color_folder = path / "color"
    sens_path = next(iter(sorted(path.glob("*.sens"))), None)
    notes: dict[str, object] = {}
    if color_folder.is_dir():
        frames = _folder_frames(path, facts, T_align, stride, max_frames, skipped, notes)
    elif sens_path is not None:
        frames = _sens_frames(open_sens(sens_path), T_align, stride, max_frames)
        notes["stream"] = "sens"
    else:
        frames = []
    surface, objects = None, []
    mesh_path = _find(path, f"{scan_id}_vh_clean_2.ply", "*_vh_clean_2.ply", "*_vh_clean.ply")
    if mesh_path is None:
        skipped["surface: no _vh_clean_2.ply"] += 1
    else:
        mesh = read_ply(mesh_path)
        vertices = transform_points(T_align, mesh.vertices.astype(float))
        faces = mesh.faces if mesh.faces is not None and len(mesh.faces) else None
        objects, vertex_ids = read_annotation(path, mesh_path, vertices, faces, skipped)
        surface = Surface(vertices, mesh.colors, faces, vertex_ids)
    return make_scene(
        id=scan_id,
        frames=frames,
        objects=objects,
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "scannet",
            # scene0000_01 is the second scan of the room scene0000.
            "room": scan_id.rsplit("_", 1)[0],
            "stride": stride,
            "max_frames": max_frames,
            "axis_alignment": T_align.tolist() if "axisAlignment" in facts else None,
            **notes,
        },
        skipped=skipped,
    )


def _is_scan(path: Path) -> bool:
    marks = ("*_vh_clean_2.ply", "*.aggregation.json", "*.sens")
    if any(next(path.glob(mark), None) is not None for mark in marks):
        return True
    return (path / "color").is_dir() and (path / "pose").is_dir() and _intrinsics_path(path, "color") is not None


def _scan_folders(path: Path) -> list[Path]:
    if _is_scan(path):
        return [path]
    roots = [path, *(path / name for name in ("scans", "scans_test") if (path / name).is_dir())]
    return [child for root in roots for child in sorted(root.iterdir()) if child.is_dir() and _is_scan(child)]


def _find(path: Path, *names: str) -> Path | None:
    """The first file that matches one of the names, in their order."""
    return next((found for name in names for found in sorted(path.glob(name))), None)


def _intrinsics_path(path: Path, which: str) -> Path | None:
    names = (f"intrinsic_{which}.txt", f"intrinsics_{which}.txt")
    return _find(path, *(f"{folder}{name}" for folder in ("intrinsic/", "intrinsics/", "") for name in names))


def _read_facts(path: Path | None) -> dict[str, np.ndarray]:
    """The `key = numbers` lines of <scan>.txt; lines that hold other things are left alone."""
    facts: dict[str, np.ndarray] = {}
    if path is None:
        return facts
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    for line in text.splitlines():
        key, _, value = line.partition("=")
        try:
            facts[key.strip()] = np.array(value.split(), dtype=float)
        except ValueError:
            continue
    alignment = facts.get("axisAlignment")
    if alignment is not None and (alignment.size != 16 or not np.isfinite(alignment).all()):
        raise SceneError(f"{path}: axisAlignment has {alignment.size} numbers, expected 16 finite ones")
    return facts


def _camera(path: Path, which: str, size: tuple[int, int], facts: dict[str, np.ndarray]) -> PinholeCamera | None:
    """Camera of colour or depth images; from the intrinsics file, else from <scan>.txt; None when neither has it."""
    file = _intrinsics_path(path, which)
    if file is not None:
        K = read_matrix(file)
        if K.shape[0] < 3 or K.shape[1] < 3:
            raise SceneError(f"{file}: expected a 3x3 or 4x4 matrix, found {K.shape[0]}x{K.shape[1]}")
    else:
        values = [facts.get(f"{name}_{which}") for name in ("fx", "fy", "mx", "my")]
        if any(value is None or value.size != 1 for value in values):
            return None
        fx, fy, mx, my = (float(value[0]) for value in values if value is not None)
        K = np.array([[fx, 0, mx], [0, fy, my], [0, 0, 1]])
    # Intrinsics are for the size in <scan>.txt; many exports come with smaller images.
    full = [facts.get(f"{which}{side}") for side in ("Width", "Height")]
    original = tuple(int(v[0]) if v is not None and v.size == 1 else size[k] for k, v in enumerate(full))
    try:
        return PinholeCamera.from_opencv(original[0], original[1], K).scaled(*size)
    except ValueError as error:
        raise SceneError(f"{file or path}: {error}") from error


def _numbered(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
    """Files whose name is a number, in the order of the numbers."""
    files = (
        [f for f in folder.iterdir() if f.suffix.lower() in suffixes and f.stem.isdecimal()] if folder.is_dir() else []
    )
    return {int(file.stem): file for file in sorted(files, key=lambda f: int(f.stem))}


def _folder_frames(
    path: Path,
    facts: dict[str, np.ndarray],
    T_align: np.ndarray,
    stride: int,
    max_frames: int | None,
    skipped: Counter[str],
    notes: dict[str, object],
) -> list[Frame]:
    colors, depths = _numbered(path / "color", _IMAGES), _numbered(path / "depth", (".png",))
    poses = _numbered(path / "pose", (".txt",))
    if not colors:
        return []
    camera = _camera(path, "color", image_size(next(iter(colors.values()))), facts)
    if camera is None:
        raise SceneError(
            f"{path}: no intrinsic/intrinsic_color.txt, and {path.name}.txt has no fx_color; copy the file"
        )
    depth_camera = None
    if depths:
        size = image_size(next(iter(depths.values())))
        depth_camera = _camera(path, "depth", size, facts)
        if depth_camera is None:
            depth_camera = camera.scaled(*size)
            notes["depth_camera"] = "no depth intrinsics: colour camera scaled to the depth size"
    frames = []
    for number in pick(list(colors), stride, max_frames):
        if number not in poses:
            skipped["frame: no pose file"] += 1
            continue
        T_cam = read_pose(poses[number])
        if T_cam is None:
            skipped["frame: pose file is damaged"] += 1
            continue
        depth_path = depths.get(number)
        if depths and depth_path is None:
            skipped["depth: no image for a frame"] += 1
        frames.append(
            Frame(
                id=f"{number:06d}",
                camera=camera,
                T_world_cam=_aligned(T_align, T_cam),
                color=partial(read_color, colors[number], camera),
                content_key=content_key(depth_path, _DEPTH_SCALE),
                color_path=colors[number],
                depth=partial(read_depth, depth_path, depth_camera, _DEPTH_SCALE)
                if depth_path and depth_camera
                else None,
                depth_camera=depth_camera if depth_path else None,
            )
        )
    return frames


def _sens_frames(sens: Sens, T_align: np.ndarray, stride: int, max_frames: int | None) -> list[Frame]:
    camera = PinholeCamera.from_opencv(*sens.color_size, sens.K_color)
    depth_camera = PinholeCamera.from_opencv(*sens.depth_size, sens.K_depth)

    def key(index: int) -> str:
        frame = sens.frames[index]
        return content_key(sens.read(frame.depth_at, frame.depth_bytes), sens.depth_scale)()

    return [
        Frame(
            id=f"{k:06d}",
            camera=camera,
            T_world_cam=_aligned(T_align, sens.frames[k].T_world_cam),
            color=partial(sens.color, k),
            content_key=partial(key, k),
            depth=partial(_sens_depth, sens, k),
            depth_camera=depth_camera,
            timestamp_s=sens.frames[k].color_time_s,
        )
        for k in pick(range(len(sens.frames)), stride, max_frames)
    ]


def _sens_depth(sens: Sens, index: int) -> Float[np.ndarray, "h w"]:
    return depth_from_counts(sens.depth_counts(index), sens.depth_scale)


def _aligned(T_align: np.ndarray, T_cam: np.ndarray) -> Float[np.ndarray, "4 4"]:
    """The pose in the aligned world; a lost camera (infinite entries) stays as it is and is counted later."""
    return T_align @ T_cam if np.isfinite(T_cam).all() else T_cam
