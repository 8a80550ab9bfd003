"""Turns the maps of one frame into object views.

The visible part (area, box, anchor) is read off the id map. How much is missing needs the whole object: its sample
points are projected without limits into small cells, the nearest points of each cell stand for the side that faces the
camera, and each cell is in the image or not, hidden or not. Shares compare cells with cells, so that the size of a cell
cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene
from spaceland.visibility.maps import FrameMaps
from spaceland.visibility.samples import object_samples
from spaceland.visibility.types import ObjectView, VisibilityConfig

_NEAR_M = 0.05
_REACH = 3.0  # points farther than this many image widths from the image are drawn at that distance


@dataclass(frozen=True, eq=False)
class ObjectSamples:
    """Sample points of all objects in one array; those of object k are `points[start[k]:start[k + 1]]`."""

    ids: Int[np.ndarray, "k"]
    points: Float[np.ndarray, "n 3"]
    start: Int[np.ndarray, "k1"]
    spacing_m: Float[np.ndarray, "k"]
    centers: Float[np.ndarray, "k 3"]

    @classmethod
    def of_scene(cls, scene: Scene) -> ObjectSamples:
        """Samples of every object of a scene."""
        samples = [object_samples(thing) for thing in scene.objects]
        return cls(
            np.array([thing.id for thing in scene.objects], dtype=np.int64),
            np.concatenate([p for p, _ in samples] or [np.zeros((0, 3))]).astype(np.float32),
            np.cumsum([0] + [len(p) for p, _ in samples]),
            np.array([s for _, s in samples]),
            np.array([thing.center for thing in scene.objects]).reshape(-1, 3),
        )


def measure_frame(
    frame: Frame, maps: FrameMaps, samples: ObjectSamples, config: VisibilityConfig
) -> list[ObjectView]:
    """Views of all objects of which the frame sees at least `config.min_visible_px`, by object id."""
    camera = maps.camera
    scale = np.array([frame.camera.width / camera.width, frame.camera.height / camera.height])
    parts = _visible_parts(maps.object_ids, samples.ids)
    parts = {k: part for k, part in parts.items() if part.area * scale.prod() >= config.min_visible_px}
    if not parts:
        return []
    chosen = np.array(sorted(parts, key=lambda k: samples.ids[k]))
    shares = _shares(frame, maps, samples, chosen, config)
    T_cam_world = invert_rigid(frame.T_world_cam)
    centers_cam = transform_points(T_cam_world, samples.centers[chosen])
    center_px, center_depth = frame.camera.project(centers_cam)
    views = []
    for row, k in enumerate(chosen):
        part = parts[k]
        visible, truncated, occluded = shares[row]
        row0, column0, row1, column1 = part.box
        ay, ax = part.anchor
        views.append(
            ObjectView(
                frame_id=frame.id,
                object_id=int(samples.ids[k]),
                visible_px=float(part.area * scale.prod()),
                visible_fraction=float(visible),
                truncated=float(truncated),
                occluded=float(occluded),
                box_px=(
                    float(column0 * scale[0]),
                    float(row0 * scale[1]),
                    float(column1 * scale[0]),
                    float(row1 * scale[1]),
                ),
                anchor_px=(float((ax + 0.5) * scale[0]), float((ay + 0.5) * scale[1])),
                anchor_clearance_px=float(part.clearance * scale[0]),
                anchor_depth_m=float(maps.depth[ay, ax]),
                center_px=(float(center_px[row, 0]), float(center_px[row, 1])),
                center_depth_m=float(center_depth[row]) if center_depth[row] > 0 else float("nan"),
            )
        )
    return views


@dataclass(frozen=True)
class _Part:
    """Visible part in map pixels: area, box (row0, column0, row1, column1; ends exclusive), anchor (row, column)."""

    area: int
    box: tuple[int, int, int, int]
    anchor: tuple[int, int]
    clearance: float


def _visible_parts(object_ids: np.ndarray, ids: np.ndarray) -> dict[int, _Part]:
    """Visible part of each object in the id map, keyed by its index in `ids`."""
    if len(ids) == 0:
        return {}
    order = np.argsort(ids)
    position = np.searchsorted(ids[order], object_ids)
    position = np.minimum(position, len(ids) - 1)
    known = (object_ids != NO_OBJECT) & (ids[order][position] == object_ids)
    labels = np.where(known, order[position] + 1, 0)
    # A pixel is inside when its four neighbours show the same object; the image border ends every object.
    padded = np.pad(labels, 1, constant_values=-1)
    same = labels == padded[:-2, 1:-1]
    for neighbour in (padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        same &= labels == neighbour
    same &= labels > 0
    parts: dict[int, _Part] = {}
    for k, area in enumerate(ndimage.find_objects(labels)):
        if area is None:
            continue
        mask = labels[area] == k + 1
        depth_inside = ndimage.distance_transform_edt(np.pad(mask & same[area], 1))[1:-1, 1:-1]
        deepest = np.argwhere(mask & (depth_inside >= depth_inside[mask].max() - 1e-6))
        # Of equally deep pixels the one nearest to their middle: no corner of the picture is preferred.
        offset = ((deepest - deepest.mean(0)) ** 2).sum(1)
        anchor = deepest[int(np.argmin(offset))]
        rows, columns = area
        parts[k] = _Part(
            int(mask.sum()),
            (rows.start, columns.start, rows.stop, columns.stop),
            (int(rows.start + anchor[0]), int(columns.start + anchor[1])),
            float(depth_inside.max()) + 0.5,
        )
    return parts


def _shares(
    frame: Frame, maps: FrameMaps, samples: ObjectSamples, chosen: np.ndarray, config: VisibilityConfig
) -> Float[np.ndarray, "c 3"]:
    """Visible fraction, truncated share and occluded share of the chosen objects."""
    camera = maps.camera
    lengths = samples.start[chosen + 1] - samples.start[chosen]
    which = np.repeat(np.arange(len(chosen)), lengths)
    index = np.concatenate([np.arange(samples.start[k], samples.start[k + 1]) for k in chosen])
    T_cam_world = invert_rigid(frame.T_world_cam).astype(np.float32)
    points_cam = transform_points(T_cam_world, samples.points[index])
    z = points_cam[:, 2]
    ahead = z > _NEAR_M
    behind = np.bincount(which[~ahead], minlength=len(chosen)) / np.maximum(lengths, 1)
    which, points_cam, z = which[ahead], points_cam[ahead], z[ahead]
    pixels, _ = camera.project(points_cam)
    size = np.array([camera.width, camera.height], dtype=np.float32)
    pixels = np.clip(pixels, -_REACH * size, (1 + _REACH) * size)

    # Cells wide enough that neighbouring samples of an unbroken surface leave no empty cell between them.
    nearest = np.full(len(chosen), np.inf)
    np.minimum.at(nearest, which, z)
    cell_px = np.maximum(1.5, 1.25 * samples.spacing_m[chosen] * camera.fx / nearest)
    cells = np.floor(pixels / cell_px[which, None]).astype(np.int64)
    low = np.full((len(chosen), 2), np.iinfo(np.int64).max)
    high = np.full((len(chosen), 2), np.iinfo(np.int64).min)
    np.minimum.at(low, which, cells)
    np.maximum.at(high, which, cells)
    extent = np.where(high >= low, high - low + 1, 0)
    offset = np.concatenate([[0], np.cumsum(extent.prod(1))])
    local = cells - low[which]
    flat = offset[which] + local[:, 1] * extent[which, 0] + local[:, 0]
    front = np.full(int(offset[-1]), np.inf, dtype=np.float32)
    np.minimum.at(front, flat, z)
    on_front = z <= front[flat] + config.tolerance_m
    which, z, pixels, flat = which[on_front], z[on_front], pixels[on_front], flat[on_front]

    inside = camera.contains(pixels)
    column, row = np.where(inside[:, None], pixels, 0).astype(np.int64).T
    depth = maps.depth[row, column]
    mine = samples.ids[chosen][which]
    padded = np.pad(maps.object_ids, 1, constant_values=NO_OBJECT)
    near_mine = np.zeros(len(which), dtype=bool)
    for dy in range(3):
        for dx in range(3):
            near_mine |= padded[row + dy, column + dx] == mine
    hidden = (
        inside & (depth > 0) & (depth < z - config.tolerance_at(z)) & (maps.object_ids[row, column] != mine)
    )
    visible = inside & ~hidden & near_mine

    points_in_cell = np.maximum(np.bincount(flat, minlength=len(front)), 1)
    cell_owner = np.repeat(np.arange(len(chosen)), extent.prod(1))
    total = np.bincount(cell_owner[np.isfinite(front)], minlength=len(chosen))

    def cell_sum(mask: np.ndarray) -> np.ndarray:
        share = np.bincount(flat, weights=mask, minlength=len(front)) / points_in_cell
        return np.bincount(cell_owner, weights=share, minlength=len(chosen))

    in_image, is_visible, is_hidden = cell_sum(inside), cell_sum(visible), cell_sum(hidden)
    whole = np.maximum(total, 1e-9)
    ahead_share = 1 - behind
    return np.stack(
        [
            is_visible / whole * ahead_share,
            1 - in_image / whole * ahead_share,
            np.where(in_image > 0, is_hidden / np.maximum(in_image, 1e-9), 0.0),
        ],
        -1,
    )
