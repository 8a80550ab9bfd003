"""Marked frames: what a frame sees, where its marks go, and the picture as the model will get it.

Frames are measured one after the other, since readers of videos and ray casters are not made for several threads;
drawing, encoding and writing, which wait for the disk most of the time, run beside that in two threads. Each frame is a
piece of work of its own, so the files are the same bytes however many threads there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from spaceland.files import encode_jpeg, write_bytes
from spaceland.geometry.camera import PinholeCamera
from spaceland.prompts.config import GRID_TILE_PX, MarkConfig
from spaceland.prompts.grid import longest_tile
from spaceland.prompts.marks import draw_marks, readable_diameter_px
from spaceland.prompts.placement import Placed, place_marks
from spaceland.prompts.styles import MarkStyle
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import MapMaker, ObjectSamples, ObjectView, measure_frame

_THREADS = 2
_WAITING = 6
"""So many frames may wait for a thread, which bounds memory."""


@dataclass(frozen=True, eq=False)
class DrawnFrame:
    """A frame, the camera of its picture as written, its marks, and what it sees of each object.

    `picture` is kept where it is needed again, for the grid; else None.
    """

    frame: Frame
    camera: PinholeCamera
    placed: Placed
    views: tuple[ObjectView, ...]
    picture: UInt8[np.ndarray, "h w 3"] | None = None


def frame_path(frame: Frame) -> str:
    """Where a marked frame is written, relative to the output folder."""
    return f"frames/{frame.id}.jpg"


def mark_frames(
    scene: Scene,
    frames: Sequence[Frame],
    numbers: Mapping[int, int],
    config: MarkConfig,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[DrawnFrame]:
    """Mark frames and write them into the folder `out`.

    Raises:
        SceneError: an image is broken, or nothing tells what a frame sees.
        OutputError: the folder cannot be written.
    """
    measure = _Measure(scene, numbers, config)
    longest_px = _longest_side(frames, config)
    style, keep = config.mark_style, config.layout == "grid"
    waiting: deque[tuple[DrawnFrame, Future[np.ndarray]]] = deque()
    done: list[DrawnFrame] = []

    def finish() -> None:
        marked, future = waiting.popleft()
        picture = future.result()
        done.append(DrawnFrame(marked.frame, marked.camera, marked.placed, marked.views, picture if keep else None))
        if progress:
            progress(len(done), len(frames))

    with ThreadPoolExecutor(_THREADS) as pool:
        for frame in frames:
            camera = fitted_camera(frame.camera, longest_px)
            placed, views, object_ids = measure.place(frame, camera)
            marked = DrawnFrame(frame, camera, placed, tuple(views))
            color = frame.color()
            waiting.append((marked, pool.submit(_write, color, marked, object_ids, style, out)))
            while len(waiting) > _WAITING:
                finish()
        while waiting:
            finish()
    return done


def fitted_camera(camera: PinholeCamera, longest_px: int | None) -> PinholeCamera:
    """The camera of a picture whose longest side is at most `longest_px`; smaller pictures are not enlarged."""
    if longest_px is None or max(camera.width, camera.height) <= longest_px:
        return camera
    scale = longest_px / max(camera.width, camera.height)
    return camera.scaled(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))


def mark_diameter_px(
    numbers: Iterable[int], share: float, side_px: float, config: MarkConfig, *, resized: bool
) -> float:
    """Diameter of the marks of a picture: the style's share of a side, but readable where the size is the model's."""
    diameter = share * side_px * config.size_factor
    if not resized:
        return diameter
    return max(diameter, readable_size_px(max(numbers, default=0), config.min_digit_px, config.mark_style))


def readable_size_px(largest_number: int, digit_px: float, style: MarkStyle) -> float:
    """Least diameter in which all numbers up to the largest are readable; their length and wide digits decide."""
    length = len(str(largest_number))
    return max(readable_diameter_px(int(digit * length), digit_px, style) for digit in "468")


def _longest_side(frames: Sequence[Frame], config: MarkConfig) -> int | None:
    """Longest side of written frames: the model's, or that of a tile if they go into one picture; None: as they are."""
    if config.layout != "grid" or not frames:
        return config.model_long_side_px
    if config.model_long_side_px is None:
        return GRID_TILE_PX
    sizes = [(frame.camera.width, frame.camera.height) for frame in frames]
    return longest_tile(sizes, config.model_long_side_px)


def _write(
    color: UInt8[np.ndarray, "h w 3"],
    marked: DrawnFrame,
    object_ids: Int[np.ndarray, "hm wm"] | None,
    style: MarkStyle,
    out: Path,
) -> UInt8[np.ndarray, "h w 3"]:
    size = marked.camera.width, marked.camera.height
    if (color.shape[1], color.shape[0]) != size:
        color = np.array(Image.fromarray(color).resize(size, Image.Resampling.LANCZOS))
    picture = draw_marks(color, marked.placed.marks, style, object_ids)
    write_bytes(out / frame_path(marked.frame), encode_jpeg(picture, quality=95))
    return picture


class _Measure:
    """Places marks on frames; what all frames share is made once, and only when there is something to mark."""

    def __init__(self, scene: Scene, numbers: Mapping[int, int], config: MarkConfig) -> None:
        self._numbers, self._config = dict(numbers), config
        self._maker = MapMaker(scene, config.visibility)
        self._samples = ObjectSamples.of_scene(scene) if numbers and config.num_frames else None

    def place(
        self, frame: Frame, camera: PinholeCamera
    ) -> tuple[Placed, list[ObjectView], Int[np.ndarray, "hm wm"] | None]:
        """Marks of a frame in pixels of `camera`, what it sees of each object, and its id map."""
        if self._samples is None:
            return Placed((), {}), [], None
        maps = self._maker.maps(frame)
        views = measure_frame(frame, maps, self._samples, self._config.visibility)
        # Where the picture looks unlike the scan, something that the scan lacks may carry the disc.
        doubtful = {view.object_id for view in views if view.contradicted > self._config.max_contradicted}
        placed = place_marks(
            maps.object_ids,
            {k: number for k, number in self._numbers.items() if k not in doubtful},
            image_size=(camera.width, camera.height),
            diameter_px=mark_diameter_px(
                self._numbers.values(),
                self._config.mark_style.diameter_share,
                camera.width,
                self._config,
                resized=self._config.model_long_side_px is not None or self._config.layout == "grid",
            ),
            config=self._config.placement,
        )
        skipped = dict.fromkeys(sorted(doubtful & set(self._numbers)), "picture and scan differ there")
        return Placed(placed.marks, {**placed.skipped, **skipped}), views, maps.object_ids
