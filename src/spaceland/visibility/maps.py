"""Depth and object id in every pixel of a frame, from whatever the scene has.

In order of trust:
1. the source's own id map (sample rooms);
2. sensor depth: each pixel goes back to the world and takes the label of the nearest annotated surface (`LabelGrid`);
3. no depth but a mesh: ray casting;
4. no depth and points only: points drawn as discs with a z-buffer.
Everything in the surface hides what lies behind it, annotated or not.

Maps are smaller than the picture. So that areas do not suffer, pixels on the edge of an object are looked at four
times: at the middles of their quarters, which for a map of half size are the pixels of the picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from PIL import Image

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, Surface
from spaceland.visibility.frame_maps import FrameMaps, from_arrays, to_arrays
from spaceland.visibility.labels import LabelGrid
from spaceland.visibility.photometric import contradicted_pixels
from spaceland.visibility.samples import point_radii
from spaceland.visibility.splat import splat
from spaceland.visibility.types import VisibilityConfig


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
        column = _nearest(np.arange(target.width) + 0.5, target.cx, target.fx, image.cx, image.fx)
        row = _nearest(np.arange(target.height) + 0.5, target.cy, target.fy, image.cy, image.fy)
        return cls(
            np.clip(row, 0, image.height - 1),
            np.clip(column, 0, image.width - 1),
            (row >= 0) & (row < image.height),
            (column >= 0) & (column < image.width),
            ((column + 0.5 - image.cx) / image.fx).astype(np.float32),
            ((row + 0.5 - image.cy) / image.fy).astype(np.float32),
        )

    def take(self, image: Shaped[np.ndarray, "hi wi"], outside: float) -> Shaped[np.ndarray, "h w"]:
        """The image at the map's pixels; `outside` where it does not reach."""
        picked = image[self.rows].take(self.columns, axis=1)
        if not (self.good_rows.all() and self.good_columns.all()):
            picked[~(self.good_rows[:, None] & self.good_columns[None])] = outside
        return picked


def _nearest(at_px: np.ndarray, cx: float, fx: float, image_cx: float, image_fx: float) -> Int[np.ndarray, "n"]:
    """Column (or row) of the image in which a coordinate of another camera with the same pose falls."""
    # A pixel centre that falls exactly on a border between two pixels must not depend on rounding noise.
    return np.floor((at_px - cx) / fx * image_fx + image_cx + 1e-6).astype(np.int64)


_RECENT = 40
"""Maps of so many frames are kept, whichever they are."""
# What quarters of pixels show: (rows, columns) in a map of double size -> ids.
_Look = Callable[[np.ndarray, np.ndarray], np.ndarray]


class MapMaker:
    """Makes the maps of a scene's frames; what all frames share (grid, ray caster, radii) is built once on demand."""

    def __init__(self, scene: Scene, config: VisibilityConfig) -> None:
        self._scene, self._config = scene, config
        self._resamplings: dict[tuple[PinholeCamera, PinholeCamera], Resampling] = {}
        self._stored: dict[str, Mapping[str, np.ndarray]] = {}
        self._recent: OrderedDict[str, FrameMaps] = OrderedDict()

    @property
    def scene(self) -> Scene:
        """Whose frames it makes maps of."""
        return self._scene

    @cached_property
    def _grid(self) -> LabelGrid:
        return LabelGrid(self._scene, self._config)

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
        contradicted = None
        if frame.object_ids is not None:
            depth = self._sensor(frame, camera)[0] if frame.depth is not None else self._rendered(frame, camera)[0]
            ids, look = self._given(frame, camera)
        elif frame.depth is not None:
            depth, image, source = self._sensor(frame, camera)
            sampling = self._resampling(source, camera)
            ids = self._label(frame, sampling.x[None], sampling.y[:, None], depth)
            look = self._sensor_look(frame, camera, image, source)
        else:
            depth, ids, look, index = self._rendered(frame, camera)
            contradicted = self._contradicted(frame, camera, index)
        if look is None or frame.camera.width < 1.5 * camera.width:
            return FrameMaps(camera, depth, ids, contradicted=contradicted)
        pixels = _edges(ids)
        rows, columns = np.divmod(2 * pixels[:, None], 2 * camera.width)
        rows, columns = 2 * rows + np.array([0, 0, 1, 1]), columns + np.array([0, 1, 0, 1])
        return FrameMaps(camera, depth, ids, pixels, look(rows, columns), contradicted)

    def close_up(self, frame: Frame) -> FrameMaps:
        """Maps of one frame as tasks look at them (see `frame_maps`); those of the last frames are kept.

        Raises:
            SceneError: as for `maps`.
        """
        known = self._recent.get(frame.id)
        if known is None:
            arrays = self._stored.get(frame.id) or to_arrays(self.maps(frame))
            known = self._recent[frame.id] = from_arrays(self._config.map_camera(frame.camera), arrays)
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return known

    def keep(self, frame_id: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Have the maps of a frame, as `to_arrays` gave them, at hand when `close_up` is asked for them."""
        self._stored[frame_id] = arrays

    def _resampling(self, image: PinholeCamera, target: PinholeCamera) -> Resampling:
        key = image, target
        if key not in self._resamplings:
            if len(self._resamplings) > 16:  # a camera of its own for every frame: do not keep them all
                self._resamplings.clear()
            self._resamplings[key] = Resampling.between(image, target)
        return self._resamplings[key]

    def _given(self, frame: Frame, camera: PinholeCamera) -> tuple[np.ndarray, _Look]:
        """The source's id map."""
        assert frame.object_ids is not None
        image = np.asarray(frame.object_ids()).astype(np.int32)
        source = frame.camera.scaled(image.shape[1], image.shape[0])
        fine = self._resampling(source, _double(camera))

        def look(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return image[fine.rows[rows], fine.columns[columns]]

        return self._resampling(source, camera).take(image, NO_OBJECT), look

    def _sensor(self, frame: Frame, camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray, PinholeCamera]:
        """Sensor depth at the map's pixels, and the depth image with its camera; both cameras share the pose."""
        assert frame.depth is not None
        image = np.asarray(frame.depth(), dtype=np.float32)
        source = (frame.depth_camera or frame.camera).scaled(image.shape[1], image.shape[0])
        return _positive(self._resampling(source, camera).take(image, 0.0)), image, source

    def _sensor_look(self, frame: Frame, camera: PinholeCamera, image: np.ndarray, source: PinholeCamera) -> _Look:
        fine = self._resampling(source, _double(camera))

        def look(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            z = image[fine.rows[rows], fine.columns[columns]]
            z[~(fine.good_rows[rows] & fine.good_columns[columns])] = 0
            return self._label(frame, fine.x[columns], fine.y[rows], _positive(z))

        return look

    def _label(self, frame: Frame, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> Int[np.ndarray, "*n"]:
        """Object nearest to the points at `depth` on rays (x, y, 1), where one is within the tolerance.

        Depth is 0 where unknown; `x` and `y` broadcast to its shape.
        """
        if len(self._scene.objects) == 0 or depth.size == 0:
            return np.full(depth.shape, NO_OBJECT, dtype=np.int32)
        # Straight to grid cells: cell = (R @ ray * z + t - low) / voxel, one coordinate after the other.
        scale = 1 / self._grid.voxel_m
        R = (frame.T_world_cam[:3, :3] * scale).astype(np.float32)
        t = ((frame.T_world_cam[:3, 3] - self._grid.low) * scale).astype(np.float32)
        cells = []
        for k in range(3):
            cell = x * R[k, 0] + y * R[k, 1]
            cell += R[k, 2]
            cell *= depth
            cell += t[k]
            cells.append(cell)
        found, distance = self._grid.lookup(*cells)
        return np.where((depth > 0) & (distance <= self._config.tolerance_at(depth)), found, np.int32(NO_OBJECT))

    def _contradicted(
        self, frame: Frame, camera: PinholeCamera, index: Int[np.ndarray, "h w"]
    ) -> Bool[np.ndarray, "h w"] | None:
        """Where the picture shows something else than the face or point of that index."""
        surface = self._surface
        if surface.colors is None or not self._config.check_colors:
            return None
        has_faces = surface.faces is not None and len(surface.faces)
        vertex = surface.faces[index, 0] if has_faces and surface.faces is not None else index
        picture = Image.fromarray(frame.color()).resize((camera.width, camera.height), Image.Resampling.BOX)
        return contradicted_pixels(np.array(picture), surface.colors[vertex], index >= 0)

    def _rendered(self, frame: Frame, camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray, _Look | None, np.ndarray]:
        """Depth, ids, a closer look, and the face or point in each pixel (-1: none), from the surface alone."""
        surface = self._scene.surface
        if surface is None or len(surface.vertices) == 0:
            raise SceneError(
                f"scene {self._scene.id}, frame {frame.id}: no depth image and no surface, so nothing tells what is "
                "hidden; add depth images or a mesh"
            )
        pose = frame.T_world_cam
        if surface.faces is None or len(surface.faces) == 0:
            depth, index = splat(surface.vertices, self._radii, camera, pose)
            return depth, self._owner_of(frame, camera.pixel_rays(), depth, index), None, index

        def cast(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            hits = self._caster.cast(pose[:3, 3], rays @ pose[:3, :3].T)
            return hits.distance, self._owner_of(frame, rays, hits.distance, hits.face), hits.face

        def look(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            pixels = np.stack([columns + 0.5, rows + 0.5], -1)
            return cast(_double(camera).unproject(pixels, np.ones(rows.shape)))[1]

        depth, ids, face = cast(camera.pixel_rays())
        return depth, ids, look, face

    def _owner_of(
        self, frame: Frame, rays: Float[np.ndarray, "*n 3"], depth: Float[np.ndarray, "*n"], index: np.ndarray
    ) -> Int[np.ndarray, "*n"]:
        """Owner of the face or point that each ray hits (-1: none)."""
        if self._surface.object_ids is not None:
            return self._owners[index]
        return self._label(frame, rays[..., 0].astype(np.float32), rays[..., 1].astype(np.float32), depth)


def _double(camera: PinholeCamera) -> PinholeCamera:
    """The camera of a map of double size, whose pixels are the quarters of this one's."""
    return camera.scaled(2 * camera.width, 2 * camera.height)


_MAKERS: OrderedDict[tuple[int, VisibilityConfig], MapMaker] = OrderedDict()
_MAKERS_HELD = 2


def map_maker(scene: Scene, config: VisibilityConfig) -> MapMaker:
    """The map maker of a scene; those of the last scenes are kept, since their label grid takes most of a second."""
    key = id(scene), config
    if key not in _MAKERS or _MAKERS[key].scene is not scene:
        _MAKERS[key] = MapMaker(scene, config)
        if len(_MAKERS) > _MAKERS_HELD:
            _MAKERS.popitem(last=False)
    _MAKERS.move_to_end(key)
    return _MAKERS[key]


def _positive(depth: np.ndarray) -> np.ndarray:
    """Depth with 0 wherever it is not a positive number."""
    return np.where((depth > 0) & (depth < np.inf), depth, np.float32(0))


def _edges(ids: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "e"]:
    """Flat indices of pixels that have a neighbour (of four) with another id."""
    edge = np.zeros(ids.shape, dtype=bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)
