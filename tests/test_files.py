"""Files are written whole or not at all, and a broken one is named."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import OutputError, SceneError
from spaceland.files import (
    atomic_path,
    encode_jpeg,
    encode_png,
    read_image,
    read_json,
    write_bytes,
    write_json,
    write_text,
)


def test_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_disk_full_names_the_file_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*a\.txt: No space left on device; free some space"):
        write_text(tmp_path / "a.txt", "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which this system does not have")
def test_a_really_full_device_raises_enospc() -> None:
    with pytest.raises(OSError, match="No space"), open("/dev/full", "wb") as device:  # noqa: PTH123
        device.write(b"x" * 100_000)


def test_files_are_readable_by_others_as_the_umask_allows(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_half_a_surrogate_pair_comes_back_from_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"\ud800": "\U0001f600 \udc00\\"})
    assert read_json(tmp_path / "a.json") == {"\ud800": "\U0001f600 \udc00\\"}


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe\x00", b""])
def test_broken_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(SceneError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")


def test_images_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    depth = rng.integers(0, 65535, (5, 7), dtype=np.uint16)
    color = rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)
    write_bytes(tmp_path / "d.png", encode_png(depth))
    write_bytes(tmp_path / "c.png", encode_png(color))
    assert (read_image(tmp_path / "d.png") == depth).all()
    assert (read_image(tmp_path / "c.png") == color).all()
    assert encode_jpeg(color) == encode_jpeg(color.copy())


def test_truncated_image_is_named(tmp_path: Path) -> None:
    data = encode_png(np.zeros((50, 50, 3), np.uint8) + np.arange(50, dtype=np.uint8)[:, None])
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(SceneError, match=r"a\.png is not a readable image"):
        read_image(tmp_path / "a.png")
    with pytest.raises(SceneError, match="missing file"):
        read_image(tmp_path / "b.png")
