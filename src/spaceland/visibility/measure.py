"""Turns the maps of one frame into object views.

The visible part (area, box, anchor) is read off the id map. How much is missing needs the whole object: its sample
points are projected without limits into small cells. The occupied cells stand for the whole projection, and each counts
by the share of its points that are inside the image, hidden or visible. Shares compare cells with cells, so that the
size of a cell cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility.maps import FrameMaps
from spaceland.visibility.parts import label_map, visible_parts
from spaceland.visibility.samples import NUM_LEVELS, object_samples, split_surface
from spaceland.visibility.types import ObjectView, VisibilityConfig

_NEAR_M = 0.05
_REACH = 3.0  # points farther than this many image widths from the image are drawn at that distance
_MIN_CELL_PX = 2.0
_MAX_CELLS_ACROSS = 160


@dataclass(frozen=True, eq=False)
class ObjectSamples:
    """Sample points of all objects in one array, counted from `origin` (so that float32 is enough).

    Those of object k at level l are `points[:, start[k]:start[k] + counts[k, l]]`, `spacing_m[k] * 2**l` apart. Each
    axis is a row of its own, since long rows are much faster than many short ones.
    """

    ids: Int[np.ndarray, "k"]
    centers: Float[np.ndarray, "k 3"]
    radius_m: Float[np.ndarray, "k"]
    origin: Float[np.ndarray, "3"]
    points: Float[np.ndarray, "3 n"]
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
        points = np.concatenate([np.zeros((3, 0)), *((p - origin).T for p, _, _ in samples)], axis=1)
        return cls(
            ids=np.array([thing.id for thing in scene.objects], dtype=np.int64),
            centers=centers,
            radius_m=np.array(reach),
            origin=origin,
            points=points.astype(np.float32),
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
        visible, truncated, occluded = shares[row]
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
) -> list[tuple[float, float, float]]:
    """Visible fraction, truncated share and occluded share of the chosen objects."""
    camera = maps.camera
    R = T_world_cam[:3, :3].T
    centers_z = (samples.centers[chosen] - T_world_cam[:3, 3]) @ R[2]
    level = _levels(samples, chosen, centers_z, camera)
    counts = samples.counts[chosen, level]
    spacing_px = samples.spacing_m[chosen] * 2.0**level * max(camera.fx, camera.fy)
    t = (R @ (samples.origin - T_world_cam[:3, 3])).astype(np.float32)[:, None]
    R = R.astype(np.float32)
    labels, depth = _with_rim(labels), _with_rim(maps.depth)
    shares = []
    # Object by object: a few thousand points at a time stay in the processor's cache.
    for row, k in enumerate(chosen.tolist()):
        start = samples.start[k]
        local = R @ samples.points[:, start : start + counts[row]] + t
        shares.append(_shares_of(k + 1, local, float(spacing_px[row]), camera, labels, depth, config))
    return shares


def _shares_of(
    label: int,
    points_cam: Float[np.ndarray, "3 n"],
    spacing_px: float,
    camera: PinholeCamera,
    labels: Int[np.ndarray, "h2 w2"],
    depth: Float[np.ndarray, "h2 w2"],
    config: VisibilityConfig,
) -> tuple[float, float, float]:
    """The shares of one object from its sample points in the camera's frame.

    `spacing_px` is the distance of samples in pixels at a depth of one metre. Both maps have a rim of one pixel.
    """
    ahead = points_cam[2] > _NEAR_M
    x, y, z = points_cam if ahead.all() else points_cam[:, ahead]
    if len(z) == 0:
        return 0.0, 1.0, 0.0
    ahead_share = len(z) / len(ahead)
    u = x / z * np.float32(camera.fx) + np.float32(camera.cx)
    v = y / z * np.float32(camera.fy) + np.float32(camera.cy)
    cell = _cells(u, v, 1.25 * spacing_px / float(z.min()), camera)
    # Every point counts by one over the number of points in its cell: sums then count cells.
    points_in = np.bincount(cell)
    whole = np.count_nonzero(points_in)
    weight = 1.0 / points_in[cell]
    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    if not inside.all():
        u, v, z, weight = u[inside], v[inside], z[inside], weight[inside]
    visible, hidden = _seen_and_hidden(label, u, v, z, labels, depth, config)
    in_image = float(weight.sum())
    return (
        float(weight @ visible) / whole * ahead_share,
        1 - in_image / whole * ahead_share,
        float(weight @ hidden) / max(in_image, 1e-9),
    )


def _levels(
    samples: ObjectSamples, chosen: np.ndarray, centers_z: np.ndarray, camera: PinholeCamera
) -> Int[np.ndarray, "c"]:
    """The coarsest level whose points are still no wider apart than a cell, at the object's nearest point."""
    nearest = np.maximum(centers_z - samples.radius_m[chosen], _NEAR_M)
    spacing_px = samples.spacing_m[chosen] * max(camera.fx, camera.fy) / nearest
    return np.clip(np.floor(np.log2(_MIN_CELL_PX / 1.25 / spacing_px)), 0, NUM_LEVELS - 1).astype(np.int64)


def _cells(
    u: Float[np.ndarray, "n"], v: Float[np.ndarray, "n"], cell_px: float, camera: PinholeCamera
) -> Int[np.ndarray, "n"]:
    """Number of the cell of each point.

    `cell_px` is so wide that neighbouring samples of an unbroken surface leave no empty cell between them; cells are
    wider where there would be too many.
    """
    axes, spans = [], []
    for values, size in ((u, camera.width), (v, camera.height)):
        clipped = np.clip(values, -_REACH * size, (1 + _REACH) * size)
        low = clipped.min()
        clipped -= low
        axes.append(clipped)
        spans.append(float(clipped.max()))
    cell_px = max(cell_px, _MIN_CELL_PX, max(spans) / _MAX_CELLS_ACROSS)
    column, row = ((values * np.float32(1 / cell_px)).astype(np.int32) for values in axes)
    return row * (int(spans[0] / cell_px) + 2) + column


def _seen_and_hidden(
    label: int,
    u: Float[np.ndarray, "n"],
    v: Float[np.ndarray, "n"],
    z: Float[np.ndarray, "n"],
    labels: Int[np.ndarray, "h2 w2"],
    depth: Float[np.ndarray, "h2 w2"],
    config: VisibilityConfig,
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Which points inside the image show, and which are behind something; where no depth is known, neither.

    Both maps have a rim of one pixel.
    """
    width = labels.shape[1]
    pixel = v.astype(np.int32) * np.int32(width) + u.astype(np.int32) + np.int32(width + 1)
    shown = labels.take(pixel)
    seen = shown == label
    hidden = np.zeros(len(seen), dtype=bool)
    rest = np.flatnonzero(~seen)
    z, there = z[rest], depth.take(pixel[rest])
    tolerance = config.tolerance_at(z)
    behind = (there > 0) & (there < z - tolerance)
    hidden[rest] = behind
    front = ~behind
    rest, z, there, tolerance = rest[front], z[front], there[front], tolerance[front]
    # The outline of an object rounds to pixels one way or the other: a point on it may show in the pixel beside.
    around = np.array([[dy * width + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], dtype=np.int32)
    near = (labels.take(pixel[rest] + around) == label).any(0)
    seen[rest] = near
    # Things that lie flat on the object hide it without standing out from it by more than the tolerance.
    hidden[rest] = (shown[rest] > 0) & (there > 0) & (there < z + tolerance) & ~near
    return seen, hidden


def _with_rim(image: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h2 w2"]:
    """The image with a rim of zeros, one pixel wide."""
    padded = np.zeros((image.shape[0] + 2, image.shape[1] + 2), dtype=image.dtype)
    padded[1:-1, 1:-1] = image
    return padded
