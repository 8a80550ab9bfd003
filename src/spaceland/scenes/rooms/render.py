"""Pictures of a room: one ray through each pixel gives depth, object and colour."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import Hits, RayCaster
from spaceland.scenes.rooms.light import Lamp, bake
from spaceland.scenes.rooms.mesh import Mesh, Texture
from spaceland.scenes.scene import NO_OBJECT

_CACHED_FRAMES = 4
_EXPOSURE = 1.3
_BLOCK = 1 << 14
_DAYLIGHT = np.array([2.3, 2.5, 2.8])
_LAMPLIGHT = np.array([72.0, 69.0, 63.0])


def linear(color: np.ndarray) -> Float[np.ndarray, "*n"]:
    """sRGB 0..255 to linear light 0..1 (by the power of 2.2)."""
    return (np.asarray(color, np.float32) / 255.0) ** np.float32(2.2)


@dataclass(frozen=True, eq=False)
class View:
    """What one ray cast gives: depth float32 metres [h, w] and object ids int32 [h, w]."""

    hits: Hits
    depth: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]


class Renderer:
    """Renders a room given in the room frame; the last few ray casts and pictures are kept."""

    def __init__(
        self, mesh: Mesh, face_objects: Int[np.ndarray, "m"], ceiling_m: float, lights: Float[np.ndarray, "k 2"]
    ) -> None:
        self.mesh, self._face_objects = mesh, np.append(face_objects, NO_OBJECT).astype(np.int32)
        self._ceiling_m, self._lights = ceiling_m, lights
        self._views: OrderedDict[bytes, View] = OrderedDict()

    @cached_property
    def caster(self) -> RayCaster:
        return RayCaster(self.mesh.vertices, self.mesh.faces)

    def view(self, camera: PinholeCamera, T_room_cam: Float[np.ndarray, "4 4"]) -> View:
        """Depth and ids; asking twice casts once."""
        key = repr(camera).encode() + T_room_cam.tobytes()
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        hits = self.caster.cast_camera(camera, T_room_cam)
        view = View(hits, hits.distance, self._face_objects[hits.face])
        self._views[key] = view
        while len(self._views) > _CACHED_FRAMES:
            self._views.popitem(last=False)
        return view

    def color(self, camera: PinholeCamera, T_room_cam: Float[np.ndarray, "4 4"]) -> UInt8[np.ndarray, "h w 3"]:
        """The picture, uint8 RGB."""
        view = self.view(camera, T_room_cam)
        rays = (camera.pixel_rays().astype(np.float32).reshape(-1, 3)) @ T_room_cam[:3, :3].T.astype(np.float32)
        pixel_m = 1.0 / camera.fx
        face = view.hits.face.reshape(-1)
        light = self._shade(T_room_cam[:3, 3], rays, face, view.hits.distance.reshape(-1), pixel_m)
        shape = view.depth.shape
        light = light.reshape(*shape, 3)
        edge = self._edges(light, face.reshape(shape))
        rows, columns = np.nonzero(edge)
        if len(rows):
            shift = np.array([(0.125, -0.375), (0.375, 0.125), (-0.125, 0.375), (-0.375, -0.125)]) + 0.5
            pixels = np.stack([columns, rows], -1)[:, None] + shift
            more = camera.unproject(pixels, np.ones(pixels.shape[:2])).reshape(-1, 3) @ T_room_cam[:3, :3].T
            hits = self.caster.cast(T_room_cam[:3, 3], more)
            colors = self._shade(T_room_cam[:3, 3], more.astype(np.float32), hits.face, hits.distance, pixel_m)
            light[rows, columns] = (light[rows, columns] + colors.reshape(len(rows), 4, 3).sum(1)) / 5
        return _GAMMA[np.clip(light * 4095.0, 0, 4095).astype(np.int32)]

    def _edges(self, light: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Pixels that differ clearly from a neighbour."""
        grey = np.sqrt(np.clip(light.sum(-1), 0, 3))
        edge = np.zeros(face.shape, bool)
        for axis in (0, 1):
            step = np.abs(np.diff(grey, axis=axis)) > 0.06
            if axis == 0:
                edge[:-1] |= step
                edge[1:] |= step
            else:
                edge[:, :-1] |= step
                edge[:, 1:] |= step
        return edge

    def _shade(
        self, eye: np.ndarray, rays: np.ndarray, face: np.ndarray, distance: np.ndarray, pixel_m: float
    ) -> Float[np.ndarray, "p 3"]:
        """Linear tone-mapped colour 0..1 of rays that hit `face` at `distance`."""
        out = np.empty((len(face), 3), np.float32)
        for start in range(0, len(face), _BLOCK):  # small blocks stay in the processor's cache
            part = slice(start, start + _BLOCK)
            out[part] = self._shade_block(eye, rays[part], face[part], distance[part], pixel_m)
        return out

    def _shade_block(
        self, eye: np.ndarray, rays: np.ndarray, face: np.ndarray, distance: np.ndarray, pixel_m: float
    ) -> Float[np.ndarray, "p 3"]:
        row = self._table.take(face, axis=0)
        offset = (eye - self._origin).astype(np.float32) + rays * distance[:, None]
        s = np.clip(np.einsum("pi,pi->p", offset, row[:, 0:3]) + row[:, 3], 0, 1)
        t = np.clip(np.einsum("pi,pi->p", offset, row[:, 4:7]) + row[:, 7], 0, 1)
        arriving = row[:, 8:11] + s[:, None] * row[:, 11:14] + t[:, None] * row[:, 14:17]
        albedo = row[:, 17:20]
        which = self._texture.take(face)
        for k in np.nonzero(np.bincount(which + 1, minlength=2)[1:])[0]:
            pick = np.nonzero(which == k)[0]
            texel, glow = self._mips[k].sample(offset[pick] + self._origin, distance[pick] * pixel_m)
            albedo[pick] = texel
            if glow:
                arriving[pick] = np.maximum(arriving[pick] * 0.15, glow)
        out = albedo * arriving * np.float32(_EXPOSURE)
        return out * (1 + out * np.float32(0.16)) / (1 + out * np.float32(0.55)) * np.float32(1.18)  # a soft shoulder

    @cached_property
    def _table(self) -> Float[np.ndarray, "m 20"]:
        """What shading needs of each face: rows of the corner weights (8), light at corners (9), colour (3)."""
        a, b, c = (self._light[self.mesh.faces[:, k]] for k in range(3))
        weights = self._barycentric
        return np.concatenate([*weights, a, b - a, c - a, self._albedo], axis=1).astype(np.float32)

    @cached_property
    def _origin(self) -> Float[np.ndarray, "3"]:
        return self.mesh.vertices.mean(0).astype(np.float32)

    @cached_property
    def _barycentric(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows [m, 4] that give the weights of the second and third corner of a point near a face."""
        a, b, c = (self.mesh.vertices[self.mesh.faces[:, k]] - self._origin for k in range(3))
        e, f = b - a, c - a
        ee, ff, ef = (np.einsum("mi,mi->m", x, y) for x, y in ((e, e), (f, f), (e, f)))
        det = np.maximum(ee * ff - ef * ef, 1e-18)
        u = (ff[:, None] * e - ef[:, None] * f) / det[:, None]
        v = (ee[:, None] * f - ef[:, None] * e) / det[:, None]
        rows = [np.column_stack([g, -np.einsum("mi,mi->m", g, a)]).astype(np.float32) for g in (u, v)]
        return rows[0], rows[1]

    @cached_property
    def _mips(self) -> list[MipTexture]:
        return [MipTexture(t) for t in self.mesh.textures]

    @cached_property
    def _albedo(self) -> Float[np.ndarray, "m 3"]:
        # Photographs of real things are neither as black nor as white as the models' colours.
        return (0.012 + 0.86 * linear(self.mesh.colors)).astype(np.float32)

    @cached_property
    def _texture(self) -> Int[np.ndarray, "m"]:
        return self.mesh.texture.astype(np.int16)

    @cached_property
    def _light(self) -> Float[np.ndarray, "n 3"]:
        mesh = self.mesh
        albedo = self._albedo.copy()
        corners = mesh.vertices[mesh.faces]
        center = corners.mean(1)
        lamps = []
        for k, texture in enumerate(self._mips):
            own = mesh.texture == k
            albedo[own] = texture.mean
            if texture.source.glow > 1:
                cross = np.cross(corners[own][:, 1] - corners[own][:, 0], corners[own][:, 2] - corners[own][:, 0])
                normal = cross.sum(0) / np.linalg.norm(cross.sum(0))
                o, u, v = texture.source.origin, texture.source.u_axis, texture.source.v_axis
                s, t = np.meshgrid((np.arange(3) + 0.5) / 3, (np.arange(4) + 0.5) / 4)
                points = o + s.reshape(-1, 1) * u / (u @ u) + t.reshape(-1, 1) * v / (v @ v) + 0.01 * normal
                lamps.append(Lamp(points, normal, float(np.linalg.norm(cross, axis=1).sum() / 2), _DAYLIGHT, 0.3))
        angle, radius = np.arange(12) * 2.4, 0.3 * np.sqrt((np.arange(12) + 0.5) / 12)
        for x, y in self._lights:
            disc = [x + radius * np.cos(angle), y + radius * np.sin(angle), np.full(12, self._ceiling_m - 0.075)]
            radiance = _LAMPLIGHT / len(self._lights) ** 0.5
            lamps.append(Lamp(np.stack(disc, -1), np.array([0.0, 0.0, -1.0]), 0.28, radiance, 4.0))
        passed = albedo * (0.4 + 0.25 * center[:, 2] / self._ceiling_m)[:, None]
        shine = np.where(center[:, 2] > self._ceiling_m - 1e-3, 0.4, 0.0)
        radiance = np.maximum(passed, shine[:, None] * np.array([1.0, 0.975, 0.93])).astype(np.float32)
        light = bake(mesh, self.caster, radiance, lamps)
        light *= np.clip(light.mean(1, keepdims=True) / 0.52, 0.02, 1.4) ** np.float32(0.5)  # more contrast
        light[mesh.normals[:, 2] < -0.99] += np.where(
            mesh.vertices[mesh.normals[:, 2] < -0.99, 2:] > self._ceiling_m - 1e-3, 0.4, 0.0
        ).astype(np.float32)
        shade = (mesh.vertices[:, 2] > self._ceiling_m - 0.07) & (mesh.vertices[:, 2] < self._ceiling_m - 1e-4)
        light[shade & (np.linalg.norm(mesh.vertices[:, None, :2] - self._lights, axis=-1).min(1) < 0.25)] = 1.7
        return light


_GAMMA = np.clip(np.round(255 * (np.arange(4096) / 4095) ** (1 / 2.2)), 0, 255).astype(np.uint8)


class MipTexture:
    """A picture in several sizes, so that far away it becomes smooth instead of flickering."""

    def __init__(self, texture: Texture) -> None:
        self.source = texture
        level = linear(texture.picture.image) * np.float32(0.95)
        self.mean = level.reshape(-1, 3).mean(0)
        self._sizes, self._starts, rows = [], [], []
        start = 0
        while True:
            h, w = level.shape[:2]
            self._sizes.append((h, w))
            self._starts.append(start)
            rows.append(level.reshape(-1, 3))
            start += h * w
            if min(h, w) <= 4:
                break
            level = level.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3))
        self._texels = np.concatenate(rows)
        self._height = np.array([h for h, _ in self._sizes])
        self._width = np.array([w for _, w in self._sizes])
        self._start = np.array(self._starts)
        self._texel_m = 1.0 / (float(np.linalg.norm(texture.u_axis)) * self._sizes[0][1])

    def sample(self, points: Float[np.ndarray, "p 3"], footprint_m: Float[np.ndarray, "p"]) -> tuple[np.ndarray, float]:
        """Linear colour at points of its plane, for pixels that cover `footprint_m`; and its glow."""
        source = self.source
        offset = points - source.origin.astype(np.float32)
        u, v = offset @ source.u_axis.astype(np.float32), offset @ source.v_axis.astype(np.float32)
        if source.repeat:
            u, v = u - np.floor(u), v - np.floor(v)
        else:
            u, v = np.clip(u, 0, 1), np.clip(v, 0, 1)
        level = np.clip(np.round(np.log2(np.maximum(footprint_m * 1.3 / self._texel_m, 1.0))), 0, len(self._sizes) - 1)
        level = level.astype(np.int32)
        h, w, start = self._height[level], self._width[level], self._start[level]
        x, y = u * w - 0.5, v * h - 0.5
        x0, y0 = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
        fx, fy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
        if source.repeat:
            xa, xb, ya, yb = x0 % w, (x0 + 1) % w, y0 % h, (y0 + 1) % h
        else:
            xa, xb = np.clip(x0, 0, w - 1), np.clip(x0 + 1, 0, w - 1)
            ya, yb = np.clip(y0, 0, h - 1), np.clip(y0 + 1, 0, h - 1)
        texels = self._texels
        top = texels[start + ya * w + xa] * (1 - fx) + texels[start + ya * w + xb] * fx
        bottom = texels[start + yb * w + xa] * (1 - fx) + texels[start + yb * w + xb] * fx
        return top * (1 - fy) + bottom * fy, source.glow
