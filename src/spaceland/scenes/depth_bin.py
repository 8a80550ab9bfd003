"""`depth.bin` of ScanNet++: the depth images of a phone video in one file, 256 x 192 each.

Two forms exist, which nothing in the file names:

    one stream     raw deflate of all frames, float32 metres
    by frame       for each frame a uint32 length (little-endian), then raw deflate of float32 metres
                   or one LZ4 block of uint16 millimetres

It is taken to be by frame when the lengths lead through the file. One stream can only be read from its start, so every
64th frame a copy of the decompressor's state is kept: after the first pass any frame is at most 64 away.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.scenes.images import depth_from_counts

WIDTH, HEIGHT = 256, 192
_PIXELS = WIDTH * HEIGHT
_CHUNK = 1 << 16
_STATES_EVERY = 64


@runtime_checkable
class DepthBin(Protocol):
    """Depth images by number."""

    def read(self, index: int) -> Float[np.ndarray, "192 256"]:
        """Depth in metres, 0 where there is none."""
        ...


@lru_cache(maxsize=4)
def open_depth_bin(path: Path) -> DepthBin:
    """Find out which form a file has; nothing is decompressed yet.

    Raises:
        SceneError: missing or empty.
    """
    try:
        spans = _spans(path)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    return _ByFrame(path, spans) if spans is not None else _Stream(path)


def read_depth_bin(path: Path, index: int) -> Float[np.ndarray, "192 256"]:
    """One depth image of a file. Files stay open in a small cache, so frames may be read in any order.

    Raises:
        SceneError: missing, truncated before this frame, or damaged.
    """
    return open_depth_bin(path).read(index)


def _spans(path: Path) -> list[tuple[int, int]] | None:
    """(start, length) of each frame; None when the file is one stream."""
    size = path.stat().st_size
    if size == 0:
        raise SceneError(f"{path} is empty; copy it again")
    spans, position = [], 0
    with path.open("rb") as stream:
        while position < size:
            stream.seek(position)
            length = int.from_bytes(stream.read(4), "little")
            if not 0 < length <= 8 * _PIXELS or position + 4 > size:
                return None
            if position + 4 + length > size:
                return spans or None  # truncated in its last frame: those before are whole
            spans.append((position + 4, length))
            position += 4 + length
    return spans


class _ByFrame:
    def __init__(self, path: Path, spans: list[tuple[int, int]]) -> None:
        self._path, self._spans = path, spans

    def read(self, index: int) -> Float[np.ndarray, "192 256"]:
        if index >= len(self._spans):
            raise _truncated(self._path, index, len(self._spans))
        start, length = self._spans[index]
        with self._path.open("rb") as stream:
            stream.seek(start)
            data = stream.read(length)
        try:
            counts = np.frombuffer(lz4_block(data, 2 * _PIXELS), "<u2")
            if counts.size == _PIXELS:
                return depth_from_counts(counts.reshape(HEIGHT, WIDTH), 1000.0)
        except ValueError:
            pass
        try:
            metres = np.frombuffer(zlib.decompress(data, wbits=-zlib.MAX_WBITS), "<f4")
            return _clean(metres.reshape(HEIGHT, WIDTH))
        except (zlib.error, ValueError) as error:
            raise SceneError(
                f"{self._path}: depth of frame {index} is damaged ({error}); copy the file again"
            ) from error


class _Stream:
    def __init__(self, path: Path) -> None:
        self._path = path
        # Before frame 64 k: decompressor, bytes of the file it has taken, and what it gave out that is not used yet.
        self._states = [(zlib.decompressobj(wbits=-zlib.MAX_WBITS), 0, b"")]

    def read(self, index: int) -> Float[np.ndarray, "192 256"]:
        frame_bytes = 4 * _PIXELS
        start = min(index // _STATES_EVERY, len(self._states) - 1)
        decoder, position, rest = self._states[start]
        decoder, current, frame = decoder.copy(), start * _STATES_EVERY, b""
        with self._path.open("rb") as stream:
            stream.seek(position)
            while current <= index:
                if current == len(self._states) * _STATES_EVERY:
                    self._states.append((decoder.copy(), position, rest))
                pieces, length = [rest], len(rest)
                while length < frame_bytes:
                    chunk = stream.read(_CHUNK)
                    try:
                        piece = decoder.decompress(chunk) if chunk else decoder.flush()
                    except zlib.error as error:
                        raise SceneError(
                            f"{self._path}: depth of frame {current} is damaged ({error}); copy the file again"
                        ) from error
                    position += len(chunk)
                    if not chunk and not piece:
                        raise _truncated(self._path, index, current)
                    pieces.append(piece)
                    length += len(piece)
                joined = b"".join(pieces)
                frame, rest = joined[:frame_bytes], joined[frame_bytes:]
                current += 1
        return _clean(np.frombuffer(frame, "<f4").reshape(HEIGHT, WIDTH))


def _clean(metres: np.ndarray) -> Float[np.ndarray, "192 256"]:
    """Unknown, negative and infinite depth becomes 0."""
    return np.where(np.isfinite(metres) & (metres > 0), metres, 0).astype(np.float32)


def _truncated(path: Path, index: int, found: int) -> SceneError:
    return SceneError(f"{path} holds {found} depth images, but frame {index} was asked for; it may be truncated")


def lz4_block(data: bytes, size: int) -> bytes:
    """Decompress one LZ4 block: runs of literal bytes, each followed by a copy of earlier output.

    Raises:
        ValueError: it is none, or does not give `size` bytes.
    """
    result, position = bytearray(), 0

    def longer(length: int) -> int:
        """15 means that further bytes add to a length, until one is not 255."""
        nonlocal position
        if length == 15:
            while True:
                more = data[position]
                position += 1
                length += more
                if more != 255:
                    break
        return length

    try:
        while position < len(data) and len(result) <= size:
            token = data[position]
            position += 1
            literals = longer(token >> 4)
            result += data[position : position + literals]
            position += literals
            if position >= len(data):
                break
            offset = data[position] | data[position + 1] << 8
            position += 2
            match = longer(token & 15) + 4
            if not 0 < offset <= len(result):
                raise ValueError("a copy starts before the data")
            start = len(result) - offset
            source = bytes(result[start : start + match])
            result += (source * (match // len(source) + 1))[:match]  # copies may overlap what they write
    except IndexError:
        raise ValueError("the block ends early") from None
    if len(result) != size or position != len(data):
        raise ValueError(f"{len(result)} bytes, expected {size}")
    return bytes(result)
