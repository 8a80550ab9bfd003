"""Soft light, worked out once for each vertex of a room.

Each vertex looks around: rays over the hemisphere above it bring home the light of what they hit. The ceiling shines
softly (most below its lamps), walls and floor pass on a share of their colour, and near surfaces that get little light
themselves darken the vertex: that is the shade under tables and in corners. Windows are small and bright, so they get
rays of their own. The result is what arrives at a vertex; a picture is this times the colour of the surface.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix

from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.rooms.mesh import Mesh

_NUM_RAYS = 48
_OFFSET_M = 2e-3
_BLOCK = 20000
_NEAR_M = 0.35
_BURIED_M = 0.03


def bake(
    mesh: Mesh,
    caster: RayCaster,
    face_radiance: Float[np.ndarray, "m 3"],
    windows: Float[np.ndarray, "w q 3"],
    window_normals: Float[np.ndarray, "w 3"],
    window_areas: Float[np.ndarray, "w"],
) -> Float[np.ndarray, "n 3"]:
    """Light that arrives at each vertex (linear RGB, about 1 in a bright place).

    Args:
        mesh: The room with everything in it.
        caster: Rays on the same mesh.
        face_radiance: Light that each face sends out or passes on, linear.
        windows: Points on each window from which daylight comes.
        window_normals: Unit vectors into the room.
        window_areas: Square metres.
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
        dimmed = np.clip(0.25 + 0.75 * hits.distance / _NEAR_M, 0, 1)
        gathered = np.einsum("nki,nk->ni", face_radiance[hits.face], dimmed) / _NUM_RAYS
        light[part] = gathered + _daylight(origin, normal, caster, windows, window_normals, window_areas)
        free[part] = (hits.distance > _BURIED_M).mean(1)
    return _smoothed(light, np.clip((free - 0.15) / 0.3, 1e-3, 1.0), mesh)


def _daylight(origin, normal, caster, windows, window_normals, window_areas) -> Float[np.ndarray, "n 3"]:
    total = np.zeros(len(origin))
    for points, outward, area in zip(windows, window_normals, window_areas, strict=True):
        toward = points[None] - origin[:, None]
        square = np.einsum("nqi,nqi->nq", toward, toward)
        unit = toward / np.sqrt(square)[..., None]
        cosine = np.maximum(np.einsum("nqi,ni->nq", unit, normal), 0) * np.maximum(-(unit @ outward), 0)
        weight = cosine / np.maximum(square, 0.08) * (area / len(points) / np.pi)
        wanted = weight.max(1) > 1e-4
        if not wanted.any():
            continue
        hits = caster.cast(origin[wanted][:, None], toward[wanted])
        open_way = (hits.face < 0) | (hits.distance > 0.985)
        total[wanted] += (weight[wanted] * open_way).sum(1)
    return total[:, None] * np.array([2.4, 2.6, 2.9])


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
    for _ in range(3):
        around, total = (adjacency @ (weight * light)) / degree, (adjacency @ weight) / degree
        light = (weight * light + 0.6 * around) / (weight + 0.6 * total)
        weight = np.maximum(weight, np.minimum(total, 1.0) * 0.5)
    return light.astype(np.float32)
