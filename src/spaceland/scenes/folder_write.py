"""Writing open scene folders. The format: docs/scene-folder.md; reading: `folder.py`.

Every file is written whole or not at all, and `scene.json` last, so a folder that has it is complete. Colours that are
files already (JPG, PNG) are copied byte for byte; others become JPEG of quality 95, or PNG when `lossless` is asked
for. Depth becomes whole numbers in 16-bit PNGs, at the first scale that loses nothing:

    depth in whole millimetres              -> 10000 to the metre up to 6.5 m, 5000 up to 13.1 m, else 1000; exact
    depth in floats                         -> 10000 (0.05 mm off at most), 5000 beyond 6.5 m, 1000 beyond 13.1 m
    depth in floats, and `lossless`         -> float32 in an NPZ, exact
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import OutputError, SceneError
from spaceland.files import encode_jpeg, encode_png, read_json, write_bytes, write_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.images import SATURATED, content_key, depth_from_counts
from spaceland.scenes.npz import write_npz
from spaceland.scenes.ply import write_ply
from spaceland.scenes.scene import Frame, Room, Scene, SceneObject, Surface

SCHEMA = 1
UNFINISHED = ".unfinished"
"""Lies in a folder while a scene is being written into it."""
COLOR_SUFFIXES = (".jpg", ".jpeg", ".png")
DEPTH_SCALES = (10000.0, 5000.0, 1000.0)
_EXACT_SCALES = (*DEPTH_SCALES, 6553.5, 4000.0)


def write_scene(
    scene: Scene, path: str | Path, *, lossless: bool = False, progress: Callable[[int, str], None] | None = None
) -> None:
    """Write a scene as an open scene folder.

    Args:
        scene: Any scene; ids are kept.
        path: The folder. Its `scene.json` is removed first and written last. An earlier scene there is replaced.
        lossless: PNG for colours that have no file of their own, and exact depth.
        progress: Called as progress(1, frame id) after each frame.

    Raises:
        OutputError: something cannot be written, or `path` holds other things than a scene.
        SceneError: an image of the scene is broken, or an id cannot be a file name.
    """
    path = Path(path)
    for frame in scene.frames:
        check_file_name(frame.id)
    _clear(scene, path)
    frames = []
    for frame in scene.frames:
        frames.append(_write_frame(frame, path, lossless))
        if progress is not None:
            progress(1, frame.id)
    _write_objects(scene.objects, path / "objects.npz")
    if scene.surface is not None:
        _write_surface(scene.surface, path / "surface.ply")
    write_json(
        path / "scene.json",
        {
            "schema": SCHEMA,
            "id": scene.id,
            "units": "metre",
            "geometry": scene.geometry,
            "provenance": dict(scene.provenance),
            "skipped": dict(scene.skipped),
            "surface": None if scene.surface is None else "surface.ply",
            "objects_file": "objects.npz",
            "room": None if scene.room is None else _room(scene.room),
            "objects": [_object(thing) for thing in scene.objects],
            "frames": frames,
        },
    )
    (path / UNFINISHED).unlink(missing_ok=True)


def check_file_name(name: str) -> None:
    """Refuse ids that would leave their folder when they are used as a file name.

    Raises:
        SceneError: it holds a separator, starts with a dot, or is empty.
    """
    if not name or name.startswith(".") or any(c in name for c in "/\\\0:") or not name.isprintable():
        raise SceneError(f"id {name!r} cannot be a file name; ids must not contain / \\ : or start with a dot")


def fingerprint(scene: Scene, *, lossless: bool = False) -> str:
    """A hash that changes when anything that `write_scene` would store changes; images are not decoded for it."""
    parts: list[Any] = [f"{SCHEMA} {lossless} {scene.id} {scene.geometry}", dict(scene.provenance), dict(scene.skipped)]
    for frame in scene.frames:
        parts += [frame.id, frame.camera, frame.depth_camera, frame.timestamp_s, frame.T_world_cam, frame.content_key()]
        parts.append(frame.color_path if frame.color_path is not None and frame.color_path.is_file() else None)
    for thing in scene.objects:
        parts += [_object(thing), thing.points, thing.faces]
    if scene.surface is not None:
        parts += [scene.surface.vertices, scene.surface.colors, scene.surface.faces, scene.surface.object_ids]
    parts.append(None if scene.room is None else _room(scene.room))
    plain = [part.tobytes() if isinstance(part, np.ndarray) else part for part in parts]
    return content_key(*(part if isinstance(part, Path | bytes) else repr(part) for part in plain))()


def is_saved(path: Path, mark: str) -> bool:
    """Whether `path` is a complete scene folder that was saved with this fingerprint."""
    if not (path / "scene.json").is_file() or not (path / "save.json").is_file():
        return False
    try:
        stored = read_json(path / "save.json")
    except SceneError:
        return False
    return isinstance(stored, dict) and stored.get("fingerprint") == mark


def depth_counts(depth: np.ndarray, *, lossless: bool) -> tuple[np.ndarray, float] | None:
    """16-bit counts and their scale for a depth image in metres; None when `lossless` and no scale is exact.

    Farther than 65.5 m does not fit into 16 bits at any scale here; it becomes unknown (0).
    """
    depth = np.asarray(depth, dtype=np.float32)
    for scale in _EXACT_SCALES:
        counts = np.rint(depth.astype(float) * scale)
        if (counts < SATURATED).all() and (depth_from_counts(counts, scale) == depth).all():
            return counts.astype(np.uint16), scale
    if lossless:
        return None
    known = np.where(np.isfinite(depth) & (depth > 0), depth.astype(float), 0.0)
    for scale in DEPTH_SCALES:
        counts = np.rint(known * scale)
        if scale == DEPTH_SCALES[-1] or (counts < SATURATED).all():
            return np.where(counts < SATURATED, counts, 0).astype(np.uint16), scale
    raise AssertionError("unreachable")


def _clear(scene: Scene, path: Path) -> None:
    """Make way for a scene. Only an earlier scene of ours is removed, never files that someone else put there."""
    inside = [
        f.id for f in scene.frames if f.color_path is not None and f.color_path.resolve().is_relative_to(path.resolve())
    ]
    if inside:
        raise OutputError(f"scene {scene.id} would be written over its own images in {path}; choose another --out")
    try:
        if path.exists() and not path.is_dir():
            raise OutputError(f"cannot write {path}: a file is in the way; choose another folder")
        path.mkdir(parents=True, exist_ok=True)
        held = {entry.name for entry in path.iterdir()}
        if held and not held & {"scene.json", "save.json", UNFINISHED}:
            raise OutputError(f"{path} holds '{min(held)}' and is no scene folder; choose an empty or new folder")
        (path / UNFINISHED).write_bytes(b"")
        for name in ("scene.json", "save.json", "objects.npz", "surface.ply"):
            (path / name).unlink(missing_ok=True)
        for name in ("color", "depth", "object_ids"):
            if (path / name).is_dir():
                shutil.rmtree(path / name)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error


def _write_frame(frame: Frame, path: Path, lossless: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": frame.id, "color": _write_color(frame, path, lossless)}
    if frame.depth is not None:
        depth = np.asarray(frame.depth())
        stored = depth_counts(depth, lossless=lossless)
        if stored is None:
            entry |= {"depth": f"depth/{frame.id}.npz", "depth_scale": 1.0}
            write_npz(path / entry["depth"], {"depth": depth.astype(np.float32)})
        else:
            entry |= {"depth": f"depth/{frame.id}.png", "depth_scale": stored[1]}
            write_bytes(path / entry["depth"], encode_png(stored[0]))
    if frame.object_ids is not None:
        ids = np.asarray(frame.object_ids()).astype(np.int32)
        if len(ids) and ids.max() < SATURATED:
            entry["object_ids"] = f"object_ids/{frame.id}.png"
            write_bytes(path / entry["object_ids"], encode_png((ids + 1).astype(np.uint16)))
        else:
            entry["object_ids"] = f"object_ids/{frame.id}.npz"
            write_npz(path / entry["object_ids"], {"object_ids": ids})
    entry["timestamp_s"] = frame.timestamp_s
    entry["camera"] = _camera(frame.camera)
    entry["depth_camera"] = None if frame.depth_camera is None else _camera(frame.depth_camera)
    entry["T_world_cam"] = np.asarray(frame.T_world_cam, dtype=float).tolist()
    return entry


def _write_color(frame: Frame, path: Path, lossless: bool) -> str:
    """Copy the source's own file, or encode the pixels. The name inside the folder."""
    source = frame.color_path
    if source is not None and source.suffix.lower() in COLOR_SUFFIXES:
        name = f"color/{frame.id}{source.suffix.lower()}"
        try:
            data = source.read_bytes()
        except OSError as error:
            raise SceneError(f"cannot read {source}: {error.strerror or error}") from error
        write_bytes(path / name, data)
        return name
    image = frame.color()
    name = f"color/{frame.id}.{'png' if lossless else 'jpg'}"
    write_bytes(path / name, encode_png(image) if lossless else encode_jpeg(image, 95))
    return name


def _write_objects(objects: tuple[SceneObject, ...], path: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    for thing in objects:
        arrays[f"points_{thing.id}"] = thing.points
        if thing.faces is not None:
            arrays[f"faces_{thing.id}"] = thing.faces
    write_npz(path, arrays)


def _write_surface(surface: Surface, path: Path) -> None:
    extra = {} if surface.object_ids is None else {"object_id": surface.object_ids.astype(np.int32)}
    write_ply(path, surface.vertices, surface.colors, surface.faces, extra)


def _camera(camera: PinholeCamera) -> dict[str, float]:
    numbers = {name: float(getattr(camera, name)) for name in ("fx", "fy", "cx", "cy")}
    return {"width": int(camera.width), "height": int(camera.height), **numbers}


def _object(thing: SceneObject) -> dict[str, Any]:
    box = {name: np.asarray(getattr(thing.box, name), dtype=float).tolist() for name in ("center", "size", "rotation")}
    front = None if thing.front_world is None else np.asarray(thing.front_world, dtype=float).tolist()
    score = {} if thing.score is None else {"score": float(thing.score)}
    return {
        "id": int(thing.id),
        "label": thing.label,
        "raw_label": thing.raw_label,
        "box": box,
        "front_world": front,
        **score,
    }


def _room(room: Room) -> Mapping[str, Any]:
    return {
        "floor_polygon": np.asarray(room.floor_polygon, dtype=float).tolist(),
        "floor_z_m": float(room.floor_z_m),
        "height_m": None if room.height_m is None else float(room.height_m),
        "area_m2": float(room.area_m2),
    }
