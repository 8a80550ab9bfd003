"""Datasets: same bytes for any number of workers and after any interruption; other settings are refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spaceland import files
from spaceland.cli import run
from spaceland.datasets import stage
from spaceland.datasets.config import GenerateConfig, portable_spec
from spaceland.datasets.generate import estimate, generate
from spaceland.datasets.rows import COLUMNS, read_rows, row_problem
from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.sources import open_scene

CONFIG = GenerateConfig(tasks=("depth_prediction_oc", "view_change_infer", "room_size"), per_scene=3)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def dataset(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "d"
    generate([source], out, CONFIG, workers=1)
    return out


def test_folder_holds_what_the_rows_name(dataset: Path) -> None:
    rows = list(read_rows(dataset / "rows.jsonl"))
    info = json.loads((dataset / "info.json").read_text())
    assert info["rows"] == len(rows) > 20
    assert set(info["tasks"]) <= set(CONFIG.tasks or ())
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert row_problem(row) is None
        assert all((dataset / image).is_file() for image in row["images"])
    assert not list(dataset.rglob("*.tmp"))


def test_parquet_has_the_same_rows(dataset: Path) -> None:
    table = pq.read_table(dataset / "rows.parquet").to_pylist()
    rows = list(read_rows(dataset / "rows.jsonl"))
    assert [row["id"] for row in table] == [row["id"] for row in rows]
    for stored, row in zip(table, rows, strict=True):
        assert json.loads(stored["facts"]) == row["facts"]
        assert stored["options"] == row["options"]
        assert stored["images"] == row["images"]


def test_the_card_names_the_rows_so_that_hugging_face_opens_them(dataset: Path) -> None:
    """Without it the folder is taken for one of images."""
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the head of dataset cards")
    card = (dataset / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": ["rows.parquet"]}]}]
    rows = list(read_rows(dataset / "rows.jsonl"))
    counts = [int(line.split("|")[-2]) for line in body.splitlines() if line.startswith("| `")]
    assert sum(counts) == len(rows) and told["size_categories"] == ["n<1K"]


def test_nothing_in_the_files_tells_where_or_when(dataset: Path) -> None:
    for name in ("rows.jsonl", "info.json", "config.json", "README.md"):
        text = (dataset / name).read_text()
        assert str(dataset) not in text
        assert str(Path.home()) not in text
        assert os.uname().nodename not in text or len(os.uname().nodename) < 4


def test_two_workers_make_the_same_bytes(source: str, dataset: Path, tmp_path: Path) -> None:
    generate([source], tmp_path / "d", CONFIG, workers=2)
    assert digests(tmp_path / "d") == digests(dataset)


def test_cache_changes_nothing(source: str, dataset: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        generate([source], tmp_path / name, CONFIG, workers=1, cache_dir=tmp_path / "cache")
        assert digests(tmp_path / name) == digests(dataset)


def test_killed_run_goes_on_to_the_same_bytes(source: str, dataset: Path, tmp_path: Path) -> None:
    """SIGKILL at several moments, then a run to the end."""
    out = tmp_path / "d"
    command = [
        sys.executable,
        "-m",
        "spaceland",
        "generate",
        source,
        "--out",
        str(out),
        "--per-scene",
        "3",
        "--workers",
        "2",
    ]
    command += ["--no-cache", "--tasks", *(CONFIG.tasks or ())]
    for delay_s in (0.4, 1.5, 2.5):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    left = {name for name in digests(out) if name.endswith(".tmp")}
    assert {k: v for k, v in digests(out).items() if k not in left} == digests(dataset)


def test_interrupted_scene_is_made_again(
    source: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "d"
    real = stage.write_text

    def die_on_second(path: Path, text: str) -> None:
        if path.name == "room0002.jsonl":
            raise KeyboardInterrupt
        real(path, text)

    monkeypatch.setattr(stage, "write_text", die_on_second)
    with pytest.raises(KeyboardInterrupt):
        generate([source], out, CONFIG, workers=1)
    assert not (out / "rows.jsonl").exists()
    monkeypatch.undo()
    result = generate([source], out, CONFIG, workers=1)
    assert result.num_reused == 1
    assert digests(out) == digests(dataset)


def test_other_settings_in_the_same_folder_are_refused_by_name(source: str, dataset: Path) -> None:
    with pytest.raises(OutputError, match=r"seed is 0 there and 5 now"):
        generate([source], dataset, replace(CONFIG, seed=5), workers=1)
    with pytest.raises(OutputError, match=r"sources"):
        generate(["rooms:1"], dataset, CONFIG, workers=1)


def test_a_folder_with_other_files_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match="holds files that are no dataset"):
        generate([source], tmp_path, CONFIG)


def test_seed_changes_the_choice_and_limit_the_scenes(source: str, dataset: Path, tmp_path: Path) -> None:
    generate([source], tmp_path / "d", replace(CONFIG, seed=1, limit=1), workers=1)
    rows = list(read_rows(tmp_path / "d" / "rows.jsonl"))
    assert {row["scene"] for row in rows} == {"room0001"}
    before = {row["id"]: row["question"] for row in read_rows(dataset / "rows.jsonl") if row["scene"] == "room0001"}
    assert {row["id"]: row["question"] for row in rows} != before


def test_one_scene_alone_gives_the_same_rows(source: str, dataset: Path, tmp_path: Path) -> None:
    generate([f"{source}/room0002"], tmp_path / "d", CONFIG, workers=1)
    alone = list(read_rows(tmp_path / "d" / "rows.jsonl"))
    assert alone == [row for row in read_rows(dataset / "rows.jsonl") if row["scene"] == "room0002"]


def test_broken_scene_is_named_and_the_others_go_on(source: str, tmp_path: Path) -> None:
    for scene_id in ("room0001", "room0002"):
        shutil.copytree(Path(source.removeprefix("folder:")) / scene_id, tmp_path / "scenes" / scene_id)
    (tmp_path / "scenes" / "room0001" / "scene.json").write_text('{"truncated": ')
    result = generate([f"folder:{tmp_path / 'scenes'}"], tmp_path / "d", CONFIG, workers=1)
    assert list(result.failures) == ["room0001"]
    assert "scene.json" in result.failures["room0001"]
    assert result.info["failed_scenes"] == ["room0001"]
    assert list(result.info["scenes"]) == ["room0002"]


def test_disk_full_is_one_clear_error_and_leaves_no_parts(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        generate([source], tmp_path / "d", CONFIG, workers=1)
    assert not list((tmp_path / "d").rglob("*.tmp"))


def test_unwritable_output_is_one_clear_error(source: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        generate([source], tmp_path / "file" / "d", CONFIG, workers=1)


def test_same_scene_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"room0001.*both"):
        generate(["rooms:1", "rooms:1-2"], tmp_path / "d", CONFIG)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb", "c:d"])
def test_ids_that_would_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(SceneError, match="file name"):
        stage.check_name(name)


def test_no_rows_are_explained_and_nothing_is_suggested(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = tmp_path / "scenes"
    for name in ("boxes", "short"):
        scene = open_scene(f"{source}/room0001")
        write_scene(replace(scene, id=name, frames=scene.frames[:3] if name == "short" else ()), scenes / name)
    common = ("--tasks", "room_size", "--workers", "1", "--no-cache")
    assert run(["generate", f"folder:{scenes}/boxes", "--out", str(tmp_path / "a"), *common]) == 0
    said = capsys.readouterr().out
    assert "No rows: the scenes have no frames" in said and "Next:" not in said
    assert run(["generate", f"folder:{scenes}/short", "--out", str(tmp_path / "b"), *common]) == 0
    said = capsys.readouterr().out
    assert "No rows: most often 'fewer than 32 frames' (1 of 1 tasks)" in said and "spaceland verify" not in said


def test_estimate_counts_without_writing(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Path
) -> None:
    def never(*args: object) -> None:
        raise AssertionError("a dry run wrote a file")

    monkeypatch.setattr(files, "_atomic_file", never)
    guess = estimate([source], CONFIG, sample=3)
    rows = list(read_rows(dataset / "rows.jsonl"))
    assert guess.num_scenes == 3
    assert sum(sum(formats.values()) for formats in guess.rows.values()) == len(rows)


def test_portable_spec_drops_the_folders_above(tmp_path: Path) -> None:
    assert portable_spec(f"folder:{tmp_path}/scans/") == "folder:scans"
    assert portable_spec("rooms:1-4?frames=64") == "rooms:1-4?frames=64"
