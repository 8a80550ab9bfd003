"""Single frames of a video file by their number, for datasets that keep their colour images in one.

The container lists the time of every frame; a frame is found by jumping to the key frame before it and decoding from
there. Numbers count from 0 in the order in which frames are shown.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from spaceland.errors import SceneError


@lru_cache(maxsize=8)
def frame_times(path: Path) -> tuple[int, ...]:
    """Presentation times of all frames, ascending, in the stream's own unit. Nothing is decoded.

    Raises:
        SceneError: missing, truncated or without video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise SceneError(f"{path} has no video track")
            times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    except (FileNotFoundError, OSError, av.FFmpegError) as error:
        raise _unreadable(path, error) from error
    if not times:
        raise SceneError(f"{path} has no frames; copy it again")
    return tuple(sorted(times))


def video_size(path: Path) -> tuple[int, int]:
    """(width, height) of a video.

    Raises:
        SceneError: missing, truncated or without video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise SceneError(f"{path} has no video track")
            return container.streams.video[0].width, container.streams.video[0].height
    except (FileNotFoundError, OSError, av.FFmpegError) as error:
        raise _unreadable(path, error) from error


def video_frame(path: Path, number: int) -> UInt8[np.ndarray, "h w 3"]:
    """Frame `number` as colours.

    Raises:
        SceneError: the video is damaged, or shorter than that.
    """
    import av

    times = frame_times(path)
    if number >= len(times):
        raise SceneError(f"{path} has {len(times)} frames, but frame {number} was asked for; it may be truncated")
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            container.seek(times[number], stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= times[number]:
                    return frame.to_ndarray(format="rgb24")
    except (OSError, av.FFmpegError) as error:
        raise _unreadable(path, error) from error
    raise SceneError(f"{path}: frame {number} cannot be decoded; the file may be truncated, copy it again")


def _unreadable(path: Path, error: Exception) -> SceneError:
    if isinstance(error, FileNotFoundError):
        return SceneError(f"missing file: {path}")
    return SceneError(f"{path} is not a readable video ({error}); the file may be truncated, copy it again")
