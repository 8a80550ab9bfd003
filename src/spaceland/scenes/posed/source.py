"""Posed pictures as scenes: straightened, levelled where asked, with the mesh or the depth beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_image
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.images import content_key, count_option, image_size, number_option, pick, read_color, read_depth
from spaceland.scenes.lens import Lens, straighten
from spaceland.scenes.level import camera_up, level_transform
from spaceland.scenes.ply import read_ply
from spaceland.scenes.points import depth_points
from spaceland.scenes.posed.shots import Shot, layout_of, read_shots
from spaceland.scenes.rgbd.options import parse_up
from spaceland.scenes.scene import Frame, Scene, Surface, make_scene
from spaceland.scenes.sources import check_options

_KNOWN = ("mesh", "scale", "up", "depth_scale", "stride", "max_frames")
_MESHES = ("mesh.ply", "*mesh.ply", "*.ply")


@dataclass(frozen=True, eq=False)
class PosedOptions:
    """`scale`: metres per unit of the file's world. `depth_scale`: depth counts per metre."""

    mesh: str | None = None
    scale: float = 1.0
    up: Float[np.ndarray, "3"] | Literal["auto"] | None = None
    depth_scale: float = 1000.0
    stride: int = 1
    max_frames: int | None = None


@dataclass(frozen=True)
class PosedSource:
    """One folder of posed pictures."""

    folder: Path
    options: PosedOptions
    kind: str = "posed"

    def ids(self) -> Sequence[str]:
        return [self.folder.resolve().name]

    def open(self, scene_id: str) -> Scene:
        return read_posed(self.folder, scene_id, self.options)


def recognise(path: Path) -> bool:
    """Whether a folder holds posed pictures; ScanNet++'s own layout, which has COLMAP models too, is not meant."""
    return path.is_dir() and layout_of(path) is not None


def open_source(location: str, options: dict[str, str]) -> PosedSource:
    """A folder with `transforms.json` or a COLMAP text model.

    Raises:
        SourceError: neither is there, or options that make no sense.
    """
    check_options("posed", options, _KNOWN)
    numbers = {name: number_option(options, name, "posed") for name in ("scale", "depth_scale")}
    for name, value in numbers.items():
        if value is not None and value <= 0:
            raise SourceError(f"posed: {name}={value} must be positive")
    folder = Path(location)
    if not recognise(folder):
        raise SourceError(
            f"posed: '{location}' has neither transforms.json nor a COLMAP text model (sparse/0/images.txt and "
            "cameras.txt) with images/; `colmap model_converter --output_type TXT` writes the text model"
        )
    return PosedSource(
        folder,
        PosedOptions(
            options.get("mesh"),
            numbers["scale"] or 1.0,
            parse_up(options.get("up")),
            numbers["depth_scale"] or 1000.0,
            count_option(options, "stride", "posed") or 1,
            count_option(options, "max_frames", "posed"),
        ),
    )


def read_posed(folder: Path, scene_id: str, options: PosedOptions) -> Scene:
    """Read a folder.

    Raises:
        SceneError: a file is missing or damaged, or `up=auto` finds no floor.
    """
    shots = pick(read_shots(folder), options.stride, options.max_frames)
    T_scene_file = np.diag([options.scale] * 3 + [1.0])
    frames = [_frame(shot, options) for shot in shots]
    surface = _surface(folder, options)
    T_level, notes = _level(frames, surface, options)
    frames = [replace(frame, T_world_cam=T_level @ frame.T_world_cam) for frame in frames]
    if surface is not None:
        surface = replace(surface, vertices=transform_points(T_level, surface.vertices))
    return make_scene(
        id=scene_id,
        frames=frames,
        objects=[],
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "posed",
            "layout": layout_of(folder),
            "scale": options.scale,
            "T_scene_file": (T_level @ T_scene_file).tolist(),
            **notes,
        },
    )


def _frame(shot: Shot, options: PosedOptions) -> Frame:
    camera, straight = shot.lens.straight_camera(), shot.lens.straight
    pose = shot.T_world_cam.copy()
    pose[:3, 3] *= options.scale
    # Depth may be of another size than the picture.
    depth, depth_camera = None, None
    if shot.depth is not None:
        depth_lens = shot.lens.scaled(*image_size(shot.depth))
        depth = partial(_depth, shot.depth, depth_lens, options.depth_scale)
        depth_camera = depth_lens.straight_camera()
    return Frame(
        id=shot.id,
        camera=camera,
        T_world_cam=pose,
        color=partial(read_color, shot.color, camera) if straight else partial(_straight, shot.color, shot.lens),
        content_key=content_key(shot.depth, options.depth_scale),
        color_path=shot.color if straight else None,
        depth=depth,
        depth_camera=depth_camera,
    )


def _straight(path: Path, lens: Lens) -> UInt8[np.ndarray, "h w 3"]:
    image = read_image(path)
    if image.shape[:2] != (lens.height, lens.width):
        raise SceneError(f"{path} is {image.shape[1]}x{image.shape[0]}, its lens {lens.width}x{lens.height}")
    return straighten(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2), lens)


def _depth(path: Path, lens: Lens, scale: float) -> Float[np.ndarray, "h w"]:
    depth = read_depth(path, lens.straight_camera(), scale)
    return depth if lens.straight else straighten(depth, lens, "nearest")


def _level(frames: list[Frame], surface: Surface | None, options: PosedOptions) -> tuple[np.ndarray, dict[str, object]]:
    """`T_scene_metres`, and what is known of the floor."""
    if options.up is None:
        return np.eye(4), {}
    points = surface.vertices if surface is not None else depth_points(frames)
    if isinstance(options.up, np.ndarray):
        T_level, floor = level_transform(points, options.up, exact_up=True)
    else:
        T_level, floor = level_transform(points, camera_up(frames), exact_up=False)
        if floor is None:
            raise SourceError("posed: up=auto found no floor; give the direction of up, such as up=0,-1,0")
    return T_level, {"floor_at_zero": floor is not None}


def _surface(folder: Path, options: PosedOptions) -> Surface | None:
    """The mesh that was named, else the first PLY file of the folder whose name speaks of a mesh."""
    if options.mesh is not None:
        path = folder / options.mesh if (folder / options.mesh).is_file() else Path(options.mesh)
        if not path.is_file():
            raise SceneError(f"missing file: {folder / options.mesh}")
    else:
        found = [path for pattern in _MESHES for path in sorted(folder.glob(pattern))]
        if not found:
            return None
        path = found[0]
    mesh = read_ply(path)
    faces = mesh.faces if mesh.faces is not None and len(mesh.faces) else None
    return Surface(mesh.vertices.astype(float) * options.scale, mesh.colors, faces)
