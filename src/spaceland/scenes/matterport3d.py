"""`matterport3d:PATH`: scans of Matterport3D. PATH is one scan, a folder of them, or the one above.

    17DRP5sb8fy/
      undistorted_camera_parameters/17DRP5sb8fy.conf
          intrinsics_matrix fx 0 cx 0 fy cy 0 0 1                          (of the lines that follow)
          scan <depth image> <colour image> <16 numbers, camera to world, OpenGL axes>
      undistorted_color_images/<panorama>_i<camera>_<yaw>.jpg
      undistorted_depth_images/<panorama>_d<camera>_<yaw>.png              uint16, 0.25 mm, along the axis
      house_segmentations/17DRP5sb8fy.house, .ply, .fsegs.json             see `matterport3d_house`
      region_segmentations/region0.ply, region0.fsegs.json ...             segment of each face

One scene is one region (a room), `17DRP5sb8fy_region0`, with the pictures of the panoramas that stand in it; regions
without a panorama have no pictures and are not listed. `unit=house` makes one scene of a whole building. PATH may also
be the folder above `scans/` or `v1/scans/`. The archives must be unpacked so that no folder is doubled. Eighteen
pictures are taken from each place: this is no video, and `provenance["is_video"]` is false.

Pictures count their rows from the bottom left in the `.conf`: `cy` of the picture as stored is `height - 1 - cy`. The
distributed intrinsics before undistortion, which count from the top left, agree with that. Intrinsics belong to the
image size in the `.house` file (1280 x 1024), and are scaled when the images are smaller. The world has z up; its
origin is arbitrary, so floors are at any height.
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
from spaceland.files import read_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.box_objects import box_object
from spaceland.scenes.choices import choice_option
from spaceland.scenes.images import content_key, count_option, image_size, pick, read_color, read_depth
from spaceland.scenes.matterport3d_house import SEGMENTS_PER_REGION, House, read_cameras, read_house
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, Surface, make_scene
from spaceland.scenes.sources import check_options

UNITS = ("region", "house")
LABELS = ("raw", "mpcat40")
_DEPTH_SCALE = 4000.0
_FULL_SIZE = (1280, 1024)
_NAMELESS = ("void", "unlabeled")
_CV_FROM_GL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Matterport3DSource:
    """Scan folder and region (None: the whole house) by scene id."""

    units: dict[str, tuple[Path, int | None]]
    labels: str = "raw"
    stride: int = 1
    max_frames: int | None = None
    kind: str = "matterport3d"

    def ids(self) -> Sequence[str]:
        return list(self.units)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.units:
            raise SourceError(f"matterport3d: no scene '{scene_id}'; ids look like 17DRP5sb8fy_region0")
        path, region = self.units[scene_id]
        return read_unit(path, region, self.labels, self.stride, self.max_frames)


def recognise(path: Path) -> bool:
    """Whether `path` is a scan of Matterport3D or holds some."""
    return path.is_dir() and bool(_scan_folders(path))


def open_source(location: str, options: dict[str, str]) -> Matterport3DSource:
    """Regions or houses of a folder. Options: `unit`, `labels`, `stride=N`, `max_frames=N`.

    Raises:
        SourceError: no scans there, or unknown options.
        SceneError: a `.house` file is damaged.
    """
    check_options("matterport3d", options, ("unit", "labels", "stride", "max_frames"))
    unit = choice_option(options, "unit", UNITS, "matterport3d")
    labels = choice_option(options, "labels", LABELS, "matterport3d")
    stride = count_option(options, "stride", "matterport3d") or 1
    max_frames = count_option(options, "max_frames", "matterport3d")
    path = Path(location)
    if not path.is_dir():
        raise SourceError(f"matterport3d: '{location}' is not a folder; give a scan or the folder that holds scans/")
    units: dict[str, tuple[Path, int | None]] = {}
    for scan in _scan_folders(path):
        name = scan.resolve().name
        if unit == "house":
            units[name] = scan, None
        else:
            house = read_house(_house_path(scan))
            units |= {
                f"{name}_region{k}": (scan, k) for k in sorted(set(house.panoramas.values()) & set(house.regions))
            }
    if not units:
        raise SourceError(
            f"matterport3d: no scan in '{location}'; a scan holds house_segmentations/<scan>.house and "
            "undistorted_camera_parameters/<scan>.conf (unpack the archives)"
        )
    return Matterport3DSource(units, labels, stride, max_frames)


def read_unit(
    path: Path, region: int | None = None, labels: str = "raw", stride: int = 1, max_frames: int | None = None
) -> Scene:
    """Read one region of a scan, or all of it.

    Raises:
        SceneError: a file is missing or damaged. Pictures without a file or a valid pose are counted instead.
    """
    path = path.resolve()
    name = path.name
    house = read_house(_house_path(path))
    skipped: Counter[str] = Counter()
    frames = _frames(path, house, region, stride, max_frames, skipped)
    wanted = {k: thing for k, thing in house.objects.items() if region is None or thing.region == region}
    surface, object_of_face = _surface(path, house, region, set(wanted), skipped)
    objects = []
    for object_id, thing in sorted(wanted.items()):
        raw, coarse = house.categories.get(thing.category, ("", "unlabeled"))
        if coarse in _NAMELESS or not raw:
            skipped["object: no category, or one that says nothing"] += 1
        elif thing.box is None:
            skipped["object: its box is not finite or not rectangular"] += 1
        else:
            points, faces = _part(surface, object_of_face == object_id)
            label = raw if labels == "raw" else coarse.replace("_", " ")
            objects.append(box_object(object_id, label, thing.box, points, skipped, faces))
    if surface is not None and surface.object_ids is not None:
        surface.object_ids[~np.isin(surface.object_ids, [thing.id for thing in objects])] = NO_OBJECT
    return make_scene(
        id=name if region is None else f"{name}_region{region}",
        frames=frames,
        objects=objects,
        surface=surface,
        room=None if region is None else house.room(region),
        geometry="measured",
        provenance={
            "kind": "matterport3d",
            "unit": "house" if region is None else "region",
            "labels": labels,
            "stride": stride,
            "max_frames": max_frames,
            "region_label": None if region is None else house.regions[region].label,
            "is_video": False,
        },
        skipped=skipped,
    )


def _scan_folders(path: Path) -> list[Path]:
    if _is_scan(path):
        return [path]
    roots = [path, *(path / name for name in ("scans", "v1/scans") if (path / name).is_dir())]
    return [child for root in roots for child in sorted(root.iterdir()) if child.is_dir() and _is_scan(child)]


def _is_scan(path: Path) -> bool:
    return _house_path(path).is_file() or _conf_path(path).is_file()


def _house_path(path: Path) -> Path:
    return path / "house_segmentations" / f"{path.resolve().name}.house"


def _conf_path(path: Path) -> Path:
    return path / "undistorted_camera_parameters" / f"{path.resolve().name}.conf"


def _frames(
    path: Path, house: House, region: int | None, stride: int, max_frames: int | None, skipped: Counter[str]
) -> list[Frame]:
    rows = [row for row in read_cameras(_conf_path(path)) if region is None or _region_of(row[1], house) == region]
    full = next(iter(house.image_sizes)) if len(house.image_sizes) == 1 else _FULL_SIZE
    size: tuple[int, int] | None = None
    frames = []
    for depth_name, color_name, K, T_world_gl in pick(rows, stride, max_frames):
        color, depth = path / "undistorted_color_images" / color_name, path / "undistorted_depth_images" / depth_name
        if not color.is_file():
            skipped["frame: no colour image"] += 1
            continue
        size = size or image_size(color)
        try:
            camera = PinholeCamera(*full, K[0, 0], K[1, 1], K[0, 2] + 0.5, full[1] - 0.5 - K[1, 2]).scaled(*size)
        except ValueError:
            skipped["frame: intrinsics are not finite"] += 1
            continue
        has_depth = depth.is_file()
        if not has_depth:
            skipped["depth: no image for a frame"] += 1
        frames.append(
            Frame(
                id=Path(color_name).stem,
                camera=camera,
                T_world_cam=T_world_gl @ _CV_FROM_GL if np.isfinite(T_world_gl).all() else T_world_gl,
                color=partial(read_color, color, camera),
                content_key=content_key(depth if has_depth else None, _DEPTH_SCALE),
                color_path=color,
                depth=partial(read_depth, depth, camera, _DEPTH_SCALE) if has_depth else None,
                depth_camera=camera if has_depth else None,
            )
        )
    return frames


def _region_of(color_name: str, house: House) -> int:
    return house.panoramas.get(color_name.rsplit("_", 2)[0], -1)


def _surface(
    path: Path, house: House, region: int | None, wanted: set[int], skipped: Counter[str]
) -> tuple[Surface | None, Int[np.ndarray, "m"]]:
    """The mesh, and the object of each of its faces."""
    folder, stem = ("house_segmentations", path.name) if region is None else ("region_segmentations", f"region{region}")
    mesh_path, segments_path = path / folder / f"{stem}.ply", path / folder / f"{stem}.fsegs.json"
    if not mesh_path.is_file():
        skipped[f"surface: no {folder} mesh"] += 1
        return None, np.zeros(0, np.int32)
    mesh = read_ply(mesh_path)
    faces = mesh.faces if mesh.faces is not None else np.zeros((0, 3), np.int32)
    object_of_face = np.full(len(faces), NO_OBJECT, np.int32)
    if segments_path.is_file():
        unique, which = np.unique(_segments(segments_path, len(faces)), return_inverse=True)
        offset = (region or 0) * SEGMENTS_PER_REGION
        # A region's mesh counts its own segments from 0; files that already count over the whole house are taken too.
        owners = [house.segments.get(s + offset, NO_OBJECT) for s in unique.tolist()]
        if not wanted & set(owners):
            owners = [house.segments.get(s, NO_OBJECT) for s in unique.tolist()]
        owners = [owner if owner in wanted else NO_OBJECT for owner in owners]
        object_of_face = np.array(owners, np.int32)[which] if len(owners) else object_of_face
        if wanted and not (object_of_face != NO_OBJECT).any():
            skipped["surface: none of its segments belongs to an object of the .house file"] += 1
    else:
        skipped["surface: no fsegs.json"] += 1
    owner = np.full(len(mesh.vertices), NO_OBJECT, np.int32)
    owned = object_of_face != NO_OBJECT
    if len(faces) and (faces.min() < 0 or faces.max() >= len(mesh.vertices)):
        raise SceneError(f"{mesh_path}: faces name vertices that do not exist; the file is damaged, copy it again")
    owner[faces[owned].ravel()] = np.repeat(object_of_face[owned], 3)
    return Surface(mesh.vertices.astype(float), mesh.colors, faces if len(faces) else None, owner), object_of_face


def _segments(path: Path, num_faces: int) -> Int[np.ndarray, "m"]:
    try:
        segments = np.array(read_json(path)["segIndices"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise SceneError(
            f"{path}: 'segIndices' is missing or not a list of whole numbers; copy the file again"
        ) from None
    if segments.shape != (num_faces,):
        raise SceneError(
            f"{path} has segments for {segments.size} faces, but the mesh has {num_faces}; copy both again"
        )
    return segments


def _part(
    surface: Surface | None, mine: Int[np.ndarray, "m"]
) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "k 3"] | None]:
    """The part of the mesh that consists of the marked faces."""
    if surface is None or surface.faces is None or not mine.any():
        return np.zeros((0, 3)), None
    index, corners = np.unique(surface.faces[mine], return_inverse=True)
    return surface.vertices[index], corners.reshape(-1, 3).astype(np.int32)
