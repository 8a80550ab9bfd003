"""Names the object whose surface is nearest to a point in the room, in constant time.

The room is cut into cells of a few centimetres. Cells that hold a piece of surface know its owner; every other cell
takes the owner of the nearest such cell, where one is as near as the tolerance can ever ask. A depth pixel, put back
into the room, then reads its owner from one cell:

    pixel (412, 230), depth 2.31 m -> world (3.1, 0.9, 0.7) -> cell (104, 31, 24) -> chair 17, 0.02 m away

Surface that belongs to no object has cells as well, so that a wall does not become part of the picture on it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from spaceland.errors import SceneError
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.visibility.nearest_cell import MAX_REACH, nearest_owners
from spaceland.visibility.samples import densify, split_surface
from spaceland.visibility.types import VisibilityConfig

_MAX_CELLS = 12_000_000
_MARGIN_M = 0.21
"""Depth pixels farther out than this show nothing that the scene knows of."""
_FAR_MM = (1 << 15) - 1
_UNKNOWN_OWNER = 0.01  # weight of a surface that also contains the objects, but does not say where


class LabelGrid:
    """Owner and distance of the nearest surface in every cell around a scene."""

    def __init__(self, scene: Scene, config: VisibilityConfig) -> None:
        voxel_m = config.voxel_m
        parts = _owned_points(scene, voxel_m)
        low = np.min([[axis.min() for axis in points.T] for points, _ in parts if len(points)], axis=0) - _MARGIN_M
        high = np.max([[axis.max() for axis in points.T] for points, _ in parts if len(points)], axis=0) + _MARGIN_M
        while np.prod((high - low) / voxel_m) > _MAX_CELLS:
            voxel_m *= 1.25
        # No depth within the scene is larger than its diagonal.
        reach_m = max(_MARGIN_M, float(config.tolerance_at(np.asarray(np.linalg.norm(high - low)))))
        # Floors and walls often lie at round numbers: keep them off the borders between cells.
        low -= 0.37 * voxel_m
        self.low, self.voxel_m = low, voxel_m
        self.shape = tuple(np.ceil((high - low) / voxel_m).astype(int).tolist())
        reach = min(int(np.ceil(reach_m / voxel_m)), MAX_REACH)
        owner, square = nearest_owners(self._largest_owners(parts), reach)
        distance_mm = np.minimum(1000 * voxel_m * np.sqrt(np.arange(reach * reach + 2)), _FAR_MM).astype(np.int32)
        # Owner and distance share one number, so that a lookup touches memory once.
        packed = owner << 15 | distance_mm[square]
        packed[owner < 0] = _FAR_MM
        # The outermost cells stand for everything beyond them: far from any surface.
        packed[[0, -1]] = packed[:, [0, -1]] = packed[:, :, [0, -1]] = _FAR_MM
        self._packed = packed.ravel()
        self._ids = np.array([NO_OBJECT] + [thing.id for thing in scene.objects], dtype=np.int32)

    def _largest_owners(
        self, parts: list[tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n"]]]
    ) -> Int[np.ndarray, "x y z"]:
        """Who has the largest area in each cell (of equal ones the later); -1 in cells without surface."""
        size = int(np.prod(self.shape))
        owners = np.full(size, -1, dtype=np.int32)
        largest, total = np.zeros(size), np.zeros(size)
        for owner, (points, areas) in enumerate(parts):
            cells = np.zeros(len(points), dtype=np.int32)
            for values, low, count in zip(points.T, self.low, self.shape, strict=True):
                cells *= np.int32(count)
                cells += ((values - low) / self.voxel_m).astype(np.int32)
            np.add.at(total, cells, areas)
            own = total[cells]
            won = own >= largest[cells]
            owners[cells[won]], largest[cells[won]] = owner, own[won]
            total[cells] = 0
        return owners.reshape(self.shape)

    def lookup(
        self, x: Float[np.ndarray, "*n"], y: Float[np.ndarray, "*n"], z: Float[np.ndarray, "*n"]
    ) -> tuple[Int[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
        """Object nearest to points given in cells from `low` (`NO_OBJECT`: none is nearest), and distance in metres.

        The distance counts from cell to cell; it is 32 m where no surface is in reach, and from the outermost cells
        outwards.
        """
        flat = np.zeros(x.shape, dtype=np.int32)
        for values, size in zip((x, y, z), self.shape, strict=True):
            flat *= np.int32(size)
            flat += np.clip(values, 0, size - 1).astype(np.int32)
        found = self._packed.take(flat)
        return self._ids.take(found >> 15), (found & _FAR_MM).astype(np.float32) * np.float32(0.001)


def _owned_points(scene: Scene, spacing_m: float) -> list[tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n"]]]:
    """Points all over the scene and their areas: those of the structure, then those of each object."""
    parts = split_surface(scene)
    points, areas = parts.structure.points(spacing_m)
    found = [(points, areas if parts.owners_known else areas * _UNKNOWN_OWNER)]
    for thing in scene.objects:
        points, areas = densify(thing.points, thing.faces, spacing_m)
        if thing.id in parts.owned:
            more, more_areas = parts.owned[thing.id].points(spacing_m)
            points, areas = np.concatenate([points, more]), np.concatenate([areas, more_areas])
        found.append((points, areas))
    if not any(len(points) for points, _ in found):
        raise SceneError(f"scene {scene.id} has neither surface nor objects; there is nothing to see")
    return found
