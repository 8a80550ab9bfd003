"""How a bird's-eye view frames a room: what it shows, at what scale, and where the camera of a perspective view stands.

extent      everything seen but stray specks, or a crop: an area in metres, or given objects
orthographic: the scale at which the extent and its margin fill the picture
perspective: the camera stands above the middle of the extent, as low as shows all of it in its field of view
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.prompts.bevmap import BevMap, PerspectiveMap
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface
from spaceland.visibility.samples import densify

_CROP_CELL_M = 0.15
_MAX_CROP_CELLS = 200
_STRAY_SHARE = 0.03
_FIT_PERCENTILE = 99.9

Extent = tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]
"""Least and greatest world x, y in metres."""


def choose_extent(
    scene: Scene,
    surface: Surface,
    margin_m: float,
    crop_m: tuple[float, float, float, float] | None,
    crop_to: Sequence[int],
) -> Extent:
    """What the view shows: the crop if one is given, else all of the surface but its stray specks.

    An area is taken as it is, objects and the whole room get the margin.

    Raises:
        SceneError: an object to crop to does not exist.
    """
    if crop_m is not None:
        low, high = np.array(crop_m[:2], dtype=float), np.array(crop_m[2:], dtype=float)
    elif crop_to:
        unknown = [str(k) for k in crop_to if k not in scene.objects_by_id]
        if unknown:
            known = ", ".join(str(k) for k in sorted(scene.objects_by_id)[:40]) or "none"
            raise SceneError(
                f"scene {scene.id} has no object {', '.join(unknown)} to crop to; its objects are: {known}"
            )
        boxes = [scene.objects_by_id[k].aabb for k in crop_to]
        low = np.min([box.minimum[:2] for box in boxes], axis=0) - margin_m
        high = np.max([box.maximum[:2] for box in boxes], axis=0) + margin_m
    else:
        low, high = _extent(surface)
        return low - margin_m, high + margin_m
    return low, high


def fit_map(extent: Extent, size_px: int, strip_px: int) -> tuple[BevMap, int, int]:
    """Map, width and height (without strip) of an orthographic view that shows an extent."""
    low, high = extent
    span = high - low
    scale = max(span[0] / size_px, span[1] / (size_px - strip_px))
    scale = float(np.ceil(scale * 1e4) / 1e4)  # a round number: whole tenths of a millimetre per pixel
    width, height = (int(np.ceil(round(s / scale, 6))) for s in span)
    # The room sits in the middle of the whole pixels.
    spare_x, spare_y = width * scale - span[0], height * scale - span[1]
    origin = (round(float(low[0] - spare_x / 2), 6), round(float(high[1] + spare_y / 2), 6))
    return BevMap(scale, origin), width, height


def fit_perspective(
    surface: Surface,
    extent: Extent,
    floor_z_m: float,
    size_px: int,
    fov_deg: float,
    camera_height_m: float | None,
    also: Float[np.ndarray, "k 3"],
) -> tuple[PerspectiveMap, int, int]:
    """Map, width and height of a view in perspective from above the middle of an extent.

    The longer side of the picture spans `fov_deg`. Without `camera_height_m` (above the floor) the camera stands as low
    as shows the extent on the floor, what stands in it up to its top, and the places `also`, rounded up to whole
    centimetres.
    """
    low, high = extent
    span = np.maximum(high - low, 1e-3)
    width, height = (int(np.ceil(size_px * s / span.max() - 1e-9)) for s in span)
    focal_px = round(size_px / 2 / float(np.tan(np.radians(fov_deg) / 2)), 3)
    middle = np.round((low + high) / 2, 3)
    if camera_height_m is None:
        half = np.array([width, height]) / 2

        def needed(points: np.ndarray, margin: float) -> np.ndarray:
            """How high the eye must be so that each point, and a margin around it, falls into the picture."""
            return points[:, 2] + ((np.abs(points[:, :2] - middle) + margin) / half).max(1) * focal_px

        inside = needed(surface.vertices[_used(surface) & _within(surface, low, high)], 0.02 * float(span.max()))
        on_floor = floor_z_m + float((span / 2 / half).max()) * focal_px
        heights = [on_floor, *needed(also, 0.1).tolist()]
        if len(inside):  # a few stray points high up must not lift the camera
            heights.append(float(np.percentile(inside, _FIT_PERCENTILE, method="higher")))
        camera_height_m = float(np.ceil((max(heights) - floor_z_m) * 100) / 100)
    eye = (float(middle[0]), float(middle[1]), round(floor_z_m + camera_height_m, 6))
    return PerspectiveMap(eye, focal_px, (width / 2, height / 2), round(floor_z_m, 6)), width, height


def _within(surface: Surface, low: np.ndarray, high: np.ndarray) -> Bool[np.ndarray, "n"]:
    x, y = surface.vertices[:, 0], surface.vertices[:, 1]
    return (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])


def _used(surface: Surface) -> Bool[np.ndarray, "n"]:
    """Vertices that a triangle names; all of a cloud."""
    if surface.faces is None:
        return np.ones(len(surface.vertices), dtype=bool)
    used = np.zeros(len(surface.vertices), dtype=bool)
    used[surface.faces] = True
    return used


def _extent(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest x, y in metres; patches below 3 % of the largest one count as stray unless an object's."""
    cell_m = max(_CROP_CELL_M, float(np.ptp(surface.vertices[:, :2], axis=0).max()) / _MAX_CROP_CELLS)
    points, _ = densify(surface.vertices, surface.faces, cell_m)
    used = surface.vertices
    owner = surface.object_ids
    if surface.faces is not None:
        touched = np.unique(surface.faces)
        used, owner = used[touched], None if owner is None else owner[touched]
        points = np.concatenate([points[len(surface.vertices) :], used])
    start = points[:, :2].min(0)
    shape = np.floor((points[:, :2].max(0) - start) / cell_m).astype(int) + 1
    occupied = np.zeros(shape, dtype=bool)
    occupied[tuple(np.floor((points[:, :2] - start) / cell_m).astype(int).T)] = True
    # Gaps of two cells (0.3 m, more in a hall) do not part a room.
    labels, count = ndimage.label(ndimage.binary_dilation(occupied, np.ones((3, 3))), np.ones((3, 3)))
    areas = np.bincount(labels[occupied], minlength=count + 1)
    wanted = areas >= _STRAY_SHARE * areas.max()
    cells = labels[tuple(np.floor((used[:, :2] - start) / cell_m).astype(int).T)]
    if owner is not None:
        wanted[np.unique(cells[owner != NO_OBJECT])] = True
    kept = used[wanted[cells], :2]
    return kept.min(0), kept.max(0)
