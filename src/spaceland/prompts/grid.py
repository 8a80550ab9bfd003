"""Several frames in one picture, as GPT4Scene sends them to models that take few images: tiles with captions above.

8 frames of 512 x 384 -> 2 rows of 4 tiles, each under its caption "Img 1" ... "Img 8", in one picture
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

_CAPTION_SHARE = 0.07
_GAP_SHARE = 0.012
_INK = (20, 20, 20)


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """The picture, how many tiles it is wide and high, and (left, top, right, bottom) of each frame in its pixels."""

    image: UInt8[np.ndarray, "h w 3"]
    columns: int
    rows: int
    tiles: tuple[tuple[int, int, int, int], ...]


def grid_columns(num_frames: int) -> int:
    """Tiles side by side: 4 up to 16 frames (so 8 give the paper's two rows of four), then 8.

    >>> grid_columns(3), grid_columns(8), grid_columns(32)
    (3, 4, 8)
    """
    return max(1, min(num_frames, 4 if num_frames <= 16 else 8))


def stitch(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> FrameGrid:
    """Put images into one picture, row by row; all cells have the size of the largest image.

    Raises:
        ValueError: there are no images.
    """
    if not images:
        raise ValueError("a grid needs at least one image")
    columns = grid_columns(len(images))
    rows = -(-len(images) // columns)
    cell_h, cell_w = max(i.shape[0] for i in images), max(i.shape[1] for i in images)
    caption, gap = _spacing(cell_w)
    canvas = Image.new("RGB", _size(cell_w, cell_h, len(images)), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(round(0.75 * caption))
    tiles = []
    for k, image in enumerate(images):
        row, column = divmod(k, columns)
        left = gap + column * (cell_w + gap)
        top = row * (caption + cell_h + gap) + caption
        draw.text((left + cell_w / 2, top - caption / 2), f"Img {k + 1}", fill=_INK, font=font, anchor="mm")
        height, width = image.shape[:2]
        left += (cell_w - width) // 2
        canvas.paste(Image.fromarray(image), (left, top))
        tiles.append((left, top, left + width, top + height))
    return FrameGrid(np.array(canvas), columns, rows, tuple(tiles))


def longest_tile(sizes: Sequence[tuple[int, int]], longest_px: int) -> int:
    """Longest side of tiles, made from pictures of these widths and heights, that fit into a grid of that size."""
    for side in range(longest_px, 16, -1):
        scale = [min(1.0, side / max(size)) for size in sizes]
        cell_w = max(round(w * s) for (w, _), s in zip(sizes, scale, strict=True))
        cell_h = max(round(h * s) for (_, h), s in zip(sizes, scale, strict=True))
        if max(_size(cell_w, cell_h, len(sizes))) <= longest_px:
            return side
    return 16


def _spacing(cell_w: int) -> tuple[int, int]:
    """Height of a caption and width of the gaps, in pixels."""
    return max(14, round(_CAPTION_SHARE * cell_w)), max(2, round(_GAP_SHARE * cell_w))


def _size(cell_w: int, cell_h: int, num: int) -> tuple[int, int]:
    """Width and height of the whole picture."""
    columns = grid_columns(num)
    caption, gap = _spacing(cell_w)
    return columns * (cell_w + gap) + gap, -(-num // columns) * (caption + cell_h + gap)
