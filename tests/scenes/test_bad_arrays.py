"""Arrays and images that are not what they seem, and disks that refuse: one clear error, never a half-written file."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damaged_folder import lay_out, sound_files, sound_scene

from spaceland.commands.save import save
from spaceland.errors import OutputError, SceneError
from spaceland.scenes.folder import read_scene, write_scene
from spaceland.scenes.npz import read_npz
from spaceland.scenes.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sound_scene()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene folder that a test may damage."""
    return lay_out(tmp_path / "room")


# Arrays and images


class RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(Path(os.environ["SPACELAND_TEST_TRAP"])),)


def test_pickled_arrays_are_refused_and_not_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACELAND_TEST_TRAP", str(tmp_path / "trap"))
    np.savez(folder / "objects.npz", points_0=np.array([RunsCode()], dtype=object))
    with pytest.raises(SceneError, match="pickled Python objects, which are refused"):
        read_scene(folder)
    assert not (tmp_path / "trap").exists()


def test_npz_with_an_absurd_shape_or_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(SceneError, match="single array"):
        read_npz(tmp_path / "a.npz")
    import zipfile

    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 3), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("points_0.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(SceneError, match=r"b\.npz is not a readable NPZ file"):
        read_npz(tmp_path / "b.npz")


def test_arrays_of_other_shapes_are_refused(folder: Path) -> None:
    arrays = read_npz(folder / "objects.npz")
    np.savez(folder / "objects.npz", **{**arrays, "points_0": np.zeros((5, 2))})
    with pytest.raises(SceneError, match=r"points_0 has shape \(5, 2\), expected \[n, 3\]"):
        read_scene(folder)
    np.savez(folder / "objects.npz", **{**arrays, "faces_0": np.array([[0, 1, 10**6]])})
    with pytest.raises(SceneError, match="faces_0 name points that do not exist"):
        read_scene(folder)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", len(data))
        + b"IDAT"
        + data
        + struct.pack(">I", zlib.crc32(b"IDAT" + data))
    )


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (30_000, 30_000)])
def test_images_of_absurd_size_are_refused(folder: Path, size: tuple[int, int]) -> None:
    (folder / "color/000000.jpg").write_bytes(png_header(*size))
    with pytest.raises(SceneError, match="not a readable image"):
        read_scene(folder).frames[0].color()


def test_faces_of_vertices_that_do_not_exist(scene: Scene, tmp_path: Path) -> None:
    assert scene.surface is not None
    broken = replace(scene, surface=replace(scene.surface, faces=np.array([[0, 1, 10**6]])))
    write_scene(broken, tmp_path / "s")
    with pytest.raises(SceneError, match="faces name vertices"):
        read_scene(tmp_path / "s")


# Writing


def test_unwritable_output_is_one_clear_error(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot write"):
            write_scene(scene, path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("after", [0, 1, 4, 8, 10, 11])
def test_disk_full_leaves_no_part_and_no_scene(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whichever file the disk is full at: one error, whole files only, and no scene.json. Later it can be completed."""
    written, real = [0], os.write

    def limited(handle: int, data: memoryview) -> int:
        if written[0] >= after:
            real(handle, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        written[0] += 1
        return real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(OutputError, match=r"cannot write .*No space left on device"):
            write_scene(scene, tmp_path / "s")
    assert not (tmp_path / "s/scene.json").exists()
    assert not list(tmp_path.rglob("*.tmp"))
    assert len([p for p in tmp_path.rglob("*") if p.is_file() and p.name != ".unfinished"]) == after
    write_scene(scene, tmp_path / "s")
    assert len(read_scene(tmp_path / "s").frames) == 3
    assert not (tmp_path / "s/.unfinished").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="file size limits need a Unix system")
def test_a_real_limit_on_file_size_gives_one_line(folder: Path, tmp_path: Path) -> None:
    """The kernel refuses the large file in the middle of writing it, as on a full disk."""
    code = (
        "import resource, signal, sys\n"
        "from spaceland.cli import run\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "save", f"folder:{folder}", "--out", str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert result.returncode == 2, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("spaceland:")]
    assert len(errors) == 1 and "cannot write" in errors[0] and "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("*.tmp")) and not (tmp_path / "out/handmade/scene.json").exists()


def test_interrupted_save_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, real = [0], os.write

    def stopped(handle: int, data: memoryview) -> int:
        written[0] += 1
        if written[0] == 6:
            raise KeyboardInterrupt
        return real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            save((f"folder:{folder}",), out=tmp_path / "out")
    assert not (tmp_path / "out/handmade/scene.json").exists()
    assert save((f"folder:{folder}",), out=tmp_path / "out") == 0
    for name, data in sound_files().items():
        assert (tmp_path / "out/handmade" / name).read_bytes() == data
