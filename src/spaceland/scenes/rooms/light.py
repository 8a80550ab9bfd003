"""Soft light, worked out once for each vertex of a room.

Each vertex looks around: rays over the hemisphere above it bring home the light of what they hit. The ceiling shines
softly (most below its lamps), walls and floor pass on a share of their colour, and near surfaces that get little light
themselves darken the vertex: that is the shade under tables and in corners. Windows are small and bright, so they get
rays of their own. The result is what arrives at a vertex; a picture is this times the colour of the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix

from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.rooms.mesh import Mesh
from spaceland.scenes.rooms.texels import MipTexture

_NUM_RAYS = 40
_OFFSET_M = 2e-3
_BLOCK = 20000
_NEAR_M = 0.6
_BURIED_M = 0.03


_DAYLIGHT = np.array([2.3, 2.5, 2.8])
_LAMPLIGHT = np.array([72.0, 69.0, 63.0])
_CEILING_LIGHT = np.array([0.40, 0.39, 0.372])
_CONTRAST = np.float32(0.5)


@dataclass(frozen=True, eq=False)
class Lamp:
    """A small bright surface: points on it, its normal into the room, its area, and its radiance (linear RGB).

    `evenness_m2` is added to squared distances: near things then get less than their due.
    """

    points: Float[np.ndarray, "q 3"]
    normal: Float[np.ndarray, "3"]
    area_m2: float
    radiance: Float[np.ndarray, "3"]
    evenness_m2: float


def light_room(
    mesh: Mesh,
    caster: RayCaster,
    albedo: Float[np.ndarray, "m 3"],
    pictures: list[MipTexture],
    ceiling_m: float,
    lights: Float[np.ndarray, "k 2"],
) -> Float[np.ndarray, "n 3"]:
    """Light that arrives at each vertex of a room (linear RGB, about 1 in a bright place).

    Args:
        mesh: The room with everything in it, in the room frame.
        caster: Rays on the same mesh.
        albedo: Linear colour of each face where it has no picture.
        pictures: Those of `mesh.textures`; those that glow more than white are windows.
        ceiling_m: Height of the room.
        lights: Places of the ceiling lights.
    """
    albedo = albedo.copy()
    corners = mesh.vertices[mesh.faces]
    lamps = []
    for k, picture in enumerate(pictures):
        own = mesh.texture == k
        albedo[own] = picture.mean
        if picture.source.glow > 1:
            lamps.append(_window(corners[own], picture))
    angle, radius = np.arange(12) * 2.4, 0.3 * np.sqrt((np.arange(12) + 0.5) / 12)
    for x, y in lights:
        disc = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle), np.full(12, ceiling_m - 0.075)], -1)
        radiance = _LAMPLIGHT / len(lights) ** 0.5
        lamps.append(Lamp(disc, np.array([0.0, 0.0, -1.0]), 0.28, radiance, 4.0))
    height = corners[:, :, 2].mean(1)
    passed_on = albedo * (0.4 + 0.25 * height / ceiling_m)[:, None]
    on_ceiling = height > ceiling_m - 1e-3
    radiance = np.where(on_ceiling[:, None], np.maximum(passed_on, _CEILING_LIGHT), passed_on)
    light = bake(mesh, caster, radiance.astype(np.float32), lamps)
    light *= np.clip(light.mean(1, keepdims=True) / 0.52, 0.02, 1.4) ** _CONTRAST
    return _with_bright_ceiling(light, mesh, ceiling_m, lights)


def _with_bright_ceiling(light: np.ndarray, mesh: Mesh, ceiling_m: float, lights: np.ndarray) -> np.ndarray:
    """Ceilings are bright in pictures of rooms, and a lamp is white."""
    z = mesh.vertices[:, 2]
    light[(mesh.normals[:, 2] < -0.99) & (z > ceiling_m - 1e-3)] += np.float32(0.4)
    near = np.linalg.norm(mesh.vertices[:, None, :2] - lights, axis=-1).min(1) < 0.25
    light[near & (z > ceiling_m - 0.07) & (z < ceiling_m - 1e-4)] = 1.7
    return light


def _window(corners: Float[np.ndarray, "k 3 3"], picture: MipTexture) -> Lamp:
    """The glass of a window as a lamp."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = cross.sum(0) / np.linalg.norm(cross.sum(0))
    u, v = picture.source.u_axis, picture.source.v_axis
    s, t = np.meshgrid((np.arange(3) + 0.5) / 3, (np.arange(4) + 0.5) / 4)
    points = picture.source.origin + s.reshape(-1, 1) * u / (u @ u) + t.reshape(-1, 1) * v / (v @ v) + 0.01 * normal
    return Lamp(points, normal, float(np.linalg.norm(cross, axis=1).sum() / 2), _DAYLIGHT, 0.3)


def bake(
    mesh: Mesh, caster: RayCaster, face_radiance: Float[np.ndarray, "m 3"], lamps: list[Lamp]
) -> Float[np.ndarray, "n 3"]:
    """Light that arrives at each vertex (linear RGB, about 1 in a bright place).

    Args:
        mesh: The room with everything in it.
        caster: Rays on the same mesh.
        face_radiance: Light that each face sends out or passes on, linear.
        lamps: Windows and ceiling lights.
    """
    directions = _hemisphere(_NUM_RAYS)
    light = np.empty((len(mesh.vertices), 3), dtype=np.float32)
    free = np.empty(len(mesh.vertices), dtype=np.float32)
    for start in range(0, len(light), _BLOCK):
        part = slice(start, start + _BLOCK)
        origin = mesh.vertices[part] + _OFFSET_M * mesh.normals[part]
        normal = mesh.normals[part]
        tangent = _tangents(normal)
        rays = (
            directions[:, 0, None] * tangent[:, None, 0]
            + directions[:, 1, None] * tangent[:, None, 1]
            + directions[:, 2, None] * normal[:, None]
        )
        hits = caster.cast(origin[:, None], rays)
        # Between two near surfaces there is little light to pass on: that makes the shade in corners and under things.
        dimmed = np.clip(0.12 + 0.88 * hits.distance / _NEAR_M, 0, 1)
        gathered = np.einsum("nki,nk->ni", face_radiance[hits.face], dimmed) / _NUM_RAYS
        light[part] = gathered + sum(_from_lamp(origin, normal, caster, lamp) for lamp in lamps)
        free[part] = (hits.distance > _BURIED_M).mean(1)
    return _smoothed(light, np.clip((free - 0.15) / 0.3, 1e-3, 1.0), mesh)


def _from_lamp(origin: np.ndarray, normal: np.ndarray, caster: RayCaster, lamp: Lamp) -> Float[np.ndarray, "n 3"]:
    """Light of one lamp, with soft shadows: the share of its points that a vertex sees."""
    toward = lamp.points[None] - origin[:, None]
    square = np.einsum("nqi,nqi->nq", toward, toward)
    unit = toward / np.sqrt(square)[..., None]
    cosine = np.maximum(np.einsum("nqi,ni->nq", unit, normal), 0) * np.maximum(-(unit @ lamp.normal), 0)
    # Real light falls off with the square; a room lit like that has burnt-out table tops, so it is evened out.
    weight = cosine / (square + lamp.evenness_m2) * (lamp.area_m2 / len(lamp.points) / np.pi)
    total = np.zeros(len(origin))
    wanted = weight.max(1) * lamp.radiance.max() > 1e-3
    if wanted.any():
        hits = caster.cast(origin[wanted][:, None], toward[wanted])
        unhidden = (hits.face < 0) | (hits.distance > 0.985)
        total[wanted] = (weight[wanted] * unhidden).sum(1)
    return total[:, None] * lamp.radiance


def _hemisphere(count: int) -> Float[np.ndarray, "k 3"]:
    """Directions around +z, denser near it by the cosine, so that plain means are light (a spiral on the disc)."""
    k = np.arange(count) + 0.5
    radius, angle = np.sqrt(k / count), np.pi * (3 - 5**0.5) * k
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], -1)


def _tangents(normal: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2 3"]:
    helper = np.where(np.abs(normal[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normal, first)], 1)


def _smoothed(light: np.ndarray, trust: np.ndarray, mesh: Mesh) -> np.ndarray:
    """The mean with the neighbours along triangle edges: it hides the steps of few rays.

    Vertices that are buried behind another surface are dark, but part of their triangles may be in view: they have
    little `trust` and take the light of their neighbours.
    """
    a, b, c = mesh.faces.T
    rows, columns = np.concatenate([a, b, c, b, c, a]), np.concatenate([b, c, a, a, b, c])
    n = len(light)
    adjacency = coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n)).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(1)), 1)
    weight = trust[:, None].astype(np.float32)
    light = (1.5 * light + (adjacency @ light) / degree) / 2.5
    for _ in range(10):
        around, total = (adjacency @ (weight * light)) / degree, (adjacency @ weight) / degree
        mixed = (weight * light + 0.6 * around) / (weight + 0.6 * total)
        light = np.where(trust[:, None] < 0.8, mixed, light)
        weight = np.maximum(weight, np.minimum(total, 1.0) * 0.5)
    return light.astype(np.float32)
