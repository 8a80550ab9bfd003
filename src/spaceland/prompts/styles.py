"""What marks look like: five styles, and the colour of each number.

| style | number | object |
|---|---|---|
| gpt4scene | white on a dark red disc, as measured in the paper's pictures | - |
| ringed | the same with a white rim, easier to see on dark or red things | - |
| som | small tab in the object's colour | translucent mask with an outline, as in Set-of-Mark |
| box | small tab in the object's colour | rectangle around the visible part |
| outline | small tab in the object's colour | outline of the visible part |

In all of them the number stands on the object. Colours belong to numbers, so an object has one colour on all pictures.

>>> color_of(3) == color_of(3), color_of(3) == color_of(4)
(True, False)
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Literal

Color = tuple[int, int, int]

DARK_RED = (139, 0, 0)
WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_GOLDEN_TURN = 0.618033988749895


@dataclass(frozen=True, kw_only=True)
class MarkStyle:
    """Colours are RGB 0..255; `diameter_share` is the disc's diameter as a share of the image width.

    `bev_diameter_share` is that of the bird's-eye view (share of its longest side): it shows the whole room, so there
    are more discs on smaller things. `rim_share` is the width of a ring in `text` colour, as a share of the diameter.
    `fill` None: the colour of the number. `shape` "tab": a rectangle inside the disc's circle, so that whatever holds
    for discs (inside the picture, no overlap) holds for tabs. `region`: what is drawn of the object itself.
    """

    fill: Color | None
    text: Color | None
    diameter_share: float
    bev_diameter_share: float
    rim_share: float = 0.0
    shape: Literal["disc", "tab"] = "disc"
    region: Literal["none", "mask", "box", "outline"] = "none"

    def colors(self, number: int) -> tuple[Color, Color]:
        """Colours of the ground and of the digits for a number."""
        fill = color_of(number) if self.fill is None else self.fill
        return fill, readable_on(fill) if self.text is None else self.text


def color_of(number: int) -> Color:
    """The colour of a number: hues a golden turn apart, so that neighbouring numbers differ most."""
    lightness = (0.50, 0.62, 0.38)[number // 7 % 3]
    red, green, blue = colorsys.hls_to_rgb((0.03 + number * _GOLDEN_TURN) % 1.0, lightness, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def readable_on(ground: Color) -> Color:
    """Black or white, whichever stands out from a colour."""
    red, green, blue = ground
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else WHITE


def _disc(rim_share: float) -> MarkStyle:
    return MarkStyle(fill=DARK_RED, text=WHITE, diameter_share=0.0625, bev_diameter_share=0.036, rim_share=rim_share)


def _tab(region: Literal["mask", "box", "outline"]) -> MarkStyle:
    return MarkStyle(fill=None, text=None, diameter_share=0.0625, bev_diameter_share=0.036, shape="tab", region=region)


STYLES = {
    "gpt4scene": _disc(0.0),
    "ringed": _disc(0.06),
    "som": _tab("mask"),
    "box": _tab("box"),
    "outline": _tab("outline"),
}
"""The styles by name; see the table above."""
