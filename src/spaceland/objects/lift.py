"""From a detection in a picture to points on the thing in the room.

A detection says which pixels show a thing; depth says how far away each of them is. Between the two lies most of what
can go wrong: masks bleed over the edge of a thing onto the wall behind it, depth cameras put pixels of an edge in
mid-air, and a box shows the floor around a table as well as the table. So pixels are taken away step by step, and every
step counts what it took:

    in the mask or box -> has depth -> not at the rim of the mask -> not on the far side of a jump in depth
                       -> not on what lies behind (boxes only) -> in the main lump of points

What lies behind is found without knowing the room: a plane that many pixels in a ring around the box lie on, and that
has nothing behind it, is what the thing stands on, or the wall behind it. Only where hardly anything is left then, as
for a rug or a picture on a wall, the thing is flat and the pixels on the plane are the thing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from spaceland.objects.backdrop import backdrop
from spaceland.objects.cells import lumps
from spaceland.objects.frame_depth import FrameDepth
from spaceland.objects.main_lump import front_lump, main_lumps
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.types import Detection

_SIDE_PER_RIM = 12


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """How detections become points, and (`merge`) how the points of many frames become objects."""

    voxel_m: float = 0.02
    """Edge of the cells that points are averaged in."""
    width_px: int = 640
    """Depth maps wider than this are thinned to it."""
    erode_px: int = 2
    """Rim of a mask that is left out, in pixels of the depth map; small masks and thin parts lose less."""
    max_depth_m: float = 8.0
    edge_m: float = 0.03
    edge_per_m: float = 0.03
    """Pixels that are farther than a neighbour by more than `edge_m + edge_per_m * depth` are left out."""
    max_pixels: int = 6000
    """Of a mask, or a box with its ring, that has more pixels, pixels on a wider lattice are taken."""
    min_pixels: int = 24
    """A detection with fewer pixels left shows nothing."""
    link_m: float = 0.08
    """Points nearer to each other than about this belong to one lump."""
    minor_share: float = 0.2
    """Lumps with at least this share of the main lump's pixels belong to the thing too."""
    ring_share: float = 0.25
    """Boxes: share of a ring around a box beside the box that is looked at for what lies behind, ..."""
    backdrop_share: float = 0.2
    """... share of the ring's pixels that a plane must hold to be what lies behind, ..."""
    backdrop_m: float = 0.025
    backdrop_per_m: float = 0.01
    """... and distance from it within which pixels belong to it, `backdrop_m + backdrop_per_m * depth`."""
    small_m: float = 0.6
    """Boxes no larger than this, where the thing is, may stand on the level that is seen around their lower half."""
    flat_share: float = 0.06
    """Boxes with a smaller share of pixels in front of what lies behind hold a flat thing."""
    merge: MergeConfig = field(default_factory=MergeConfig)


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of a depth map: those whose row // step - top, column // step - left are marked in `inside`."""

    top: int
    left: int
    step: int
    inside: Bool[np.ndarray, "h w"]

    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the depth map, for steps of one pixel."""
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def holds(self, rows: Int[np.ndarray, "n"], columns: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Whether pixels belong to it."""
        row, column = rows // self.step - self.top, columns // self.step - self.left
        height, width = self.inside.shape
        near = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return near & self.inside[np.where(near, row, 0), np.where(near, column, 0)]


@dataclass(frozen=True, eq=False)
class Lifted:
    """A detection in space: world points [n, 3], and the pixels of the depth map that show the thing.

    `points` come from pixels that surely show it, `region` also holds its rim. `masked` says that a mask told which
    pixels these are, so that no guess is among them.
    """

    frame_id: str
    label: str
    score: float
    track: int
    points: Float[np.ndarray, "n 3"]
    region: Region
    masked: bool


def lift(
    view: FrameDepth,
    detection: Detection,
    config: LiftConfig,
    counts: Counter[str],
    floor_z_m: float | None = None,
) -> Lifted | None:
    """Points of a detection; None where too little of it is left.

    Args:
        view: Depth of the detection's frame.
        detection: With a mask, or a box alone.
        config: Limits.
        counts: Pixels left out are added here by reason ("pixel: ..."), and detections ("detection: ...").
        floor_z_m: Height of the floor where it is known: boxes never hold it.
    """
    if detection.mask is not None:
        found = _lift_mask(view, detection, config, counts)
    else:
        found = _lift_box(view, detection, config, counts, floor_z_m)
    if found is None:
        return None
    points, region = found
    if len(points) < config.min_pixels:
        counts["detection: too few pixels with depth"] += 1
        return None
    masked = detection.mask is not None
    return Lifted(view.frame.id, detection.label, detection.score, detection.track, points, region, masked)


def _lift_mask(
    view: FrameDepth, detection: Detection, config: LiftConfig, counts: Counter[str]
) -> tuple[np.ndarray, Region] | None:
    assert detection.mask is not None
    mask = _on_depth(view, np.asarray(detection.mask, dtype=bool))
    if mask is None:
        counts["detection: its mask is empty or outside the depth image"] += 1
        return None
    window = mask.window()
    known = mask.inside & (view.depth[window] > 0)
    # Of a ball of 14 pixels a rim of 2 pixels is nearly half.
    rim_px = min(config.erode_px, int(np.sqrt(mask.inside.sum()) / _SIDE_PER_RIM))
    core = _core(mask.inside, rim_px) & known
    clean = core & ~view.jumps[window]
    counts["pixel: no depth"] += int(mask.inside.sum() - known.sum())
    counts["pixel: rim of the mask"] += int(known.sum() - core.sum())
    counts["pixel: jump in depth"] += int(core.sum() - clean.sum())
    rows, columns = np.nonzero(clean)
    rows, columns, step = _spread(rows, columns, config.max_pixels)
    points = view.points(rows + mask.top, columns + mask.left)
    link_m = _link_m(view, rows + mask.top, columns + mask.left, step, config)
    depth = view.depth[rows + mask.top, columns + mask.left]
    keep = main_lumps(lumps(points, link_m), depth, link_m, config.minor_share)
    counts["pixel: another lump"] += int((~keep).sum())
    return points[keep], mask


def _lift_box(
    view: FrameDepth, detection: Detection, config: LiftConfig, counts: Counter[str], floor_z_m: float | None
) -> tuple[np.ndarray, Region] | None:
    x0, y0, x1, y1 = view.color_box(detection.box_px)
    wide, high = (x1 - x0) * config.ring_share, (y1 - y0) * config.ring_share
    height, width = view.depth.shape
    left, right = max(0, math.floor(x0 - wide)), min(width, math.ceil(x1 + wide))
    top, bottom = max(0, math.floor(y0 - high)), min(height, math.ceil(y1 + high))
    if min(x1, width) - max(x0, 0) < 1 or min(y1, height) - max(y0, 0) < 1:
        counts["detection: its box is empty or outside the depth image"] += 1
        return None
    # Every step-th pixel, so that large boxes take no longer than small ones.
    step = max(1, int(np.sqrt((right - left) * (bottom - top) / config.max_pixels)))
    rows, columns = np.mgrid[-(-top // step) : -(-bottom // step), -(-left // step) : -(-right // step)].reshape(2, -1)
    at_row, at_column = np.minimum(rows * step, height - 1), np.minimum(columns * step, width - 1)
    x, y = at_column + 0.5, at_row + 0.5
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    known = view.depth[at_row, at_column] > 0
    clean = known & ~view.jumps[at_row, at_column]
    points = view.points(at_row, at_column)
    counts["pixel: no depth"] += int((inside & ~known).sum())
    counts["pixel: jump in depth"] += int((inside & known & ~clean).sum())
    chosen = np.flatnonzero(inside & clean)
    if len(chosen) < config.min_pixels:
        counts["detection: too few pixels with depth"] += 1
        return None
    typical_m = float(np.median(view.depth[at_row[chosen], at_column[chosen]]))
    tolerance_m = config.backdrop_m + config.backdrop_per_m * typical_m
    eye = view.frame.T_world_cam[:3, 3]
    ring = ~inside & clean
    # Larger boxes may show a part of a table, and what stands beside it.
    small = max((x1 - x0) / view.camera.fx, (y1 - y0) / view.camera.fy) * typical_m <= config.small_m
    low = y[ring] > (y0 + y1) / 2 if small else None
    behind = backdrop(points[ring], points[chosen], eye, tolerance_m, config.backdrop_share, low)
    if floor_z_m is not None:
        behind |= points[chosen, 2] <= floor_z_m + tolerance_m
    if (~behind).sum() < max(config.min_pixels, config.flat_share * len(chosen)):
        counts["detection: flat on what lies behind it"] += 1
        behind = np.zeros(len(chosen), dtype=bool)
    counts["pixel: on what lies behind"] += int(behind.sum())
    chosen = chosen[~behind]
    off_x = (x[chosen] - (x0 + x1) / 2) / (x1 - x0)
    off_y = (y[chosen] - (y0 + y1) / 2) / (y1 - y0)
    weight = np.exp(-4 * (off_x**2 + off_y**2))
    depth = view.depth[at_row[chosen], at_column[chosen]]
    link_m = _link_m(view, at_row[chosen], at_column[chosen], step, config)
    keep = front_lump(points[chosen], depth, weight, link_m, config.minor_share)
    counts["pixel: another lump"] += int((~keep).sum())
    chosen = chosen[keep]
    low_row, low_column = rows[chosen].min(), columns[chosen].min()
    marked = np.zeros((rows[chosen].max() - low_row + 1, columns[chosen].max() - low_column + 1), dtype=bool)
    marked[rows[chosen] - low_row, columns[chosen] - low_column] = True
    return points[chosen], Region(int(low_row), int(low_column), step, ndimage.binary_closing(marked) | marked)


def _on_depth(view: FrameDepth, mask: Bool[np.ndarray, "h w"]) -> Region | None:
    """A mask of the colour image's field of view on the pixels of the depth map, cut to where it is.

    One pixel around it is kept, so that a mask at the border of the window is one that the picture cuts off.
    """
    if mask.ndim != 2 or not mask.any():
        return None
    sampling = view.resampling(mask.shape[1], mask.shape[0])
    rows = _window(sampling.rows, sampling.good_rows, np.flatnonzero(mask.any(1)))
    columns = _window(sampling.columns, sampling.good_columns, np.flatnonzero(mask.any(0)))
    if rows is None or columns is None:
        return None
    inside = mask[sampling.rows[rows]][:, sampling.columns[columns]]
    inside &= sampling.good_rows[rows, None] & sampling.good_columns[None, columns]
    return Region(rows.start, columns.start, 1, inside) if inside.any() else None


def _window(taken: Int[np.ndarray, "n"], good: Bool[np.ndarray, "n"], used: Int[np.ndarray, "k"]) -> slice | None:
    """Rows (or columns) of the depth map that take rows `used[0]` to `used[-1]` of a mask, and one more either side."""
    hit = np.flatnonzero(good & (taken >= used[0]) & (taken <= used[-1]))
    if len(hit) == 0:
        return None
    return slice(max(0, int(hit[0]) - 1), min(len(taken), int(hit[-1]) + 2))


def _core(mask: Bool[np.ndarray, "h w"], rim_px: int) -> Bool[np.ndarray, "h w"]:
    """The mask without its rim; thin parts, which would vanish with it, stay: stems, leaves, legs of chairs."""
    core = mask
    for _ in range(rim_px):
        core = _all_of_five(core)
    near_core = core
    for _ in range(rim_px + 1):
        near_core = ~_all_of_five(~near_core)
    return core | (mask & ~near_core)


def _all_of_five(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels that are marked with all four neighbours; beyond the window everything is as at its border."""
    wide = np.pad(mask, 1, mode="edge")
    return wide[1:-1, 1:-1] & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]


def _spread(rows: np.ndarray, columns: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Pixels on a lattice so wide that there are about `most` of them, and its step."""
    step = int(np.sqrt(len(rows) / most)) if len(rows) > most else 1
    if step <= 1:
        return rows, columns, 1
    chosen = (rows % step == 0) & (columns % step == 0)
    return rows[chosen], columns[chosen], step


def _link_m(view: FrameDepth, rows: np.ndarray, columns: np.ndarray, step: int, config: LiftConfig) -> float:
    """How near points of one lump are: at least as far apart as the pixels that were looked at."""
    if len(rows) == 0:
        return config.link_m
    return max(config.link_m, 2.0 * step * float(np.median(view.depth[rows, columns])) / view.camera.fx)
