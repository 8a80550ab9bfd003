"""Released SPAR-7M folders are read with their quirks; hostile and broken ones are refused by name and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spaceland.datasets.rows import COLUMNS, read_rows
from spaceland.errors import SceneError
from spaceland.exchange.adopt import adopt
from spaceland.exchange.export import export_dataset
from spaceland.exchange.spar7m_read import SparRow, find_files, read_options, rows_of

DEPTH = {
    "id": "scene0261_00_16",
    "conversations": [
        {"from": "human", "value": "With the counter (red point) 1.6 meters deep, how deep is towel (blue point)?"},
        {"from": "gpt", "value": "1.5"},
    ],
    "image": ["scene0261_00/image_color/120.jpg"],
    "type": "depth_prediction_oc",
    "red_point": [[553, 397]],
    "blue_point": [[100, 200]],
}  # fmt: skip


def write(root: Path, task: str, rows: list[Any], format: str = "fill", *, count: int | None = None) -> Path:
    folder = root / "qa_jsonl" / "train" / task / format
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{format}_{len(rows) if count is None else count}.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def read(root: Path) -> list[SparRow | str]:
    return [row for file in find_files(root)[0] for row in rows_of(file)]


def only(root: Path) -> SparRow:
    (row,) = read(root)
    assert isinstance(row, SparRow), row
    return row


def test_a_row(tmp_path: Path) -> None:
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [DEPTH])
    for folder in (tmp_path, tmp_path / "spar", tmp_path / "spar" / "scannet"):
        row = only(folder)
        assert row.scene == "scene0261_00" and row.frames == ("120",) and row.answer == "1.5"
        assert [(m.color, m.xy) for m in row.marks] == [("red", (553, 397)), ("blue", (100, 200))]


@pytest.mark.parametrize(
    "change",
    [
        {"image": ["spar/scannet/images/scene0261_00/image_color/120.jpg"]},
        {"image": None, "images": ["scene0261_00/image_color/120.jpg"]},
        {"image": "scene0261_00/image_color/120.jpg"},
        {"red_point": [553, 397]},
        {"red_point": [[[553, 397]]]},
        {"red_point": None, "blue_point": None, "spar_info": '{"red_point": [[553, 397]], "blue_point": [[100, 200]]}'},
        {"conversations": [{"value": "<image>\n" + DEPTH["conversations"][0]["value"]}, {"value": " 1.5\n"}]},
        {"conversations": [{"value": "Frame-1: <image>\n" + DEPTH["conversations"][0]["value"]}, {"value": "1.5"}]},
    ],
)  # fmt: skip
def test_variants_of_the_same_row(tmp_path: Path, change: dict[str, Any]) -> None:
    row = {key: value for key, value in {**DEPTH, **change}.items() if value is not None}
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [row])
    found = only(tmp_path)
    assert found.images[0].as_posix() == "scene0261_00/image_color/120.jpg"
    assert found.question.startswith("With the counter") and found.answer == "1.5"
    assert [(m.color, m.xy) for m in found.marks] == [("red", (553, 397)), ("blue", (100, 200))]


def test_frames_of_videos_and_nav(tmp_path: Path) -> None:
    images = [f"s/video_color/frame{k}_{k * 35}.jpg" for k in range(32)]
    write(tmp_path / "rxr", "nav_video", [{**DEPTH, "image": images, "type": "nav", "red_point": [], "blue_point": []}])
    row = only(tmp_path)
    assert row.task == "nav_video" and row.frames[:3] == ("0", "35", "70")


def test_copies_below_another_task_are_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "spar" / "scannetpp"
    base = root / "qa_jsonl" / "train" / "view_change_infer"
    motion = {**DEPTH, "type": "view_change_infer", "red_point": [], "blue_point": []}
    write(root, "depth_prediction_oc", [DEPTH])
    for task, row in (("depth_prediction_oc", DEPTH), ("view_change_infer", motion)):
        folder = base / "scannetpp" / task / "fill"
        folder.mkdir(parents=True)
        (folder / "fill_1.jsonl").write_text(json.dumps(row) + "\n")
    files, notes = find_files(tmp_path)
    assert sorted(file.task for file in files) == ["depth_prediction_oc", "view_change_infer"]
    assert notes == ["scannetpp/train: passed over 1 copies of files in folders of other tasks"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": []}, "no images"),
        ({"conversations": [{"value": "q"}]}, "no question and answer"),
        ({"type": "room_size"}, "type is not that of the folder"),
        ({"red_point": [[1, 2, 3]]}, "expected 2 numbers"),
        ({"red_point": [[1, 2000]]}, "outside 0 to 1000"),
        ({"point_img_idx": [[0, 7]]}, "names image 7 of 1"),
        ({"point_img_idx": [[0]]}, "2 marks, but point_img_idx names 1 images"),
        ({"red_point": "x"}, "no list"),
    ],
)
def test_rows_that_are_no_good_say_why(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [{**DEPTH, **change}, DEPTH])
    found = read(tmp_path)
    assert isinstance(found[0], str) and reason in found[0]
    result = adopt(find_files(tmp_path)[0], tmp_path / "out")
    assert result.tally.total == 1 and sum(result.tally.left_out.values()) == 1


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "a/../../b.jpg",
        "C:/x.jpg",
        "a\\..\\b.jpg",
        "s3://bucket/x.jpg",
        "",
        7,
        "..",
    ],
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: object) -> None:
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [DEPTH, {**DEPTH, "image": [path]}])
    with pytest.raises(SceneError, match=r"fill_2\.jsonl, line 2: image path .* is refused"):
        adopt(find_files(tmp_path)[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [DEPTH, json.dumps(DEPTH)[:100]])
    with pytest.raises(SceneError, match=r"fill_2\.jsonl, line 2: not valid JSON .* truncated"):
        read(tmp_path)


def test_a_short_file_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "spar" / "scannet", "depth_prediction_oc", [DEPTH], count=3)
    result = adopt(find_files(tmp_path)[0], tmp_path / "out")
    assert result.notes == ["scannet/train/depth_prediction_oc/fill/fill_3.jsonl holds 1 rows; was it cut off?"]
    assert result.missing_images == 1


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no <dataset>/qa_jsonl below it"):
        find_files(tmp_path)
    with pytest.raises(SceneError, match="is not a folder"):
        find_files(tmp_path / "none")
    (tmp_path / "spar/scannet/qa_jsonl/train").mkdir(parents=True)
    with pytest.raises(SceneError, match=r"no <task>/<format>/<format>_<N>\.jsonl"):
        find_files(tmp_path)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("How far?\nA. 0.6\nB. 1.0\nC. 1.3\nD. 2.1", ("0.6", "1.0", "1.3", "2.1")),
        ("A. left, above\nB. left, , far\nC. , , far\nD. up, , ", ("left, above", "left, , far", ", , far", "up, ,")),
        ("A. cup (green point) B. tv (red point) Your answer can only be A.", ("cup (green point)", "tv (red point)")),
        ("Is Vitamin A. good?", None),
        ("Plain question", None),
    ],
)  # fmt: skip
def test_options(text: str, options: tuple[str, ...] | None) -> None:
    assert read_options(text) == options


def test_our_export_comes_back(dataset: Path, spar: Path, tmp_path: Path) -> None:
    files, notes = find_files(spar)
    result = adopt(files, tmp_path / "back")
    assert not notes and not result.notes and not result.missing_images and not result.tally.left_out
    ours = {_key(row): row for row in read_rows(dataset / "rows.jsonl")}
    back = list(read_rows(tmp_path / "back" / "rows.jsonl"))
    assert len(back) == len(ours)
    for row in back:
        assert list(row) == list(COLUMNS)
        assert all((tmp_path / "back" / path).is_file() for path in row["images"])
        if row["task"].endswith(("oc_video", "oo_video", "map_mv")) and row["task"] != "distance_prediction_oo_video":
            continue  # their texts call marks by other names
        original = ours[_key(row)]
        assert row["answer"] == original["answer"]
        assert (row["options"] or None) == (original["options"] and [text.strip() for text in original["options"]])
        told = [(m["color"], m["shape"], m["xy"], m["image_index"]) for m in row["marks"]]
        expected = [(m["color"], m["shape"], m["xy"], m["image_index"]) for m in original["marks"]]
        assert sorted(told) == sorted(expected)
    # And what came back can go out again.
    tally = export_dataset(tmp_path / "back", tmp_path / "again", "spar7m", name="small")
    assert tally.total == len(ours) and not tally.left_out


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    marks = json.dumps(sorted((m["color"], m["xy"]) for m in row["marks"]))
    return row["task"], row["format"], row["question"], marks


def test_limit_and_no_images(spar: Path, tmp_path: Path) -> None:
    files, _ = find_files(spar)
    result = adopt(files, tmp_path / "few", limit=1, with_images=False)
    assert result.tally.total == len(files)
    assert not (tmp_path / "few" / "images").exists()
    info = json.loads((tmp_path / "few" / "info.json").read_text())
    assert info["rows"] == len(files) and info["sources"] == ["spar7m:small"]
