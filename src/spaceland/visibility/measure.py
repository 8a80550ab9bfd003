"""Turns the maps of one frame into object views.

The visible part (area, box, anchor) is read off the id map. How much is missing needs the whole object: its sample
points are projected without limits into small cells. The occupied cells stand for the whole projection, and each counts
by the share of its points that are inside the image, hidden or visible. Shares compare cells with cells, so that the
size of a cell cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility.maps import FrameMaps
from spaceland.visibility.parts import label_map, visible_parts
from spaceland.visibility.samples import NUM_LEVELS, object_samples, split_surface
from spaceland.visibility.types import ObjectView, VisibilityConfig

_NEAR_M = 0.05
_REACH = 3.0  # points farther than this many image widths from the image are drawn at that distance
_MIN_CELL_PX = 1.5
_MAX_CELLS_ACROSS = 160


@dataclass(frozen=True, eq=False)
class ObjectSamples:
    """Sample points of all objects in one array, counted from `origin` (so that float32 is enough).

    Those of object k at level l are `points[start[k]:start[k] + counts[k, l]]`, `spacing_m[k] * 2**l` apart.
    """

    ids: Int[np.ndarray, "k"]
    centers: Float[np.ndarray, "k 3"]
    radius_m: Float[np.ndarray, "k"]
    origin: Float[np.ndarray, "3"]
    points: Float[np.ndarray, "n 3"]
    start: Int[np.ndarray, "k"]
    counts: Int[np.ndarray, "k l"]
    spacing_m: Float[np.ndarray, "k"]

    @classmethod
    def of_scene(cls, scene: Scene) -> ObjectSamples:
        """Samples of every object of a scene."""
        owned = split_surface(scene).owned
        samples = [object_samples(thing, owned.get(thing.id)) for thing in scene.objects]
        centers = np.array([thing.center for thing in scene.objects]).reshape(-1, 3)
        origin = centers.mean(0) if len(centers) else np.zeros(3)
        reach = [np.linalg.norm(p - c, axis=1).max() for (p, _, _), c in zip(samples, centers, strict=True)]
        counts = np.array([n for _, n, _ in samples], dtype=np.int64).reshape(-1, NUM_LEVELS)
        return cls(
            ids=np.array([thing.id for thing in scene.objects], dtype=np.int64),
            centers=centers,
            radius_m=np.array(reach),
            origin=origin,
            points=np.concatenate([np.zeros((0, 3)), *(p - origin for p, _, _ in samples)]).astype(np.float32),
            start=np.concatenate([[0], np.cumsum(counts[:, 0])])[:-1].astype(np.int64),
            counts=counts,
            spacing_m=np.array([s for _, _, s in samples]),
        )


def measure_frame(frame: Frame, maps: FrameMaps, samples: ObjectSamples, config: VisibilityConfig) -> list[ObjectView]:
    """Views of all objects of which the frame sees at least `config.min_visible_px`, by object id."""
    sx, sy = frame.camera.width / maps.camera.width, frame.camera.height / maps.camera.height
    labels = label_map(maps.object_ids, samples.ids)
    areas = _areas(maps, labels, samples.ids)
    wanted = np.flatnonzero(areas * sx * sy >= config.min_visible_px)
    parts = visible_parts(labels, maps.depth, wanted)
    if not parts:
        return []
    chosen = np.array(sorted((label - 1 for label in parts), key=lambda k: samples.ids[k]))
    shares = _shares(frame.T_world_cam, maps, labels, samples, chosen, config)
    centers_cam = transform_points(invert_rigid(frame.T_world_cam), samples.centers[chosen])
    center_px, center_depth = frame.camera.project(centers_cam)
    contradicted = _contradicted_shares(maps, labels, len(samples.ids) + 1)
    views = []
    for row, k in enumerate(chosen.tolist()):
        part = parts[k + 1]
        row0, column0, row1, column1 = part.box
        ay, ax = part.anchor
        anchor_depth = float(maps.depth[int(ay), int(ax)])
        visible, truncated, occluded = shares[row].tolist()
        views.append(
            ObjectView(
                frame_id=frame.id,
                object_id=int(samples.ids[k]),
                visible_px=float(areas[k + 1]) * sx * sy,
                visible_fraction=visible,
                truncated=truncated,
                occluded=occluded,
                box_px=(column0 * sx, row0 * sy, column1 * sx, row1 * sy),
                anchor_px=((ax + 0.5) * sx, (ay + 0.5) * sy),
                anchor_clearance_px=part.clearance * min(sx, sy),
                anchor_depth_m=anchor_depth if anchor_depth > 0 else float("nan"),
                center_px=(float(center_px[row, 0]), float(center_px[row, 1])),
                center_depth_m=float(center_depth[row]) if center_depth[row] > 0 else float("nan"),
                contradicted=float(contradicted[k + 1]),
            )
        )
    return views


def _areas(maps: FrameMaps, labels: Int[np.ndarray, "h w"], ids: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k1"]:
    """Visible map pixels of each label, edge pixels by quarters."""
    num = len(ids) + 1
    whole = np.bincount(labels.ravel(), minlength=num) - np.bincount(labels.ravel()[maps.edge_pixels], minlength=num)
    return whole + np.bincount(label_map(maps.edge_ids, ids).ravel(), minlength=num) / 4


def _contradicted_shares(maps: FrameMaps, labels: Int[np.ndarray, "h w"], num: int) -> Float[np.ndarray, "k1"]:
    """Share of the pixels of each label whose colour contradicts the surface."""
    if maps.contradicted is None:
        return np.zeros(num)
    bad = np.bincount(labels.ravel(), weights=maps.contradicted.ravel(), minlength=num)
    return bad / np.maximum(np.bincount(labels.ravel(), minlength=num), 1)


def _shares(
    T_world_cam: Float[np.ndarray, "4 4"],
    maps: FrameMaps,
    labels: Int[np.ndarray, "h w"],
    samples: ObjectSamples,
    chosen: Int[np.ndarray, "c"],
    config: VisibilityConfig,
) -> Float[np.ndarray, "c 3"]:
    """Visible fraction, truncated share and occluded share of the chosen objects."""
    camera, num = maps.camera, len(chosen)
    R = T_world_cam[:3, :3].T
    centers_z = (samples.centers[chosen] - T_world_cam[:3, 3]) @ R[2]
    level = _levels(samples, chosen, centers_z, camera)
    counts = samples.counts[chosen, level]
    points = np.concatenate([samples.points[a : a + n] for a, n in zip(samples.start[chosen], counts, strict=True)])
    which = np.repeat(np.arange(num), counts)
    local = points @ R.T.astype(np.float32) + (R @ (samples.origin - T_world_cam[:3, 3])).astype(np.float32)
    z = local[:, 2]
    ahead = z > _NEAR_M
    ahead_counts = np.bincount(which, weights=ahead, minlength=num).astype(np.int64)
    if not ahead.all():
        which, local, z = which[ahead], local[ahead], z[ahead]
    u = local[:, 0] / z * np.float32(camera.fx) + np.float32(camera.cx)
    v = local[:, 1] / z * np.float32(camera.fy) + np.float32(camera.cy)
    spacing_px = samples.spacing_m[chosen] * 2.0**level * max(camera.fx, camera.fy)
    cell, num_cells = _cells(u, v, z, which, ahead_counts, spacing_px, camera)
    # Every point counts by one over the number of points in its cell: sums over an object then count cells.
    weight = 1.0 / np.bincount(cell, minlength=num_cells)[cell]

    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    visible = np.zeros(len(z), dtype=bool)
    hidden = np.zeros(len(z), dtype=bool)
    index = np.flatnonzero(inside)
    visible[index], hidden[index] = _seen_and_hidden(
        u[index], v[index], z[index], which[index], maps, labels, chosen, config
    )

    def cells_of(mask: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "c"]:
        return np.bincount(which[mask], weights=weight[mask], minlength=num)

    in_image, is_visible, is_hidden = cells_of(inside), cells_of(visible), cells_of(hidden)
    whole = np.maximum(np.bincount(which, weights=weight, minlength=num), 1e-9)
    ahead_share = ahead_counts / np.maximum(counts, 1)
    return np.stack(
        [
            is_visible / whole * ahead_share,
            1 - in_image / whole * ahead_share,
            is_hidden / np.maximum(in_image, 1e-9),
        ],
        -1,
    )


def _levels(
    samples: ObjectSamples, chosen: np.ndarray, centers_z: np.ndarray, camera: PinholeCamera
) -> Int[np.ndarray, "c"]:
    """The coarsest level whose points are still no wider apart than a cell, at the object's nearest point."""
    nearest = np.maximum(centers_z - samples.radius_m[chosen], _NEAR_M)
    spacing_px = samples.spacing_m[chosen] * max(camera.fx, camera.fy) / nearest
    return np.clip(np.floor(np.log2(_MIN_CELL_PX / 1.25 / spacing_px)), 0, NUM_LEVELS - 1).astype(np.int64)


def _cells(
    u: np.ndarray,
    v: np.ndarray,
    z: np.ndarray,
    which: Int[np.ndarray, "n"],
    counts: Int[np.ndarray, "c"],
    spacing_px: Float[np.ndarray, "c"],
    camera: PinholeCamera,
) -> tuple[Int[np.ndarray, "n"], int]:
    """Number of the cell of each point, and how many cells there are; every object has its own.

    Cells are wide enough that neighbouring samples of an unbroken surface leave no empty cell between them.
    `spacing_px` is the distance of samples in pixels at a depth of one metre; points are sorted by `which`.
    """
    bounds = np.concatenate([[0], np.cumsum(counts)])
    used = np.flatnonzero(counts)
    first = bounds[used]
    if len(used) == 0:
        return np.zeros(0, dtype=np.int64), 0
    cell_px = np.ones(len(counts))
    low, span = np.zeros((len(counts), 2)), np.zeros((len(counts), 2))
    cell_px[used] = 1.25 * spacing_px[used] / np.minimum.reduceat(z, first)
    axes = []
    for axis, (values, size) in enumerate(((u, camera.width), (v, camera.height))):
        clipped = np.clip(values, -_REACH * size, (1 + _REACH) * size)
        low[used, axis] = np.minimum.reduceat(clipped, first)
        span[used, axis] = np.maximum.reduceat(clipped, first) - low[used, axis]
        axes.append(clipped)
    cell_px = np.maximum(np.maximum(cell_px, _MIN_CELL_PX), span.max(1) / _MAX_CELLS_ACROSS)
    extent = (span / cell_px[:, None]).astype(np.int64) + 2
    offset = np.concatenate([[0], np.cumsum(extent.prod(1))])
    inverse = (1 / cell_px).astype(np.float32)[which]
    column = ((axes[0] - low[:, 0].astype(np.float32)[which]) * inverse).astype(np.int64)
    row = ((axes[1] - low[:, 1].astype(np.float32)[which]) * inverse).astype(np.int64)
    return offset[which] + row * extent[which, 0] + column, int(offset[-1])


def _seen_and_hidden(
    u: np.ndarray,
    v: np.ndarray,
    z: np.ndarray,
    which: np.ndarray,
    maps: FrameMaps,
    labels: np.ndarray,
    chosen: np.ndarray,
    config: VisibilityConfig,
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Which points inside the image show, and which are behind something; where no depth is known, neither."""
    width = maps.camera.width
    pixel = v.astype(np.int64) * width + u.astype(np.int64)
    mine = (chosen + 1).astype(labels.dtype)[which]
    seen = labels.ravel()[pixel] == mine
    rest = np.flatnonzero(~seen)
    pixel, mine, z = pixel[rest], mine[rest], z[rest]
    depth = maps.depth.ravel()[pixel]
    tolerance = config.tolerance_at(z)
    behind = (depth > 0) & (depth < z - tolerance)
    # The outline of an object rounds to pixels one way or the other: a point on it may show in the pixel beside.
    padded = np.pad(labels, 1)
    beside = (pixel // width + 1) * (width + 2) + pixel % width + 1
    near = np.zeros(len(rest), dtype=bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near |= padded.ravel()[beside + dy * (width + 2) + dx] == mine
    # Things that lie flat on the object hide it without standing out from it by more than the tolerance.
    covered = (labels.ravel()[pixel] > 0) & (depth > 0) & (depth < z + tolerance) & ~near
    hidden = np.zeros(len(seen), dtype=bool)
    hidden[rest] = behind | covered
    seen[rest] = near & ~behind
    return seen, hidden
