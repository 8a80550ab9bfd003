"""Captures: the pictures of a room as somebody took them, from a video file or a folder of photos.

Nothing is held in memory as a whole. A capture knows the size, time and lens of its pictures; the pictures themselves
are decoded when asked for, forward in one pass where many are wanted:

    capture = open_capture("room.mp4")
    capture.images[40].color()                      # one picture, found by jumping to the key frame before it
    for image, rgb in iterate(capture, every=10):   # every tenth, the file decoded once
        ...
    for image, rgb in pictures_at(capture, [3, 40, 41]):
        ...

Pictures are upright: the rotation that phones write into videos and the EXIF orientation of photos are applied. What
cannot be used is counted in `skipped` by reason; a picture whose data turn out damaged is left out of a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from spaceland.errors import SceneError, SourceError
from spaceland.files import PICTURE_SUFFIXES
from spaceland.reconstruct.types import CaptureImage


class Pictures(Protocol):
    """What a kind of capture must be able to do."""

    def read(self, indices: Sequence[int], grey_px: int | None) -> Iterator[tuple[int, np.ndarray]]:
        """Pictures of the ascending `indices` that can be decoded, with their index.

        uint8 [h, w, 3] colours, or with `grey_px` uint8 [h, w] whose longer side has at most that many pixels.
        """
        ...

    def fingerprint(self) -> str:
        """Digest of the content: the same for the same bytes wherever they lie."""
        ...


@dataclass(frozen=True, eq=False)
class Capture:
    """Pictures in order. `fps` is the mean rate of a video, None for photos; `skipped` counts what was left out."""

    id: str
    images: tuple[CaptureImage, ...]
    fps: float | None
    source: Path
    pictures: Pictures = field(repr=False)
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_video(self) -> bool:
        """Whether neighbours in the order are neighbours in time."""
        return self.fps is not None


def open_capture(location: str | Path) -> Capture:
    """The pictures of a video file or of a folder with jpg, png or webp files.

    Raises:
        SourceError: there is nothing, or nothing that is a picture or a video.
        SceneError: a video of which no frame can be decoded; photos of many sizes.
    """
    from spaceland.reconstruct.capture_folder import open_folder
    from spaceland.reconstruct.capture_video import open_video

    path = Path(location).expanduser()
    if path.is_dir():
        return open_folder(path)
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}; give a video file or a folder of pictures")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        raise SourceError(f"{path} is a single picture; give the folder that holds all pictures of the room")
    return open_video(path)


def pictures_at(capture: Capture, indices: Iterable[int]) -> Iterator[tuple[CaptureImage, UInt8[np.ndarray, "h w 3"]]]:
    """Pictures at positions of `capture.images`, ascending, decoded forward once.

    A picture that cannot be decoded is left out, so compare ids where that matters.

    Raises:
        ValueError: the indices do not ascend, or there is no such picture.
    """
    wanted = list(indices)
    _check_ascending(wanted, len(capture.images))
    for index, picture in capture.pictures.read(wanted, None):
        yield capture.images[index], picture


def iterate(capture: Capture, every: int = 1) -> Iterator[tuple[CaptureImage, UInt8[np.ndarray, "h w 3"]]]:
    """Every `every`-th picture in colour, one at a time."""
    return pictures_at(capture, range(0, len(capture.images), every))


def iterate_grey(
    capture: Capture, longer_side_px: int, every: int = 1
) -> Iterator[tuple[int, UInt8[np.ndarray, "h w"]]]:
    """Every `every`-th picture small and grey with its position in `images`; for measures of motion and sharpness."""
    return capture.pictures.read(range(0, len(capture.images), every), longer_side_px)


def only_picture(pictures: Pictures, index: int, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """One picture in colour.

    Raises:
        SceneError: it cannot be decoded.
    """
    for _, picture in pictures.read([index], None):
        return picture
    raise SceneError(f"{where}: picture {index} cannot be decoded; the file may be damaged, copy it again")


def small_size(width: int, height: int, longer_side_px: int) -> tuple[int, int]:
    """Size of the small version of a picture; never larger than the picture.

    >>> small_size(1920, 1080, 320), small_size(100, 50, 320)
    ((320, 180), (100, 50))
    """
    scale = min(1.0, longer_side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _check_ascending(indices: list[int], count: int) -> None:
    if any(b <= a for a, b in pairwise(indices)):
        raise ValueError("indices must ascend: the file is decoded forward once")
    if indices and (indices[0] < 0 or indices[-1] >= count):
        raise ValueError(f"indices {indices[0]}..{indices[-1]} are outside 0..{count - 1}")
