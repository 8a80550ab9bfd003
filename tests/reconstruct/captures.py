"""Captures made on the spot: videos and photo folders whose every picture can be told by looking at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from spaceland.reconstruct.types import CaptureImage


def striped(number: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A picture that shows its number as ten blocks, black 0, white 1; above red at left, blue at right."""
    width, height = size
    picture = np.full((height, width, 3), 128, dtype=np.uint8)
    picture[: height // 4, : width // 2] = (255, 0, 0)
    picture[: height // 4, width // 2 :] = (0, 0, 255)
    for bit in range(10):
        left, right = bit * width // 10, (bit + 1) * width // 10
        picture[height // 2 :, left:right] = 255 * ((number >> bit) & 1)
    return picture


def scenery(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Blobs of all sizes, as a wall full of things."""
    import cv2

    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 120, dtype=np.uint8)
    for _ in range(width * height // 900):
        corner = rng.integers((0, 0), (width, height))
        size = rng.integers(4, 40, 2)
        cv2.rectangle(picture, corner.tolist(), (corner + size).tolist(), rng.integers(0, 255, 3).tolist(), -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


def number_of(picture: np.ndarray) -> int:
    """The number that a striped picture shows."""
    height, width = picture.shape[:2]
    row = picture[int(0.75 * height)].astype(float)
    row = row.mean(-1) if row.ndim == 2 else row
    return sum(int(row[int((bit + 0.5) * width / 10)] > 128) << bit for bit in range(10))


def write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    times_s: Sequence[float] | None = None,
    rotation_deg: int = 0,
    codec: str = "mpeg4",
) -> Path:
    """A video of the pictures, ten each second or at the given times."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.bit_rate = 4_000_000
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                if rotation_deg:
                    stream.set_display_rotation(rotation_deg)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round(1000 * (times_s[number] if times_s else number / 10))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_photos(folder: Path, pictures: Iterable[np.ndarray], name: str = "p{}.png") -> Path:
    """A folder of photos, numbered from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, start=1):
        Image.fromarray(picture).save(folder / name.format(number))
    return folder


def in_memory(pictures: Sequence[np.ndarray], **more: float) -> list[CaptureImage]:
    """Pictures as images of a capture, a tenth of a second apart."""
    return [
        CaptureImage(
            id=f"frame_{k:06d}",
            index=k,
            width=picture.shape[1],
            height=picture.shape[0],
            color=lambda picture=picture: picture,
            timestamp_s=k / 10,
            **more,
        )
        for k, picture in enumerate(pictures)
    ]
