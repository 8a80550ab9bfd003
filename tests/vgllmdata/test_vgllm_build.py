"""The sets as files: the same bytes however they are made, and through the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaceland.cli import run
from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.vgllmdata.build import Built, build, list_jobs, settings_of
from spaceland.vgllmdata.described import BoxSource, read_described
from spaceland.vgllmdata.infos import find_infos, load_infos
from spaceland.vgllmdata.rules import Rules

SETS = {
    "train": ("scanrefer_train_32frames.json", "scan2cap_train_32frames.json", "scannet_det_train_4frames.json"),
    "val": ("scanrefer/scanrefer_val_32frames.json", "scan2cap/scan2cap_val_32frames.json",
            "threedod/scannet_det_val_4frames.json"),
}  # fmt: skip


def made(published: Any, out: Path, *, workers: int = 1, split: Any = "train", labels: Path | None = None) -> Built:
    rules = Rules(split=split)
    files = find_infos(published.root / "embodiedscan", split)
    boxes = BoxSource(f"scannet:{published.root / 'scans'}", None, str(published.root / "proposals.json"))
    boxes.check()
    infos = load_infos(files)
    path = published.root / f"ScanRefer_filtered_{split}.json"
    described = read_described(path, labels)
    tasks = ("grounding", "captioning", "detection")
    jobs = list_jobs(infos, described, boxes, tasks, rules, out)
    unknown = [one for one in described if one.scene not in infos.entries]
    settings = settings_of(files, path, labels, boxes, tasks, rules, None)
    return build(jobs, settings, unknown=unknown, workers=workers)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def trained(published: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    out = tmp_path_factory.mktemp("built") / "out"
    return out, made(published, out)


def test_files_and_counts(published: Any, trained: tuple[Path, Built]) -> None:
    out, built = trained
    rows = {name: json.loads((out / "train" / name).read_text()) for name in SETS["train"]}
    counts = json.loads((out / "counts.json").read_text())
    assert counts["paper"]["grounding"] == {"descriptions": 36665, "scenes": 562} and not built.broken
    assert counts["counts"] == built.counts
    assert [len(table) for table in rows.values()] == [built.counts[task]["rows"] for task in built.counts]
    assert built.counts["detection"] == {"rows": 63 + 39, "scenes": 2, "windows per scene": 51}
    assert built.counts["captioning"]["descriptions"] == built.counts["captioning"]["rows"]
    assert built.left_out["captioning"] == {
        "the object is not in the scan": 1,
        "the scan is not in EmbodiedScan's file": 1,
    }
    for table in rows.values():
        for row in table:
            human, gpt = row["conversations"]
            assert human["value"].count("<image>") == len(row["images"]) and gpt["value"]
            assert (human["from"], gpt["from"]) == ("human", "gpt")
    grounding = rows[SETS["train"][0]]
    used = {
        (row["images"][0].split("/")[2], row["metadata"]["object_id"], row["metadata"]["ann_id"]) for row in grounding
    }
    assert len(used) == built.counts["grounding"]["descriptions"]


def test_any_number_of_workers_and_any_order_gives_the_same_bytes(
    published: Any, trained: tuple[Path, Built], tmp_path: Path
) -> None:
    made(published, tmp_path / "two", workers=2)
    assert contents(tmp_path / "two") == contents(trained[0])


def test_resumed_equals_uninterrupted(published: Any, trained: tuple[Path, Built], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    whole = contents(out)
    kept = out / "staging" / "scene0042_00.jsonl"
    before = kept.stat().st_mtime_ns
    (out / "staging" / "scene0043_00.jsonl").unlink()
    shutil.rmtree(out / "train")
    (out / "counts.json").unlink()
    assert made(published, out).num_reused == 1
    assert contents(out) == whole and kept.stat().st_mtime_ns == before
    assert made(published, out).num_reused == 2 and contents(out) == whole


def test_other_settings_are_refused(published: Any, trained: tuple[Path, Built], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"rules.split is \"train\" there and \"val\" now"):
        made(published, trained[0], split="val")


def test_evaluation_files(published: Any, tmp_path: Path) -> None:
    built = made(published, tmp_path / "out", split="val")
    for name in SETS["val"]:
        rows = json.loads((tmp_path / "out" / "evaluation" / name).read_text())
        assert rows and all(np.shape(row["cam2global"]) == (len(row["images"]), 4, 4) for row in rows)
    assert built.counts["detection"]["windows per scene"] == 10
    assert built.left_out["detection"] == {"windows that were not drawn": 53 + 29}


def test_a_broken_scan_is_told_and_the_others_stay(published: Any, tmp_path: Path) -> None:
    files = find_infos(published.root / "embodiedscan", "train")
    infos = load_infos(files)
    bad = {**infos.entries, "scene0001_00": {"sample_idx": "scannet/scene0001_00", "images": [{"img_path": "x.jpg"}]}}
    rules, tasks = Rules(), ("detection",)
    jobs = list_jobs(type(infos)(bad, infos.names), [], None, tasks, rules, tmp_path / "out")
    built = build(jobs, settings_of(files, None, None, None, tasks, rules, None))
    assert list(built.broken) == ["scene0001_00"] and "does not follow the layout" in built.broken["scene0001_00"]
    assert built.counts["detection"]["scenes"] == 2
    with pytest.raises(SceneError, match="none of 1 scans"):
        build([replace(jobs[0], out=tmp_path / "other")], {})


def test_unique_and_multiple(published: Any, tmp_path: Path) -> None:
    names = sorted({row["object_name"].replace("_", " ") for row in published.described})
    head = ["id", "raw_category", "category", "count", "nyu40id", "eigen13id", "nyuClass", "nyu40class"]
    lines = [[str(k), name, name, "1", str(1 + k % 12), "1", name, name] for k, name in enumerate(names)]
    table = tmp_path / "labels.tsv"
    table.write_text("\n".join("\t".join(line) for line in [head, *lines]) + "\n")
    found = read_described(published.root / "ScanRefer_filtered_train.json", table)
    assert {one.kind for one in found} == {"unique", "multiple"}
    assert {one.kind for one in read_described(published.root / "ScanRefer_filtered_train.json")} == {None}


def test_boxes_from_a_file_are_those_of_the_scans(published: Any, tmp_path: Path) -> None:
    scans = BoxSource(f"scannet:{published.root / 'scans'}")
    objects = {
        scene: {"objects": {key: box.tolist() for key, box in scans.of(scene).objects.items()}}
        for scene in published.rooms
    }
    (tmp_path / "boxes.json").write_text(json.dumps(objects))
    from_file = BoxSource(None, tmp_path / "boxes.json").of("scene0042_00")
    for thing in published.rooms["scene0042_00"].objects:
        wanted = np.concatenate([thing.aabb.center, thing.aabb.size])
        assert np.allclose(from_file.objects[str(thing.id)], wanted, atol=1e-5)
    assert from_file.proposals is None and not scans.of("scene0999_00").objects
    assert BoxSource(None, tmp_path / "boxes.json", str(published.root / "proposals.json")).of(
        "scene0042_00"
    ).proposals is not None  # fmt: skip


def command(published: Any, *more: str) -> list[str]:
    return ["vgllm-data", str(published.root / "embodiedscan"), *more]


def described_options(published: Any, split: str = "train") -> Sequence[str]:
    return (
        "--scanrefer", str(published.root / f"ScanRefer_filtered_{split}.json"), "--scans",
        f"scannet:{published.root / 'scans'}",
    )  # fmt: skip


def test_command(published: Any, trained: tuple[Path, Built], tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    assert run([*command(published, *described_options(published)), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "36,665" in said and "Next: train on" in said
    # The proposals of `trained` change nothing in training rows.
    for name in SETS["train"]:
        assert (out / "train" / name).read_bytes() == (trained[0] / "train" / name).read_bytes()
    dry = tmp_path / "dry"
    assert run([*command(published, *described_options(published)), "--out", str(dry), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert not dry.exists() and "102 windows" in said and "1 descriptions are of scans" in said
    assert run([*command(published), "--limit", "1", "--windows", "3", "--out", str(dry)]) == 0
    rows = json.loads((dry / "train" / SETS["train"][2]).read_text())
    assert len(rows) == 3 and all("scene0042_00" in row["images"][0] for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --out FOLDER"),
        (("--window-frames", "0", "--out", "x"), "window frames is 0; give 1 or more"),
        (("--windows", "-1", "--out", "x"), "max windows is -1"),
        (("--frames", "0", "--out", "x"), "num frames is 0"),
        (("--min-iou", "nan", "--out", "x"), "least overlap is nan"),
        (("--limit", "0", "--out", "x"), "--limit is 0"),
        (("--tasks", "grounding", "--out", "x"), "grounding needs descriptions; add --scanrefer"),
        (("--scanrefer", "{scanrefer}", "--out", "x"), "descriptions need the boxes of their objects"),
        (("--scanrefer", "{scanrefer}", "--scans", "scannet:/nowhere", "--out", "x"), "is not a folder"),
        (("--scanrefer", "nowhere.json", "--scans", "scannet:{root}/scans", "--out", "x"), "missing file"),
        (("--scanrefer", "{root}/proposals.json", "--scans", "scannet:{root}/scans", "--out", "x"), "the list of"),
        (("--split", "val", "--tasks", "captioning", "--scanrefer", "{scanrefer}", "--scans", "scannet:{root}/scans",
          "--out", "x"), "captions of val are about proposals"),
    ],
)  # fmt: skip
def test_errors_are_one_clear_line(
    published: Any, options: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"root": str(published.root), "scanrefer": str(published.root / "ScanRefer_filtered_train.json")}
    assert run(command(published, *(option.format(**known) for option in options))) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1 and not (tmp_path / "x").exists()


def test_inputs_that_do_not_fit(published: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no embodiedscan_infos_train\.pkl"):
        find_infos(tmp_path, "train")
    (tmp_path / "rows.json").write_text(json.dumps([{"scene_id": "a"}]))
    with pytest.raises(SourceError, match="row 0 is not of ScanRefer"):
        read_described(tmp_path / "rows.json")
    infos = load_infos(find_infos(published.root / "embodiedscan", "train"))
    other = [one for one in read_described(published.root / "ScanRefer_filtered_train.json") if "0999" in one.scene]
    with pytest.raises(SourceError, match="none of the 1 described scans"):
        list_jobs(infos, other, None, ("grounding",), Rules(), tmp_path)


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_killed_and_started_again(published: Any, tmp_path: Path) -> None:
    """A killed run leaves whole files only, and the next one makes what an undisturbed one would have made."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "scenes"))
    from embodiedscan_writer import write_pickle

    entry = published.entries["scene0042_00"]
    samples = [{**entry, "sample_idx": f"scannet/scene{k:04d}_00"} for k in range(24)]
    categories = {name: number for number, name in published.names.items()}
    path = tmp_path / "embodiedscan_infos_train.pkl"
    write_pickle(path, {"metainfo": {"categories": categories}, "data_list": samples})
    out, whole = tmp_path / "out", tmp_path / "whole"
    line = [sys.executable, "-m", "spaceland", "vgllm-data", str(path), "--out", str(out)]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list((out / "staging").glob("*.jsonl"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    staged = list((out / "staging").glob("*.jsonl"))
    assert 2 <= len(staged) < 24 and not (out / "counts.json").exists()
    assert all(path.read_bytes().endswith(b"}\n") for path in staged)
    for folder in (out, whole):
        assert run([*line[3:5], "--out", str(folder)]) == 0
    made_files = {name: data for name, data in contents(out).items() if not name.endswith(".tmp")}
    assert made_files == contents(whole)


def test_proposals_from_masks(published: Any, tmp_path: Path) -> None:
    scene = "scene0042_00"
    room = published.rooms[scene]
    (tmp_path / "pred_mask").mkdir()
    lines = []
    for thing in room.objects[:3]:
        owners = room.surface.object_ids
        (tmp_path / f"pred_mask/{thing.id}.txt").write_text("\n".join(str(int(k == thing.id)) for k in owners) + "\n")
        lines.append(f"pred_mask/{thing.id}.txt 4 0.9")
    (tmp_path / f"{scene}.txt").write_text("\n".join(lines) + "\n")
    found = BoxSource(f"scannet:{published.root / 'scans'}", None, f"mask3d:{tmp_path}").of(scene).proposals
    wanted = [np.concatenate([thing.aabb.center, thing.aabb.size]) for thing in room.objects[:3]]
    assert found is not None and np.allclose(found, wanted, atol=1e-5)
    with pytest.raises(SourceError, match="add --scans"):
        BoxSource(None, published.root / "proposals.json", f"mask3d:{tmp_path}").check()
    # Other masks are other settings, in whatever folder they lie.
    files = find_infos(published.root / "embodiedscan", "val")

    def settings(folder: Path) -> dict[str, Any]:
        boxes = BoxSource(f"scannet:{published.root / 'scans'}", None, f"mask3d:{folder}")
        return settings_of(files, None, None, boxes, ("captioning",), Rules(split="val"), None)

    before, other = settings(tmp_path), tmp_path / "moved"
    other.mkdir()
    (other / f"{scene}.txt").write_text("\n".join(lines) + "\n")
    assert settings(other) == before
    (other / f"{scene}.txt").write_text(lines[0] + "\n")
    assert settings(other)["mask3d"] != before["mask3d"]
    with pytest.raises(SceneError, match="no lists of masks"):
        settings(tmp_path / "nowhere")
