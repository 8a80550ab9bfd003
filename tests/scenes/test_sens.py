"""`.sens` streams: index, lazy decoding, damaged files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from scannet_writer import depth_mm, opencv_matrix, sens_bytes
from spaceland.errors import SceneError
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import Scene
from spaceland.scenes.sens import open_sens

POSES = [look_at(np.array([1.0 + k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(3)]
HEADER = 4 + 8 + len("StructureSensor") + 4 * 64 + 8 + 16 + 4 + 8


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene([("chair", (2, 4, 0.5), (0.5, 0.5, 1))], POSES)


@pytest.fixture(scope="module")
def stream(scene: Scene) -> bytes:
    return sens_bytes(scene, np.eye(4))


def test_index_and_images(scene: Scene, stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.sens").write_bytes(stream)
    sens = open_sens(tmp_path / "a.sens")
    assert (sens.color_size, sens.depth_size, sens.depth_scale) == ((320, 240), (320, 240), 1000.0)
    assert np.allclose(sens.K_color, opencv_matrix(scene.frames[0].camera))
    assert len(sens.frames) == 3
    for k, frame in enumerate(scene.frames):
        assert np.allclose(sens.frames[k].T_world_cam, frame.T_world_cam, atol=1e-6)
        assert sens.frames[k].color_time_s == pytest.approx(0.033 * k)
        assert np.array_equal(sens.depth_counts(k), depth_mm(frame))
        assert np.abs(sens.color(k).astype(int) - frame.color()).mean() < 3


def test_images_are_not_read_before_they_are_asked_for(stream: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.sens"
    path.write_bytes(stream)
    sens = open_sens(path)
    data = bytearray(stream)
    last = sens.frames[2]
    data[last.color_at : last.color_at + last.color_bytes] = bytes(last.color_bytes)
    data[last.depth_at : last.depth_at + last.depth_bytes] = bytes(last.depth_bytes)
    path.write_bytes(data)
    again = open_sens(path)
    assert np.array_equal(again.color(0), sens.color(0))
    with pytest.raises(SceneError, match="colour of frame 2 is damaged"):
        again.color(2)
    with pytest.raises(SceneError, match="depth of frame 2 is damaged"):
        again.depth_counts(2)


def test_truncated_stream_names_what_is_whole(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.sens").write_bytes(stream)
    inside_last = open_sens(tmp_path / "a.sens").frames[2].depth_at + 10
    (tmp_path / "a.sens").write_bytes(stream[:inside_last])
    with pytest.raises(SceneError, match="expected 3 frames, found 2 whole ones"):
        open_sens(tmp_path / "a.sens")


def patched(offset: int, data: bytes) -> Callable[[bytes], bytes]:
    return lambda stream: stream[:offset] + data + stream[offset + len(data) :]


KINDS_AT = 4 + 8 + len("StructureSensor") + 4 * 64


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda stream: stream[:100], "header ends after 100 bytes"),
        (lambda stream: b"", "header ends after 0 bytes"),
        (patched(0, struct.pack("<I", 3)), "version 3, expected 4"),
        (patched(4, struct.pack("<Q", 1 << 60)), "sensor name would have"),
        (patched(KINDS_AT, struct.pack("<2i", 2, 2)), "depth compression 2 is not supported"),
        (patched(KINDS_AT + 8, struct.pack("<I", 1 << 31)), "image size 2147483648x240"),
        (patched(KINDS_AT + 24, struct.pack("<f", 0.0)), "depth counts to the metre"),
        (patched(KINDS_AT + 28, struct.pack("<Q", 1 << 62)), "expected 4611686018427387904 frames, found 3"),
        (patched(HEADER + 64 + 16, struct.pack("<Q", 1 << 63)), "found 0 whole ones"),
    ],
)
def test_damaged_headers(stream: bytes, tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    (tmp_path / "a.sens").write_bytes(damage(stream))
    with pytest.raises(SceneError, match=message):
        open_sens(tmp_path / "a.sens")


def test_decompression_is_bounded(scene: Scene, tmp_path: Path) -> None:
    """A depth image that unpacks to more than its size is cut there instead of filling the memory."""
    import zlib

    stream = sens_bytes(scene, np.eye(4))
    (tmp_path / "a.sens").write_bytes(stream)
    first = open_sens(tmp_path / "a.sens").frames[0]
    bomb = zlib.compress(bytes(50_000_000))
    head = stream[: first.color_at - 8] + struct.pack("<Q", len(bomb)) + stream[first.color_at : first.depth_at]
    head = patched(HEADER - 8, struct.pack("<Q", 1))(head)
    (tmp_path / "b.sens").write_bytes(head + bomb)
    assert open_sens(tmp_path / "b.sens").depth_counts(0).shape == (240, 320)
