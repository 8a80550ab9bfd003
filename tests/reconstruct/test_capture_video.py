"""Videos as captures: order, times, upright, damaged files, and one pass of decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from captures import number_of, striped, write_video

from spaceland.errors import SceneError, SourceError
from spaceland.reconstruct.capture import iterate, iterate_grey, open_capture, pictures_at


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    capture = open_capture(write_video(tmp_path / "room.mp4", map(striped, range(37))))
    assert capture.id == "room" and capture.is_video and not capture.skipped
    assert [number_of(picture) for _, picture in iterate(capture)] == list(range(37))
    assert [image.index for image in capture.images] == list(range(37))
    np.testing.assert_allclose([image.timestamp_s for image in capture.images], np.arange(37) / 10, atol=1e-3)
    assert capture.fps == pytest.approx(10)
    assert (capture.images[0].width, capture.images[0].height) == (96, 64)


def test_any_choice_of_frames_is_the_same_as_in_the_whole_pass(tmp_path: Path) -> None:
    capture = open_capture(write_video(tmp_path / "room.mp4", map(striped, range(37))))
    whole = [picture for _, picture in iterate(capture)]
    for chosen in ([0], [36], [3, 4, 5], [7, 18, 36], list(range(37))):
        found = list(pictures_at(capture, chosen))
        assert [image.index for image, _ in found] == chosen
        for image, picture in found:
            np.testing.assert_array_equal(picture, whole[image.index])
            np.testing.assert_array_equal(image.color(), picture)
    assert [number_of(picture) for _, picture in iterate(capture, every=10)] == [0, 10, 20, 30]
    with pytest.raises(ValueError, match="ascend"):
        list(pictures_at(capture, [3, 3]))
    with pytest.raises(ValueError, match="outside"):
        list(pictures_at(capture, [37]))


def test_variable_rates_keep_their_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.5, 0.52, 1.4, 2.0]
    capture = open_capture(write_video(tmp_path / "v.mkv", map(striped, range(7)), times))
    np.testing.assert_allclose([image.timestamp_s for image in capture.images], times, atol=2e-3)
    assert [number_of(image.color()) for image in capture.images] == list(range(7))
    assert capture.fps == pytest.approx(3.0, abs=0.01)


def test_reordered_frames_are_numbered_as_shown(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    if "libx264" not in av.codecs_available:
        pytest.skip("this PyAV has no libx264, which makes B-frames")
    capture = open_capture(write_video(tmp_path / "b.mp4", map(striped, range(40)), codec="libx264"))
    assert [number_of(picture) for _, picture in iterate(capture)] == list(range(40))
    assert [number_of(picture) for _, picture in pictures_at(capture, [13, 29])] == [13, 29]


@pytest.mark.parametrize(("rotation", "red_at"), [(-90, "top"), (90, "bottom"), (180, "right")])
def test_the_rotation_of_phones_is_applied(tmp_path: Path, rotation: int, red_at: str) -> None:
    """`rotation` is counter-clockwise: -90 is what a phone held upright writes. Red is on the left as stored."""
    capture = open_capture(write_video(tmp_path / "r.mp4", map(striped, range(3)), rotation_deg=rotation))
    picture = capture.images[0].color()
    assert picture.shape[:2] == ((96, 64) if rotation != 180 else (64, 96))
    assert (capture.images[0].height, capture.images[0].width) == picture.shape[:2]
    rows, columns = np.nonzero((picture[..., 0] > 200) & (picture[..., 2] < 60) & (picture[..., 1] < 60))
    place = {"top": rows.mean() < 40, "bottom": rows.mean() > 50, "right": columns.mean() > 55}
    assert place[red_at]
    _, grey = next(iter(iterate_grey(capture, 48)))
    assert max(grey.shape) == 48 and (grey.shape[0] > grey.shape[1]) == (rotation != 180)


def test_a_file_that_is_cut_off_gives_what_decodes_and_a_count(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 96, 3)).astype(np.uint8)
    for picture, number in zip(noise, range(40), strict=True):
        picture[32:] = striped(number)[32:]
    whole = write_video(tmp_path / "whole.mkv", noise).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: int(0.55 * len(whole))])
    capture = open_capture(cut)
    assert 10 < len(capture.images) < 35
    numbers = [number_of(picture) for _, picture in iterate(capture)]
    assert numbers == list(range(len(capture.images)))
    assert sum(capture.skipped.values()) >= 5, capture.skipped
    assert any("cut off" in reason for reason in capture.skipped)


def test_bytes_damaged_in_the_middle_do_not_end_the_pass(tmp_path: Path) -> None:
    data = bytearray(write_video(tmp_path / "ok.mkv", map(striped, range(40))).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path = tmp_path / "hole.mkv"
    path.write_bytes(data)
    capture = open_capture(path)
    seen = [image.index for image, _ in iterate(capture)]
    assert len(seen) >= 20 and seen == sorted(set(seen))
    assert number_of(next(iter(pictures_at(capture, [0])))[1]) == 0


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000)])
def test_what_is_no_video_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r"x\.mp4"):
        open_capture(path)


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / "secret.mkv", map(striped, range(5)))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\n{tmp_path}/secret.mkv\n#EXT-X-ENDLIST\n"
    (tmp_path / name).write_text(playlist)
    with pytest.raises(SceneError, match="not a readable video"):
        open_capture(tmp_path / name)
    (tmp_path / name).write_text(f"ffconcat version 1.0\nfile '{tmp_path}/secret.mkv'\n")
    with pytest.raises(SceneError, match="not a readable video"):
        open_capture(tmp_path / name)


def test_an_mp4_without_its_end_is_one_clear_error(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", map(striped, range(30))).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])  # the index is at the end
    with pytest.raises(SceneError, match="truncated"):
        open_capture(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file or folder"):
        open_capture(tmp_path / "none.mp4")


@pytest.mark.real
def test_a_real_video(real_data: Path) -> None:
    capture = open_capture(real_data / "videos" / "redkitchen_10fps.mp4")
    assert len(capture.images) == 334 and capture.fps == pytest.approx(10) and not capture.skipped
    photos = open_capture(real_data / "videos" / "redkitchen_30frames_1fps.mp4")
    assert len(photos.images) == 29
    assert sum(1 for _ in iterate(photos)) == 29
