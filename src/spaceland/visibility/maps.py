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
from jaxtyping import Float, Int, Shaped

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, Surface
from spaceland.visibility.labels import LabelGrid
from spaceland.visibility.samples import point_radii
from spaceland.visibility.splat import splat
from spaceland.visibility.types import VisibilityConfig


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """`depth` float32 [h, w] metres (0: unknown) and `object_ids` int32 [h, w] (`NO_OBJECT`: none), of `camera`."""

    camera: PinholeCamera
    depth: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Resampling:
    """Which pixel of an image each map pixel takes (the nearest), when both cameras share one pose.

    `rows` [h] and `columns` [w] in the image, clipped into it; `good_rows` and `good_columns` tell where that was not
    needed. `x` [w] and `y` [h] are the ray directions (z = 1) of the image pixels that are taken, which may differ
    from those of the map pixels by half an image pixel.
    """

    rows: Int[np.ndarray, "h"]
    columns: Int[np.ndarray, "w"]
    good_rows: Shaped[np.ndarray, "h"]
    good_columns: Shaped[np.ndarray, "w"]
    x: Float[np.ndarray, "w"]
    y: Float[np.ndarray, "h"]

    @classmethod
    def between(cls, image: PinholeCamera, target: PinholeCamera) -> Resampling:
        """From the pixels of `image` to those of `target`."""
        u = (np.arange(target.width) + 0.5 - target.cx) / target.fx * image.fx + image.cx
        v = (np.arange(target.height) + 0.5 - target.cy) / target.fy * image.fy + image.cy
        # A pixel centre that falls exactly on a border between two pixels must not depend on rounding noise.
        column, row = np.floor(u + 1e-6).astype(np.int64), np.floor(v + 1e-6).astype(np.int64)
        good_u, good_v = (column >= 0) & (column < image.width), (row >= 0) & (row < image.height)
        return cls(
            np.clip(row, 0, image.height - 1),
            np.clip(column, 0, image.width - 1),
            good_v,
            good_u,
            ((column + 0.5 - image.cx) / image.fx).astype(np.float32),
            ((row + 0.5 - image.cy) / image.fy).astype(np.float32),
        )

    def take(self, image: Shaped[np.ndarray, "hi wi"], outside: float) -> Shaped[np.ndarray, "h w"]:
        """The image at the map's pixels; `outside` where it does not reach."""
        picked = image[self.rows[:, None], self.columns[None]]
        if not (self.good_rows.all() and self.good_columns.all()):
            picked[~(self.good_rows[:, None] & self.good_columns[None])] = outside
        return picked


class MapMaker:
    """Makes the maps of a scene's frames; what all frames share (grid, ray caster, radii) is built once on demand."""

    def __init__(self, scene: Scene, config: VisibilityConfig) -> None:
        self._scene, self._config = scene, config
        self._resamplings: dict[tuple[PinholeCamera, PinholeCamera], Resampling] = {}

    @cached_property
    def _grid(self) -> LabelGrid:
        return LabelGrid(self._scene, self._config.voxel_m)

    @cached_property
    def _caster(self) -> RayCaster:
        surface = self._surface
        assert surface.faces is not None
        return RayCaster(surface.vertices, surface.faces)

    @cached_property
    def _radii(self) -> Float[np.ndarray, "n"]:
        return point_radii(self._surface.vertices)

    @property
    def _surface(self) -> Surface:
        assert self._scene.surface is not None
        return self._scene.surface

    @cached_property
    def _owners(self) -> Int[np.ndarray, "k1"]:
        """Owner of each face (of each vertex when there are no faces), then `NO_OBJECT` for index -1."""
        surface = self._surface
        assert surface.object_ids is not None
        owners = surface.object_ids
        if surface.faces is not None and len(surface.faces):
            a, b, c = owners[surface.faces].T
            owners = np.where(b == c, b, a)  # what two of the three corners say
        return np.append(owners, NO_OBJECT).astype(np.int32)

    def maps(self, frame: Frame) -> FrameMaps:
        """Maps of one frame at the configured size.

        Raises:
            SceneError: the frame has no depth and the scene no surface, or an image is broken.
        """
        camera = self._config.map_camera(frame.camera)
        if frame.object_ids is not None:
            ids = np.asarray(frame.object_ids())
            sampling = self._resampling(frame.camera.scaled(ids.shape[1], ids.shape[0]), camera)
            depth = self._sensor(frame, camera)[0] if frame.depth is not None else self._rendered(frame, camera).depth
            return FrameMaps(camera, depth, sampling.take(ids, NO_OBJECT).astype(np.int32))
        if frame.depth is not None:
            depth, sampling = self._sensor(frame, camera)
            return FrameMaps(camera, depth, self._label(frame, depth, sampling))
        return self._rendered(frame, camera)

    def _resampling(self, image: PinholeCamera, target: PinholeCamera) -> Resampling:
        key = image, target
        if key not in self._resamplings:
            if len(self._resamplings) > 16:  # a camera of its own for every frame: do not keep them all
                self._resamplings.clear()
            self._resamplings[key] = Resampling.between(image, target)
        return self._resamplings[key]

    def _sensor(self, frame: Frame, camera: PinholeCamera) -> tuple[np.ndarray, Resampling]:
        """Sensor depth as seen through the map's pixel centres; both cameras share the pose."""
        assert frame.depth is not None
        depth = np.asarray(frame.depth(), dtype=np.float32)
        source = (frame.depth_camera or frame.camera).scaled(depth.shape[1], depth.shape[0])
        sampling = self._resampling(source, camera)
        sampled = sampling.take(depth, 0.0)
        sampled[~((sampled > 0) & (sampled < np.inf))] = 0.0
        return sampled, sampling

    def _label(self, frame: Frame, depth: np.ndarray, sampling: Resampling) -> Int[np.ndarray, "h w"]:
        """Object nearest to the world point of each pixel, where it is within the tolerance."""
        ids = np.full(depth.shape, NO_OBJECT, dtype=np.int32)
        known = np.flatnonzero(depth)
        if len(self._scene.objects) == 0 or len(known) == 0:
            return ids
        z = depth.ravel()[known]
        # Straight to grid cells: cell = (R @ ray * z + t - low) / voxel, one coordinate after the other.
        scale = 1 / self._grid.voxel_m
        R = (frame.T_world_cam[:3, :3] * scale).astype(np.float32)
        t = ((frame.T_world_cam[:3, 3] - self._grid.low) * scale).astype(np.float32)
        cells = []
        for axis in range(3):
            ray = (sampling.x * R[axis, 0] + R[axis, 2])[None, :] + (sampling.y * R[axis, 1])[:, None]
            cells.append(ray.ravel()[known] * z + t[axis])
        found, distance = self._grid.lookup(*cells)
        found[distance > self._config.tolerance_at(z)] = NO_OBJECT
        ids.ravel()[known] = found
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
            depth, index = hits.distance, hits.face
        else:
            depth, index = splat(surface.vertices, self._radii, camera, frame.T_world_cam)
        if surface.object_ids is None:
            return FrameMaps(camera, depth, self._label(frame, depth, self._resampling(camera, camera)))
        return FrameMaps(camera, depth, self._owners[index])
