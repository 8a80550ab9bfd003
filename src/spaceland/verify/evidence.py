"""What the scene itself says about a marked place: its id map, else its depth, else a ray through its mesh.

Two questions are answered for an object in a frame: does a pixel show it, and between which bounds must a box around
its visible part lie. Trust is graded, and where nothing can be tested the answer is "unknown", never "yes":

    id map                      the pixel's id; bounds from the pixels of that id, thin parts allowed to be missed
    mesh with ids, no depth     the same, from rays
    depth, or mesh without ids  the pixel goes back to the world and must fall into the object's box grown by a margin;
                                bounds from all such pixels (outer) and the object's points that nothing hides (inner)
    points only                 the ray through the pixel must pass an object point within 0.1 m; outer bounds only
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, SceneObject

T = TypeVar("T")
MARGIN_M = 0.10
"""How far outside its object's box a marked place may lie where depth tells: noise of sensors and of annotation."""
INNER_SLACK = 20
"""How far (of 1000) a side may fall short of the object's visible points, which other labels can claim at contacts."""
_FRAMES_HELD = 40
_PATCH_SHARE = 0.0002
_NEAR_M = 0.05
_RAY_WIDTH_PX = 320


@dataclass(frozen=True, eq=False)
class Map:
    """A picture of numbers and the camera whose image it is; all maps of a frame share its pose."""

    values: np.ndarray
    camera: PinholeCamera

    def at(self, pixels: Float[np.ndarray, "n 2"], camera: PinholeCamera) -> np.ndarray:
        """Values at pixel coordinates of another camera of the same pose; NaN outside."""
        u = (pixels[:, 0] - camera.cx) / camera.fx * self.camera.fx + self.camera.cx
        v = (pixels[:, 1] - camera.cy) / camera.fy * self.camera.fy + self.camera.cy
        inside = self.camera.contains(np.stack([u, v], -1))
        result = np.full(len(pixels), np.nan)
        result[inside] = self.values[v[inside].astype(int), u[inside].astype(int)]
        return result


@dataclass(frozen=True, eq=False)
class Bounds:
    """Boxes x1, y1, x2, y2 on the 0..1000 scale. A box around the visible part lies in `outer` and holds `inner`.

    `inner` is None where nothing tells what is visible.
    """

    outer: Float[np.ndarray, "4"]
    inner: Float[np.ndarray, "4"] | None


class Evidence:
    """The maps of a scene, read when needed; those of the last frames are kept."""

    def __init__(self, scene: Scene, visibility_width_px: int = 320) -> None:
        self._scene = scene
        self._width_px = visibility_width_px
        self._maps: OrderedDict[tuple[str, str], Map | None] = OrderedDict()
        self._bounds: dict[tuple[str, int], Bounds | None] = {}

    def shows(self, frame: Frame, thing: SceneObject, xy: tuple[int, ...]) -> bool | None:
        """Whether a place on the 0..1000 scale shows an object; None when nothing hidden could be noticed.

        Coordinates are rounded to a thousandth, so the eight places one thousandth away count as well. Even without
        depth the answer is False when the ray passes the object by.
        """
        camera = frame.camera
        steps = np.array([[dx, dy] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        pixels = (np.array(xy) + steps) / 1000 * [camera.width, camera.height]
        ids = self._ids(frame)
        if ids is not None:
            return bool((ids.at(pixels, camera) == thing.id).any())
        depth = self._depth(frame)
        if depth is not None:
            z = depth.at(pixels, camera)
            known = np.isfinite(z) & (z > 0)
            if known.any():
                local = camera.unproject(pixels[known], z[known])
                world = transform_points(np.asarray(frame.T_world_cam), local)
                return bool(thing.box.contains(world, MARGIN_M).any())
        return None if self._ray_meets(frame, thing, pixels[4]) else False

    def depths(self, frame: Frame, xy: Sequence[float]) -> np.ndarray | None:
        """Known depths at a place on the 0..1000 scale and the eight places one thousandth away; None without depth."""
        depth = self._depth(frame)
        if depth is None:
            return None
        steps = np.array([[dx, dy] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        z = depth.at((np.array(xy) + steps) / 1000 * [frame.camera.width, frame.camera.height], frame.camera)
        return z[np.isfinite(z) & (z > 0)]

    def bounds(self, frame: Frame, thing: SceneObject) -> Bounds | None:
        """Bounds of a box around the visible part; None when the object is out of view."""
        key = (frame.id, thing.id)
        if key not in self._bounds:
            self._bounds[key] = self._find_bounds(frame, thing)
        return self._bounds[key]

    def plainly_shows(self, frame: Frame, thing: SceneObject) -> bool:
        """Whether an object is seen in a frame beyond dispute: a solid patch of its ids, or many points unhidden."""
        ids = self._ids(frame)
        if ids is not None:
            inside = ndimage.binary_erosion(ids.values == thing.id, np.ones((3, 3)))
            return bool(inside.sum() >= _PATCH_SHARE * ids.values.size)
        bounds = self.bounds(frame, thing)
        return bounds is not None and bounds.inner is not None and bool((bounds.inner[2:] > bounds.inner[:2]).all())

    def _find_bounds(self, frame: Frame, thing: SceneObject) -> Bounds | None:
        outline = projected_box(frame, thing.box, MARGIN_M)
        if outline is None:
            return None
        # A pixel of the visibility maps, on the 0..1000 scale, and one for rounding.
        width = min(self._width_px, frame.camera.width)
        cell = np.array([1000 / width, 1000 / max(1, round(frame.camera.height * width / frame.camera.width))] * 2) + 1
        ids = self._ids(frame)
        if ids is not None:
            mask = ids.values == thing.id
            whole = _mask_box(mask)
            if whole is None:
                return None
            # A coarser map may step over parts narrower than its pixels; wider ones it cannot miss.
            step = ids.camera.width / width
            block = 2 * int(np.ceil(step / 2)) + 1 if step > 1 else 1
            inner = _mask_box(ndimage.binary_erosion(mask, np.ones((block, block))))
            return Bounds(_grow(whole, cell), None if inner is None else _grow(inner, -cell))
        depth = self._depth(frame)
        if depth is None:
            return Bounds(_grow(outline, cell), None)
        seen = self._box_of_depth(frame, thing, depth, outline)
        if seen is None:
            return None
        return Bounds(_meet(_grow(seen, cell), _grow(outline, cell)), self._box_of_points(frame, thing, depth, cell))

    def _box_of_depth(self, frame: Frame, thing: SceneObject, depth: Map, outline: np.ndarray) -> np.ndarray | None:
        """Box around all pixels whose place in the world lies in the object's grown box."""
        height, width = depth.values.shape
        corners = outline.reshape(2, 2) / 1000 * [frame.camera.width, frame.camera.height]
        low, high = _same_ray(corners, frame.camera, depth.camera)
        x0, y0 = np.clip(np.floor(low) - 1, 0, [width, height]).astype(int)
        x1, y1 = np.clip(np.ceil(high) + 1, 0, [width, height]).astype(int)
        z = depth.values[y0:y1, x0:x1]
        rows, columns = np.nonzero(np.isfinite(z) & (z > 0))
        pixels = np.stack([columns + x0 + 0.5, rows + y0 + 0.5], -1)
        world = transform_points(
            np.asarray(frame.T_world_cam), depth.camera.unproject(pixels, z[rows, columns].astype(float))
        )
        pixels = pixels[thing.box.contains(world, MARGIN_M)]
        if len(pixels) == 0:
            return None
        edges = np.stack([pixels.min(0) - 0.5, pixels.max(0) + 0.5])
        return _to_thousand(_same_ray(edges, depth.camera, frame.camera), frame.camera)

    def _box_of_points(self, frame: Frame, thing: SceneObject, depth: Map, cell: np.ndarray) -> np.ndarray | None:
        """Box around the object's points that nothing hides, without the outermost five per cent on each side.

        Points in or near another object's box are left out: depth does not tell which of the two is seen there.
        """
        points = np.asarray(thing.points, dtype=float)
        for other in self._scene.objects:
            if other.id != thing.id and len(points):
                points = points[~other.box.contains(points, MARGIN_M)]
        T_cam_world = invert_rigid(np.asarray(frame.T_world_cam, dtype=float))
        local = transform_points(T_cam_world, points)
        local = local[local[:, 2] > _NEAR_M]
        pixels, z = frame.camera.project(local)
        seen = depth.at(pixels, frame.camera)
        # Tighter than sensors are: a point that is taken for hidden by mistake only widens what is allowed.
        free = frame.camera.contains(pixels) & (seen > 0) & (np.abs(seen - z) <= 0.01 + 0.005 * z)
        if free.sum() < 30:
            return None
        low, high = np.percentile(pixels[free], [5, 95], axis=0)
        return _grow(_to_thousand(np.stack([low, high]), frame.camera), -(cell + INNER_SLACK))

    def _ray_meets(self, frame: Frame, thing: SceneObject, pixel: np.ndarray) -> bool:
        """Whether the ray through a pixel passes one of the object's points, or its box where it is hollow."""
        T_cam_world = invert_rigid(np.asarray(frame.T_world_cam, dtype=float))
        local = transform_points(T_cam_world, np.asarray(thing.points, dtype=float))
        ray = frame.camera.unproject(pixel, np.array(1.0))
        along = local @ ray / (ray @ ray)
        distance = np.linalg.norm(local - along[:, None] * ray, axis=1)
        return bool(((along > 0) & (distance <= MARGIN_M)).any())

    def _ids(self, frame: Frame) -> Map | None:
        """The id map that the source has, or one from rays where there is a mesh with ids and no depth."""
        if frame.object_ids is not None:
            return self._held("ids", frame, lambda: _map_of(frame.object_ids(), frame.camera))  # type: ignore[misc]
        surface = self._scene.surface
        if frame.depth is not None or self._caster is None or surface is None or surface.object_ids is None:
            return None
        return self._held("ids", frame, lambda: self._cast(frame)[1])

    def _depth(self, frame: Frame) -> Map | None:
        """Sensor depth, or depth from rays, or nothing."""
        if frame.depth is not None:
            camera = frame.depth_camera or frame.camera
            return self._held("depth", frame, lambda: _map_of(frame.depth(), camera))  # type: ignore[misc]
        if self._caster is None:
            return None
        return self._held("depth", frame, lambda: self._cast(frame)[0])

    @cached_property
    def _caster(self) -> RayCaster | None:
        surface = self._scene.surface
        if surface is None or surface.faces is None or len(surface.faces) == 0:
            return None
        return RayCaster(surface.vertices, surface.faces)

    def _cast(self, frame: Frame) -> tuple[Map, Map]:
        surface, caster = self._scene.surface, self._caster
        assert surface is not None and surface.faces is not None and caster is not None
        width = min(_RAY_WIDTH_PX, frame.camera.width)
        camera = frame.camera.scaled(width, max(1, round(frame.camera.height * width / frame.camera.width)))
        hits = caster.cast_camera(camera, np.asarray(frame.T_world_cam))
        ids = np.full(hits.face.shape, NO_OBJECT)
        if surface.object_ids is not None:
            hit = hits.face >= 0
            ids[hit] = surface.object_ids[surface.faces[hits.face[hit], 0]]
        return Map(hits.distance, camera), Map(ids, camera)

    def _held(self, kind: str, frame: Frame, read: Callable[[], Map | None]) -> Map | None:
        key = (kind, frame.id)
        if key not in self._maps:
            self._maps[key] = read()
            if len(self._maps) > _FRAMES_HELD:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]


def projected_box(frame: Frame, box: OrientedBox, margin_m: float) -> Float[np.ndarray, "4"] | None:
    """Box around the projection of a grown oriented box, clipped to what is ahead and to the image; None: out of view.

    Twelve edges are cut at a plane just ahead of the camera; the ends that remain span the projection.
    """
    grown = OrientedBox(box.center, box.size + 2 * margin_m, box.rotation)
    corners = transform_points(invert_rigid(np.asarray(frame.T_world_cam, dtype=float)), grown.corners())
    ends = []
    for k in range(8):
        for axis in range(3):
            a, b = corners[k], corners[k ^ (1 << axis)]
            if a[2] >= _NEAR_M:
                ends.append(a)
            elif b[2] >= _NEAR_M:
                ends.append(a + (b - a) * (_NEAR_M - a[2]) / (b[2] - a[2]))
    if not ends:
        return None
    pixels, _ = frame.camera.project(np.array(ends))
    outline = _to_thousand(np.stack([pixels.min(0), pixels.max(0)]), frame.camera)
    if outline[2] <= 0 or outline[3] <= 0 or outline[0] >= 1000 or outline[1] >= 1000:
        return None
    return np.clip(outline, 0, 1000)


def _map_of(values: np.ndarray, camera: PinholeCamera) -> Map:
    values = np.asarray(values)
    return Map(values, camera.scaled(values.shape[1], values.shape[0]))


def _same_ray(pixels: np.ndarray, camera: PinholeCamera, other: PinholeCamera) -> np.ndarray:
    """Pixel coordinates of `camera` in the image of `other`, which has the same pose."""
    u = (pixels[:, 0] - camera.cx) / camera.fx * other.fx + other.cx
    v = (pixels[:, 1] - camera.cy) / camera.fy * other.fy + other.cy
    return np.stack([u, v], -1)


def _to_thousand(corners: Float[np.ndarray, "2 2"], camera: PinholeCamera) -> Float[np.ndarray, "4"]:
    return (corners / [camera.width, camera.height] * 1000).reshape(4)


def _mask_box(mask: np.ndarray) -> Float[np.ndarray, "4"] | None:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) == 0:
        return None
    height, width = mask.shape
    x, y = 1000 / width, 1000 / height
    return np.array([columns[0] * x, rows[0] * y, (columns[-1] + 1) * x, (rows[-1] + 1) * y])


def _grow(box: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The box with each side moved outwards (inwards where `by` is negative)."""
    return box + by * [-1, -1, 1, 1]


def _meet(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:])])
