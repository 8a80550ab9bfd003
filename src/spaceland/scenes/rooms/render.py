"""Pictures of a room: one ray through each pixel gives depth, object and colour.

Colour is the light that was worked out for the corners of the triangle, mixed, times the triangle's own colour or that
of the picture on it. Where neighbouring pixels show different surfaces, three more rays smooth the edge; depth and
object ids always are those of the pixel's middle.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import Hits, RayCaster
from spaceland.scenes.rooms.light import light_room
from spaceland.scenes.rooms.mesh import Mesh
from spaceland.scenes.rooms.texels import MipTexture, linear
from spaceland.scenes.scene import NO_OBJECT

_CACHED_FRAMES = 4
_EXPOSURE = np.float32(1.3)
_BLOCK = 1 << 14
_EDGE_STEP = 0.045
_SUBPIXELS = np.array([(0.5, 0.17), (0.2, 0.68), (0.8, 0.68)])
_GAMMA = np.clip(np.round(255 * (np.arange(4096) / 4095) ** (1 / 2.2)), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class View:
    """What one ray cast gives: hits, depth float32 metres [h, w] and object ids int32 [h, w]."""

    hits: Hits
    depth: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]


class Renderer:
    """Renders a room given in the room frame; the last few ray casts are kept.

    `face_objects` [m] is the object of each triangle, `lights` [k, 2] are the places of ceiling lights.
    """

    def __init__(
        self, mesh: Mesh, face_objects: Int[np.ndarray, "m"], ceiling_m: float, lights: Float[np.ndarray, "k 2"]
    ) -> None:
        self.mesh, self._face_objects = mesh, np.append(face_objects, NO_OBJECT).astype(np.int32)
        self._ceiling_m, self._lights = ceiling_m, lights
        self._views: OrderedDict[tuple[PinholeCamera, bytes], View] = OrderedDict()

    @cached_property
    def caster(self) -> RayCaster:
        return RayCaster(self.mesh.vertices, self.mesh.faces)

    def view(self, camera: PinholeCamera, T_room_cam: Float[np.ndarray, "4 4"]) -> View:
        """Depth and ids; asking again casts no ray."""
        key = camera, T_room_cam.tobytes()
        if key not in self._views:
            hits = self.caster.cast_camera(camera, T_room_cam)
            self._views[key] = View(hits, hits.distance, self._face_objects.take(hits.face, mode="wrap"))
            while len(self._views) > _CACHED_FRAMES:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        return self._views[key]

    def color(self, camera: PinholeCamera, T_room_cam: Float[np.ndarray, "4 4"]) -> UInt8[np.ndarray, "h w 3"]:
        """The picture, uint8 RGB."""
        view = self.view(camera, T_room_cam)
        eye, R_room_cam = T_room_cam[:3, 3], T_room_cam[:3, :3]
        pixel_m = np.float32(1.0 / camera.fx)
        rays = camera.pixel_rays().astype(np.float32).reshape(-1, 3) @ R_room_cam.T.astype(np.float32)
        light = self._shade(eye, rays, view.hits.face.reshape(-1), view.hits.distance.reshape(-1), pixel_m)
        light = light.reshape(camera.height, camera.width, 3)
        rows, columns = np.nonzero(self._edges(light, view.hits.face))
        if len(rows):
            pixels = np.stack([columns, rows], -1)[:, None] + _SUBPIXELS
            more = camera.unproject(pixels, np.ones(pixels.shape[:2])).reshape(-1, 3) @ R_room_cam.T
            hits = self.caster.cast(eye, more)
            colors = self._shade(eye, more.astype(np.float32), hits.face, hits.distance, pixel_m)
            light[rows, columns] = (light[rows, columns] + colors.reshape(len(rows), -1, 3).sum(1)) / 4
        return _GAMMA.take(np.clip(light * np.float32(4095), 0, 4095).astype(np.int32))

    def _edges(self, light: Float[np.ndarray, "h w 3"], face: Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """Pixels beside a pixel of another surface that looks different."""
        surface = self._surfaces.take(face)
        grey = np.sqrt(np.clip(light[..., 1], 0, 1))
        edge = np.zeros(face.shape, bool)
        across = (surface[:, 1:] != surface[:, :-1]) & (np.abs(grey[:, 1:] - grey[:, :-1]) > _EDGE_STEP)
        edge[:, 1:] |= across
        edge[:, :-1] |= across
        down = (surface[1:] != surface[:-1]) & (np.abs(grey[1:] - grey[:-1]) > _EDGE_STEP)
        edge[1:] |= down
        edge[:-1] |= down
        return edge

    @cached_property
    def _surfaces(self) -> Int[np.ndarray, "m"]:
        """A number for each face that is the same for neighbours of one flat surface with one colour."""
        mesh = self.mesh
        normal = np.round(mesh.normals[mesh.faces[:, 0]] * 3).astype(np.int64) + 3
        color = mesh.colors.astype(np.int64) @ [65536, 256, 1]
        return ((color * 343 + normal @ [49, 7, 1]) * 64 + (mesh.texture + 1)) * 64 + self._face_objects[:-1] + 1

    def _shade(
        self,
        eye: Float[np.ndarray, "3"],
        rays: Float[np.ndarray, "p 3"],
        face: Int[np.ndarray, "p"],
        distance: Float[np.ndarray, "p"],
        pixel_m: np.float32,
    ) -> Float[np.ndarray, "p 3"]:
        """Linear colour 0..1 (tone-mapped) of rays that hit `face` at `distance`; a pixel covers `pixel_m` at 1 m."""
        out = np.empty((len(face), 3), np.float32)
        for start in range(0, len(face), _BLOCK):  # small blocks stay in the processor's cache
            part = slice(start, start + _BLOCK)
            out[part] = self._shade_block(eye, rays[part], face[part], distance[part], pixel_m)
        return out

    def _shade_block(
        self, eye: np.ndarray, rays: np.ndarray, face: np.ndarray, distance: np.ndarray, pixel_m: np.float32
    ) -> Float[np.ndarray, "p 3"]:
        row = self._table.take(face, axis=0)
        offset = (eye - self._origin).astype(np.float32) + rays * distance[:, None]
        s = np.clip(np.einsum("pi,pi->p", offset, row[:, 0:3]) + row[:, 3], 0, 1)[:, None]
        t = np.clip(np.einsum("pi,pi->p", offset, row[:, 4:7]) + row[:, 7], 0, 1)[:, None]
        arriving = row[:, 8:11] + s * row[:, 11:14] + t * row[:, 14:17]
        albedo = row[:, 17:20]
        which = self._texture.take(face)
        for k in np.nonzero(np.bincount(which + 1, minlength=2)[1:])[0]:
            pick = np.nonzero(which == k)[0]
            texture = self._mips[k]
            albedo[pick] = texture.sample(offset[pick] + self._origin, distance[pick] * pixel_m)
            if texture.source.glow:
                arriving[pick] = np.maximum(arriving[pick] * 0.15, texture.source.glow)
        out = albedo * arriving
        out *= _EXPOSURE
        # A soft shoulder instead of burnt-out white.
        return out * (1 + out * np.float32(0.16)) / (1 + out * np.float32(0.55)) * np.float32(1.18)

    @cached_property
    def _table(self) -> Float[np.ndarray, "m 20"]:
        """What shading needs of each face: rows of the corner weights (8), light at corners (9), colour (3)."""
        light = light_room(self.mesh, self.caster, self._albedo, self._mips, self._ceiling_m, self._lights)
        a, b, c = (light[self.mesh.faces[:, k]] for k in range(3))
        return np.concatenate([self._corner_weights(), a, b - a, c - a, self._albedo], axis=1).astype(np.float32)

    def _corner_weights(self) -> Float[np.ndarray, "m 8"]:
        """Two rows (x, y, z, 1) for each face: they give the weights of its second and third corner at a point."""
        a, b, c = (self.mesh.vertices[self.mesh.faces[:, k]] - self._origin for k in range(3))
        e, f = b - a, c - a
        ee, ff, ef = (np.einsum("mi,mi->m", x, y) for x, y in ((e, e), (f, f), (e, f)))
        det = np.maximum(ee * ff - ef * ef, 1e-18)[:, None]
        u = (ff[:, None] * e - ef[:, None] * f) / det
        v = (ee[:, None] * f - ef[:, None] * e) / det
        return np.column_stack([u, -np.einsum("mi,mi->m", u, a), v, -np.einsum("mi,mi->m", v, a)])

    @cached_property
    def _origin(self) -> Float[np.ndarray, "3"]:
        return self.mesh.vertices.mean(0).astype(np.float32)

    @cached_property
    def _mips(self) -> list[MipTexture]:
        return [MipTexture(t) for t in self.mesh.textures]

    @cached_property
    def _albedo(self) -> Float[np.ndarray, "m 3"]:
        # Real things are neither as black nor as white as the models' colours.
        return (0.012 + 0.86 * linear(self.mesh.colors)).astype(np.float32)

    @cached_property
    def _texture(self) -> Int[np.ndarray, "m"]:
        return self.mesh.texture.astype(np.int16)
