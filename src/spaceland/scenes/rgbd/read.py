"""One reader for all RGB-D layouts: a listing, a calibration and options become a `Scene`.

Two conventions are handled on the way:

- **Negative fy** (ICL-NUIM): the camera's y points up, and the world that comes with it is mirrored (left-handed). With
  F = diag(1, -1, 1, 1) on both sides, T' = F T F is a proper pose of an ordinary camera (fy positive) in an ordinary
  world, in which every picture looks the same as before.
- **Up**: `up=x,y,z` turns that direction of the file's world to +z; where a floor is found it goes to z = 0.

`provenance["T_scene_file"]` holds the whole transform from the file's world to the scene's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.images import content_key, image_size, pick, read_color, read_depth
from spaceland.scenes.level import camera_up, level_transform
from spaceland.scenes.ply import read_ply
from spaceland.scenes.points import depth_points
from spaceland.scenes.rgbd.calibration import Intrinsics, find_calibration
from spaceland.scenes.rgbd.layouts import Entry, Layout, list_frames
from spaceland.scenes.rgbd.options import RgbdOptions
from spaceland.scenes.scene import Frame, Scene, Surface, make_scene

_FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])


def read_rgbd(folder: Path, scene_id: str, layout: Layout, options: RgbdOptions) -> Scene:
    """Read one sequence.

    Raises:
        SourceError: intrinsics or depth scale are nowhere to be found; the message says which options to give.
        SceneError: a file is damaged. Frames without a usable pose are counted instead.
    """
    skipped: Counter[str] = Counter()
    entries = pick(list_frames(folder, layout, skipped), options.stride, options.max_frames)
    skipped["frame: no pose, or its file is damaged"] += sum(entry.pose is None for entry in entries)
    entries = [entry for entry in entries if entry.pose is not None]
    color_K, depth_K, file_scale, notes = _intrinsics(folder, layout, options)
    mirrored = color_K.fy < 0
    if mirrored != (depth_K.fy < 0):
        raise SourceError(f"rgbd: fy is {color_K.fy} for colour and {depth_K.fy} for depth; both must have one sign")
    scale = options.depth_scale or file_scale or layout.depth_scale
    if scale is None and any(entry.depth is not None for entry in entries):
        raise SourceError(
            f"rgbd: '{folder}' does not say how many depth counts make a metre; add depth_scale=1000 for millimetres, "
            "or depth_scale=5000 for TUM and ICL-NUIM"
        )
    frames = _frames(entries, color_K, depth_K, scale or 1.0, mirrored, options)
    T_scene_file = _FLIP_Y if mirrored else np.eye(4)
    if options.up is not None:
        T_level, floor_found = _level(frames, options, T_scene_file)
        frames = [replace(frame, T_world_cam=T_level @ frame.T_world_cam) for frame in frames]
        T_scene_file = T_level @ T_scene_file
        notes["floor_at_zero"] = floor_found
    return make_scene(
        id=scene_id,
        frames=frames,
        objects=[],
        surface=_surface(folder, T_scene_file),
        room=None,
        geometry="measured",
        provenance={
            "kind": "rgbd",
            "layout": layout.name,
            "depth_scale": scale,
            "stride": options.stride,
            "max_frames": options.max_frames,
            "mirrored": bool(mirrored),
            "T_scene_file": T_scene_file.tolist(),
            **notes,
        },
        skipped=+skipped,
    )


def _intrinsics(
    folder: Path, layout: Layout, options: RgbdOptions
) -> tuple[Intrinsics, Intrinsics, float | None, dict[str, object]]:
    """Colour and depth intrinsics, the depth scale of the calibration file, and where they come from."""
    found = find_calibration(folder)
    if found is None and options.color is None:
        raise SourceError(
            f"rgbd: no intrinsics file in '{folder}' (layout {layout.name}); give those of the colour images as "
            f"options: rgbd:{folder}?fx=525&fy=525&cx=319.5&cy=239.5 with your camera's numbers"
        )
    if found is None:
        assert options.color is not None
        return options.color, options.depth or options.color, None, {"intrinsics": "options"}
    depth = options.depth or found.intrinsics
    color = options.color or (layout.color_of_depth or {}).get(found.intrinsics, found.intrinsics)
    source = found.name if options.color is None else f"options, depth from {found.name}"
    return color, depth, found.depth_scale, {"intrinsics": source}


def _frames(
    entries: list[Entry],
    color_K: Intrinsics,
    depth_K: Intrinsics,
    scale: float,
    mirrored: bool,
    options: RgbdOptions,
) -> list[Frame]:
    if not entries:
        return []
    color_size = image_size(entries[0].color)
    camera = _camera(color_K, *color_size)
    depth_camera = camera
    first = next((entry.depth for entry in entries if entry.depth is not None), None)
    if first is not None:
        depth_size = image_size(first)
        depth_camera = _camera(depth_K, *depth_size)
        if depth_K == color_K and depth_size != color_size:
            depth_camera = camera.scaled(*depth_size)  # one calibration for both: it is that of the colour images
    frames = []
    for entry in entries:
        assert entry.pose is not None
        frames.append(
            Frame(
                id=entry.id,
                camera=camera,
                T_world_cam=_pose(entry.pose, mirrored, options.pose),
                color=partial(read_color, entry.color, camera),
                content_key=content_key(entry.depth, scale),
                color_path=entry.color,
                depth=None if entry.depth is None else partial(read_depth, entry.depth, depth_camera, scale),
                depth_camera=None if entry.depth is None else depth_camera,
                timestamp_s=entry.timestamp_s,
            )
        )
    return frames


def _camera(K: Intrinsics, width: int, height: int) -> PinholeCamera:
    try:
        return PinholeCamera.from_opencv(width, height, replace(K, fy=abs(K.fy)).matrix())
    except ValueError as error:
        raise SceneError(f"rgbd: {error}") from error


def _pose(T_file: Float[np.ndarray, "4 4"], mirrored: bool, direction: str) -> Float[np.ndarray, "4 4"]:
    if not np.isfinite(T_file).all():
        return T_file
    T_world_cam = invert_rigid(T_file) if direction == "w2c" else T_file
    return _FLIP_Y @ T_world_cam @ _FLIP_Y if mirrored else T_world_cam


def _level(
    frames: list[Frame], options: RgbdOptions, T_scene_file: Float[np.ndarray, "4 4"]
) -> tuple[Float[np.ndarray, "4 4"], bool]:
    usable = [frame for frame in frames if np.isfinite(frame.T_world_cam).all()]
    points = depth_points(usable)
    if isinstance(options.up, np.ndarray):
        T_level, floor = level_transform(points, T_scene_file[:3, :3] @ options.up, exact_up=True)
        return T_level, floor is not None
    T_level, floor = level_transform(points, camera_up(usable), exact_up=False)
    if floor is None:
        raise SourceError(
            "rgbd: up=auto found no floor in the depth images; give the direction of up, such as up=0,-1,0"
        )
    return T_level, True


def _surface(folder: Path, T_scene_file: Float[np.ndarray, "4 4"]) -> Surface | None:
    """A mesh beside the frames, in the scene's world: <folder>_mesh.ply one level up, or any *mesh.ply inside."""
    folder = folder.resolve()
    candidates = [folder.parent / f"{folder.name}_mesh.ply", *sorted(folder.glob("*mesh.ply"))]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        return None
    mesh = read_ply(path)
    faces = mesh.faces if mesh.faces is not None and len(mesh.faces) else None
    if faces is not None and np.linalg.det(T_scene_file[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirror turns triangles inside out
    return Surface(transform_points(T_scene_file, mesh.vertices.astype(float)), mesh.colors, faces)
