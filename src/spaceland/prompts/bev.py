"""The bird's-eye view (BEV) of a scene, without ceiling, on white ground: orthographic or in perspective.

    bev = render_bev(scene)
    bev.image                                    uint8 [h, w, 3]; the last rows are a strip with the scale bar
    bev.map.world_to_pixel(np.array([2.0, 3.5])) where that place of the floor lies in the picture
    bev.object_ids, bev.height_m                 what each pixel shows, for placing marks

The orthographic view is a plan: one scale everywhere, with a scale bar. The one in perspective is the view of the
GPT4Scene paper, a camera above the room's middle that looks straight down: walls splay outward and show their inner
faces. Its scale holds on the floor alone, so it has no bar.

Surfaces come from the scene: its mesh, its points, else points fused from its depth images, else the points of its
objects. Nothing is invented in measured scenes: where nothing was seen from above the picture is white, unless
`fill_holes_m` is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.prompts.bevmap import ViewMap
from spaceland.prompts.ceiling import ROOM_LABELS, CeilingCut, open_room
from spaceland.prompts.fit import choose_extent, fit_map, fit_perspective
from spaceland.prompts.holes import fill_holes
from spaceland.prompts.overlays import bar_length, draw_camera_path, draw_grid, draw_strip, draw_walls
from spaceland.prompts.raster import TopLayers, render_top
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, Surface

_MAX_FUSED = 200
_PROJECTIONS = ("orthographic", "perspective")


ESTIMATED_HOLES_M = 0.3
"""Matching of pictures finds nothing on plain surfaces, so work tops and tables of a video are full of small holes."""


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
    projection: Literal["orthographic", "perspective"] = "orthographic"
    fov_deg: float = 60.0
    """In perspective: angle of view along the longer side of the picture."""
    camera_height_m: float | None = None
    """In perspective: height of the camera above the floor; None: as low as shows everything."""
    crop_m: tuple[float, float, float, float] | None = None
    """Show only this area: least x, least y, greatest x, greatest y in world metres; None: everything."""
    crop_to: tuple[int, ...] = ()
    """Show only the area of these objects (ids) and the margin around them."""
    fill_holes_m: float | None = None
    """Fill holes of the scan up to this width from their rim (see `holes`); 0: leave them white; None:
    `ESTIMATED_HOLES_M` where the geometry was estimated from pictures, else 0."""
    camera_path: bool = False
    """Draw the way of the camera."""
    grid_m: float | None = None
    """Draw a grid with this distance between lines."""

    def __post_init__(self) -> None:
        if self.size_px < 128:
            raise SceneError(f"a bird's-eye view of {self.size_px} px is too small to read; use 128 or more")
        if self.projection not in _PROJECTIONS:
            raise SceneError(f"unknown projection '{self.projection}'; projections are: {', '.join(_PROJECTIONS)}")
        if not 5.0 <= self.fov_deg <= 150.0:
            raise SceneError(f"a field of view of {self.fov_deg} degrees is not possible; give 5 to 150")
        if self.camera_height_m is not None and not 0.1 <= self.camera_height_m <= 1000:
            raise SceneError(f"a camera {self.camera_height_m} m above the floor sees no room; give 0.1 to 1000")
        if self.crop_m is not None:
            x0, y0, x1, y1 = self.crop_m
            if not (np.isfinite(self.crop_m).all() and x1 - x0 >= 0.1 and y1 - y0 >= 0.1):
                raise SceneError(
                    f"the area to show, {x0} {y0} {x1} {y1}, is not at least 0.1 m wide; give least x, least y, "
                    "greatest x, greatest y in metres"
                )
            if self.crop_to:
                raise SceneError("give an area to show or objects to show, not both")
        if self.fill_holes_m is not None and not 0 <= self.fill_holes_m <= 5:
            raise SceneError(f"holes of {self.fill_holes_m} m cannot be filled; give 0 (off) to 5 metres")
        if self.grid_m is not None and not 0.01 <= self.grid_m <= 100:
            raise SceneError(f"a grid of {self.grid_m} m is not possible; give 0.01 to 100 metres")


@dataclass(frozen=True, eq=False)
class Bev:
    """The picture and what lies behind each of its pixels.

    `object_ids` int32 [h, w] (`NO_OBJECT`: room or nothing) and `height_m` float32 [h, w] world z (NaN: nothing) have
    the size of the picture. `hanging` are the objects left out with the ceiling. `surface_kind` is "mesh", "points",
    "fused depth" or "object points". `bar_px` are first column, end column and row of the scale bar, `bar_length_m` is
    its length, and the strip that carries it starts at row `strip_top_px`; a view in perspective has no strip and no
    bar (None, 0). `filled` [h, w] marks pixels of holes that were filled, `holes` counts those filled and left white
    (both 0 where none were looked for).
    """

    image: UInt8[np.ndarray, "h w 3"]
    map: ViewMap
    object_ids: Int[np.ndarray, "h w"]
    height_m: Float[np.ndarray, "h w"]
    cut: CeilingCut
    hanging: tuple[int, ...]
    surface_kind: str
    bar_px: tuple[int, int, int] | None
    bar_length_m: float
    strip_top_px: int
    filled: Bool[np.ndarray, "h w"]
    holes: tuple[int, int]
    config: BevConfig

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


def render_bev(scene: Scene, config: BevConfig | None = None, *, shown: Sequence[Frame] = ()) -> Bev:
    """Render the bird's-eye view of a scene; `shown` are the frames that get an arrow on the camera's path.

    Raises:
        SceneError: the scene has no surface, no depth images and no objects, or nothing lies below the ceiling cut or
            in the area to show.
    """
    config = config or BevConfig()
    if config.fill_holes_m is None:
        config = replace(config, fill_holes_m=ESTIMATED_HOLES_M if scene.geometry == "estimated" else 0.0)
    perspective = config.projection == "perspective"
    surface, kind = scene_surface(scene)
    room = open_room(
        scene,
        surface,
        ceiling_height_m=config.ceiling_height_m,
        room_labels=config.room_labels,
        straight_cut=perspective,
    )
    extent = choose_extent(scene, room.surface, config.margin_m, config.crop_m, config.crop_to)
    eyes = np.zeros((0, 3))
    if config.camera_path and scene.frames and config.crop_m is None and not config.crop_to:
        # The way of the camera belongs to what is shown, where it leaves the scanned part too.
        eyes = np.array([frame.T_world_cam[:3, 3] for frame in scene.frames])
        extent = np.minimum(extent[0], eyes[:, :2].min(0) - 0.1), np.maximum(extent[1], eyes[:, :2].max(0) + 0.1)
    bev_map: ViewMap
    if perspective:
        strip_px = 0
        bev_map, width, height = fit_perspective(
            room.surface, extent, room.cut.floor_z_m, config.size_px, config.fov_deg, config.camera_height_m, eyes
        )
    else:
        strip_px = round(0.05 * config.size_px)
        bev_map, width, height = fit_map(extent, config.size_px, strip_px)
    assert room.surface.object_ids is not None
    owner = np.where(room.structure, NO_OBJECT, room.surface.object_ids)
    layers = render_top(replace(room.surface, object_ids=owner), bev_map, width, height)
    if np.isnan(layers.height_m).all():
        low, high = room.surface.vertices[:, :2].min(0), room.surface.vertices[:, :2].max(0)
        raise SceneError(
            f"scene {scene.id}: nothing was seen in the area to show; the scene reaches from x {low[0]:.2f}, "
            f"y {low[1]:.2f} to x {high[0]:.2f}, y {high[1]:.2f}"
        )
    filled, holes = np.zeros(layers.height_m.shape, dtype=bool), (0, 0)
    if config.fill_holes_m:
        found = fill_holes(layers, bev_map.metres_per_px, config.fill_holes_m)
        layers, filled, holes = found.layers, found.filled, (found.num_filled, found.num_left)
    color = shade_relief(layers, bev_map.metres_per_px, config.relief)
    if config.wall_line_px > 0 and len(room.cut_xy) and not (perspective and room.cut.z_m is None):
        line_px = config.wall_line_px * config.size_px / 1024
        color = draw_walls(color, room.cut_xy, room.cut.limit_m, bev_map, line_px, layers.object_ids)
    image = np.full((height + strip_px, width, 3), 255, dtype=np.uint8)
    image[:height] = np.clip(np.rint(color), 0, 255).astype(np.uint8)
    pad = ((0, strip_px), (0, 0))
    height_m = np.pad(layers.height_m, pad, constant_values=np.nan)
    if config.grid_m is not None:
        image = draw_grid(image, bev_map, config.grid_m, room.cut.floor_z_m, height_m, height)
    if config.camera_path:
        image = draw_camera_path(image, bev_map, scene.frames, shown, height, joined=scene.is_video)
    bar, bar_length_m = None, 0.0
    if not perspective:
        bar_length_m = bar_length(bev_map.metres_per_px, config.size_px, width)
        unit = "m" if scene.scale_known else "m (assumed)"
        bar = draw_strip(image, height, bar_length_m, bev_map.metres_per_px, unit)
    return Bev(
        image=image,
        map=bev_map,
        object_ids=np.pad(layers.object_ids, pad, constant_values=NO_OBJECT),
        height_m=height_m,
        cut=room.cut,
        hanging=room.hanging,
        surface_kind=kind,
        bar_px=bar,
        bar_length_m=bar_length_m,
        strip_top_px=height,
        filled=np.pad(filled, pad),
        holes=holes,
        config=config,
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
