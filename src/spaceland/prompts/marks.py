"""Object numbers drawn on pictures: a filled disc with the number in it.

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
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

_OVERSAMPLE = 4


@dataclass(frozen=True, kw_only=True)
class MarkStyle:
    """Colours are RGB 0..255; `diameter_share` is the disc's diameter as a share of the image width.

    `bev_diameter_share` is that of the bird's-eye view (share of its longest side): it shows the whole room, so there
    are more discs on smaller things. `rim_share` is the width of a ring in `text` colour, as a share of the diameter.
    """

    fill: tuple[int, int, int]
    text: tuple[int, int, int]
    diameter_share: float
    bev_diameter_share: float
    rim_share: float = 0.0


STYLES = {
    "gpt4scene": MarkStyle(fill=(139, 0, 0), text=(255, 255, 255), diameter_share=0.0625, bev_diameter_share=0.036),
    "ringed": MarkStyle(
        fill=(139, 0, 0),
        text=(255, 255, 255),
        diameter_share=0.0625,
        bev_diameter_share=0.036,
        rim_share=0.06,
    ),
}
"""`gpt4scene`: as in the paper. `ringed`: with a white rim, easier to see on dark or red things."""


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
    image: UInt8[np.ndarray, "h w 3"], marks: Sequence[DiscMark], style: MarkStyle
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the image with discs; leader lines lie under all discs."""
    canvas = Image.fromarray(image)
    for mark in marks:
        if mark.target_px is not None:
            _draw_leader(canvas, mark, style)
    for mark in marks:
        disc, cover = _disc(str(mark.number), round(mark.diameter_px * _OVERSAMPLE), style)
        u, v = mark.center_px
        # The patch has a whole number of pixels; the disc's centre in it is where the number's place falls.
        side = int(np.ceil(mark.diameter_px)) + 2
        left, top = int(np.floor(u - side / 2)), int(np.floor(v - side / 2))
        shift = (
            round((u - left) * _OVERSAMPLE - disc.width / 2),
            round((v - top) * _OVERSAMPLE - disc.height / 2),
        )
        patch = Image.new("RGB", (side * _OVERSAMPLE, side * _OVERSAMPLE), style.fill)
        patch.paste(disc, shift)
        mask = Image.new("L", patch.size)
        mask.paste(cover, shift)
        small = (side, side)
        canvas.paste(patch.resize(small, Image.Resampling.BOX), (left, top), mask.resize(small, Image.Resampling.BOX))
    return np.array(canvas)


def _draw_leader(canvas: Image.Image, mark: DiscMark, style: MarkStyle) -> None:
    """A thin line in the disc's colour with a light rim, ending in a dot on the object."""
    assert mark.target_px is not None
    draw = ImageDraw.Draw(canvas)
    thin = max(2, round(mark.diameter_px / 16))
    u, v = mark.target_px
    for color, grow in ((style.text, 1), (style.fill, 0)):
        draw.line((*mark.center_px, u, v), fill=color, width=thin + 2 * grow)
        r = 1.5 * thin + grow
        draw.ellipse((u - r, v - r, u + r, v + r), fill=color)


@lru_cache(maxsize=512)
def _disc(text: str, diameter: int, style: MarkStyle) -> tuple[Image.Image, Image.Image]:
    """Oversampled square picture of a disc with its text, and its coverage."""
    cover = Image.new("L", (diameter, diameter))
    ImageDraw.Draw(cover).ellipse((0, 0, diameter - 1, diameter - 1), fill=255)
    disc = Image.new("RGB", (diameter, diameter), style.text if style.rim_share else style.fill)
    draw = ImageDraw.Draw(disc)
    rim = round(style.rim_share * diameter)
    draw.ellipse((rim, rim, diameter - 1 - rim, diameter - 1 - rim), fill=style.fill)
    font, stroke = _fitting_font(text, 0.80 * (diameter - 2 * rim))
    draw.text(
        (diameter / 2, diameter / 2),
        text,
        fill=style.text,
        font=font,
        anchor="mm",
        stroke_width=stroke,
        stroke_fill=style.text,
    )
    return disc, cover


def _fitting_font(text: str, diagonal_px: float) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, int]:
    """The largest bold font in which the text's box has at most this diagonal, so its corners stay in the disc."""
    size = max(6, int(diagonal_px * 0.85))
    while True:
        font = ImageFont.load_default(size)
        stroke = max(1, round(size / 22))  # the stroke makes the regular font bold
        box = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font=font, stroke_width=stroke)
        if np.hypot(box[2] - box[0], box[3] - box[1]) <= diagonal_px or size <= 6:
            return font, stroke
        size -= max(1, size // 24)
