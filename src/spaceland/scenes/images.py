"""What readers of image folders share: sizes without decoding, colour and depth with their checks, content keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image

from spaceland.errors import SceneError, SourceError
from spaceland.files import read_image
from spaceland.geometry.camera import PinholeCamera
from spaceland.sampling import evenly

MAX_SIDE_PX = 32768
SATURATED = 65535
"""The largest 16-bit value: cameras write it where they saw nothing, so it is not a depth."""

T = TypeVar("T")


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) from an image's header.

    Raises:
        SceneError: missing, not an image, or absurdly large.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(
            f"{path} is not a readable image ({error}); the file may be truncated, copy it again"
        ) from error
    check_size(width, height, str(path))
    return width, height


def check_size(width: int, height: int, where: str) -> None:
    """Refuse image sizes that no camera has, before memory is set aside for them."""
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise SceneError(
            f"{where}: image size {width}x{height} is outside 1..{MAX_SIDE_PX} pixels; the file is damaged"
        )


def read_color(path: Path, camera: PinholeCamera) -> UInt8[np.ndarray, "h w 3"]:
    """A colour image of the camera's size; grey images get three equal channels.

    Raises:
        SceneError: missing, truncated, or of another size than the camera.
    """
    image = read_image(path)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    _check_fits(image, camera, path)
    if image.dtype != np.uint8:
        raise SceneError(f"{path} holds {image.dtype} values, expected 8-bit colours; is it a depth image?")
    return image


def read_depth(path: Path, camera: PinholeCamera, scale: float) -> Float[np.ndarray, "h w"]:
    """Depth in metres, float32, from an image of whole numbers that count `scale` to the metre; 0 where there is none.

    Raises:
        SceneError: missing, truncated, of another size than the camera, or not a single channel.
    """
    raw = _read_pgm_file(path) if path.suffix == ".pgm" else read_image(path)
    _check_fits(raw, camera, path)
    if raw.ndim != 2 or raw.dtype == np.uint8:
        raise SceneError(
            f"{path} is not a 16-bit depth image (found {raw.dtype} {raw.shape}); export depth as 16-bit PNG"
        )
    return depth_from_counts(raw, scale)


def depth_from_counts(raw: np.ndarray, scale: float) -> Float[np.ndarray, "h w"]:
    """Counts to float32 metres; 0, negative and saturated counts are unknown."""
    depth = (raw / scale).astype(np.float32)
    depth[(raw <= 0) | (raw >= SATURATED)] = 0.0
    return depth


def read_pgm(data: bytes, where: str) -> UInt16[np.ndarray, "h w"]:
    """Counts of a binary PGM as they are stored (image libraries stretch them to the full range).

    Raises:
        SceneError: no 16-bit PGM, or truncated.
    """
    header = re.match(rb"P5\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s", data[:1024])
    if header is None or not 255 < int(header[3]) <= 65535:
        raise SceneError(f"{where} is not a 16-bit binary PGM image; copy it again")
    width, height = int(header[1]), int(header[2])
    check_size(width, height, where)
    expected, found = 2 * width * height, len(data) - header.end()
    if found < expected:
        raise SceneError(f"{where} is truncated: expected {expected} bytes of depth, found {found}; copy it again")
    counts = np.frombuffer(data, ">u2", width * height, header.end())
    return counts.reshape(height, width).astype(np.uint16)


def _read_pgm_file(path: Path) -> UInt16[np.ndarray, "h w"]:
    try:
        return read_pgm(path.read_bytes(), str(path))
    except OSError as error:
        raise SceneError(f"{path} cannot be read ({error.strerror})") from None


def _check_fits(image: np.ndarray, camera: PinholeCamera, path: Path) -> None:
    height, width = image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise SceneError(
            f"{path} is {width}x{height}, but its camera is {camera.width}x{camera.height}; "
            "all images of one kind must have the size that the intrinsics are for"
        )


def content_key(*parts: Path | bytes | str | float | None) -> Callable[[], str]:
    """A function that hashes the content of files (and texts) when it is called; a missing file counts as empty."""

    def key() -> str:
        state = hashlib.blake2b(digest_size=16)
        for part in parts:
            if isinstance(part, Path):
                try:
                    data = part.read_bytes()
                except OSError:
                    data = b""
            else:
                data = part if isinstance(part, bytes) else repr(part).encode()
            state.update(len(data).to_bytes(8, "little") + data)
        return state.hexdigest()

    return key


def pick(items: Sequence[T], stride: int, max_frames: int | None) -> list[T]:
    """Every `stride`-th item, then at most `max_frames` of them, evenly spread and with the first among them."""
    kept = list(items[::stride])
    return kept if max_frames is None else [kept[k] for k in evenly(len(kept), max_frames)]


def number_option(options: dict[str, str], name: str, kind: str) -> float | None:
    """An option as a finite number.

    Raises:
        SourceError: it is no number.
    """
    if name not in options:
        return None
    try:
        value = float(options[name])
        if not np.isfinite(value):
            raise ValueError
    except ValueError:
        raise SourceError(f"{kind}: option {name}={options[name]} is not a number") from None
    return value


def count_option(options: dict[str, str], name: str, kind: str) -> int | None:
    """An option as a whole number of at least 1.

    Raises:
        SourceError: it is none.
    """
    if name not in options:
        return None
    try:
        value = int(options[name])
        if value < 1:
            raise ValueError
    except ValueError:
        raise SourceError(f"{kind}: option {name}={options[name]} must be a whole number of at least 1") from None
    return value
