"""The SPAR-7M layout: read as people's loaders read it, and byte for byte the same every time."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spar_loader import load

from spaceland.datasets.rows import read_rows
from spaceland.exchange.export import export_dataset
from spaceland.exchange.markers import MARKERS, from_fields, named_marks, rename_marks, task_type, to_fields
from spaceland.exchange.spar7m import still_name
from spaceland.questions.marks import COLORS, Mark


def tree_hash(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def points(*colors: str, images: tuple[int, ...] | None = None, shape: str = "point") -> list[Mark]:
    places = images or (0,) * len(colors)
    size = 2 if shape == "point" else 4
    return [
        Mark(color, shape, -1, image, tuple(range(100 * k + 10, 100 * k + 10 + size)), 0.025 if size == 2 else 0.006)  # type: ignore[arg-type]
        for k, (color, image) in enumerate(zip(colors, places, strict=True))
    ]


def test_loader_reads_every_row(dataset: Path, spar: Path) -> None:
    rows = list(read_rows(dataset / "rows.jsonl"))
    items = load(spar, "small.json")
    assert len(items) == len(rows)
    by_text = {item.question.rpartition("<image>\n")[2]: item for item in items}
    for row in rows:
        if "video" in row["task"] or row["task"] == "spatial_imagination_map_mv":
            continue  # their texts call marks by other names
        item = by_text[row["question"]]
        assert item.answer == row["answer"]
        assert len(item.images) == len(row["images"])
        expected = sorted((m["color"], m["shape"], m["image_index"], m["xy"]) for m in row["marks"])
        assert sorted(item.marks) == expected
        for color, shape, image, xy in item.marks:
            if shape == "point":
                picture = np.array(item.images[image])
                pixel = picture[int(xy[1] * picture.shape[0] / 1000), int(xy[0] * picture.shape[1] / 1000)]
                assert tuple(pixel) == {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 255, 0)}[color]


def test_mix_index_takes_a_tenth_of_all_but_sentences(spar: Path) -> None:
    index = json.loads((spar / "data_jsons" / "small_mix.json").read_text())
    for key, part in index.items():
        assert part["repeat_time"] == (1 if key.endswith("_sentence") else 0.1)
        assert part["length_with_repeat"] == int(part["length"] * part["repeat_time"])
    assert len(load(spar, "small_mix.json")) == sum(part["length_with_repeat"] for part in index.values())


def test_files_are_where_spar_has_them(spar: Path) -> None:
    root = spar / "spar" / "small"
    files = list(root.glob("qa_jsonl/train/*/*/*.jsonl"))
    assert len(files) > 40 and not list(root.rglob("*.tmp"))
    for path in files:
        lines = path.read_text().splitlines()
        named = re.fullmatch(rf"{path.parent.name}_(\d+)\.jsonl", path.name)
        assert named and int(named[1]) == len(lines)
        assert {json.loads(line)["type"] for line in lines} == {task_type(path.parent.parent.name)}
        ids = [json.loads(line)["id"] for line in lines]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"room0001_\d+", i) for i in ids)
    images = root / "images" / "room0001"
    assert (images / "video_idx.txt").read_text().split() == [str(k) for k in range(32)]
    assert {path.name for path in (images / "video_color").iterdir()} == {f"frame{k}_{k}.jpg" for k in range(32)}
    assert all(path.stem.isdecimal() for path in (images / "image_color").iterdir())


def test_rows_are_shuffled_within_a_file(dataset: Path, tmp_path: Path) -> None:
    rows = [row for row in read_rows(dataset / "rows.jsonl") if row["task"] == "distance_prediction_oo"][:1]
    folder = tmp_path / "many"
    folder.mkdir()
    with (folder / "rows.jsonl").open("w") as lines:
        for k in range(200):
            lines.write(json.dumps({**rows[0], "question": f"question {k}"}) + "\n")
    (folder / "images").symlink_to(dataset / "images")
    export_dataset(folder, tmp_path / "out", "spar7m")
    (path,) = (tmp_path / "out").rglob("fill_200.jsonl")
    numbers = [int(json.loads(line)["conversations"][0]["value"].split()[1]) for line in path.read_text().splitlines()]
    assert sorted(numbers) == list(range(200))
    assert numbers[:20] != list(range(20)) and max(numbers[:20]) > 100


def test_same_bytes_every_time(dataset: Path, spar: Path, tmp_path: Path) -> None:
    export_dataset(dataset, tmp_path / "again", "spar7m")
    assert tree_hash(tmp_path / "again") == tree_hash(spar)


@pytest.mark.parametrize("task", [task for task, rule in MARKERS.items() if rule])
def test_markers_go_there_and_back(task: str) -> None:
    rule = MARKERS[task]
    assert rule is not None
    colors = rule.colors[: rule.count] if rule.count else rule.colors
    images = tuple(k % 3 for k in range(len(colors))) if rule.indexed else None
    marks = points(*colors, images=images, shape=rule.shape)
    fields = to_fields(task, marks[::-1] if not rule.listed else marks, 3)
    assert all(isinstance(value, list) and isinstance(value[0], list) for value in fields.values())
    back = from_fields(task, json.loads(json.dumps(fields)), 3)
    assert {(m.color, m.xy, m.image_index) for m in back} == {(m.color, m.xy, m.image_index) for m in marks}


def test_orders_of_image_indices() -> None:
    three = points("red", "blue", "green", images=(0, 1, 2))
    assert to_fields("depth_prediction_oo_mv", three, 3)["point_img_idx"] == [[0, 1, 2]]
    assert to_fields("distance_infer_center_oo_mv", three, 3)["point_img_idx"] == [[0, 2, 1]]
    four = points("red", "blue", "green", "yellow", images=(0, 1, 2, 1), shape="bbox")
    assert to_fields("spatial_imagination_oo_mv", four, 3)["bbox_img_idx"] == [[2, 1, 0, 1]]
    two = points("blue", "red", images=(2, 1), shape="bbox")
    assert to_fields("obj_spatial_relation_oo_mv", two, 3)["bbox_img_idx"] == [[1, 2]]
    assert "bbox_img_idx" not in to_fields("position_matching", points("red", shape="bbox"), 2)
    listed = to_fields("distance_infer_center_oo_video", points("blue", "red", "green", images=(4, 5, 6)), 32)
    assert listed["point_img_idx"] == [[5, 4, 6]] and listed["point_list"] == [[[110, 111], [10, 11], [210, 211]]]


@pytest.mark.parametrize(
    ("task", "marks"),
    [
        ("depth_prediction_oc", points("red")),
        ("depth_prediction_oc", points("red", "green")),
        ("depth_prediction_oc", points("red", "blue", "green")),
        ("depth_prediction_oc", points("red", "blue", shape="bbox")),
        ("obj_spatial_relation_oo_mv", points("red", "blue", "green", shape="bbox")),
        ("position_matching", points("red", images=(1,), shape="bbox")),
        ("room_size", points("red")),
    ],
)
def test_marks_that_loaders_would_not_draw_are_refused(task: str, marks: list[Mark]) -> None:
    with pytest.raises(ValueError, match="mark"):
        to_fields(task, marks, 3)


def test_unknown_tasks_keep_their_marks_and_get_their_own_index(dataset: Path, tmp_path: Path) -> None:
    row: dict[str, Any] = next(r for r in read_rows(dataset / "rows.jsonl") if r["task"] == "depth_prediction_oo_mv")
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(json.dumps({**row, "task": "brand_new"}) + "\n")
    (folder / "images").symlink_to(dataset / "images")
    export_dataset(folder, tmp_path / "out", "spar7m", name="x")
    assert json.loads((tmp_path / "out/data_jsons/x.json").read_text()) == {}
    assert list(json.loads((tmp_path / "out/data_jsons/x_other.json").read_text())) == [f"x_brand_new_{row['format']}"]
    written = json.loads(next((tmp_path / "out").rglob("*.jsonl")).read_text())
    marks = from_fields("brand_new", written, len(row["images"]))
    expected = {(m["color"], tuple(m["xy"]), m["image_index"]) for m in row["marks"]}
    assert {(m.color, m.xy, m.image_index) for m in marks} == expected


def test_texts_use_the_names_that_loaders_draw() -> None:
    marks = points("green", "blue", "red", "yellow", images=(0, 3, 5, 24), shape="bbox")
    task = "spatial_imagination_oo_video"
    assert [name for _, name in named_marks(task, marks)] == ["Object0", "Object1", "Object2", "Object3"]
    text = rename_marks(
        "the lamp (yellow bounding box in Frame-25) and the tv (red bounding box in Frame-6)", task, marks, 32
    )
    assert text == "the lamp (Object3 in Frame-25) and the tv (Object2 in Frame-6)"
    assert rename_marks("lamp (red box)", "spatial_imagination_oc", marks[2:3], 1) == "lamp (red box)"
    candidates = points("red", "blue", "green", images=(1, 2, 3))
    names = [name for _, name in named_marks("distance_infer_center_oo_video", candidates)]
    assert names == ["ObjectA", "Object0", "Object1"]


def test_two_scenes_of_one_name_do_not_mix(dataset: Path, tmp_path: Path) -> None:
    """Equal names and other pictures: the second scene gets a folder of its own."""
    row = next(r for r in read_rows(dataset / "rows.jsonl") if r["task"] == "distance_prediction_oc")
    folder = tmp_path / "two"
    pictures = sorted((dataset / "images" / "room0001").iterdir())[:2]
    for name, picture in zip(("a", "b"), pictures, strict=True):
        (folder / "images" / name).mkdir(parents=True)
        (folder / "images" / name / "000001.jpg").write_bytes(picture.read_bytes())
    lines = [json.dumps({**row, "id": n, "images": [f"images/{n}/000001.jpg"]}) for n in "ab"]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    export_dataset(folder, tmp_path / "out", "spar7m", name="x")
    placed = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.jpg"))
    base = "spar/x/images/room0001"
    assert placed == [f"{base}-2/image_color/1.jpg", f"{base}/image_color/1.jpg"]


def test_names() -> None:
    assert [still_name(name) for name in ("000000", "012345", "12", "left")] == [
        "0.jpg",
        "12345.jpg",
        "12.jpg",
        "left.jpg",
    ]
    assert set(COLORS) >= {"red", "blue", "green", "yellow"}
