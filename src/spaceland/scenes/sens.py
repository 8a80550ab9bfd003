"""ScanNet's `.sens` streams: colour, depth and poses of a whole scan in one file, read frame by frame.

Layout, little-endian, version 4:

    uint32 version, uint64 n, n bytes sensor name
    4x4 float32: colour intrinsic, colour extrinsic, depth intrinsic, depth extrinsic
    int32 colour compression (0 raw, 1 PNG, 2 JPEG), int32 depth compression (0 raw, 1 zlib, 2 occi)
    uint32 colour width, height, depth width, height; float32 depth counts to the metre
    uint64 number of frames, then for each frame:
        4x4 float32 camera-to-world, uint64 colour time, uint64 depth time (microseconds)
        uint64 colour bytes, uint64 depth bytes, colour data, depth data

Opening reads the small frame headers and remembers where the data lie; a scan of several GB is never loaded.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from spaceland.errors import SceneError
from spaceland.scenes.images import check_size

_RAW, _ZLIB = 0, 1
_COLOR_KINDS = (0, 1, 2)


@dataclass(frozen=True, eq=False)
class SensFrame:
    """Where one frame lies in the file. `T_world_cam` [4, 4] as stored; times in seconds."""

    T_world_cam: Float[np.ndarray, "4 4"]
    color_time_s: float
    depth_time_s: float
    color_at: int
    color_bytes: int
    depth_at: int
    depth_bytes: int


@dataclass(frozen=True, eq=False)
class Sens:
    """An opened stream: calibration, sizes (width, height) in pixels, and the index of its frames."""

    path: Path
    K_color: Float[np.ndarray, "4 4"]
    K_depth: Float[np.ndarray, "4 4"]
    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    color_kind: int
    depth_kind: int
    depth_scale: float
    frames: tuple[SensFrame, ...]

    def color(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Colour image of a frame.

        Raises:
            SceneError: the data cannot be decoded.
        """
        frame = self.frames[index]
        data = self.read(frame.color_at, frame.color_bytes)
        width, height = self.color_size
        try:
            if self.color_kind == _RAW:
                return np.frombuffer(data, np.uint8).reshape(height, width, 3).copy()
            with Image.open(io.BytesIO(data)) as image:
                array = np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise SceneError(
                f"{self.path}: colour of frame {index} is damaged ({error}); copy the file again"
            ) from error
        if array.shape != (height, width, 3):
            raise SceneError(f"{self.path}: colour of frame {index} has shape {array.shape}, expected {height}x{width}")
        return array

    def depth_counts(self, index: int) -> Int[np.ndarray, "h w"]:
        """Depth of a frame as uint16 counts of `1 / depth_scale` metres.

        Raises:
            SceneError: the data cannot be decoded.
        """
        frame = self.frames[index]
        data = self.read(frame.depth_at, frame.depth_bytes)
        width, height = self.depth_size
        try:
            if self.depth_kind == _ZLIB:
                # Bounded, so a damaged stream cannot fill the memory.
                data = zlib.decompressobj().decompress(data, width * height * 2)
            return np.frombuffer(data, "<u2").reshape(height, width)
        except (zlib.error, ValueError) as error:
            raise SceneError(
                f"{self.path}: depth of frame {index} is damaged ({error}); copy the file again"
            ) from error

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(start)
                return stream.read(count)
        except OSError as error:
            raise SceneError(f"cannot read {self.path}: {error.strerror or error}") from error


def open_sens(path: Path) -> Sens:
    """Read the header and the index of a `.sens` file.

    Raises:
        SceneError: missing, truncated, or of a version or compression that is not supported.
    """
    try:
        with path.open("rb") as stream:
            return _read_index(path, stream, os.fstat(stream.fileno()).st_size)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error


def _read_index(path: Path, stream: BinaryIO, file_size: int) -> Sens:
    def take(layout: str) -> tuple:
        size = struct.calcsize(layout)
        data = stream.read(size)
        if len(data) < size:
            raise SceneError(f"{path} is truncated: its header ends after {file_size} bytes; copy it again")
        return struct.unpack(layout, data)

    version, name_length = take("<IQ")
    if version != 4:
        raise SceneError(f"{path} is a .sens file of version {version}, expected 4")
    if name_length > file_size:
        raise SceneError(f"{path} is damaged: the sensor name would have {name_length} bytes; copy it again")
    stream.seek(name_length, os.SEEK_CUR)
    matrices = [np.array(take("<16f"), dtype=float).reshape(4, 4) for _ in range(4)]
    color_kind, depth_kind = take("<2i")
    sizes = take("<4I")
    (depth_scale,) = take("<f")
    (count,) = take("<Q")
    if color_kind not in _COLOR_KINDS or depth_kind not in (_RAW, _ZLIB):
        raise SceneError(
            f"{path}: colour compression {color_kind} or depth compression {depth_kind} is not supported; "
            "known are raw, PNG and JPEG colour, raw and zlib depth. Export the scan to images instead"
        )
    check_size(sizes[0], sizes[1], str(path))
    check_size(sizes[2], sizes[3], str(path))
    if not (np.isfinite(depth_scale) and depth_scale > 0):
        raise SceneError(f"{path}: {depth_scale} depth counts to the metre; the file is damaged, copy it again")
    frames, position = [], stream.tell()
    layout = struct.Struct("<16f4Q")
    while len(frames) < count:
        stream.seek(position)
        data = stream.read(layout.size)
        start = position + layout.size
        *pose, color_time, depth_time, color_bytes, depth_bytes = layout.unpack(data.ljust(layout.size, b"\0"))
        position = start + color_bytes + depth_bytes
        if position > file_size:
            raise SceneError(
                f"{path} is truncated: expected {count} frames, found {len(frames)} whole ones in {file_size} bytes; "
                "copy it again"
            )
        T_world_cam = np.array(pose, dtype=float).reshape(4, 4)
        times = (color_time / 1e6, depth_time / 1e6)
        frames.append(SensFrame(T_world_cam, *times, start, color_bytes, start + color_bytes, depth_bytes))
    return Sens(
        path, matrices[0], matrices[2], sizes[:2], sizes[2:], color_kind, depth_kind, depth_scale, tuple(frames)
    )
