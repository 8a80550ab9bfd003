"""Where the discs go: on pixels that truly show their object, inside the picture, never on top of each other.

Given a picture in which every pixel names its object (the id map), a disc's centre lies on a pixel of its object, as
deep inside the visible part as the free room allows. Objects with the fewest places to choose from are placed first, so
a cup is not robbed of its only place by the table under it. Whoever cannot be placed is counted by reason:

    "hidden or out of view"      no pixel shows it
    "too small"                  fewer visible pixels than the configured share of the picture
    "over the limit per image"   smaller than the largest `max_marks`
    "at the border"              a whole disc on any of its pixels would leave the picture
    "no free place"              every place overlaps a disc

The bird's-eye view prefers the middle of the object's box, and where no own pixel is free the disc goes beside it with
a leader line, so nothing that is seen from above stays unnamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.prompts.marks import DiscMark

_GAP = 1.04  # discs keep 4 % of their diameter between them


@dataclass(frozen=True, kw_only=True)
class PlacementConfig:
    """Which objects get a disc on a picture."""

    min_area_share: float = 0.001
    """Visible area as a share of the picture (0.001 is 307 px of 640x480)."""
    bev_min_area_share: float = 0.00005
    """The same for the bird's-eye view, where things are small (0.00005 is 52 px of 1024x1024)."""
    max_marks: int = 40
    """At most so many discs on one frame, the largest visible objects first; the bird's-eye view has no limit."""


@dataclass(frozen=True)
class Placed:
    """Discs of one picture, by object id, and why the others have none: object id -> reason."""

    marks: tuple[DiscMark, ...]
    skipped: dict[int, str]

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason occurred."""
        return Counter(self.skipped.values())


@dataclass(frozen=True, eq=False)
class _Places:
    """Pixels (row, column) [n, 2] on which an object's disc may stand, and how good each is (higher is better)."""

    object_id: int
    pixels: Int[np.ndarray, "n 2"]
    value: Float[np.ndarray, "n"]


def place_marks(
    object_ids: Int[np.ndarray, "h w"],
    numbers: dict[int, int],
    *,
    image_size: tuple[int, int],
    diameter_px: float,
    config: PlacementConfig | None = None,
) -> Placed:
    """Place discs on a frame.

    Args:
        object_ids: The object in every pixel, at any resolution.
        numbers: Object id -> number, for all objects that may be marked.
        image_size: Width and height of the picture that will carry the discs.
        diameter_px: Of the discs, in pixels of that picture.
        config: Which objects are large enough.

    Returns:
        Marks with their centres in pixels of the picture, at centres of pixels of the map.
    """
    config = config or PlacementConfig()
    height, width = object_ids.shape
    scale = np.array([image_size[1] / height, image_size[0] / width])  # row, column
    radius = diameter_px / 2
    skipped: dict[int, str] = {}
    areas = _areas(object_ids, numbers)
    candidates = []
    for object_id in sorted(numbers):
        area = areas.get(object_id, 0)
        if area == 0:
            skipped[object_id] = "hidden or out of view"
        elif area < config.min_area_share * object_ids.size:
            skipped[object_id] = "too small"
        else:
            candidates.append(object_id)
    candidates.sort(key=lambda k: (-areas[k], k))
    for object_id in candidates[config.max_marks :]:
        skipped[object_id] = "over the limit per image"
    options = []
    for object_id in candidates[: config.max_marks]:
        mask, row, column = _cut_out(object_ids, object_id)
        depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=scale)[1:-1, 1:-1]
        pixels = np.argwhere(mask)
        # Of equally deep pixels the one nearest to their common middle: no corner is preferred.
        middle = (pixels * (depth[mask] ** 2)[:, None]).sum(0) / (depth[mask] ** 2).sum()
        off = np.linalg.norm((pixels - middle) * scale, axis=1)
        value = depth[mask] - 1e-3 * off
        pixels += np.array([row, column])
        inside = _disc_inside(pixels, scale, radius, image_size[0], image_size[1])
        if inside.any():
            options.append(_Places(object_id, pixels[inside], value[inside]))
        else:
            skipped[object_id] = "at the border"
    taken: list[tuple[float, float]] = []
    marks = []
    for places in sorted(options, key=lambda p: (len(p.pixels), p.object_id)):
        choice = _best_free(places, scale, taken, diameter_px)
        if choice is None:
            skipped[places.object_id] = "no free place"
            continue
        taken.append(choice)
        marks.append(DiscMark(numbers[places.object_id], places.object_id, choice, diameter_px))
    return Placed(tuple(sorted(marks, key=lambda m: m.object_id)), dict(sorted(skipped.items())))


def place_bev_marks(
    object_ids: Int[np.ndarray, "h w"],
    numbers: dict[int, int],
    box_centers_px: dict[int, tuple[float, float]],
    *,
    diameter_px: float,
    bottom_px: int,
    config: PlacementConfig | None = None,
) -> Placed:
    """Place discs on a bird's-eye view.

    Args:
        object_ids: The object in every pixel of the view.
        numbers: Object id -> number, for all objects that may be marked.
        box_centers_px: (u, v) of the middle of each object's box.
        diameter_px: Of the discs.
        bottom_px: First row of the strip below the view; discs stay above it.
        config: Which objects are large enough.
    """
    config = config or PlacementConfig()
    _, width = object_ids.shape
    radius, unit = diameter_px / 2, np.ones(2)
    areas = _areas(object_ids, numbers)
    skipped: dict[int, str] = {}
    options, own = [], {}
    for object_id in sorted(numbers):
        if areas.get(object_id, 0) < max(1.0, config.bev_min_area_share * object_ids.size):
            skipped[object_id] = "too small" if areas.get(object_id, 0) else "hidden or out of view"
            continue
        mask, row, column = _cut_out(object_ids, object_id)
        pixels = np.argwhere(mask) + np.array([row, column])
        u, v = box_centers_px[object_id]
        value = -np.linalg.norm(pixels + 0.5 - [v, u], axis=1)
        own[object_id] = _Places(object_id, pixels, value)
        inside = _disc_inside(pixels, unit, radius, width, bottom_px)
        options.append(_Places(object_id, pixels[inside], value[inside]))
    taken: list[tuple[float, float]] = []
    marks, homeless = [], []
    for places in sorted(options, key=lambda p: (len(p.pixels), p.object_id)):
        choice = _best_free(places, unit, taken, diameter_px)
        if choice is None:
            homeless.append(places.object_id)
            continue
        taken.append(choice)
        marks.append(DiscMark(numbers[places.object_id], places.object_id, choice, diameter_px))
    targets: list[tuple[float, float]] = []
    for object_id in homeless:
        places = own[object_id]
        # The line should end where the object can still be seen: beside the discs, if it reaches out from under them.
        target = _best_free(places, unit, taken, 1.15 * radius) or _center(places.pixels[np.argmax(places.value)], unit)
        choice = _place_beside(object_ids, target, taken, targets, diameter_px, bottom_px)
        if choice is None:
            skipped[object_id] = "no free place"
            continue
        taken.append(choice)
        targets.append(target)
        marks.append(DiscMark(numbers[object_id], object_id, choice, diameter_px, target))
    return Placed(tuple(sorted(marks, key=lambda m: m.object_id)), dict(sorted(skipped.items())))


def _areas(object_ids: np.ndarray, numbers: dict[int, int]) -> dict[int, int]:
    found, counts = np.unique(object_ids, return_counts=True)
    return {int(k): int(n) for k, n in zip(found, counts, strict=True) if int(k) in numbers}


def _cut_out(object_ids: np.ndarray, object_id: int) -> tuple[np.ndarray, int, int]:
    """The object's mask, cut to its box, and the box's first row and column."""
    mask = object_ids == object_id
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        int(rows[0]),
        int(columns[0]),
    )


def _center(pixel: np.ndarray, scale: np.ndarray) -> tuple[float, float]:
    """(u, v) in the picture of the centre of a map pixel (row, column)."""
    v, u = (pixel + 0.5) * scale
    return float(u), float(v)


def _disc_inside(pixels: np.ndarray, scale: np.ndarray, radius: float, width: int, height: int) -> np.ndarray:
    v, u = ((pixels + 0.5) * scale).T
    return (u >= radius) & (u <= width - radius) & (v >= radius) & (v <= height - radius)


def _best_free(
    places: _Places, scale: np.ndarray, taken: Sequence[tuple[float, float]], distance_px: float
) -> tuple[float, float] | None:
    """The best place at least `distance_px` (and the gap) away from all taken ones, or None."""
    if len(places.pixels) == 0:
        return None
    centers = ((places.pixels + 0.5) * scale)[:, ::-1]
    free = np.ones(len(centers), dtype=bool)
    for other in taken:
        free &= ((centers - np.array(other)) ** 2).sum(1) >= (distance_px * _GAP) ** 2
    if not free.any():
        return None
    index = np.flatnonzero(free)
    return _center(places.pixels[index[np.argmax(places.value[index])]], scale)


def _place_beside(
    object_ids: np.ndarray,
    target: tuple[float, float],
    taken: Sequence[tuple[float, float]],
    targets: Sequence[tuple[float, float]],
    diameter_px: float,
    bottom_px: int,
) -> tuple[float, float] | None:
    """A free place near the target: close, on ground that is no object, and with a clear line to the target.

    It covers neither a disc nor the end of another line.
    """
    radius = diameter_px / 2
    step = max(2, round(diameter_px / 8))
    u, v = np.meshgrid(
        np.arange(radius + 1, object_ids.shape[1] - radius, step), np.arange(radius + 1, bottom_px - radius, step)
    )
    centers = np.stack([u.ravel(), v.ravel()], -1)
    distance = np.linalg.norm(centers - target, axis=1)
    near = distance >= 0.75 * diameter_px
    for other in targets:
        near &= np.linalg.norm(centers - other, axis=1) >= 0.7 * diameter_px
    centers, distance = centers[near], distance[near]
    line = np.array(target) - centers
    for other in taken:
        away = np.array(other) - centers
        along = np.clip((away * line).sum(1) / np.maximum((line**2).sum(1), 1e-9), 0, 1)
        from_line = np.linalg.norm(away - along[:, None] * line, axis=1)
        ok = np.linalg.norm(away, axis=1) >= diameter_px * _GAP
        # A line that passes under another disc is worse than a longer one, but better than none.
        distance = np.where(from_line < 0.6 * diameter_px, distance + 4 * diameter_px, distance)
        centers, distance, line = centers[ok], distance[ok], line[ok]
    if len(centers) == 0:
        return None
    # How much of the disc would cover objects, from sums over squares.
    busy = np.pad(np.cumsum(np.cumsum(object_ids >= 0, 0), 1), ((1, 0), (1, 0)))
    x0, y0 = np.clip(np.floor(centers - radius), 0, None).astype(int).T
    x1 = np.minimum(x0 + int(diameter_px), object_ids.shape[1])
    y1 = np.minimum(y0 + int(diameter_px), object_ids.shape[0])
    covered = (busy[y1, x1] - busy[y0, x1] - busy[y1, x0] + busy[y0, x0]) / diameter_px**2
    cost = distance + 2.0 * diameter_px * covered
    best = centers[int(np.argmin(cost))]
    return float(best[0]), float(best[1])
