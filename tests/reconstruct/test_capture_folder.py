"""Photo folders as captures: natural order, upright, focal lengths, sizes, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from captures import number_of, striped, write_photos
from PIL import Image

from spaceland.errors import SceneError, SourceError
from spaceland.reconstruct.capture import iterate, iterate_grey, open_capture
from spaceland.reconstruct.capture_folder import focal_from_exif, unique_ids

_EXIF = 0x8769


def _photo(path: Path, picture: np.ndarray, orientation: int = 1, **tags: float) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    names = {"focal_mm": 0x920A, "focal_35mm": 0xA405, "per_unit": 0xA20E, "unit": 0xA210, "wide": 0xA002}
    for name, value in tags.items():
        exif.get_ifd(_EXIF)[names[name]] = value
    Image.fromarray(picture).save(path, exif=exif, quality=98)


def test_photos_come_in_natural_order(tmp_path: Path) -> None:
    capture = open_capture(write_photos(tmp_path / "room", map(striped, range(1, 13)), "IMG_{}.png"))
    assert capture.id == "room" and capture.fps is None and not capture.is_video
    assert [number_of(picture) for _, picture in iterate(capture)] == list(range(1, 13))
    assert capture.images[9].id == "IMG_10" and capture.images[9].timestamp_s is None


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "JPG"])
def test_kinds_of_pictures(tmp_path: Path, suffix: str) -> None:
    capture = open_capture(write_photos(tmp_path, map(striped, range(1, 4)), "p{}." + suffix))
    assert [number_of(image.color()) for image in capture.images] == [1, 2, 3]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = striped(77, (60, 90))
    stored = np.rot90(upright, {3: 2, 6: 1, 8: -1}[orientation])
    _photo(tmp_path / "a.jpg", np.ascontiguousarray(stored), orientation)
    image = open_capture(tmp_path).images[0]
    assert (image.width, image.height) == (60, 90)
    assert number_of(image.color()) == 77
    grey = next(iter(iterate_grey(open_capture(tmp_path), 45)))[1]
    assert grey.shape == (45, 30) and number_of(grey) == 77


def test_focal_lengths() -> None:
    assert focal_from_exif({0xA405: 24}, 4000, 3000) == pytest.approx(24 / 43.2666 * 5000, rel=1e-4)
    sensor = {0x920A: 50.0, 0xA20E: 6000 / 3.6, 0xA210: 3, 0xA002: 6000}  # 36 mm wide sensor, dots per centimetre
    assert focal_from_exif(sensor, 6000, 4000) == pytest.approx(50 / 36 * 6000)
    assert focal_from_exif(sensor, 3000, 2000) == pytest.approx(50 / 36 * 3000)  # resized afterwards
    assert focal_from_exif({}, 640, 480) is None
    assert focal_from_exif({0xA405: 0, 0x920A: "x", 0xA20E: float("nan")}, 640, 480) is None
    assert focal_from_exif({0xA405: 1e9}, 640, 480) is None


def test_the_focal_length_of_a_file_is_read(tmp_path: Path) -> None:
    _photo(tmp_path / "a.jpg", striped(1, (400, 300)), 6, focal_35mm=26)
    assert open_capture(tmp_path).images[0].focal_px == pytest.approx(26 / 43.2666 * 500, rel=1e-4)


def test_the_most_frequent_size_is_used_and_the_rest_counted(tmp_path: Path) -> None:
    write_photos(tmp_path, [striped(k) for k in range(5)])
    Image.fromarray(striped(9, (64, 96))).save(tmp_path / "p9.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "x.heic").write_bytes(b"?")
    (tmp_path / "notes.txt").write_text("hello")
    Image.fromarray(np.zeros((64, 96), dtype=np.uint16)).save(tmp_path / "depth.png")
    capture = open_capture(tmp_path)
    assert len(capture.images) == 5
    assert dict(capture.skipped) == {
        "damaged pictures": 1,
        "heic pictures (save them as jpg)": 1,
        "pictures of another size than 96x64": 1,
        "pictures without 8-bit colours (depth images?)": 1,
    }


def test_sizes_without_a_majority_are_refused(tmp_path: Path) -> None:
    write_photos(tmp_path, [striped(1), striped(2), striped(3, (64, 96)), striped(4, (64, 96))])
    with pytest.raises(SceneError, match="mixes pictures of 2 sizes"):
        open_capture(tmp_path)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SourceError, match="holds no usable"):
        open_capture(tmp_path)
    (tmp_path / "b.jpg").write_text("x")
    with pytest.raises(SourceError, match="1 damaged"):
        open_capture(tmp_path)
    with pytest.raises(SourceError, match="single picture"):
        open_capture(tmp_path / "b.jpg")


def test_a_picture_that_turns_out_truncated_is_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_photos(tmp_path, rng.integers(0, 255, (3, 64, 96, 3)).astype(np.uint8), "p{}.jpg")
    data = (tmp_path / "p2.jpg").read_bytes()
    (tmp_path / "p2.jpg").write_bytes(data[: len(data) // 2])
    capture = open_capture(tmp_path)
    assert [image.id for image, _ in iterate(capture)] == ["p1", "p3"]
    with pytest.raises(SceneError, match=r"p2\.jpg"):
        capture.images[1].color()


def test_hostile_names_become_plain_ids() -> None:
    assert unique_ids(["../../x", "<b>", "a", "A", "", "a" * 300]) == [
        "_.._x",
        "_b_",
        "a",
        "A_2",
        "picture",
        "a" * 80,
    ]
