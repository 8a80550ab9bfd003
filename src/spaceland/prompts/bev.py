"""The bird's-eye view (BEV) of a scene: orthographic, without ceiling, on white ground, with a scale bar.

    bev = render_bev(scene)
    bev.image                                    uint8 [h, w, 3]; the last rows are a strip with the scale bar
    bev.map.world_to_pixel(np.array([2.0, 3.5])) where that place of the room lies in the picture
    bev.object_ids, bev.height_m                 what each pixel shows, for placing marks

Surfaces come from the scene: its mesh, its points, else points fused from its depth images, else the points of its
objects. Nothing is invented: where nothing was seen from above the picture is white.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.prompts.bevmap import BevMap
from spaceland.prompts.ceiling import ROOM_LABELS, CeilingCut, OpenRoom, open_room
from spaceland.prompts.raster import TopLayers, render_top
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface
from spaceland.visibility.samples import densify

_CROP_CELL_M = 0.15
_MAX_CROP_CELLS = 200
_STRAY_SHARE = 0.03
_MAX_FUSED = 200
_INK = (45, 45, 45)


@dataclass(frozen=True, kw_only=True)
class BevConfig:
    """How the bird's-eye view is made."""

    size_px: int = 1024
    """Longest side of the picture, the strip with the scale bar included."""
    margin_m: float = 0.3
    """White border around what is seen."""
    ceiling_height_m: float | None = None
    """Leave out unnamed surface higher than this above the floor; None: found from cameras and surface."""
    room_labels: tuple[str, ...] = ROOM_LABELS
    """Objects with these labels count as the room itself."""
    relief: float = 0.55
    """How much lower places beside higher ones are darkened, 0 (off) to 1: edges of furniture become visible."""
    wall_line_px: float = 3.0
    """Width of the lines where walls are cut, at 1024 px; 0: none."""

    def __post_init__(self) -> None:
        if self.size_px < 128:
            raise SceneError(f"a bird's-eye view of {self.size_px} px is too small to read; use 128 or more")


@dataclass(frozen=True, eq=False)
class Bev:
    """The picture and what lies behind each of its pixels.

    `object_ids` int32 [h, w] (`NO_OBJECT`: room or nothing) and `height_m` float32 [h, w] world z (NaN: nothing) have
    the size of the picture. `hanging` are the objects left out with the ceiling. `surface_kind` is "mesh", "points",
    "fused depth" or "object points". `bar_px` are first column, end column and row of the scale bar, `bar_length_m` is
    its length, and the strip that carries it starts at row `strip_top_px`.
    """

    image: UInt8[np.ndarray, "h w 3"]
    map: BevMap
    object_ids: Int[np.ndarray, "h w"]
    height_m: Float[np.ndarray, "h w"]
    cut: CeilingCut
    hanging: tuple[int, ...]
    surface_kind: str
    bar_px: tuple[int, int, int]
    bar_length_m: float
    strip_top_px: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


def render_bev(scene: Scene, config: BevConfig | None = None) -> Bev:
    """Render the bird's-eye view of a scene.

    Raises:
        SceneError: the scene has no surface, no depth images and no objects, or nothing lies below the ceiling cut.
    """
    config = config or BevConfig()
    surface, kind = scene_surface(scene)
    room = open_room(scene, surface, ceiling_height_m=config.ceiling_height_m, room_labels=config.room_labels)
    strip_px = round(0.05 * config.size_px)
    bev_map, width, height = fit_map(room.surface, config.size_px, strip_px, config.margin_m)
    assert room.surface.object_ids is not None
    owner = np.where(room.structure, NO_OBJECT, room.surface.object_ids)
    layers = render_top(replace(room.surface, object_ids=owner), bev_map, width, height)
    color = shade_relief(layers, bev_map.metres_per_px, config.relief)
    if config.wall_line_px > 0 and len(room.cut_xy):
        color = _draw_walls(color, room, bev_map, config.wall_line_px * config.size_px / 1024, layers)
    image = np.full((height + strip_px, width, 3), 255, dtype=np.uint8)
    image[:height] = np.clip(np.rint(color), 0, 255).astype(np.uint8)
    bar_length_m = next((m for m in (1.0, 2.0, 5.0, 10.0) if m / bev_map.metres_per_px >= 0.05 * config.size_px), 20.0)
    bar = _draw_strip(image, height, bar_length_m, bev_map.metres_per_px)
    pad = ((0, strip_px), (0, 0))
    return Bev(
        image,
        bev_map,
        np.pad(layers.object_ids, pad, constant_values=NO_OBJECT),
        np.pad(layers.height_m, pad, constant_values=np.nan),
        room.cut,
        room.hanging,
        kind,
        bar,
        bar_length_m,
        height,
    )


def scene_surface(scene: Scene) -> tuple[Surface, str]:
    """The surface to look at and where it comes from (see `Bev.surface_kind`)."""
    if scene.surface is not None and len(scene.surface.vertices):
        faces = scene.surface.faces
        return scene.surface, "points" if faces is None or len(faces) == 0 else "mesh"
    if any(frame.depth is not None for frame in scene.frames):
        from spaceland.scenes.points import fuse_points

        num = sum(frame.depth is not None for frame in scene.frames)
        # Noise is not seen twice at one place; but a few frames hardly overlap, so then everything counts.
        fused = fuse_points(scene, stride=-(-num // _MAX_FUSED), min_seen=1 if num < 12 else 2)
        if len(fused.vertices):
            return fused, "fused depth"
    if scene.objects:
        points = np.concatenate([thing.points for thing in scene.objects])
        ids = np.repeat([thing.id for thing in scene.objects], [len(thing.points) for thing in scene.objects])
        return Surface(points, None, None, ids.astype(np.int32)), "object points"
    raise SceneError(
        f"scene {scene.id} has no surface, no depth images and no objects, so there is nothing to see from above; "
        "add a mesh, a point cloud or depth images"
    )


def fit_map(surface: Surface, size_px: int, strip_px: int, margin_m: float) -> tuple[BevMap, int, int]:
    """Map, width and height (without strip) of a view that shows all of a surface but its stray specks."""
    low, high = _extent(surface)
    low, high = low - margin_m, high + margin_m
    span = high - low
    scale = max(span[0] / size_px, span[1] / (size_px - strip_px))
    scale = float(np.ceil(scale * 1e4) / 1e4)  # a round number: whole tenths of a millimetre per pixel
    width, height = (int(np.ceil(round(s / scale, 6))) for s in span)
    # The room sits in the middle of the whole pixels.
    spare_x, spare_y = width * scale - span[0], height * scale - span[1]
    origin = (round(float(low[0] - spare_x / 2), 6), round(float(high[1] + spare_y / 2), 6))
    return BevMap(scale, origin), width, height


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


def shade_relief(layers: TopLayers, metres_per_px: float, strength: float) -> Float[np.ndarray, "h w 3"]:
    """Darken what lies lower than its surroundings, softly within 0.15 m and sharply at the very edge."""
    empty = np.isnan(layers.height_m)
    if strength <= 0 or empty.all():
        return layers.color
    z = np.where(empty, 0, layers.height_m)
    weight = (~empty).astype(np.float32)
    shade = np.ones(z.shape, dtype=np.float32)
    for radius_m, depth_m, share in ((0.12, 0.5, 0.7), (0.02, 0.25, 0.5)):
        window = max(3, 2 * round(radius_m / metres_per_px) + 1)
        around, known = z * weight, weight
        for _ in range(2):  # two passes of a box are near enough to a bell curve
            around, known = ndimage.uniform_filter(around, window), ndimage.uniform_filter(known, window)
        lower = np.clip((around / np.maximum(known, 1e-3) - z) / depth_m, 0, 1)
        shade *= 1 - strength * share * lower
    # Heights are known for pixel centres only; a light blur keeps slanting edges from showing stairs.
    shade = ndimage.gaussian_filter(shade, 0.8, truncate=2.5)
    shade[empty] = 1
    return layers.color * shade[..., None]


def _draw_walls(color: np.ndarray, room: OpenRoom, bev_map: BevMap, line_px: float, layers: TopLayers) -> np.ndarray:
    """Draw where walls are cut as thin dark lines, not over objects."""
    height, width = color.shape[:2]
    canvas = Image.new("L", (4 * width, 4 * height))
    draw = ImageDraw.Draw(canvas)
    line = max(2, round(4 * line_px))
    for (u0, v0), (u1, v1) in (4 * bev_map.world_to_pixel(room.cut_xy)).round(2).tolist():
        draw.line((u0, v0, u1, v1), fill=255, width=line)
        for u, v in ((u0, v0), (u1, v1)):  # closes corners
            draw.ellipse((u - line / 2, v - line / 2, u + line / 2 - 1, v + line / 2 - 1), fill=255)
    cover = np.array(canvas.reduce(4), dtype=np.float32) / 255
    cover[layers.object_ids != NO_OBJECT] = 0
    return color * (1 - cover[..., None]) + np.array(_INK, dtype=np.float32) * cover[..., None]


def _draw_strip(image: np.ndarray, top: int, length_m: float, metres_per_px: float) -> tuple[int, int, int]:
    """Draw scale bar and axes below the picture; returns the bar's first column, end column (exclusive) and row."""
    strip = image.shape[0] - top
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(9, round(0.36 * strip)))
    thick = max(2, strip // 14)
    x0, x1 = round(0.45 * strip), round(0.45 * strip) + round(length_m / metres_per_px)
    y = top + round(0.55 * strip)
    draw.rectangle((x0, y, x1 - 1, y + thick - 1), fill=_INK)
    tick = max(3, strip // 7)
    for x in (x0, x1 - thick):
        draw.rectangle((x, y - tick, x + thick - 1, y + thick - 1 + tick), fill=_INK)
    middle = y + thick // 2
    draw.text((x1 + round(0.3 * strip), middle), f"{length_m:g} m", fill=_INK, font=font, anchor="lm")
    # The axes at the right end: x to the right, y to the top.
    arm = round(0.5 * strip)
    ax, ay = image.shape[1] - round(1.6 * strip), top + round(0.75 * strip)
    if ax > x1 + 3 * strip:
        head = max(3, strip // 9)
        draw.line((ax, ay, ax + arm, ay), fill=_INK, width=thick)
        draw.line((ax, ay, ax, ay - arm), fill=_INK, width=thick)
        draw.polygon([(ax + arm + head, ay), (ax + arm, ay - head), (ax + arm, ay + head)], fill=_INK)
        draw.polygon([(ax, ay - arm - head), (ax - head, ay - arm), (ax + head, ay - arm)], fill=_INK)
        draw.text((ax + arm + 2 * head, ay), "x", fill=_INK, font=font, anchor="lm")
        draw.text((ax - head - thick, ay - arm), "y", fill=_INK, font=font, anchor="rm")
    image[:] = np.asarray(canvas)
    return x0, x1, y


def empty_ground(bev: Bev) -> Bool[np.ndarray, "h w"]:
    """Pixels of the view (strip included) in which nothing was seen."""
    return np.isnan(bev.height_m)
