"""Marks: coloured points and boxes that tell the reader of a question which object is meant.

A mark is data; nothing is burnt into stored images. Positions are whole numbers from 0 to 1000 of the image's width and
height (as in SPAR-7M), sizes are shares of the image width, so marks survive any resize. The colour that a question
names is the key of `COLORS`, and drawing looks it up there: they cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from spaceland.visibility.types import ObjectView

Color = Literal["red", "blue", "green", "yellow", "purple", "orange"]
Shape = Literal["point", "bbox"]

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (230, 20, 30),
    "blue": (20, 80, 245),
    "green": (10, 165, 60),
    "yellow": (250, 210, 10),
    "purple": (150, 40, 200),
    "orange": (250, 125, 10),
}
POINT_SIZE = 0.025
LINE_SIZE = 0.006


@dataclass(frozen=True)
class Mark:
    """`xy` is (x, y) of a point or (x1, y1, x2, y2) of a box, 0..1000; `size` is the disc's diameter or line width."""

    color: Color
    shape: Shape
    object_id: int
    image_index: int
    xy: tuple[int, ...]
    size: float

    @property
    def name(self) -> str:
        """How questions call it: "red point", "blue bounding box" (things may be called "box", too)."""
        return f"{self.color} {'point' if self.shape == 'point' else 'bounding box'}"

    def to_json(self) -> dict[str, Any]:
        return {
            "color": self.color,
            "shape": self.shape,
            "object_id": self.object_id,
            "image_index": self.image_index,
            "xy": list(self.xy),
            "size": self.size,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Mark:
        return cls(
            color=data["color"],
            shape=data["shape"],
            object_id=int(data["object_id"]),
            image_index=int(data["image_index"]),
            xy=tuple(data["xy"]),
            size=float(data["size"]),
        )


def to_thousand(value_px: float, size_px: int) -> int:
    """Pixel coordinate to the 0..1000 scale. Halves go to the even number, so mirrored positions mirror exactly.

    >>> to_thousand(320.0, 640), to_thousand(1.6, 640), 1000 - to_thousand(640 - 1.6, 640)
    (500, 2, 2)
    """
    return min(max(round(round(1000 * value_px / size_px, 6)), 0), 1000)


@lru_cache(maxsize=4096)
def box_to_thousand(box_px: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 in pixels to the 0..1000 scale."""
    x0, y0, x1, y1 = box_px
    return to_thousand(x0, width), to_thousand(y0, height), to_thousand(x1, width), to_thousand(y1, height)


def point_mark(color: Color, view: ObjectView, image_index: int, width: int, height: int) -> Mark:
    """A disc on a pixel that truly shows the object; on small objects it shrinks, so that their rim stays visible."""
    size = float(np.clip(1.5 * view.anchor_clearance_px / width, 0.012, POINT_SIZE))
    xy = to_thousand(view.anchor_px[0], width), to_thousand(view.anchor_px[1], height)
    return Mark(color, "point", view.object_id, image_index, xy, round(size, 4))


def box_mark(color: Color, view: ObjectView, image_index: int, width: int, height: int) -> Mark:
    """A box around the visible part of the object."""
    return Mark(color, "bbox", view.object_id, image_index, box_to_thousand(view.box_px, width, height), LINE_SIZE)


def draw_marks(image: UInt8[np.ndarray, "h w 3"], marks: Sequence[Mark]) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the image with marks; boxes are drawn around, not over, their area, except along the image border."""
    height, width = image.shape[:2]
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    for mark in marks:
        color = COLORS[mark.color]
        if mark.shape == "point":
            x, y, r = _disc_px(mark, width, height)
            draw.ellipse(extent_px(mark, width, height), fill=(255, 255, 255))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
        else:
            draw.rectangle(extent_px(mark, width, height), outline=color, width=_line_px(mark, width))
    return np.array(canvas)


def extent_px(mark: Mark, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is drawn of a mark on an image of that size."""
    if mark.shape == "point":
        x, y, r = _disc_px(mark, width, height)
        return x - r - 1, y - r - 1, x + r + 1, y + r + 1
    x0, y0, x1, y1 = (v * s / 1000 for v, s in zip(mark.xy, (width, height, width, height), strict=True))
    line = _line_px(mark, width)
    return max(x0 - line, 0), max(y0 - line, 0), min(x1 + line, width - 1), min(y1 + line, height - 1)


def _disc_px(mark: Mark, width: int, height: int) -> tuple[float, float, float]:
    """Centre and radius, without the white rim."""
    return mark.xy[0] * width / 1000, mark.xy[1] * height / 1000, max(2.0, mark.size * width / 2)


def _line_px(mark: Mark, width: int) -> int:
    return max(2, round(mark.size * width))
