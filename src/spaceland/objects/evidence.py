"""Who agrees with whom: which points of one detection do other frames show in which of their detections.

All detections of a scene are cut into the same cells. Each cell's place is looked up in every frame: it is visible
there when the depth at its pixel is its own, and then every detection of that frame either holds the pixel or does not.
So for any detections a (frame f) and b (frame g) two numbers are known:

    inside[a, b]    cells of a that are visible in g and lie in b's pixels
    visible[a, g]   cells of a that are visible in g

If a and b show the same thing, their ratio is about 1, however little of a can be seen from g; if they show two
things, about 0. Detections of one frame take part like all others, so that two things that stand side by side in one
picture are known to be two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csc_matrix, csr_matrix

from spaceland.geometry.camera import PinholeCamera
from spaceland.objects.cells import cell_means
from spaceland.objects.frame_depth import FrameDepth
from spaceland.objects.lift import Lifted

_STEPS_PER_M = 4000.0
_THROUGH = 2.0


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """What is kept of a frame to look places up in it: depth in quarters of a millimetre (0: unknown)."""

    frame_id: str
    camera: PinholeCamera
    T_world_cam: Float[np.ndarray, "4 4"]
    steps: Int[np.ndarray, "h w"]

    @classmethod
    def of(cls, view: FrameDepth) -> SeenFrame:
        """From a depth view; farther than 16 m counts as unknown."""
        steps = np.rint(view.depth * np.float32(_STEPS_PER_M))
        return cls(
            view.frame.id, view.camera, view.frame.T_world_cam, np.where(steps < 65536, steps, 0).astype(np.uint16)
        )

    def look(
        self, points: Float[np.ndarray, "n 3"], tolerance_m: float, tolerance_per_m: float
    ) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"], Int[np.ndarray, "k"], Int[np.ndarray, "m"]]:
        """Indices of the points that are visible, the rows and columns of their pixels, and points seen through.

        What is seen through is nothing: the frame shows something clearly behind it.
        """
        local = (points - self.T_world_cam[:3, 3]) @ self.T_world_cam[:3, :3]
        ahead = np.flatnonzero(local[:, 2] > 0.05)
        x, y, z = local[ahead].T
        column = np.floor(x / z * self.camera.fx + self.camera.cx)
        row = np.floor(y / z * self.camera.fy + self.camera.cy)
        height, width = self.steps.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        ahead, z = ahead[inside], z[inside]
        row, column = row[inside].astype(np.int64), column[inside].astype(np.int64)
        depth = self.steps[row, column] / _STEPS_PER_M
        tolerance = tolerance_m + tolerance_per_m * z
        seen = (depth > 0) & (np.abs(depth - z) <= tolerance)
        return ahead[seen], row[seen], column[seen], ahead[depth - z > _THROUGH * tolerance]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What all frames say about all detections (l of them, in the given order), in cells (c) and frames (f).

    `places` [c, 3] is the mean of the points in each cell. Matrices: `cells` [l, c] holds 1 where a detection has
    points, `visible` [c, f] 1 where a frame sees a cell, `inside` [c, l] 1 where a detection's pixels show a cell.
    `through` [c] counts the frames that see something behind a cell, as if nothing were there.
    """

    places: Float[np.ndarray, "c 3"]
    cells: csr_matrix
    visible: csr_matrix
    inside: csr_matrix
    frame_of: Int[np.ndarray, "l"]
    through: Int[np.ndarray, "c"]


def gather(
    lifted: Sequence[Lifted],
    frames: Sequence[SeenFrame],
    frame_index: Mapping[str, int],
    *,
    voxel_m: float,
    tolerance_m: float,
    tolerance_per_m: float,
) -> Evidence:
    """Look every cell up in every frame.

    Args:
        lifted: Detections, at least one.
        frames: All frames that a finder looked at, with or without detections.
        frame_index: Place of each frame id in `frames`.
        voxel_m: Edge of the cells.
        tolerance_m: Part of the tolerance in depth that does not depend on it.
        tolerance_per_m: Part that grows with depth.
    """
    parts = [cell_means(thing.points, voxel_m) for thing in lifted]
    keys = np.concatenate([part[0] for part in parts])
    unique, place = np.unique(keys, return_inverse=True)
    weight = np.concatenate([part[2] for part in parts])
    sums = np.concatenate([part[1] for part in parts])
    total = np.bincount(place, weight, minlength=len(unique))
    places = np.stack([np.bincount(place, sums[:, k], minlength=len(unique)) for k in range(3)], -1) / total[:, None]
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    ones = np.ones(len(place), dtype=np.int32)
    cells = csr_matrix((ones, place.astype(np.int32), starts), shape=(len(lifted), len(unique)))
    members: list[list[int]] = [[] for _ in frames]
    frame_of = np.array([frame_index[thing.frame_id] for thing in lifted])
    for number, frame in enumerate(frame_of.tolist()):
        members[frame].append(number)
    through = np.zeros(len(unique), dtype=np.int64)
    seen_by_frame: list[np.ndarray] = []
    inside_by_lift: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(lifted)
    for frame, mine in zip(frames, members, strict=True):
        index, rows, columns, seen_through = frame.look(places, tolerance_m, tolerance_per_m)
        through[seen_through] += 1
        seen_by_frame.append(index)
        for number in mine:
            inside_by_lift[number] = index[lifted[number].region.holds(rows, columns)]
    visible, inside = _columns(seen_by_frame, len(unique)), _columns(inside_by_lift, len(unique))
    return Evidence(places, cells, visible, inside, frame_of, through)


def _columns(parts: Sequence[Int[np.ndarray, "n"]], rows: int) -> csr_matrix:
    """A matrix of which column k holds 1 in the rows `parts[k]`."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    index = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    return csc_matrix((np.ones(len(index), dtype=np.int32), index, starts), shape=(rows, len(parts))).tocsr()
