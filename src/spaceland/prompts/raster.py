"""Colour, height and owner in every pixel, looking straight down on a surface. No graphics card, no OpenGL.

Triangles: one ray for each pixel centre (Embree), all parallel or all from one camera; pixels beside an edge get 3 x 3
rays, whose colours are averaged, so edges are smooth and flat areas cheap. Points: each is a disc as wide as its
neighbours are far; of the discs that cover a pixel those within 5 cm of the highest are blended by distance, and gaps
about as narrow as the distance between points are closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from spaceland.geometry.raycast import RayCaster
from spaceland.prompts.bevmap import BevMap, PerspectiveMap, ViewMap
from spaceland.prompts.camera_rays import NEAR_M, CameraPainter, mean_of_three, range_of_three
from spaceland.scenes.scene import NO_OBJECT, Surface
from spaceland.visibility.samples import point_radii, thin

_BLEND_M = 0.05
_MAX_REACH_PX = 40
_SUBPIXELS = 3
_EDGE_HEIGHT_M = 0.02
_EDGE_HEIGHT_CAMERA_M = 0.08  # in perspective a wall drops by a centimetre or more from pixel to pixel
_EDGE_COLOR = 24.0
_CHUNK_RAYS = 1 << 20
_THIN_FROM = 400_000
_BATCH = 4_000_000
_NOWHERE_M = -1e4


@dataclass(frozen=True, eq=False)
class TopLayers:
    """What is seen from above: `color` float32 [h, w, 3] 0..255 over white, `height_m` float32 [h, w] world z (NaN:
    nothing there), `object_ids` int32 [h, w] (`NO_OBJECT`: room or nothing)."""

    color: Float[np.ndarray, "h w 3"]
    height_m: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]


def render_top(surface: Surface, bev_map: ViewMap, width: int, height: int) -> TopLayers:
    """Render a surface whose `object_ids` are set; where it has no colours they are made from height.

    Straight down, a higher surface is the nearer one, in perspective too: heights serve as the depth test of both.
    """
    assert surface.object_ids is not None
    colors = height_colors(surface.vertices) if surface.colors is None else surface.colors
    if surface.faces is None or len(surface.faces) == 0:
        return _render_points(surface, colors, bev_map, width, height)
    return _render_triangles(surface, colors, bev_map, width, height)


def height_colors(vertices: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """A quiet tint for surfaces without colours: blue grey at the bottom, sand at the top."""
    low, high = np.percentile(vertices[:, 2], [2, 98])
    share = np.clip((vertices[:, 2:] - low) / max(high - low, 1e-6), 0, 1)
    return (1 - share) * np.array([150.0, 164.0, 178.0]) + share * np.array([226.0, 206.0, 170.0])


def _render_triangles(surface: Surface, colors: np.ndarray, bev_map: ViewMap, width: int, height: int) -> TopLayers:
    assert surface.faces is not None and surface.object_ids is not None
    painter = (
        _TrianglePainter(surface, colors, bev_map)
        if isinstance(bev_map, BevMap)
        else CameraPainter(surface, colors, bev_map)
    )
    u, v = np.arange(width) + 0.5, np.arange(height) + 0.5
    color = np.empty((height * width, 3), dtype=np.float32)
    z = np.empty(height * width, dtype=np.float32)
    face = np.empty(height * width, dtype=np.int32)
    rows = max(1, _CHUNK_RAYS // width)
    for start in range(0, height, rows):
        part = slice(start * width, min(start + rows, height) * width)
        pixels = np.stack(np.meshgrid(u, v[start : start + rows]), -1).reshape(-1, 2)
        color[part], z[part], face[part] = painter.paint(pixels)
    corners = surface.object_ids[surface.faces]
    owner = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], corners[:, 0])
    ids = np.where(face >= 0, owner[face], NO_OBJECT).astype(np.int32).reshape(height, width)
    color, z = color.reshape(height, width, 3), z.reshape(height, width)
    row, column = np.nonzero(
        _edges(color, z, ids, _EDGE_HEIGHT_M if isinstance(bev_map, BevMap) else _EDGE_HEIGHT_CAMERA_M)
    )
    steps = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS
    offsets = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    for start in range(0, len(row), _CHUNK_RAYS // len(offsets)):
        part = slice(start, start + _CHUNK_RAYS // len(offsets))
        pixels = np.stack([column[part], row[part]], -1)[:, None] + offsets
        fine, _, _ = painter.paint(pixels.reshape(-1, 2))
        color[row[part], column[part]] = fine.reshape(-1, len(offsets), 3).mean(1)
    return TopLayers(color, z, ids)


class _TrianglePainter:
    """Shoots rays down; inside a triangle colour is linear in x and y, so its three planes are worked out once."""

    def __init__(self, surface: Surface, colors: np.ndarray, bev_map: BevMap) -> None:
        assert surface.faces is not None
        self._map = bev_map
        self._caster = RayCaster(surface.vertices, surface.faces)
        self._top_m = float(surface.vertices[:, 2].max()) + 1.0
        corners = surface.vertices[surface.faces]
        values = np.asarray(colors, dtype=np.float64)[surface.faces]
        self._middle = mean_of_three(corners[..., :2]).astype(np.float32)
        self._mean = mean_of_three(values).astype(np.float32)
        self._low, self._high = (limit.astype(np.float32) for limit in range_of_three(values))
        edges, steps = corners[:, 1:, :2] - corners[:, :1, :2], values[:, 1:] - values[:, :1]
        det = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        flat = np.abs(det) > 1e-12  # an upright triangle is a line from above and keeps its mean colour
        safe = np.where(flat, det, 1.0)[:, None]
        slope_x = (steps[:, 0] * edges[:, 1, 1:2] - steps[:, 1] * edges[:, 0, 1:2]) / safe
        slope_y = (steps[:, 1] * edges[:, 0, 0:1] - steps[:, 0] * edges[:, 1, 0:1]) / safe
        self._slopes = (np.stack([slope_x, slope_y], 1) * flat[:, None, None]).astype(np.float32)

    def paint(self, pixels: Float[np.ndarray, "n 2"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour [n, 3] (white: nothing), height [n] in metres (NaN: nothing) and face [n] (-1) at pixel places."""
        xy = self._map.pixel_to_world(pixels)
        origins = np.concatenate([xy, np.full((len(xy), 1), self._top_m)], 1)
        hits = self._caster.cast(origins, np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape))
        color = np.full((len(xy), 3), 255.0, dtype=np.float32)
        z = np.full(len(xy), np.nan, dtype=np.float32)
        hit = np.flatnonzero(hits.face >= 0)
        face = hits.face[hit]
        z[hit] = self._top_m - hits.distance[hit]
        offset = xy[hit].astype(np.float32) - self._middle[face]
        painted = self._mean[face] + np.einsum("nd,ndc->nc", offset, self._slopes[face])
        color[hit] = np.clip(painted, self._low[face], self._high[face])
        return color, z, hits.face


def _edges(color: np.ndarray, z: np.ndarray, ids: np.ndarray, step_m: float) -> Bool[np.ndarray, "h w"]:
    """Pixels that differ from their right or lower neighbour in height, owner or colour, and these neighbours."""
    empty = np.isnan(z)
    ground = np.where(empty, np.float32(-1e6), z)
    grey = color.sum(2) / 3
    edges = np.zeros(z.shape, dtype=bool)
    for axis in (0, 1):
        before = (slice(None),) * axis + (slice(None, -1),)
        after = (slice(None),) * axis + (slice(1, None),)
        differs = np.abs(ground[after] - ground[before]) > step_m
        differs |= ids[after] != ids[before]
        differs |= np.abs(grey[after] - grey[before]) > _EDGE_COLOR
        edges[before] |= differs
        edges[after] |= differs
    return edges


def _render_points(surface: Surface, colors: np.ndarray, bev_map: ViewMap, width: int, height: int) -> TopLayers:
    if isinstance(bev_map, PerspectiveMap):
        below = surface.vertices[:, 2] < bev_map.camera_m[2] - NEAR_M
        surface, colors = _part(surface, below), colors[below]
    surface, colors = _one_point_a_pixel(surface, colors, bev_map.metres_per_px)
    assert surface.object_ids is not None
    num = height * width
    radius_m = point_radii(surface.vertices)
    scale = (
        bev_map.metres_per_px
        if isinstance(bev_map, BevMap)
        else (bev_map.camera_m[2] - surface.vertices[:, 2]) / bev_map.focal_px
    )
    # Stray points lie far apart: they stay small.
    radius_px = np.maximum(np.minimum(radius_m, 1.7 * np.median(radius_m)) / scale, 0.75)
    place = bev_map.world_to_pixel(surface.vertices)
    z = surface.vertices[:, 2].astype(np.float32)
    discs = list(_discs(place, radius_px, width, height))
    top = np.full(num, -np.inf, dtype=np.float32)
    for index, flat, _ in discs:
        np.maximum.at(top, flat, z[index])
    total, best, blend = np.zeros(num), np.zeros(num, dtype=np.float32), np.zeros((num, 3))
    for index, flat, weight in discs:
        near = z[index] >= top[flat] - _BLEND_M
        index, flat, weight = index[near], flat[near], weight[near]
        total += np.bincount(flat, weight, minlength=num)
        for c in range(3):
            blend[:, c] += np.bincount(flat, weight * colors[index, c], minlength=num)
        np.maximum.at(best, flat, weight)
    ids = np.full(num, NO_OBJECT, dtype=np.int32)
    for index, flat, weight in discs:  # the nearest disc centre names the pixel
        mine = (z[index] >= top[flat] - _BLEND_M) & (weight >= best[flat])
        ids[flat[mine]] = surface.object_ids[index[mine]]
    seen = total > 0
    color = np.where(seen[:, None], blend / np.maximum(total, 1e-12)[:, None], 255.0).reshape(height, width, 3)
    layers = TopLayers(
        color.astype(np.float32),
        np.where(seen, top, np.nan).astype(np.float32).reshape(height, width),
        ids.reshape(height, width),
    )
    return _close_gaps(layers, round(1.5 * float(np.median(radius_px))))


def _one_point_a_pixel(surface: Surface, colors: np.ndarray, metres_per_px: float) -> tuple[Surface, np.ndarray]:
    """Thin a cloud that is much denser than the picture: one point for each cube as wide as a pixel."""
    if len(surface.vertices) < _THIN_FROM or surface.object_ids is None:
        return surface, colors
    keep = thin(surface.vertices, metres_per_px)
    return _part(surface, keep), colors[keep]


def _part(surface: Surface, keep: np.ndarray) -> Surface:
    """Some points of a cloud, without their colours."""
    assert surface.object_ids is not None
    return Surface(surface.vertices[keep], None, None, surface.object_ids[keep])


def _discs(
    place: Float[np.ndarray, "n 2"], radius_px: Float[np.ndarray, "n"], width: int, height: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Point index, flat pixel and weight (1 at the point's place) of every pixel in the discs, in large batches."""
    column, row = np.floor(place).astype(np.int64).T
    reach = np.clip(np.ceil(radius_px - 0.5), 0, _MAX_REACH_PX).astype(np.int64)
    order = np.argsort(-reach, kind="stable")
    falling = -reach[order]
    batch: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    size, largest = 0, int(reach.max(initial=0))
    for dy in range(-largest, largest + 1):
        for dx in range(-largest, largest + 1):
            index = order[: np.searchsorted(falling, -max(abs(dx), abs(dy)), side="right")]
            x, y = column[index] + dx, row[index] + dy
            square = (x + 0.5 - place[index, 0]) ** 2 + (y + 0.5 - place[index, 1]) ** 2
            limit = radius_px[index] ** 2
            ok = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (square <= limit)
            weight = np.exp(-2.5 * square[ok] / limit[ok]) + 1e-4
            batch.append((index[ok].astype(np.int32), (y * width + x)[ok], weight.astype(np.float32)))
            size += len(weight)
            if size > _BATCH:
                yield _joined(batch)
                batch, size = [], 0
    if batch:
        yield _joined(batch)


def _joined(batch: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    index, flat, weight = (np.concatenate(part) for part in zip(*batch, strict=True))
    return index, flat, weight


def _close_gaps(layers: TopLayers, reach_px: int) -> TopLayers:
    """Fill gaps at most twice the reach wide, through which the ground or lower things shimmer, from beside them."""
    if reach_px < 1 or np.isnan(layers.height_m).all():
        return layers
    z = np.where(np.isnan(layers.height_m), _NOWHERE_M, layers.height_m)
    padded = np.pad(z, 2 * reach_px, constant_values=_NOWHERE_M)
    closed = ndimage.grey_closing(padded, size=2 * reach_px + 1)[
        2 * reach_px : -2 * reach_px, 2 * reach_px : -2 * reach_px
    ]
    gap = closed - z > _BLEND_M
    row, column = ndimage.distance_transform_edt(gap, return_distances=False, return_indices=True)
    source = row[gap], column[gap]
    color, height_m, ids = layers.color.copy(), layers.height_m.copy(), layers.object_ids.copy()
    color[gap], height_m[gap], ids[gap] = color[source], height_m[source], ids[source]
    return TopLayers(color, height_m, ids)
