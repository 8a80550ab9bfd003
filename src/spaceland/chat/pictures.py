"""Pictures on their way to a model: read, shrunk and encoded.

Models shrink large pictures themselves, each in its own way. What is sent is therefore shrunk here first, so that what
`--dry-run` shows and counts is what the model gets.

>>> shrunk_size(640, 480, 512), shrunk_size(1296, 968, 512), shrunk_size(300, 200, 512)
((512, 384), (512, 382), (300, 200))
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

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
