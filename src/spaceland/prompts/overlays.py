"""What is drawn over a bird's-eye view: scale bar and axes, cut walls, a grid in metres, the camera's path.

Everything is drawn with the view's own map, so it lies where it is said to lie. In perspective the grid is that of the
floor and is hidden by what stands on it; the camera's path is drawn at the height of the camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from spaceland.errors import SceneError
from spaceland.prompts.bevmap import BevMap, ViewMap
from spaceland.scenes.scene import NO_OBJECT, Frame

INK = (45, 45, 45)
PATH_COLOR = (20, 90, 200)
GRID_COLOR = (120, 120, 120)
_OVERSAMPLE = 4
_MAX_GRID_LINES = 200
_FLOOR_BAND_M = 0.12


def bar_length(metres_per_px: float, size_px: int, width_px: int) -> float:
    """A round length in metres for the scale bar: 1 m if that is neither tiny nor half the picture."""
    if 1.0 / metres_per_px > 0.5 * width_px:
        return next((m for m in (0.5, 0.2, 0.1) if m / metres_per_px <= 0.5 * width_px), 0.05)
    return next((m for m in (1.0, 2.0, 5.0, 10.0) if m / metres_per_px >= 0.05 * size_px), 20.0)


def draw_walls(
    color: Float[np.ndarray, "h w 3"],
    cut_xy: Float[np.ndarray, "k 2 2"],
    cut_z_m: float,
    view: ViewMap,
    line_px: float,
    object_ids: Int[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w 3"]:
    """Draw where walls are cut, at world height `cut_z_m`, as thin dark lines, not over objects."""
    height, width = color.shape[:2]
    canvas = Image.new("L", (4 * width, 4 * height))
    draw = ImageDraw.Draw(canvas)
    line = max(2, round(4 * line_px))
    ends = np.concatenate([cut_xy, np.full((*cut_xy.shape[:2], 1), cut_z_m)], -1)
    for (u0, v0), (u1, v1) in (4 * view.world_to_pixel(ends)).round(2).tolist():
        draw.line((u0, v0, u1, v1), fill=255, width=line)
        for u, v in ((u0, v0), (u1, v1)):  # closes corners
            draw.ellipse((u - line / 2, v - line / 2, u + line / 2 - 1, v + line / 2 - 1), fill=255)
    cover = np.array(canvas.reduce(4), dtype=np.float32) / 255
    cover[object_ids != NO_OBJECT] = 0
    return color * (1 - cover[..., None]) + np.array(INK, dtype=np.float32) * cover[..., None]


def draw_strip(
    image: np.ndarray, top: int, length_m: float, metres_per_px: float, unit: str = "m"
) -> tuple[int, int, int]:
    """Draw scale bar and axes below the picture; returns the bar's first column, end column (exclusive) and row."""
    strip = image.shape[0] - top
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(9, round(0.36 * strip)))
    thick = max(2, strip // 14)
    x0, x1 = round(0.45 * strip), round(0.45 * strip) + round(length_m / metres_per_px)
    y = top + round(0.55 * strip)
    draw.rectangle((x0, y, x1 - 1, y + thick - 1), fill=INK)
    tick = max(3, strip // 7)
    for x in (x0, x1 - thick):
        draw.rectangle((x, y - tick, x + thick - 1, y + thick - 1 + tick), fill=INK)
    middle = y + thick // 2
    draw.text((x1 + round(0.3 * strip), middle), f"{length_m:g} {unit}", fill=INK, font=font, anchor="lm")
    # The axes at the right end: x to the right, y to the top.
    arm = round(0.5 * strip)
    ax, ay = image.shape[1] - round(1.6 * strip), top + round(0.75 * strip)
    if ax > x1 + 3 * strip:
        head = max(3, strip // 9)
        draw.line((ax, ay, ax + arm, ay), fill=INK, width=thick)
        draw.line((ax, ay, ax, ay - arm), fill=INK, width=thick)
        draw.polygon([(ax + arm + head, ay), (ax + arm, ay - head), (ax + arm, ay + head)], fill=INK)
        draw.polygon([(ax, ay - arm - head), (ax - head, ay - arm), (ax + head, ay - arm)], fill=INK)
        draw.text((ax + arm + 2 * head, ay), "x", fill=INK, font=font, anchor="lm")
        draw.text((ax - head - thick, ay - arm), "y", fill=INK, font=font, anchor="rm")
    image[:] = np.asarray(canvas)
    return x0, x1, y


def draw_grid(
    image: UInt8[np.ndarray, "h w 3"],
    view: ViewMap,
    step_m: float,
    floor_z_m: float,
    height_m: Float[np.ndarray, "h w"],
    bottom_px: int,
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy with thin lines at whole multiples of `step_m` of world x and y, named at the left and lower edge.

    Args:
        image: The view.
        view: Its map.
        step_m: Between lines, in metres.
        floor_z_m: World height of the floor, on which the grid of a view in perspective lies.
        height_m: World height in every pixel (NaN: nothing).
        bottom_px: First row below the view.

    Raises:
        SceneError: there would be more than 200 lines.
    """
    width = image.shape[1]
    corners = view.pixel_to_world(np.array([[0.0, bottom_px], [width, 0.0]]))
    low, high = np.ceil(corners[0] / step_m).astype(int), np.floor(corners[1] / step_m).astype(int)
    if int((high - low).sum()) > _MAX_GRID_LINES:
        raise SceneError(f"a grid of {step_m} m has {(high - low).sum()} lines in this view; take a larger --grid")
    canvas = Image.new("L", (_OVERSAMPLE * width, _OVERSAMPLE * bottom_px))
    draw = ImageDraw.Draw(canvas)
    names: list[tuple[float, float, str, str]] = []
    for k in range(low[0], high[0] + 1):
        u = float(view.world_to_pixel(np.array([k * step_m, 0.0, floor_z_m]))[0])
        draw.line((_OVERSAMPLE * u, 0, _OVERSAMPLE * u, canvas.height), fill=255, width=_OVERSAMPLE)
        names.append((u, bottom_px - 2, f"x={k * step_m:g}", "mb"))
    for k in range(low[1], high[1] + 1):
        v = float(view.world_to_pixel(np.array([0.0, k * step_m, floor_z_m]))[1])
        draw.line((0, _OVERSAMPLE * v, canvas.width, _OVERSAMPLE * v), fill=255, width=_OVERSAMPLE)
        names.append((2, v, f"y={k * step_m:g}", "lm"))
    cover = np.zeros(image.shape[:2], dtype=np.float32)
    cover[:bottom_px] = np.array(canvas.reduce(_OVERSAMPLE), dtype=np.float32) / 255 * 0.6
    if not isinstance(view, BevMap):
        cover[height_m > floor_z_m + _FLOOR_BAND_M] = 0
    mixed = image * (1 - cover[..., None]) + np.array(GRID_COLOR, dtype=np.float32) * cover[..., None]
    result = Image.fromarray(np.rint(mixed).astype(np.uint8))
    draw = ImageDraw.Draw(result)
    font = ImageFont.load_default(max(9, round(0.016 * max(image.shape[:2]))))
    for u, v, text, anchor in names:
        left, top, right, bottom = draw.textbbox((u, v), text, font=font, anchor=anchor)
        if left >= 0 and right <= width and top >= 0 and bottom <= bottom_px:
            draw.text((u, v), text, fill=INK, font=font, anchor=anchor, stroke_width=2, stroke_fill=(255, 255, 255))
    return np.array(result)


def draw_camera_path(
    image: UInt8[np.ndarray, "h w 3"],
    view: ViewMap,
    path: Sequence[Frame],
    shown: Sequence[Frame],
    bottom_px: int,
    *,
    joined: bool,
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy with the places of the cameras: a thin line through `path` (dots if not `joined`), arrows for `shown`.

    An arrow's round end is the place of the camera, its tip points where the camera looks.
    """
    size = max(image.shape[:2])
    thin, radius = max(1.5, size / 500), max(3.0, size / 130)
    canvas = Image.new("L", (_OVERSAMPLE * image.shape[1], _OVERSAMPLE * bottom_px))
    draw = ImageDraw.Draw(canvas)

    def place(frame: Frame) -> np.ndarray:
        return view.world_to_pixel(frame.T_world_cam[:3, 3])

    places = np.array([place(frame) for frame in path]).reshape(-1, 2)
    places = places[np.isfinite(places).all(1)]
    if joined and len(places) > 1:
        line = [tuple(p) for p in (_OVERSAMPLE * places).round(2).tolist()]
        draw.line(line, fill=150, width=round(_OVERSAMPLE * thin), joint="curve")
    elif not joined:
        for p in places:
            _dot(draw, p, thin * 1.5, 255)
    for frame in shown:
        p = place(frame)
        if not np.isfinite(p).all():
            continue
        forward = frame.T_world_cam[:2, 2]
        if np.linalg.norm(forward) > 0.05:  # a camera that looks straight up or down has no direction in plan
            along = np.array([forward[0], -forward[1]]) / np.linalg.norm(forward)
            across = np.array([-along[1], along[0]])
            corners = (p + 2.6 * radius * along, p + 0.9 * radius * across, p - 0.9 * radius * across)
            draw.polygon([tuple((_OVERSAMPLE * c).round(2).tolist()) for c in corners], fill=255)
        _dot(draw, p, radius, 255)
    cover = np.zeros(image.shape[:2], dtype=np.float32)
    cover[:bottom_px] = np.array(canvas.reduce(_OVERSAMPLE), dtype=np.float32) / 255
    mixed = image * (1 - cover[..., None]) + np.array(PATH_COLOR, dtype=np.float32) * cover[..., None]
    return np.rint(mixed).astype(np.uint8)


def _dot(draw: ImageDraw.ImageDraw, place: np.ndarray, radius_px: float, fill: int) -> None:
    (u, v), r = (_OVERSAMPLE * place).tolist(), _OVERSAMPLE * radius_px
    draw.ellipse((u - r, v - r, u + r, v + r), fill=fill)
