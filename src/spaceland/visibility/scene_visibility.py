"""Visibility of a whole scene: one pass per frame, kept on disk by content.

The cache holds chunks of frames. A chunk's name is a hash of everything that its numbers depend on (settings, objects,
surface, cameras, poses, depth), so a stale file is never read, and a killed run repeats at most one chunk. A file
starts with a checksum of the rest: one that was damaged on disk counts as missing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from spaceland.files import write_bytes
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility.frame_maps import FrameMaps, close_up_frames, to_arrays
from spaceland.visibility.maps import MapMaker, map_maker
from spaceland.visibility.measure import ObjectSamples, measure_frame
from spaceland.visibility.samples import surface_samples
from spaceland.visibility.types import ObjectView, SceneVisibility, VisibilityConfig

_CHUNK = 16
_CACHE_VERSION = 5
_CHECKSUM_BYTES = 16


def scene_visibility(
    scene: Scene,
    config: VisibilityConfig | None = None,
    cache_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SceneVisibility:
    """Measure all objects in all frames of a scene.

    Args:
        scene: The scene; frames without depth need a surface.
        config: Settings; the default counts pixels at 320 px width.
        cache_dir: Folder of the cache, or None to compute without one.
        progress: Called with (frames done, frames in all).

    Raises:
        SceneError: a frame has neither depth nor a surface behind it, or an image is broken.
    """
    config = config or VisibilityConfig()
    maker = map_maker(scene, config)
    lazy: dict[str, tuple[ObjectSamples, np.ndarray]] = {}

    def shared() -> tuple[ObjectSamples, np.ndarray]:
        if not lazy:
            lazy["it"] = ObjectSamples.of_scene(scene), surface_samples(scene, config.num_overlap_points)
        return lazy["it"]

    scene_key = _scene_digest(scene, config) if cache_dir else ""
    close_ups = frozenset(frame.id for frame in close_up_frames(scene, config))
    views: list[ObjectView] = []
    seen: list[np.ndarray] = []
    for start in range(0, len(scene.frames), _CHUNK):
        chunk = scene.frames[start : start + _CHUNK]
        path = _chunk_path(cache_dir, scene_key, chunk) if cache_dir else None
        loaded = _load(path, chunk) if path else None
        if loaded is None:
            samples, surface = shared()
            loaded = _compute(chunk, maker, samples, surface, config, close_ups)
            if path:
                _save(path, chunk, loaded)
        views.extend(loaded.views)
        seen.append(loaded.seen)
        for frame_id, arrays in loaded.close_ups.items():
            maker.keep(frame_id, arrays)
        if progress:
            progress(min(start + _CHUNK, len(scene.frames)), len(scene.frames))
    bits = np.concatenate(seen) if seen else np.zeros((0, 0), dtype=bool)
    return SceneVisibility(tuple(f.id for f in scene.frames), tuple(views), _overlap(bits), config)


@dataclass(frozen=True, eq=False)
class _Chunk:
    """What was measured in some frames: views, which surface points each frame sees, and maps that are kept."""

    views: list[ObjectView]
    seen: Bool[np.ndarray, "f k"]
    close_ups: dict[str, dict[str, np.ndarray]]


def _compute(
    chunk: Sequence[Frame],
    maker: MapMaker,
    samples: ObjectSamples,
    surface: np.ndarray,
    config: VisibilityConfig,
    close_ups: frozenset[str],
) -> _Chunk:
    found = _Chunk([], np.zeros((len(chunk), len(surface)), dtype=bool), {})
    for row, frame in enumerate(chunk):
        maps = maker.maps(frame)
        found.views.extend(measure_frame(frame, maps, samples, config))
        found.seen[row] = _seen_points(surface, frame, maps, config)
        if frame.id in close_ups:
            found.close_ups[frame.id] = to_arrays(maps)
    return found


def _seen_points(
    points: Float[np.ndarray, "k 3"], frame: Frame, maps: FrameMaps, config: VisibilityConfig
) -> Bool[np.ndarray, "k"]:
    """Which surface points a frame sees: inside the image, and the depth there is theirs."""
    pixels, z = maps.camera.project(transform_points(invert_rigid(frame.T_world_cam), points))
    inside = maps.camera.contains(pixels)
    column, row = np.where(inside[:, None], pixels, 0).astype(np.int64).T
    depth = maps.depth[row, column]
    # Surfaces seen at a flat angle change depth inside one pixel, hence twice the tolerance.
    return inside & (depth > 0) & (np.abs(depth - z) <= 2 * config.tolerance_at(z))


def _overlap(seen: Bool[np.ndarray, "f k"]) -> Float[np.ndarray, "f f"]:
    shared = seen.astype(np.float32) @ seen.astype(np.float32).T
    own = np.maximum(np.diagonal(shared), 1.0) if len(shared) else np.zeros(0)
    return shared / own[:, None] if len(shared) else shared


def _digest(*parts: object) -> str:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()


def _scene_digest(scene: Scene, config: VisibilityConfig) -> str:
    parts: list[object] = [_CACHE_VERSION, config]
    for thing in scene.objects:
        parts += [thing.id, thing.points, thing.faces, thing.box.center, thing.box.size, thing.box.rotation]
    if scene.surface is not None:
        parts += [scene.surface.vertices, scene.surface.faces, scene.surface.object_ids, scene.surface.colors]
    else:  # overlap points come from all depth frames then
        parts += [(frame.content_key(), frame.T_world_cam.tobytes()) for frame in scene.frames]
    return _digest(*parts)


def _chunk_path(cache_dir: Path, scene_key: str, chunk: Sequence[Frame]) -> Path:
    parts: list[object] = [scene_key]
    for frame in chunk:
        parts += [frame.id, frame.camera, frame.depth_camera, frame.T_world_cam, frame.content_key()]
        if frame.depth is None and frame.object_ids is None:
            parts.append(frame.color())  # the picture is compared with the surface
    name = _digest(*parts)
    return cache_dir / "visibility" / name[:2] / f"{name}.views"


def _save(path: Path, chunk: Sequence[Frame], found: _Chunk) -> None:
    frame_index = {frame.id: row for row, frame in enumerate(chunk)}
    arrays: dict[str, np.ndarray] = {
        "frame": np.array([frame_index[view.frame_id] for view in found.views], dtype=np.int32),
        "views": np.array([view.to_array() for view in found.views]).reshape(-1, 17),
        "seen": np.packbits(found.seen, axis=1),
        "num_points": np.array(found.seen.shape[1]),
    }
    for frame_id, stored in found.close_ups.items():
        arrays |= {f"{name}/{frame_index[frame_id]}": array for name, array in stored.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    write_bytes(path, _checksum(data) + data)


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()


def _load(path: Path, chunk: Sequence[Frame]) -> _Chunk | None:
    """A chunk from the cache; None when it is not there or damaged (it is then computed anew)."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    checksum, content = stored[:_CHECKSUM_BYTES], stored[_CHECKSUM_BYTES:]
    if checksum != _checksum(content):
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        data = dict(file)
    seen = np.unpackbits(data["seen"], axis=1, count=int(data["num_points"])).astype(bool)
    views = [ObjectView.from_array(chunk[f].id, row) for f, row in zip(data["frame"], data["views"], strict=True)]
    close_ups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in data.items():
        kind, _, row = name.partition("/")
        if row:
            close_ups.setdefault(chunk[int(row)].id, {})[kind] = array
    return _Chunk(views, seen, close_ups)
