"""Depth and object id in every pixel of a frame, from whatever the scene has.

In order of trust:
1. the source's own id map (sample rooms);
2. sensor depth: each pixel goes back to the world and takes the label of the nearest annotated surface (`LabelGrid`);
3. no depth but a mesh: ray casting;
4. no depth and points only: points drawn as discs with a z-buffer.
Everything in the surface hides what lies behind it, annotated or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene
from spaceland.visibility.samples import densify, point_radii
from spaceland.visibility.types import VisibilityConfig

_MAX_CELLS = 12_000_000
_NEAR_M = 0.05


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """`depth` float32 [h, w] metres (0: unknown) and `object_ids` int32 [h, w] (`NO_OBJECT`: none), of `camera`."""

    camera: PinholeCamera
    depth: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]


class LabelGrid:
    """Names the object whose surface is nearest to a world point: a dense grid, looked up in constant time."""

    def __init__(self, scene: Scene, voxel_m: float) -> None:
        points, ids = _labelled_points(scene, voxel_m)
        low, high = points.min(0) - 0.2, points.max(0) + 0.2
        while np.prod((high - low) / voxel_m) > _MAX_CELLS:
            voxel_m *= 1.25
        self._low, self._voxel_m = low, voxel_m
        shape = tuple(np.ceil((high - low) / voxel_m).astype(int))
        cells = tuple(((points - low) / voxel_m).astype(int).T)
        seeds = np.full(shape, np.iinfo(np.int32).min, dtype=np.int32)
        seeds[cells] = ids  # objects come after structure, so they win a shared cell
        empty = seeds == np.iinfo(np.int32).min
        distance, nearest = ndimage.distance_transform_edt(empty, return_indices=True)
        self._ids = seeds[tuple(nearest)]
        self._distance_m = (distance * voxel_m).astype(np.float32)

    def lookup(self, points: Float[np.ndarray, "n 3"]) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Id of the nearest surface and its distance in metres; far outside the scene: `NO_OBJECT`, infinite."""
        cells = np.floor((points - self._low) / self._voxel_m).astype(np.int32)
        inside = ((cells >= 0) & (cells < self._ids.shape)).all(1)
        cells = np.where(inside[:, None], cells, 0)
        flat = (cells[:, 0] * self._ids.shape[1] + cells[:, 1]) * self._ids.shape[2] + cells[:, 2]
        ids = np.where(inside, self._ids.ravel()[flat], NO_OBJECT)
        return ids, np.where(inside, self._distance_m.ravel()[flat], np.inf)


def _labelled_points(scene: Scene, spacing_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Structure points first, then the points of every object."""
    parts: list[np.ndarray] = []
    ids: list[np.ndarray] = []
    surface = scene.surface
    if surface is not None and len(surface.vertices):
        structure, faces = surface.vertices, surface.faces
        if surface.object_ids is not None and faces is None:
            structure = structure[surface.object_ids == NO_OBJECT]
        elif surface.object_ids is not None and faces is not None:
            faces = faces[(surface.object_ids[faces] == NO_OBJECT).all(1)]
            used = np.unique(faces)
            structure, faces = structure[used], np.searchsorted(used, faces)
        parts.append(densify(structure, faces, 2 * spacing_m))
        ids.append(np.full(len(parts[-1]), NO_OBJECT, dtype=np.int32))
    for thing in scene.objects:
        parts.append(densify(thing.points, thing.faces, spacing_m))
        ids.append(np.full(len(parts[-1]), thing.id, dtype=np.int32))
    if not parts:
        raise SceneError(f"scene {scene.id} has neither surface nor objects; there is nothing to see")
    return np.concatenate(parts), np.concatenate(ids)


class MapMaker:
    """Makes the maps of a scene's frames; what all frames share (grid, ray caster, radii) is built once on demand."""

    def __init__(self, scene: Scene, config: VisibilityConfig) -> None:
        self._scene, self._config = scene, config

    @cached_property
    def _grid(self) -> LabelGrid:
        return LabelGrid(self._scene, self._config.voxel_m)

    @cached_property
    def _caster(self) -> RayCaster:
        surface = self._scene.surface
        assert surface is not None and surface.faces is not None
        return RayCaster(surface.vertices, surface.faces)

    @cached_property
    def _radii(self) -> np.ndarray:
        assert self._scene.surface is not None
        return point_radii(self._scene.surface.vertices)

    def maps(self, frame: Frame) -> FrameMaps:
        """Maps of one frame at the configured size.

        Raises:
            SceneError: the frame has no depth and the scene no surface.
        """
        camera = self._config.map_camera(frame.camera)
        if frame.object_ids is not None:
            ids = frame.object_ids()
            ids = _resample(ids, camera.scaled(ids.shape[1], ids.shape[0]), camera, NO_OBJECT).astype(
                np.int32
            )
            depth = (
                self._depth(frame, camera) if frame.depth is not None else self._rendered(frame, camera).depth
            )
            return FrameMaps(camera, depth, ids)
        if frame.depth is not None:
            depth = self._depth(frame, camera)
            return FrameMaps(camera, depth, self._label(frame, camera, depth))
        return self._rendered(frame, camera)

    def _depth(self, frame: Frame, camera: PinholeCamera) -> np.ndarray:
        """Sensor depth as seen through the map's pixel centres; both cameras share the pose."""
        assert frame.depth is not None
        depth = np.asarray(frame.depth(), dtype=np.float32)
        source = (frame.depth_camera or frame.camera).scaled(depth.shape[1], depth.shape[0])
        sampled = _resample(depth, source, camera, 0.0)
        return np.where(np.isfinite(sampled) & (sampled > 0), sampled, 0.0).astype(np.float32)

    def _label(self, frame: Frame, camera: PinholeCamera, depth: np.ndarray) -> np.ndarray:
        ids = np.full(depth.shape, NO_OBJECT, dtype=np.int32)
        if not self._scene.objects:
            return ids
        known = depth > 0
        z = depth[known].astype(np.float32)
        local = camera.pixel_rays().astype(np.float32)[known] * z[:, None]
        world = local @ frame.T_world_cam[:3, :3].T.astype(np.float32) + frame.T_world_cam[:3, 3].astype(
            np.float32
        )
        found, distance = self._grid.lookup(world)
        ids[known] = np.where(distance <= self._config.tolerance_at(z), found, NO_OBJECT)
        return ids

    def _rendered(self, frame: Frame, camera: PinholeCamera) -> FrameMaps:
        surface = self._scene.surface
        if surface is None or len(surface.vertices) == 0:
            raise SceneError(
                f"scene {self._scene.id}, frame {frame.id}: no depth image and no surface, so nothing tells what is "
                "hidden; add depth images or a mesh"
            )
        if surface.faces is not None and len(surface.faces):
            hits = self._caster.cast_camera(camera, frame.T_world_cam)
            depth = hits.distance
            if surface.object_ids is None:
                return FrameMaps(camera, depth, self._label(frame, camera, depth))
            face_ids = surface.object_ids[surface.faces[:, 0]]
            ids = np.where(hits.face >= 0, face_ids[hits.face], NO_OBJECT).astype(np.int32)
            return FrameMaps(camera, depth, ids)
        depth, point = splat(surface.vertices, self._radii, camera, frame.T_world_cam)
        if surface.object_ids is None:
            return FrameMaps(camera, depth, self._label(frame, camera, depth))
        ids = np.where(point >= 0, surface.object_ids[point], NO_OBJECT).astype(np.int32)
        return FrameMaps(camera, depth, ids)


def _resample(image: np.ndarray, source: PinholeCamera, target: PinholeCamera, outside: float) -> np.ndarray:
    """Nearest pixel of `image` (seen by `source`) at the pixel centres of `target`, same pose for both."""
    u = (np.arange(target.width) + 0.5 - target.cx) / target.fx * source.fx + source.cx
    v = (np.arange(target.height) + 0.5 - target.cy) / target.fy * source.fy + source.cy
    # A pixel centre that falls exactly on a border between two pixels must not depend on rounding noise.
    column, row = np.floor(u + 1e-6).astype(int), np.floor(v + 1e-6).astype(int)
    good_u, good_v = (column >= 0) & (column < image.shape[1]), (row >= 0) & (row < image.shape[0])
    picked = image[np.clip(row, 0, image.shape[0] - 1)[:, None], np.clip(column, 0, image.shape[1] - 1)[None]]
    return np.where(good_v[:, None] & good_u[None], picked, outside)


def splat(
    points: Float[np.ndarray, "n 3"],
    radii_m: Float[np.ndarray, "n"],
    camera: PinholeCamera,
    T_world_cam: Float[np.ndarray, "4 4"],
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Depth (0: none) and index of the nearest point (-1: none) when each point is a disc that faces the camera."""
    pixels, z = camera.project(transform_points(invert_rigid(T_world_cam), points))
    radius_px = radii_m * camera.fx / np.where(z > _NEAR_M, z, np.inf)
    near = (z > _NEAR_M) & (z < 100)
    margin = np.where(near, radius_px, 0)[:, None]
    seen = near & ((pixels > -margin) & (pixels < np.array([camera.width, camera.height]) + margin)).all(1)
    index = np.flatnonzero(seen)
    column, row = np.floor(pixels[index]).astype(np.int64).T
    reach = np.clip(np.round(radius_px[index]), 0, 40).astype(np.int64)
    # One integer orders by depth (0.1 mm steps) and then by index, so the result does not depend on drawing order.
    key = (z[index] * 1e4).astype(np.int64) << 32 | index
    empty = np.iinfo(np.int64).max
    buffer = np.full(camera.width * camera.height, empty)
    for r in np.unique(reach):
        of_radius = reach == r
        for dy in range(-r, r + 1):
            half = int(np.sqrt(r * r - dy * dy))
            y = row[of_radius] + dy
            for dx in range(-half, half + 1):
                x = column[of_radius] + dx
                ok = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
                np.minimum.at(buffer, y[ok] * camera.width + x[ok], key[of_radius][ok])
    found = buffer != empty
    depth = np.where(found, (buffer >> 32) / 1e4, 0.0).astype(np.float32).reshape(camera.height, camera.width)
    point = np.where(found, buffer & 0xFFFFFFFF, -1).astype(np.int32).reshape(camera.height, camera.width)
    return depth, point
