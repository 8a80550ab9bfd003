"""Which pictures belong to a row, which frames are taken, and what leads out of the folder is not there."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import benchmark_module
from spaceland.benchmarks.released.tables import StoredPicture, cell_value, read_rows_files
from spaceland.chat.pictures import decode_picture
from spaceland.errors import SceneError
from spaceland.evaluation.frames import policy_of
from spaceland.evaluation.media import MediaCache, MediaFinder, MediaMissingError, load_media
from spaceland.files import encode_png


def png(value: int = 90, size: tuple[int, int] = (40, 30)) -> bytes:
    return encode_png(np.full((size[1], size[0], 3), value, np.uint8))


def test_frame_rules_are_the_official_ones() -> None:
    vsi = benchmark_module("vsibench")
    official = policy_of(vsi, "official")
    assert (official.num, official.rule) == (32, "linspace")
    assert official.indices(100) == np.linspace(0, 99, 32, dtype=int).tolist()
    assert official.indices(5) == np.linspace(0, 4, 32, dtype=int).tolist()  # short videos repeat frames, as released
    assert policy_of(vsi, "strict") == official
    assert policy_of(vsi, "vlmevalkit").rule == "linspace-last"
    assert policy_of(vsi, "official", num=8).indices(33) == [0, 4, 9, 13, 18, 22, 27, 32]
    assert policy_of(benchmark_module("sparbench"), "official").rule == "all"
    labelled = policy_of(benchmark_module("scanrefer"), "vg-llm")
    assert labelled.label == "Frame-{index}: " and labelled.first == 0


def test_a_video_gives_the_frames_of_the_rule(videos: Path) -> None:
    row = {"dataset": "scannet", "scene_name": "scene0003_00"}
    media = MediaFinder(videos).find(row, row)
    assert (media.kind, media.name) == ("video", "scannet/scene0003_00.mp4")
    pictures, indices = load_media(media, FramePolicy(num=4, rule="linspace"))
    assert indices == [0, 3, 7, 11]
    greys = [np.array(decode_picture(picture)).mean() for picture in pictures]
    assert np.allclose(greys, [20 * index + 3 for index in indices], atol=4)
    repeated, indices = load_media(media, FramePolicy(num=32, rule="linspace"))
    assert len(repeated) == 32 and indices[:3] == [0, 0, 0]
    assert max(picture.width for picture in load_media(media, FramePolicy(num=2, long_side_px=32))[0]) == 32


def test_a_folder_of_pictures_stands_for_a_video(tmp_path: Path) -> None:
    for index in range(10):
        path = tmp_path / "scene0000_00" / "color" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(10 * index))
    media = MediaFinder(tmp_path).find({"scene_id": "scene0000_00"}, {"scene_id": "scene0000_00"})
    pictures, indices = load_media(media, FramePolicy(num=5))
    assert media.kind == "folder" and indices == [0, 2, 4, 6, 8]
    assert [picture.name for picture in pictures] == ["000", "002", "004", "006", "008"]
    assert pictures[1].data == png(20)  # as the file has it


@pytest.mark.parametrize(
    "row",
    [
        {"images": ["a.png", "b.png"]},
        {"image": "a.png", "video": "x.mp4"},
        {"image": png()},
        {"image": {"bytes": png(), "path": None}},
        {"image": [base64.b64encode(png(3, (900, 700))).decode()]},
        {"image_1": png(), "image_2": png(), "image_10": None},
    ],
)
def test_pictures_of_a_row(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.png").write_bytes(png(91))
    media = MediaFinder(tmp_path).find(row, row)
    pictures, indices = load_media(media, FramePolicy(rule="all"))
    assert media.kind == "pictures" and len(pictures) == len(indices) == len(media.sources) >= 1
    assert all(picture.media_type == "image/png" for picture in pictures)


def test_marks_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(0, (400, 300)))
    mark = {"color": "red", "shape": "point", "object_id": 1, "image_index": 0, "xy": [500, 500], "size": 0.05}
    media = MediaFinder(tmp_path).find({"images": ["a.png"], "marks": [mark]}, {})
    pixels = np.array(decode_picture(load_media(media, FramePolicy(rule="all"))[0][0]))
    assert tuple(pixels[150, 200]) == (230, 20, 30) and tuple(pixels[0, 0]) == (0, 0, 0)


def test_turned_photos_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    picture = load_media(MediaFinder(tmp_path).find({"image": "a.jpg"}, {}), FramePolicy(rule="all"))[0][0]
    assert (picture.width, picture.height) == (20, 40)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "inside/../../secret.png", "link.png", "none.png"])
def test_what_leads_out_of_the_folder_is_missing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "media"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    for row in ({"images": [name]}, {"video": name}, {"scene_id": name.removesuffix(".png")}):
        with pytest.raises(MediaMissingError):
            MediaFinder(folder).find(row, row)


def test_broken_media_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png()[:50])
    (tmp_path / "v.mp4").write_bytes(b"no video")
    for row in ({"image": "a.png"}, {"video": "v.mp4"}):
        with pytest.raises(SceneError, match=r"a\.png|v\.mp4"):
            load_media(MediaFinder(tmp_path).find(row, row), FramePolicy())


def test_the_cache_decodes_a_video_once(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import spaceland.evaluation.media as module

    calls = []
    monkeypatch.setattr(module, "load_media", lambda media, policy: calls.append(media.name) or ([], []))
    row = {"dataset": "scannet", "scene_name": "scene0001_00"}
    media = MediaFinder(videos).find(row, row)
    cache = MediaCache(FramePolicy())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.load(media), range(40)))
    assert calls == ["scannet/scene0001_00.mp4"]


def test_parquet_pictures_stay_in_the_file(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "id": [1, 2, 3],
            "image": [[{"bytes": png(k), "path": "x"}] * (k + 1) for k in range(3)],
            "thumb": [{"bytes": png(50 + k), "path": "x"} for k in range(3)],
        }
    )
    pq.write_table(table, tmp_path / "test-0.parquet", row_group_size=2)
    rows = read_rows_files([tmp_path])
    assert [len(row["image"]) for row in rows] == [1, 2, 3]
    assert isinstance(rows[2]["thumb"], StoredPicture) and rows[2]["thumb"].read() == png(52)
    assert str(tmp_path) not in str(rows[2]["thumb"])
    pictures, _ = load_media(MediaFinder(tmp_path).find(rows[2], rows[2]), FramePolicy(rule="all"))
    assert [picture.data for picture in pictures] == [png(2)] * 3


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('index\tquestion\toptions\n0\tWhere?\t"[\'A. x\', ""B. y""]"\n1\tWhy\t\n')
    assert read_rows_files([tmp_path / "a.tsv"]) == [
        {"index": "0", "question": "Where?", "options": ["A. x", "B. y"]},
        {"index": "1", "question": "Why"},
    ]
    (tmp_path / "q.json").write_text('{"questions": [{"question_id": 1, "question": "q"}], "license": {}}')
    (tmp_path / "s.json").write_text('{"annotations": [{"question_id": 1, "answers": [{"answer": "a"}]}]}')
    joined = read_rows_files([tmp_path / "q.json", tmp_path / "s.json"])
    assert joined == [{"question_id": 1, "question": "q", "answers": [{"answer": "a"}]}]
    for content in ("3", '{"a": [{}], "b": [{}]}', "[1]", "[" * 10_000):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(SceneError):
            read_rows_files([tmp_path / "bad.json"])


@pytest.mark.parametrize("text", ["[" * 5000, "[1" + "+1" * 4000 + "]", "[__import__('os')]", "[" + "9" * 15_000 + "]"])
def test_hostile_cells_stay_text(text: str) -> None:
    assert cell_value(text) == text
