"""Object numbers drawn on pictures: a filled disc, or a small tab, with the number in it.

The style `gpt4scene` has the look that was measured in that paper's pictures: discs of RGB (139, 0, 0) with white
bold digits and a diameter of 6.25 % of the image width (40 px at 640), the same for near and far objects. Where a disc
goes is decided in `placement`; here it is only drawn. Digits come from the font inside Pillow, so pictures are the same
bytes on every machine with the same Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from spaceland.prompts.regions import draw_regions
from spaceland.prompts.styles import Color, MarkStyle

_OVERSAMPLE = 4
_DISC_FILL, _TAB_FILL = 0.80, 0.94
"""Diagonal of the number's box as a share of the disc's diameter; a tab has no curved edge to keep away from."""
_TAB_PAD = 0.05


@dataclass(frozen=True)
class DiscMark:
    """The number `number` at pixel (u, v) of an image.

    `target_px` is set when the disc had to go beside its object: a line leads from the disc to that pixel.
    """

    number: int
    object_id: int
    center_px: tuple[float, float]
    diameter_px: float
    target_px: tuple[float, float] | None = None


def draw_marks(
    image: UInt8[np.ndarray, "h w 3"],
    marks: Sequence[DiscMark],
    style: MarkStyle,
    object_ids: Int[np.ndarray, "hm wm"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the image with marks: masks or outlines at the bottom, then leader lines, then numbers.

    `object_ids` is the id map of the picture at any resolution, for styles that draw the object itself.
    """
    if style.region != "none" and object_ids is not None and marks:
        image = draw_regions(image, {mark.object_id: style.colors(mark.number)[0] for mark in marks}, object_ids, style)
    canvas = Image.fromarray(image)
    for mark in marks:
        if mark.target_px is not None:
            _draw_leader(canvas, mark, style)
    for mark in marks:
        fill, text = style.colors(mark.number)
        disc, cover = _disc(str(mark.number), round(mark.diameter_px * _OVERSAMPLE), style, fill, text)
        u, v = mark.center_px
        # The patch has a whole number of pixels; the disc's centre in it is where the number's place falls.
        side = int(np.ceil(mark.diameter_px)) + 2
        left, top = int(np.floor(u - side / 2)), int(np.floor(v - side / 2))
        shift = (
            round((u - left) * _OVERSAMPLE - disc.width / 2),
            round((v - top) * _OVERSAMPLE - disc.height / 2),
        )
        patch = Image.new("RGB", (side * _OVERSAMPLE, side * _OVERSAMPLE), fill)
        patch.paste(disc, shift)
        mask = Image.new("L", patch.size)
        mask.paste(cover, shift)
        small = (side, side)
        canvas.paste(patch.resize(small, Image.Resampling.BOX), (left, top), mask.resize(small, Image.Resampling.BOX))
    return np.array(canvas)


def digit_height_px(number: int, diameter_px: float, style: MarkStyle) -> float:
    """Height of the digits of a number in a mark of that diameter, in pixels of the picture."""
    _, size, stroke = _fitting_font(str(number), *_room_for_text(round(diameter_px * _OVERSAMPLE), style))
    # The digits of one font are equally high, so a figure that does not depend on the number's own shape.
    _, top, _, bottom = _text_box("0", size, stroke)
    return (bottom - top) / _OVERSAMPLE


def readable_diameter_px(number: int, digit_px: float, style: MarkStyle) -> float:
    """The least diameter, in whole pixels, of a mark whose digits are at least `digit_px` high."""
    diameter = max(1, round(digit_px))
    while digit_height_px(number, diameter, style) < digit_px:
        diameter += 1
    return float(diameter)


def _draw_leader(canvas: Image.Image, mark: DiscMark, style: MarkStyle) -> None:
    """A thin line in the disc's colour with a light rim, ending in a dot on the object."""
    assert mark.target_px is not None
    draw = ImageDraw.Draw(canvas)
    thin = max(2, round(mark.diameter_px / 16))
    u, v = mark.target_px
    fill, text = style.colors(mark.number)
    for color, grow in ((text, 1), (fill, 0)):
        draw.line((*mark.center_px, u, v), fill=color, width=thin + 2 * grow)
        r = 1.5 * thin + grow
        draw.ellipse((u - r, v - r, u + r, v + r), fill=color)


@lru_cache(maxsize=2048)
def _disc(text: str, diameter: int, style: MarkStyle, fill: Color, ink: Color) -> tuple[Image.Image, Image.Image]:
    """Oversampled square picture of a disc or tab with its text, and its coverage."""
    font_fill = _room_for_text(diameter, style)
    font, size, stroke = _fitting_font(text, *font_fill)
    cover = Image.new("L", (diameter, diameter))
    if style.shape == "tab":
        left, top, right, bottom = _text_box(text, size, stroke)
        width, height = right - left, bottom - top
        pad = min(_TAB_PAD * diameter, (diameter - np.hypot(width, height)) / 2)
        a, b = width / 2 + pad, height / 2 + pad
        middle = diameter / 2
        ImageDraw.Draw(cover).rectangle((middle - a, middle - b, middle + a, middle + b), fill=255)
    else:
        ImageDraw.Draw(cover).ellipse((0, 0, diameter - 1, diameter - 1), fill=255)
    disc = Image.new("RGB", (diameter, diameter), ink if style.rim_share else fill)
    draw = ImageDraw.Draw(disc)
    rim = round(style.rim_share * diameter)
    if style.shape == "disc":
        draw.ellipse((rim, rim, diameter - 1 - rim, diameter - 1 - rim), fill=fill)
    draw.text(
        (diameter / 2, diameter / 2),
        text,
        fill=ink,
        font=font,
        anchor="mm",
        stroke_width=stroke,
        stroke_fill=ink,
    )
    return disc, cover


def _room_for_text(diameter: int, style: MarkStyle) -> tuple[float, float]:
    """Largest diagonal of the text's box, and how large a font to try first, both oversampled."""
    if style.shape == "tab":
        return _TAB_FILL * diameter * 0.9, 1.2
    return _DISC_FILL * (diameter - 2 * round(style.rim_share * diameter)), 0.85


@lru_cache(maxsize=4096)
def _fitting_font(
    text: str, diagonal_px: float, start: float
) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, int, int]:
    """The largest bold font in which the text's box has at most this diagonal, so its corners stay in the disc."""
    size = max(6, int(diagonal_px * start))
    while True:
        font = ImageFont.load_default(size)
        stroke = max(1, round(size / 22))  # the stroke makes the regular font bold
        box = _text_box(text, size, stroke)
        if np.hypot(box[2] - box[0], box[3] - box[1]) <= diagonal_px or size <= 6:
            return font, size, stroke
        size -= max(1, size // 24)


def _text_box(text: str, size: int, stroke: int) -> tuple[float, float, float, float]:
    font = ImageFont.load_default(size)
    return ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font=font, stroke_width=stroke)
