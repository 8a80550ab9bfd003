"""A training sample: turns of a conversation with places for pictures, and where the pictures come from.

A sample is read from its source as text alone; pictures are opened when it is its turn. Everything random about it (a
zoomed window, say) comes from a seed of its own, so neither workers nor interruptions change it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from spaceland.chat.pictures import read_rgb
from spaceland.errors import SceneError
from spaceland.files import PICTURE_SUFFIXES
from spaceland.geometry.camera import PinholeCamera
from spaceland.questions.marks import Mark, draw_marks, extent_px
from spaceland.training.augment import Window, window_with

_NAME_WIDTH_PX = 60
_PLACE = re.compile(r"<(image|video)>\n?")


@dataclass(frozen=True)
class Still:
    """A picture file with what is drawn on it. `horizontal_fov_deg` or `K` is what is known of its camera.

    `K` is that of the file as it is, with pixel centres at +0.5; a field of view means square pixels and a principal
    point in the middle.
    """

    path: Path
    marks: tuple[Mark, ...] = ()
    horizontal_fov_deg: float | None = None
    K: tuple[float, float, float, float] | None = None
    """fx, fy, cx, cy."""
    names: tuple[str, ...] = ()
    """Written beside each mark, where texts call marks by names (SPAR-7M's Object1, Object2, ...)."""


@dataclass(frozen=True)
class Clip:
    """`frames` pictures of a folder of frames or of a video file, evenly from the first to the last."""

    path: Path
    frames: int


@dataclass(frozen=True)
class Turn:
    """What one side says; a number stands for that picture or clip of the sample's `media`."""

    role: str
    parts: tuple[str | int, ...]


@dataclass(frozen=True)
class Sample:
    """See the module. `reference` is the row that a scorer wants, for rows of ours."""

    id: str
    source: str
    group: str
    turns: tuple[Turn, ...]
    media: tuple[Still | Clip, ...]
    reference: dict[str, object] | None = None


@dataclass(frozen=True, eq=False)
class View:
    """An opened picture and its camera, where that is known."""

    image: Image.Image
    camera: PinholeCamera | None = None


@dataclass(frozen=True, eq=False)
class Loaded:
    """A sample with its pictures: (role, parts) with pictures in their places."""

    turns: tuple[tuple[str, tuple[str | View, ...]], ...]

    @property
    def views(self) -> list[View]:
        """All pictures in order."""
        return [part for _, parts in self.turns for part in parts if isinstance(part, View)]


def split_places(text: str, num_before: int) -> tuple[tuple[str | int, ...], list[str]]:
    """A text with <image> and <video> as parts, and which of both each place is.

    A line break right behind a place is dropped, as VG LLM does in training.

    >>> split_places("<image>\\nWhat is <image> this?", 0)
    ((0, 'What is ', 1, ' this?'), ['image', 'image'])
    """
    parts: list[str | int] = []
    kinds: list[str] = []
    end = 0
    for found in _PLACE.finditer(text):
        if found.start() > end:
            parts.append(text[end : found.start()])
        parts.append(num_before + len(kinds))
        kinds.append(found[1])
        end = found.end()
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts), kinds


def load_sample(sample: Sample, window: Callable[[Random], Window] | None = None, seed: str = "") -> Loaded:
    """Open the pictures of a sample.

    Args:
        sample: What to open.
        window: Picks the part of the picture that takes the place of the whole; used where every camera is known. All
            marks stay in it.
        seed: Of what is random about this occurrence of the sample.

    Raises:
        SceneError: a picture or video is missing, damaged, or a mark does not fit.
    """
    opened = [_open(medium) for medium in sample.media]
    cameras = [view.camera for views in opened for view in views]
    if window is not None and cameras and None not in cameras:
        drawn = [
            box
            for medium, (view, *_) in zip(sample.media, opened, strict=True)
            if isinstance(medium, Still)
            for box in _drawn(medium, view.image.width, view.image.height)
        ]
        chosen = window_with(drawn, window, Random(f"{seed}:{sample.id}"))
        opened = [[_zoomed(view, chosen) for view in views] for views in opened]
    turns = []
    for turn in sample.turns:
        parts: list[str | View] = []
        for part in turn.parts:
            if isinstance(part, str):
                parts.append(part)
            else:
                parts += opened[part]
        turns.append((turn.role, tuple(parts)))
    return Loaded(tuple(turns))


def check_media(sample: Sample, known: dict[Path, bool]) -> str | None:
    """Why a sample cannot be shown, without opening anything: a file is missing. `known` remembers what was asked."""
    for medium in sample.media:
        if medium.path not in known:
            known[medium.path] = medium.path.exists()
        if not known[medium.path]:
            return f"missing {'picture' if isinstance(medium, Still) else 'video'}"
    return None


def _open(medium: Still | Clip) -> list[View]:
    if isinstance(medium, Still):
        pixels = read_rgb(medium.path)
        if medium.marks:
            pixels = draw_marks(pixels, medium.marks)
        image = Image.fromarray(pixels)
        for mark, name in zip(medium.marks, medium.names, strict=False):
            place = _name_px(mark, image.width, image.height)
            ImageDraw.Draw(image).text(place, name, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
        return [View(image, _camera(medium, pixels.shape[1], pixels.shape[0]))]
    if medium.path.is_dir():
        files = sorted(p for p in medium.path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
        if not files:
            raise SceneError(f"{medium.path} holds no frames")
        return [View(Image.fromarray(read_rgb(files[k]))) for k in first_to_last(len(files), medium.frames)]
    from spaceland.scenes.mp4 import frame_times, video_frame

    numbers = first_to_last(len(frame_times(medium.path)), medium.frames)
    return [View(Image.fromarray(video_frame(medium.path, number))) for number in numbers]


def _drawn(still: Still, width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of all marks with their names, as shares of the sides."""
    boxes = []
    for number, mark in enumerate(still.marks):
        left, top, right, bottom = extent_px(mark, width, height)
        if number < len(still.names):
            x, y = _name_px(mark, width, height)
            right, top = max(right, x + _NAME_WIDTH_PX), min(top, y - 2)
        # The last pixel of what is drawn ends beyond it, and windows are rounded to whole pixels.
        boxes.append((
            max(0.0, left - 1) / width, max(0.0, top - 1) / height,
            min(1.0, (right + 2) / width), min(1.0, (bottom + 2) / height),
        ))  # fmt: skip
    return boxes


def _name_px(mark: Mark, width: int, height: int) -> tuple[float, float]:
    """Left and top of the name beside a mark."""
    return mark.xy[0] * width / 1000 + 4, mark.xy[1] * height / 1000 - 16


def first_to_last(count: int, wanted: int) -> Sequence[int]:
    """At most `wanted` of `count` numbers, both ends included, as video data for training is sampled.

    >>> list(first_to_last(10, 4)), list(first_to_last(2, 4))
    ([0, 3, 6, 9], [0, 1])
    """
    return range(count) if count <= wanted else np.linspace(0, count - 1, wanted).round().astype(int).tolist()


def _camera(still: Still, width: int, height: int) -> PinholeCamera | None:
    try:
        if still.K is not None:
            return PinholeCamera(width, height, *still.K)
        if still.horizontal_fov_deg is not None:
            return PinholeCamera.from_fov(width, height, still.horizontal_fov_deg)
    except ValueError as error:
        raise SceneError(f"{still.path}: {error}") from error
    return None


def _zoomed(view: View, window: Window) -> View:
    assert view.camera is not None
    box, camera = window.of(view.camera)
    return replace(view, image=view.image.crop(box), camera=camera)


def camera_K(view: View) -> Float[np.ndarray, "3 3"] | None:
    """Intrinsics of a view in its own pixels."""
    return None if view.camera is None else view.camera.K
