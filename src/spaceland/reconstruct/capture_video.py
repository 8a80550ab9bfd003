"""Video files as captures.

Frames are numbered from 0 in the order in which they are shown. Their times come from the container, so variable frame
rates are as they are. Opening reads the packets of the file without decoding them; where the file shows signs of damage
(an error on the way, packets marked corrupt, fewer than announced) it is decoded once, and what does not decode is
counted.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError
from spaceland.reconstruct.capture import Capture, only_picture, small_size
from spaceland.reconstruct.types import CaptureImage

_OPTIONS = {
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,gif,mjpeg,m4v,h264,hevc,ivf",
    "protocol_whitelist": "file",
}
"""Containers of pictures only: playlists, which make FFmpeg open further files and addresses, are refused."""
_MISSING_SHARE = 0.05
"""Announced frames may exceed those found by this share (and one) before the file counts as cut off."""


@dataclass(frozen=True)
class _Packets:
    """What the container says.

    `times` are presentation times, ascending, in units of `unit_s` (None: it has none); `num_found` packets of the
    `num_announced`; `fps` as announced; `aspect` is the width of a stored pixel over its height.
    """

    times: tuple[int, ...] | None
    unit_s: float
    num_found: int
    num_announced: int
    damaged: bool
    fps: float
    aspect: float

    @property
    def num_missing(self) -> int:
        """Announced frames that are not in the file; 0 where announcement and file agree roughly."""
        missing = self.num_announced - self.num_found
        return missing if missing > max(1, _MISSING_SHARE * self.num_announced) else 0


@dataclass(frozen=True)
class VideoPictures:
    """The decoded frames of a file. `times[i]` is the presentation time of frame i in the stream's unit; None where the
    container has no times, and frames are counted instead. `aspect` is the width of a stored pixel over its height."""

    path: Path
    times: tuple[int, ...] | None = field(repr=False)
    aspect: float

    def read(self, indices: Sequence[int], grey_px: int | None) -> Iterator[tuple[int, np.ndarray]]:
        """See `Pictures.read`."""
        if not len(indices):
            return
        wanted, last = set(indices), indices[-1]
        for index, frame in self._frames_from(indices[0]):
            if index in wanted:
                yield index, _array(frame, self.aspect, grey_px)
            if index >= last:
                return

    def fingerprint(self) -> str:
        """See `Pictures.fingerprint`."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _frames_from(self, first: int) -> Iterator[tuple[int, Any]]:
        """Frames with their numbers from a key frame at or before `first`."""
        if first and self.times is not None:
            jumped = self._numbered(_decode(self.path, self.times[first]))
            start = next(jumped, None)
            if start is not None and start[0] <= first:
                yield start
                yield from jumped
                return
        yield from self._numbered(_decode(self.path))

    def _numbered(self, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        if self.times is None:
            yield from enumerate(frames)
            return
        numbers = {time: index for index, time in enumerate(self.times)}
        for frame in frames:
            if frame.pts in numbers:
                yield numbers[frame.pts], frame


def open_video(path: Path) -> Capture:
    """A video file as a capture.

    Raises:
        SceneError: it is no video, or no frame can be decoded.
    """
    packets = _packets(path)
    first = next(_decode(path), None)
    if first is None:
        raise SceneError(f"no frame of {path} can be decoded; the file may be truncated, copy it again")
    height, width = _array(first, packets.aspect, None).shape[:2]
    times, skipped = packets.times, Counter[str]()
    skipped["video frames missing, the file is cut off (about)"] = packets.num_missing
    seconds: list[float] = []
    if times is None or packets.damaged:
        decoded = [frame.pts for frame in _decode(path)]
        skipped["video frames that do not decode"] = max(0, packets.num_found - len(decoded))
        times = None if times is None else tuple(sorted(set(times).intersection(decoded)))
        seconds = [index / packets.fps for index in range(len(decoded))]
    if times is not None:
        seconds = [(time - times[0]) * packets.unit_s for time in times]
    pictures = VideoPictures(path, times, packets.aspect)
    images = tuple(
        CaptureImage(
            id=f"frame_{index:06d}",
            index=index,
            width=width,
            height=height,
            color=partial(only_picture, pictures, index, str(path)),
            timestamp_s=float(time),
        )
        for index, time in enumerate(seconds)
    )
    length = seconds[-1]
    fps = (len(seconds) - 1) / length if length > 0 else packets.fps
    return Capture(path.stem, images, fps, path, pictures, {k: n for k, n in skipped.items() if n})


def _packets(path: Path) -> _Packets:
    """Times of all frames that are shown. Nothing is decoded.

    Raises:
        SceneError: no video.
    """
    import av

    times: list[int | None] = []
    damaged = False
    try:
        with av.open(str(path), options=_OPTIONS) as container:
            if not container.streams.video:
                raise SceneError(f"{path} has no video track")
            stream = container.streams.video[0]
            unit_s, fps = float(stream.time_base or 0), float(stream.average_rate or 30)
            aspect = float(stream.sample_aspect_ratio or 1)
            announced = stream.frames or round((container.duration or 0) / av.time_base * fps)
            try:
                for packet in container.demux(stream):
                    if packet.size and not packet.is_discard:
                        times.append(packet.pts)
                        damaged |= bool(packet.is_corrupt)
            except (OSError, av.FFmpegError):
                damaged = True
    except (OSError, av.FFmpegError) as error:
        raise SceneError(
            f"{path} is not a readable video ({error}); the file may be truncated, copy it again, or convert it to mp4"
        ) from error
    known = {time for time in times if time is not None}
    if not times:
        raise SceneError(f"{path} has no frames; the file may be truncated, copy it again")
    usable = None not in times and len(known) == len(times) and unit_s > 0
    found = _Packets(tuple(sorted(known)) if usable else None, unit_s, len(times), announced, damaged, fps, aspect)
    return replace(found, damaged=damaged or found.num_missing > 0)


def _decode(path: Path, from_time: int | None = None) -> Iterator[Any]:
    """The frames that decode, in the order in which they are shown; damaged packets are passed over."""
    import av

    with av.open(str(path), options=_OPTIONS) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if from_time is not None:
            container.seek(from_time, stream=stream, backward=True)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, OSError, av.FFmpegError):
                break
            with contextlib.suppress(OSError, av.FFmpegError):
                yield from packet.decode()
        # Where reading broke off, the decoder still holds frames.
        with contextlib.suppress(OSError, av.FFmpegError, EOFError):
            yield from stream.codec_context.decode(None)


def _array(frame: Any, aspect: float, grey_px: int | None) -> np.ndarray:
    """Upright pixels with square sides."""
    width, height = round(frame.width * aspect), frame.height
    if grey_px is None:
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    else:
        width, height = small_size(width, height, grey_px)
        pixels = frame.to_ndarray(format="gray", width=width, height=height, interpolation="AREA")
    # The angle by which the frame must be turned counter-clockwise to stand upright.
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
