"""Chosen pictures on disk: complete, resumable, replaced when the source is another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from captures import number_of, striped, write_photos, write_video
from PIL import Image

from spaceland.errors import SceneError
from spaceland.reconstruct.capture import open_capture
from spaceland.reconstruct.capture_files import read_pictures, write_pictures


def test_pictures_are_written_and_read_back(tmp_path: Path) -> None:
    capture = open_capture(write_video(tmp_path / "room.mp4", map(striped, range(30))))
    done: list[int] = []
    written = write_pictures(capture, [2, 11, 29], tmp_path / "out", lambda n, note: done.append(n))
    assert sum(done) == 3
    for source in (written, read_pictures(tmp_path / "out")):
        assert [image.index for image in source.images] == [2, 11, 29]
        assert [number_of(image.color()) for image in source.images] == [2, 11, 29]
        assert [image.timestamp_s for image in source.images] == pytest.approx([0.2, 1.1, 2.9])
        assert source.is_video and source.id == "room"
    record = json.loads((tmp_path / "out" / "capture.json").read_text())
    assert record["complete"] and record["source"] == "room.mp4" and len(record["sha256"]) == 64
    with Image.open(tmp_path / "out" / "frame_000011.jpg") as image:
        close = np.abs(np.asarray(image).astype(int) - capture.images[11].color())
    assert close.mean() < 3


def test_a_second_run_keeps_files_and_drops_those_no_longer_chosen(tmp_path: Path) -> None:
    capture = open_capture(write_video(tmp_path / "room.mp4", map(striped, range(30))))
    out = tmp_path / "out"
    write_pictures(capture, [2, 11], out)
    (out / "mine.jpg").write_bytes(b"mine")
    kept = (out / "frame_000011.jpg").stat().st_mtime_ns
    write_pictures(capture, [11, 20], out)
    assert sorted(path.name for path in out.iterdir()) == [
        "capture.json",
        "frame_000011.jpg",
        "frame_000020.jpg",
        "mine.jpg",
    ]
    assert (out / "frame_000011.jpg").stat().st_mtime_ns == kept


def test_an_interrupted_run_is_finished(tmp_path: Path) -> None:
    capture = open_capture(write_video(tmp_path / "room.mp4", map(striped, range(30))))
    out = tmp_path / "out"

    def stop(steps: int, note: str) -> None:
        if note == "frame_000011":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pictures(capture, [2, 11, 29], out, stop)
    with pytest.raises(SceneError, match="not complete"):
        read_pictures(out)
    kept = (out / "frame_000002.jpg").stat().st_mtime_ns
    assert len(write_pictures(capture, [2, 11, 29], out).images) == 3
    assert (out / "frame_000002.jpg").stat().st_mtime_ns == kept


def test_another_source_replaces_the_pictures(tmp_path: Path) -> None:
    first = open_capture(write_video(tmp_path / "a.mp4", map(striped, range(10))))
    second = open_capture(write_video(tmp_path / "b.mp4", map(striped, range(100, 110))))
    write_pictures(first, [3], tmp_path / "out")
    assert number_of(write_pictures(second, [3], tmp_path / "out").images[0].color()) == 103


def test_pictures_that_do_not_decode_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = write_photos(tmp_path / "in", rng.integers(0, 255, (3, 64, 96, 3)).astype(np.uint8), "p{}.jpg")
    for name, left in (("p2.jpg", {"p1", "p3"}), ("p1.jpg", {"p3"})):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
        written = write_pictures(open_capture(folder), [0, 1, 2], tmp_path / "out")
        assert {image.id for image in written.images} == left
    assert written.skipped == {"chosen pictures that do not decode": 2}
    data = (folder / "p3.jpg").read_bytes()
    (folder / "p3.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(SceneError, match="none of the 3"):
        write_pictures(open_capture(folder), [0, 1, 2], tmp_path / "out")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "complete": true, "frames": [3]}'])
def test_a_record_that_is_none_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "capture.json").write_text(text)
    with pytest.raises(SceneError, match=r"capture\.json"):
        read_pictures(tmp_path)


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    capture = open_capture(write_photos(tmp_path / "in", map(striped, range(3))))
    write_pictures(capture, [0, 2], tmp_path / "out")
    (tmp_path / "out" / "p3.jpg").unlink()
    with pytest.raises(SceneError, match=r"p3\.jpg"):
        read_pictures(tmp_path / "out")
