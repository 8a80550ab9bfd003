"""Pictures on their way to a model: read, shrunk, stitched and encoded.

Models shrink large pictures themselves, each in its own way. What is sent is therefore shrunk here first, so that what
`--dry-run` shows and counts is what the model gets.

>>> shrunk_size(640, 480, 512), shrunk_size(1296, 968, 512), shrunk_size(300, 200, 512)
((512, 384), (512, 382), (300, 200))
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from spaceland.chat.types import Picture
from spaceland.errors import ChatError
from spaceland.files import encode_jpeg, encode_png, read_image


def shrunk_size(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """Width and height with the longest side at most `max_side_px`, fractions cut off; never enlarged."""
    if max_side_px < 1:
        raise ChatError(f"a longest side of {max_side_px} pixels leaves no picture; give at least 28")
    if max(width, height) <= max_side_px:
        return width, height
    factor = max_side_px / max(width, height)
    return max(1, int(width * factor)), max(1, int(height * factor))


def shrink(
    image: UInt8[np.ndarray, "h w 3"], max_side_px: int, *, nearest: bool = False
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The image with its longest side at most `max_side_px`.

    Args:
        image: RGB.
        max_side_px: Longest side that may remain.
        nearest: Take the nearest pixel instead of smoothing, as the released GPT4Scene code does; digits suffer.
    """
    height, width = image.shape[:2]
    size = shrunk_size(width, height, max_side_px)
    if size == (width, height):
        return image
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.LANCZOS
    return np.array(Image.fromarray(image).resize(size, how))


def make_picture(image: UInt8[np.ndarray, "h w 3"], name: str, *, lossless: bool = False) -> Picture:
    """Encode an RGB image: PNG when `lossless`, else JPEG."""
    data = encode_png(image) if lossless else encode_jpeg(image)
    return Picture(data, "image/png" if lossless else "image/jpeg", image.shape[1], image.shape[0], name)


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read an image file as RGB; grey becomes RGB.

    Raises:
        SceneError: the file is missing or broken.
    """
    image = read_image(path)
    if image.ndim == 2:
        grey = (image // 257 if image.dtype == np.uint16 else image).clip(0, 255).astype(np.uint8)
        image = np.repeat(grey[..., None], 3, axis=2)
    return image


def decode_picture(picture: Picture) -> Image.Image:
    """The picture as a PIL image in RGB.

    Raises:
        ChatError: the bytes are no image.
    """
    try:
        with Image.open(io.BytesIO(picture.data)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ChatError(f"picture '{picture.name}' cannot be decoded ({error}); make it again") from error


def stitch(
    images: Sequence[UInt8[np.ndarray, "h w 3"]], captions: Sequence[str], *, columns: int = 4
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Tiles in reading order on white, each with its caption above it; tiles of other sizes than the first are fitted.

    GPT4Scene shows 8 frames to models that were not tuned as a grid of 2 x 4 with "Img 1" ... "Img 8" above the tiles.
    """
    if not images or len(images) != len(captions) or columns < 1:
        raise ChatError(f"{len(images)} pictures with {len(captions)} captions in {columns} columns make no grid")
    height, width = images[0].shape[:2]
    bar, gap = max(14, round(0.075 * height)), max(2, width // 100)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + bar + gap) - gap), (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(0.8 * bar)
    for k, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(k, columns)
        left, top = column * (width + gap), row * (height + bar + gap)
        tile = Image.fromarray(image)
        if tile.size != (width, height):
            scale = min(width / tile.width, height / tile.height)
            size = max(1, int(tile.width * scale)), max(1, int(tile.height * scale))
            tile = tile.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(tile, (left + (width - tile.width) // 2, top + bar + (height - tile.height) // 2))
        draw.text((left + width / 2, top + bar / 2), caption, fill=(0, 0, 0), font=font, anchor="mm")
    return np.array(sheet)
