"""The surface of a room as 3D viewers show it: without its ceiling, few enough triangles to turn smoothly, coloured.

Large meshes are thinned by merging the vertices of each cell of a grid, those of different objects apart, so that a
cup on a table stays a thing of its own. That is for the eye only: nothing is measured on the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.errors import SceneError
from spaceland.prompts.bev import scene_surface
from spaceland.prompts.ceiling import open_room
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface

_GREY = (176, 176, 172)
_GROW = 1.25


@dataclass(frozen=True, eq=False)
class ShownSurface:
    """Vertices [n, 3] in world metres, colours [n, 3], owner of each vertex [n] (`NO_OBJECT`: the room or unnamed
    things), and triangles [m, 3] (None: points)."""

    vertices: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    object_ids: Int[np.ndarray, "n"]
    faces: Int[np.ndarray, "m 3"] | None


def shown_surface(scene: Scene, *, max_faces: int = 80_000, max_points: int = 150_000) -> ShownSurface:
    """The surface of a scene for showing; a scene that has none gives an empty one.

    Raises:
        SceneError: an image that the surface would be fused from is broken.
    """
    surface = _opened(scene)
    if surface is None:
        return ShownSurface(
            np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8), np.zeros(0, np.int32), None
        )  # fmt: skip
    count = len(surface.vertices)
    colors = surface.colors if surface.colors is not None else np.full((count, 3), _GREY, np.uint8)
    owner = surface.object_ids if surface.object_ids is not None else np.full(count, NO_OBJECT)
    shown = ShownSurface(surface.vertices, colors, np.asarray(owner, np.int32), surface.faces)
    if shown.faces is None or len(shown.faces) == 0:
        cell_m = 0.01
        while len(shown.vertices) > max_points:
            shown, cell_m = merge_cells(shown, cell_m), cell_m * _GROW
        return ShownSurface(shown.vertices.astype(np.float32), shown.colors, shown.object_ids, None)
    used = np.unique(shown.faces)
    shown = _pick(shown, used)
    assert shown.faces is not None
    if len(shown.faces) > max_faces:
        # A surface of area A, cut into squares of side c with two triangles each, has 2 A / c^2 of them.
        a, b, c = (shown.vertices[shown.faces[:, k]] for k in range(3))
        area_m2 = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
        full, cell_m = shown, float(np.sqrt(2 * area_m2 / max_faces))
        while len(shown.faces) > max_faces:
            shown, cell_m = merge_cells(full, cell_m), cell_m * _GROW
            assert shown.faces is not None
    return ShownSurface(shown.vertices.astype(np.float32), shown.colors, shown.object_ids, shown.faces)


def merge_cells(shown: ShownSurface, cell_m: float) -> ShownSurface:
    """Merge the vertices that share a cell of the grid and an owner; triangles that lose their area are left out."""
    if len(shown.vertices) == 0:
        return shown
    cell = np.floor((shown.vertices - shown.vertices.min(0)) / cell_m).astype(np.int64)
    keys = np.column_stack([cell, shown.object_ids])
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    index = index.reshape(-1)
    count = np.bincount(index)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.bincount(index, values[:, k]) / count for k in range(3)])

    colors = np.rint(mean(shown.colors.astype(float))).astype(np.uint8)
    faces = None
    if shown.faces is not None:
        faces = index[shown.faces]
        a, b, c = faces.T
        faces = faces[(a != b) & (b != c) & (a != c)]
        # The same triangle may come out several times; which corner comes first does not matter, the turn does.
        start = faces.argmin(1)
        turned = faces[np.arange(len(faces))[:, None], (start[:, None] + np.arange(3)) % 3]
        faces = np.unique(turned, axis=0) if len(turned) else turned
    return ShownSurface(mean(shown.vertices), colors, shown.object_ids[first], faces)


def _opened(scene: Scene) -> Surface | None:
    try:
        surface, _ = scene_surface(scene)
    except SceneError:
        if scene.surface is None and not any(frame.depth for frame in scene.frames) and not scene.objects:
            return None
        raise
    try:
        return open_room(scene, surface).surface
    except SceneError:  # nothing below the ceiling: show all there is
        return surface


def _pick(shown: ShownSurface, used: Int[np.ndarray, "k"]) -> ShownSurface:
    """Only the vertices that triangles use."""
    assert shown.faces is not None
    new = np.zeros(len(shown.vertices), dtype=np.int64)
    new[used] = np.arange(len(used))
    return ShownSurface(shown.vertices[used], shown.colors[used], shown.object_ids[used], new[shown.faces])
