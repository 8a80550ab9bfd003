"""Where the discs go: on pixels that truly show their object, inside the picture, never on top of each other.

Given a picture in which every pixel names its object (the id map), a disc's centre lies on a pixel of its object, as
deep inside the visible part as the free room allows. Objects with the fewest places to choose from are placed first, so
a cup is not robbed of its only place by the table under it. Whoever cannot be placed is counted by reason:

    "hidden or out of view"      no pixel shows it
    "too small"                  fewer visible pixels than the configured share of the picture
    "over the limit per image"   smaller than the largest `max_marks`
    "at the border"              a whole disc on any of its pixels would leave the picture, and none fits beside it
    "no free place"              every place overlaps a disc, on the object and beside it

Where no place on the object is left the disc goes beside it with a leader line that ends on a pixel of the object. The
bird's-eye view prefers the middle of the object's box; there lines may be long, so hardly anything stays unnamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from spaceland.prompts.leaders import GAP, place_beside
from spaceland.prompts.marks import DiscMark

_CLEAR_RADII = 1.15
"""The end of a line is so many radii away from discs, so that it can be seen."""


@dataclass(frozen=True, kw_only=True)
class PlacementConfig:
    """Which objects get a disc on a picture."""

    min_area_share: float = 0.001
    """Visible area as a share of the picture (0.001 is 307 px of 640x480)."""
    bev_min_area_share: float = 0.00005
    """The same for the bird's-eye view, where things are small (0.00005 is 52 px of 1024x1024)."""
    max_marks: int = 40
    """At most so many discs on one frame, the largest visible objects first; the bird's-eye view has no limit."""
    leader_diameters: float = 3.0
    """On frames a disc that finds no place on its object stands beside it, at most so far away; 0: it is left out."""


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
    options, own = [], {}
    for object_id in candidates[: config.max_marks]:
        mask, row, column = _cut_out(object_ids, object_id)
        depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=scale)[1:-1, 1:-1]
        pixels = np.argwhere(mask)
        # Of equally deep pixels the one nearest to their common middle: no corner is preferred.
        middle = (pixels * (depth[mask] ** 2)[:, None]).sum(0) / (depth[mask] ** 2).sum()
        off = np.linalg.norm((pixels - middle) * scale, axis=1)
        value = depth[mask] - 1e-3 * off
        pixels += np.array([row, column])
        own[object_id] = _Places(object_id, pixels, value)
        inside = _disc_inside(pixels, scale, radius, image_size[0], image_size[1])
        options.append(_Places(object_id, pixels[inside], value[inside]))
    sheet = _Sheet(object_ids, scale, image_size, diameter_px)
    longest_px = config.leader_diameters * diameter_px
    return _place(sheet, numbers, options, own, skipped, longest_px=longest_px, cut_off="at the border")


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
    sheet = _Sheet(object_ids, unit, (width, bottom_px), diameter_px)
    return _place(sheet, numbers, options, own, skipped, longest_px=np.inf, cut_off="no free place")


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Where discs go: the map of objects, pixels of the picture for its rows and columns, the picture's size."""

    object_ids: Int[np.ndarray, "h w"]
    scale: Float[np.ndarray, "2"]
    size: tuple[int, int]
    diameter_px: float


def _place(
    sheet: _Sheet,
    numbers: dict[int, int],
    options: Sequence[_Places],
    own: Mapping[int, _Places],
    skipped: dict[int, str],
    *,
    longest_px: float,
    cut_off: str,
) -> Placed:
    """Discs that stand on their objects, those with the fewest places first; then the others, beside their objects.

    Args:
        sheet: Where they go.
        numbers: Object id -> number.
        options: Pixels of each object at which a whole disc fits into the picture.
        own: All pixels of each object.
        skipped: Why other objects have no disc; added to.
        longest_px: Of lines to discs beside their object; 0: none.
        cut_off: What is said of an object at which no whole disc fits.
    """
    taken: list[tuple[float, float]] = []
    marks, homeless = [], {}
    for places in sorted(options, key=lambda p: (len(p.pixels), p.object_id)):
        choice = _best_free(places, sheet.scale, taken, sheet.diameter_px)
        if choice is None:
            homeless[places.object_id] = "no free place" if len(places.pixels) else cut_off
            continue
        taken.append(choice)
        marks.append(DiscMark(numbers[places.object_id], places.object_id, choice, sheet.diameter_px))
    targets: list[tuple[float, float]] = []
    for object_id, reason in homeless.items():
        choice = None
        target = _target(own[object_id], sheet.scale, taken, sheet.diameter_px / 2)
        if longest_px > 0:
            choice = place_beside(
                sheet.object_ids, sheet.scale, target, taken, targets, sheet.diameter_px, sheet.size, longest_px
            )
        if choice is None:
            skipped[object_id] = reason
            continue
        taken.append(choice)
        targets.append(target)
        marks.append(DiscMark(numbers[object_id], object_id, choice, sheet.diameter_px, target))
    return Placed(tuple(sorted(marks, key=lambda m: m.object_id)), dict(sorted(skipped.items())))


def _target(
    places: _Places, scale: np.ndarray, taken: Sequence[tuple[float, float]], radius: float
) -> tuple[float, float]:
    """Where a line to the object ends: where it can still be seen, if it reaches out from under the discs."""
    clear = _best_free(places, scale, taken, _CLEAR_RADII * radius)
    return clear or _center(places.pixels[np.argmax(places.value)], scale)


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
        free &= ((centers - np.array(other)) ** 2).sum(1) >= (distance_px * GAP) ** 2
    if not free.any():
        return None
    index = np.flatnonzero(free)
    return _center(places.pixels[index[np.argmax(places.value[index])]], scale)
