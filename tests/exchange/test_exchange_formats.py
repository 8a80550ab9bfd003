"""Conversations, Parquet and WebDataset: what trainers find there, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from test_spar7m import tree_hash

from spaceland.datasets.card import dataset_card
from spaceland.datasets.rows import read_rows
from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.exchange.dataset import Dataset
from spaceland.exchange.export import FORMATS, export_dataset
from spaceland.exchange.parquet import write_parquet
from spaceland.exchange.webdataset import write_webdataset

OTHERS = [name for name in FORMATS if name != "spar7m"]


@pytest.fixture(scope="module")
def rows(dataset: Path) -> list[dict[str, Any]]:
    return list(read_rows(dataset / "rows.jsonl"))


@pytest.fixture(scope="module")
def exported(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats but SPAR-7M's, in a folder each."""
    out = tmp_path_factory.mktemp("formats")
    for name in OTHERS:
        export_dataset(dataset, out / name, name)
    return out


def decoded(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_llava(exported: Path, rows: list[dict[str, Any]]) -> None:
    single = json.loads((exported / "llava/llava_single.json").read_text())
    multi = json.loads((exported / "llava/llava_multi.json").read_text())
    assert len(single) + len(multi) == len(rows)
    assert all(isinstance(row["image"], str) for row in single)
    assert all(isinstance(row["image"], list) for row in multi)
    for row in [*single, *multi]:
        images = [row["image"]] if isinstance(row["image"], str) else row["image"]
        assert row["conversations"][0]["value"].count("<image>") == len(images)
        assert all((exported / "llava" / path).is_file() for path in images)
    video = next(row for row in multi if len(row["image"]) == 32)
    assert video["conversations"][0]["value"].startswith("Frame-1: <image>\nFrame-2: <image>\n")


def test_sharegpt(exported: Path, rows: list[dict[str, Any]]) -> None:
    found = json.loads((exported / "sharegpt/sharegpt.json").read_text())
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [turn["from"] for turn in found[0]["conversations"]] == ["human", "gpt"]
    info = json.loads((exported / "sharegpt/dataset_info.json").read_text())
    assert (exported / "sharegpt" / info["spaceland"]["file_name"]).is_file()
    assert set(info["spaceland"]["columns"].values()) <= set(found[0])


def test_messages(exported: Path, rows: list[dict[str, Any]]) -> None:
    found = [json.loads(line) for line in (exported / "messages/messages.jsonl").read_text().splitlines()]
    for row, source in zip(found, rows, strict=True):
        parts = row["messages"][0]["content"]
        assert sum(part["type"] == "image" for part in parts) == len(row["images"]) == len(source["images"])
        assert parts[-1]["text"] == source["question"]
        assert row["messages"][1]["content"][0]["text"] == source["answer"]
        assert all(set(part) == {"type", "text"} for part in parts)


def test_parquet_holds_images_with_marks(dataset: Path, exported: Path, rows: list[dict[str, Any]]) -> None:
    (path,) = (exported / "parquet/data").glob("*.parquet")
    assert path.name == "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == table.column_names
    assert features["images"]["feature"]["_type"] == "Image"
    for found, row in zip(table.to_pylist(), rows, strict=True):
        assert (found["id"], found["answer"], len(found["images"])) == (row["id"], row["answer"], len(row["images"]))
    k = next(k for k, row in enumerate(rows) if row["task"] == "distance_prediction_oc")
    picture = decoded(table["images"][k].as_py()[0]["bytes"])
    x, y = rows[k]["marks"][0]["xy"]
    red, green, blue = picture[int(y * 120 / 1000), int(x * 160 / 1000)]
    assert red > 150 and red > green + 60 and red > blue + 60


def test_marks_as_data(dataset: Path, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    export_dataset(dataset, tmp_path / "p", "parquet", marks="data", limit=5)
    (path,) = (tmp_path / "p/data").glob("*.parquet")
    found = pq.read_table(path).to_pylist()
    assert len(found) == 5
    assert json.loads(found[0]["marks"]) == rows[0]["marks"]
    assert found[0]["images"][0]["bytes"] == (dataset / rows[0]["images"][0]).read_bytes()
    export_dataset(dataset, tmp_path / "m", "messages", marks="data", limit=5)
    assert not (tmp_path / "m" / "marked").exists()
    line = (tmp_path / "m/messages.jsonl").read_text().splitlines()[0]
    assert json.loads(json.loads(line)["marks"]) == rows[0]["marks"]


def test_webdataset(exported: Path, rows: list[dict[str, Any]]) -> None:
    count = 0
    for path in sorted((exported / "webdataset").glob("images-*/*.tar")):
        images = int(path.parent.name.removeprefix("images-"))
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            assert all(m.mtime == 0 and m.uid == 0 and not m.uname for m in members)
            samples: dict[str, dict[str, bytes]] = {}
            for member in members:
                key, _, part = member.name.partition(".")
                file = tar.extractfile(member)
                assert file is not None
                samples.setdefault(key, {})[part] = file.read()
        for key, parts in samples.items():
            assert set(parts) == {"json", *(f"{k}.jpg" for k in range(images))}
            assert json.loads(parts["json"])["id"] == rows[int(key)]["id"]
            count += 1
    assert count == len(rows)


def test_shards_are_cut_by_size(dataset: Path, tmp_path: Path) -> None:
    write_parquet(Dataset(dataset), tmp_path / "p", drawn=False, shard_bytes=200_000)
    names = sorted(path.name for path in (tmp_path / "p/data").iterdir())
    assert len(names) > 2
    assert names == [f"train-{k:05d}-of-{len(names):05d}.parquet" for k in range(len(names))]
    total = sum(pq.read_table(tmp_path / "p/data" / name).num_rows for name in names)
    write_webdataset(Dataset(dataset), tmp_path / "w", drawn=False, shard_bytes=200_000)
    assert len(list((tmp_path / "w/images-32").iterdir())) > 1
    assert total == Dataset(dataset).count()


def test_same_bytes_every_time(dataset: Path, exported: Path, tmp_path: Path) -> None:
    for name in OTHERS:
        export_dataset(dataset, tmp_path / name, name)
        assert tree_hash(tmp_path / name) == tree_hash(exported / name), name


def test_cards_name_existing_files(dataset: Path, exported: Path, spar: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the head of dataset cards")
    for folder in (dataset, *(exported / name for name in OTHERS), spar):
        head = (folder / "README.md").read_text().split("---\n")[1]
        card = yaml.safe_load(head)
        assert card["configs"] and card["size_categories"] == ["n<1K"]
        for config in card["configs"]:
            for pattern in config["data_files"][0]["path"]:
                assert list(folder.glob(pattern)), (folder, pattern)


def test_card_quotes_names() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the head of dataset cards")
    title = 'a: "b"\n# c'
    card = dataset_card(title=title, text=[], rows={"t|x": {"fill": 1}}, configs={"no: 1": ["x.json"]})
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["pretty_name"] == title and head["configs"][0]["config_name"] == "no: 1"
    assert "| `t x` | 1 | 1 |" in card


def test_datasets_opens_them(dataset: Path, exported: Path, spar: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    if not hasattr(datasets, "load_dataset"):  # a folder of tests has that name too
        pytest.skip("Hugging Face datasets is not installed")
    for folder in (dataset, *(exported / name for name in OTHERS), spar):
        for config in datasets.get_dataset_config_names(str(folder)):
            table = datasets.load_dataset(str(folder), config, split="train", cache_dir=str(tmp_path))
            assert len(table) > 0
            assert folder != dataset or len(table) == Dataset(dataset).count()


def test_refusals(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="unknown format 'tfrecord'; known are spar7m, llava"):
        export_dataset(dataset, tmp_path / "out", "tfrecord")
    with pytest.raises(SceneError, match=r"has no rows\.jsonl"):
        export_dataset(tmp_path, tmp_path / "out", "llava")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        export_dataset(dataset, tmp_path / "full", "llava")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": ["../../etc/passwd"]}, "refused"),
        ({"images": ["/etc/passwd"]}, "refused"),
        ({"images": []}, "no list"),
        ({"marks": [{"color": "pink"}]}, "damaged"),
        ({"answer": ""}, "'answer' is missing"),
    ],
)
def test_broken_rows_stop_the_export_and_leave_nothing(
    dataset: Path, tmp_path: Path, rows: list[dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "images").symlink_to(dataset / "images")
    lines = [json.dumps(rows[0]), json.dumps({**rows[0], **change})]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    for name in FORMATS:
        with pytest.raises(SceneError, match=message) as caught:
            export_dataset(folder, tmp_path / "out", name)
        assert "row 2" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d"]


def test_truncated_rows_are_named_by_line(dataset: Path, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "images").symlink_to(dataset / "images")
    (folder / "rows.jsonl").write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1])[:50])
    with pytest.raises(SceneError, match="line 2: not valid JSON"):
        export_dataset(folder, tmp_path / "out", "messages")
