"""Names the object whose surface is nearest to a point in the room, in constant time.

The room is cut into cells of a few centimetres. Cells that hold a piece of surface know its owner; every other cell
takes the owner of the nearest such cell. A depth pixel, put back into the room, then reads its owner from one cell:

    pixel (412, 230), depth 2.31 m -> world (3.1, 0.9, 0.7) -> cell (104, 31, 24) -> chair 17, 0.02 m away

Surface that belongs to no object has cells as well, so that a wall does not become part of the picture on it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.visibility.samples import densify, split_surface

_MAX_CELLS = 12_000_000
_MARGIN_M = 0.3
_FAR_MM = (1 << 15) - 1
_UNKNOWN_OWNER = 0.01  # weight of a surface that also contains the objects, but does not say where


class LabelGrid:
    """Owner and distance of the nearest surface in every cell around a scene."""

    def __init__(self, scene: Scene, voxel_m: float) -> None:
        points, areas, owners = _owned_points(scene, voxel_m)
        low, high = points.min(0) - _MARGIN_M, points.max(0) + _MARGIN_M
        while np.prod((high - low) / voxel_m) > _MAX_CELLS:
            voxel_m *= 1.25
        # Floors and walls often lie at round numbers: keep them off the borders between cells.
        low -= 0.37 * voxel_m
        self.low, self.voxel_m = low, voxel_m
        self.shape = tuple(np.ceil((high - low) / voxel_m).astype(int))
        x, y, z = ((points - low) / voxel_m).astype(np.int32).T
        seeds = np.full(self.shape, -1, dtype=np.int32)
        cells, winners = _largest_owner((x * self.shape[1] + y) * self.shape[2] + z, areas, owners)
        seeds.ravel()[cells] = winners
        nearest = ndimage.distance_transform_edt(seeds < 0, return_distances=False, return_indices=True)
        square = np.zeros(self.shape, dtype=np.int32)
        for axis, size in enumerate(self.shape):
            place = np.arange(size, dtype=np.int32).reshape([-1 if k == axis else 1 for k in range(3)])
            square += (nearest[axis] - place) ** 2
        flat = (nearest[0] * self.shape[1] + nearest[1]) * self.shape[2] + nearest[2]
        distance_mm = np.minimum(np.sqrt(square, dtype=np.float32) * np.float32(1000 * voxel_m), _FAR_MM)
        # Owner and distance share one number, so that a lookup touches memory once.
        packed = seeds.ravel()[flat] << 15 | distance_mm.astype(np.int32)
        # The outermost cells stand for everything beyond them: far from any surface.
        packed[[0, -1]] = packed[:, [0, -1]] = packed[:, :, [0, -1]] = _FAR_MM
        self._packed = packed.ravel()
        self._ids = np.array([NO_OBJECT] + [thing.id for thing in scene.objects], dtype=np.int32)

    def lookup(
        self, x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], z: Float[np.ndarray, "n"]
    ) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Object nearest to points given in cells from `low` (`NO_OBJECT`: none is nearest), and distance in metres.

        The distance counts from cell to cell; from the outermost cells outwards it is 32 m, whatever is there.
        """
        flat = np.zeros(len(x), dtype=np.int32)
        for values, size in zip((x, y, z), self.shape, strict=True):
            flat *= np.int32(size)
            flat += np.clip(values, 0, size - 1).astype(np.int32)
        found = self._packed[flat]
        return self._ids[found >> 15], (found & _FAR_MM).astype(np.float32) * np.float32(0.001)


def _largest_owner(
    cells: Int[np.ndarray, "n"], areas: Float[np.ndarray, "n"], owners: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "c"], Int[np.ndarray, "c"]]:
    """Occupied cells, and who has the largest area in each."""
    num = int(owners.max()) + 1
    pairs, place = np.unique(cells.astype(np.int64) * num + owners, return_inverse=True)
    total = np.bincount(place, weights=areas)
    order = np.lexsort((total, pairs // num))
    last = np.append(np.diff(pairs[order] // num) > 0, True)
    best = pairs[order][last]
    return best // num, (best % num).astype(np.int32)


def _owned_points(
    scene: Scene, spacing_m: float
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Points all over the scene, their areas, and their owners: 0 for structure, k + 1 for the k-th object."""
    parts = split_surface(scene)
    points, areas = ([part] for part in parts.structure.points(spacing_m))
    if not parts.owners_known:
        areas = [areas[0] * _UNKNOWN_OWNER]
    for thing in scene.objects:
        own, area = densify(thing.points, thing.faces, spacing_m)
        if thing.id in parts.owned:
            more, more_area = parts.owned[thing.id].points(spacing_m)
            own, area = np.concatenate([own, more]), np.concatenate([area, more_area])
        points.append(own)
        areas.append(area)
    owners = np.repeat(np.arange(len(points), dtype=np.int32), [len(p) for p in points])
    if len(owners) == 0:
        raise SceneError(f"scene {scene.id} has neither surface nor objects; there is nothing to see")
    return np.concatenate(points), np.concatenate(areas), owners
