"""Meshes of models and rooms: triangles with a colour each, and flat pictures laid onto some of them.

A `Mesh` is what a `RayCaster` hits. `Texture` maps a point on a flat part to its picture by two dot products, so it
needs no stored texture coordinates and may be moved with the mesh:

    u = (point - origin) @ u_axis          0..1 from the left to the right edge of the picture
    v = (point - origin) @ v_axis          0..1 from its top to its bottom edge
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

# Corners of neighbouring triangles share a normal up to this angle; beyond it, the edge is sharp.
_CREASE_COSINE = float(np.cos(np.radians(40.0)))


Vector = Sequence[float] | Float[np.ndarray, "3"]


class LazyPicture:
    """A picture (uint8 RGB, sides powers of two) that is painted on demand, and then kept."""

    def __init__(self, paint: Callable[[], UInt8[np.ndarray, "h w 3"]]) -> None:
        self._paint = paint

    @cached_property
    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        return self._paint()


@dataclass(frozen=True, eq=False)
class Texture:
    """A picture on a plane; beyond its edges it repeats or is clamped. It is painted when it is first looked at.

    `glow` is the light that it sends out itself, as a share of its own colour: 0 for paper, about 1 for a screen.
    """

    picture: LazyPicture
    origin: Float[np.ndarray, "3"]
    u_axis: Float[np.ndarray, "3"]
    v_axis: Float[np.ndarray, "3"]
    repeat: bool = False
    glow: float = 0.0

    def moved(self, rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, "3"]) -> Texture:
        """The same picture after its mesh was turned and then shifted."""
        return replace(
            self,
            origin=rotation @ self.origin + translation,
            u_axis=rotation @ self.u_axis,
            v_axis=rotation @ self.v_axis,
        )


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with a colour each. `normals` are unit vectors; `texture` is an index into `textures` or -1."""

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"]
    colors: UInt8[np.ndarray, "m 3"]
    texture: Int[np.ndarray, "m"]
    textures: tuple[Texture, ...] = ()

    def moved(self, rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, "3"]) -> Mesh:
        """The mesh turned and then shifted, its pictures with it."""
        return replace(
            self,
            vertices=self.vertices @ rotation.T + translation,
            normals=self.normals @ rotation.T,
            textures=tuple(t.moved(rotation, translation) for t in self.textures),
        )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; vertices, faces and textures keep the order of the parts."""
    vertex_start = np.cumsum([0] + [len(m.vertices) for m in meshes])
    texture_start = np.cumsum([0] + [len(m.textures) for m in meshes])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, vertex_start, strict=False)]),
        np.concatenate([m.colors for m in meshes]),
        np.concatenate(
            [np.where(m.texture >= 0, m.texture + s, -1) for m, s in zip(meshes, texture_start, strict=False)]
        ),
        tuple(t for m in meshes for t in m.textures),
    )


def patch(
    origin: Vector,
    across: Vector,
    up: Vector,
    color: Sequence[int],
    *,
    spacing_m: float = 0.05,
    picture: LazyPicture | None = None,
    glow: float = 0.0,
) -> Mesh:
    """A flat rectangle as a grid of triangles, seen from the side that `across x up` points to.

    `origin` is its lower left corner there, `across` and `up` its sides in metres. A picture fills the rectangle.
    """
    start, a, b = (np.asarray(x, float) for x in (origin, across, up))
    width, height = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    columns, rows = (max(1, int(np.ceil(length / spacing_m - 1e-6))) for length in (width, height))
    s, t = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1), indexing="ij")
    vertices = start + s.reshape(-1, 1) * a + t.reshape(-1, 1) * b
    index = np.arange(s.size).reshape(s.shape)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    normal = np.cross(a, b) / (width * height)
    textures = ()
    if picture is not None:
        textures = (Texture(picture, start + b, a / width**2, -b / height**2, glow=glow),)
    return Mesh(
        vertices,
        np.tile(normal, (len(vertices), 1)),
        faces,
        np.tile(np.asarray(color, np.uint8), (len(faces), 1)),
        np.full(len(faces), 0 if textures else -1, np.int32),
        textures,
    )


def cuboid(low: Vector, high: Vector, color: Sequence[int], *, spacing_m: float = 0.05, sides: str = "xXyYzZ") -> Mesh:
    """An axis-aligned cuboid; `sides` names the faces to make (small letter: lower side of that axis)."""
    lo, hi = np.asarray(low, float), np.asarray(high, float)
    dx, dy, dz = np.diag(hi - lo)
    corners = {
        "x": (lo + dy, -dy, dz),
        "X": (lo + dx, dy, dz),
        "y": (lo, dx, dz),
        "Y": (lo + dx + dy, -dx, dz),
        "z": (lo + dy, dx, -dy),
        "Z": (lo + dz, dx, dy),
    }
    return join([patch(*corners[side], color, spacing_m=spacing_m) for side in sides])


def lathe(profile: Sequence[tuple[float, float]], color: Sequence[int], *, segments: int = 28) -> Mesh:
    """A turned shape about the z axis; `profile` lists (radius, height) from the bottom outwards to the top."""
    points = [np.asarray(profile[0], float)]
    for end in np.asarray(profile[1:], float):
        pieces = max(1, int(np.ceil(np.linalg.norm(end - points[-1]) / 0.04)))
        points.extend(points[-1] + (end - points[-1]) * k / pieces for k in range(1, pieces + 1))
    ring = np.array(points)
    angle = np.arange(segments) * 2 * np.pi / segments
    vertices = np.stack(
        [
            ring[:, None, 0] * np.cos(angle),
            ring[:, None, 0] * np.sin(angle),
            np.broadcast_to(ring[:, None, 1], (len(ring), segments)),
        ],
        -1,
    ).reshape(-1, 3)
    row, column = np.meshgrid(np.arange(len(ring) - 1), np.arange(segments), indexing="ij")
    a, b = row * segments + column, row * segments + (column + 1) % segments
    c, d = a + segments, b + segments
    faces = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    areas = np.linalg.norm(_face_normals(vertices, faces), axis=1)
    faces = faces[areas > 1e-10]
    return triangles(vertices, faces, np.tile(np.asarray(color, np.uint8), (len(faces), 1)))


def triangles(
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"],
    colors: UInt8[np.ndarray, "m 3"],
    *,
    max_edge_m: float = 0.12,
) -> Mesh:
    """A mesh from any triangles: large ones cut (see `subdivide`), vertices split along creases and colour borders."""
    vertices, faces, colors = subdivide(np.asarray(vertices, float), np.asarray(faces, np.int64), colors, max_edge_m)
    normals = _corner_normals(vertices, faces)
    key = np.column_stack(
        [
            faces.reshape(-1),
            np.repeat(colors.astype(np.int64) @ [65536, 256, 1], 3),
            np.round(normals * 50).astype(np.int64) @ [10**6, 10**3, 1],
        ]
    )
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return Mesh(
        vertices[faces.reshape(-1)[first]],
        normals[first],
        index.reshape(-1, 3).astype(np.int32),
        colors,
        np.full(len(faces), -1, np.int32),
    )


def subdivide(
    vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, max_edge_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Halve the longest edge of each triangle until none is longer than `max_edge_m`.

    Slivers may stay four times as long: light hardly changes across them, and cutting them makes very many.
    """
    while True:
        ends = vertices[faces]
        lengths = np.linalg.norm(ends - np.roll(ends, -1, axis=1), axis=2)  # edge k runs from corner k to k + 1
        longest = lengths.argmax(1)
        area = np.linalg.norm(_face_normals(vertices, faces), axis=1)  # twice the area: longest edge times height
        sliver = area < lengths.max(1) * max_edge_m / 4
        split = lengths.max(1) > max_edge_m * np.where(sliver, 4.0, 1.0)
        if not split.any():
            return vertices, faces, colors
        rows = np.arange(len(faces))
        a = faces[rows, longest][split]
        b = faces[rows, (longest + 1) % 3][split]
        c = faces[rows, (longest + 2) % 3][split]
        pair = np.minimum(a, b) * np.int64(len(vertices)) + np.maximum(a, b)
        _, first, index = np.unique(pair, return_index=True, return_inverse=True)
        middle = len(vertices) + index.reshape(-1)
        vertices = np.concatenate([vertices, (vertices[a[first]] + vertices[b[first]]) / 2])
        halves = [np.column_stack([a, middle, c]), np.column_stack([middle, b, c])]
        faces = np.concatenate([faces[~split], *halves])
        colors = np.concatenate([colors[~split], colors[split], colors[split]])


def _face_normals(vertices: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "m 3"]:
    """Normals whose length is twice the area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _corner_normals(vertices: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "k 3"]:
    """Unit normals of the 3 m corners: the mean over the faces around the vertex on the same side of any crease."""
    area_normals = _face_normals(vertices, faces)
    unit = area_normals / np.maximum(np.linalg.norm(area_normals, axis=1, keepdims=True), 1e-20)
    corner_vertex = faces.reshape(-1)
    corner_face = np.repeat(np.arange(len(faces)), 3)
    order = np.argsort(corner_vertex, kind="stable")
    counts = np.bincount(corner_vertex, minlength=len(vertices))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    size = counts[corner_vertex]
    mine = np.repeat(np.arange(len(corner_vertex)), size)  # every corner with every corner at the same vertex
    step = np.arange(len(mine)) - np.repeat(np.cumsum(size) - size, size)
    other_face = corner_face[order[starts[corner_vertex[mine]] + step]]
    same = np.einsum("ij,ij->i", unit[corner_face[mine]], unit[other_face]) > _CREASE_COSINE
    total = np.stack(
        [np.bincount(mine[same], area_normals[other_face[same], k], minlength=len(corner_vertex)) for k in range(3)],
        -1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-20, total / np.maximum(length, 1e-20), [0.0, 0.0, 1.0])
