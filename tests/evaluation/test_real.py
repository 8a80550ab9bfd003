"""The real files at hand: they can be planned, answered by baselines, and re-scored from logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spaceland.benchmarks.known import KNOWN
from spaceland.benchmarks.released.tables import read_rows_files
from spaceland.cli import run
from spaceland.evaluation.plan import make_plan

FILES = {
    "vsibench": ("vsibench/questions_scannet.json", 2071),
    "scanqa": ("ScanQA_v1.0_val.json", 4675),
    "openeqa": ("openeqa_v0.json", 1636),
}


@pytest.mark.real
@pytest.mark.parametrize("benchmark", [name for name in FILES if name in KNOWN])
def test_real_rows_can_be_asked(benchmark: str, real_data: Path) -> None:
    name, count = FILES[benchmark]
    plan = make_plan(benchmark, read_rows_files([real_data / name]), None)
    assert len(plan.items) == count and all(item.prompt for item in plan.items)


@pytest.mark.real
def test_repacked_rows_find_their_videos(real_data: Path, tmp_path: Path) -> None:
    rows = read_rows_files([real_data / "vsibench/questions_scannet.json"])
    scene = rows[0]["path"].rpartition("/")[2]
    (tmp_path / "scannet").mkdir()
    (tmp_path / "scannet" / scene).touch()
    plan = make_plan("vsibench", rows, tmp_path, skip_missing=True)
    assert plan.items and plan.without_media == 2071 - len(plan.items)
    assert {item.media.name for item in plan.items if item.media} == {f"scannet/{scene}"}


@pytest.mark.real
def test_baseline_log_and_back(real_data: Path, tmp_path: Path) -> None:
    rows = real_data / "vsibench/questions_scannet.json"
    argv = ["evaluate", "vsibench", "--rows", str(rows), "--model", "baseline:frequency", "--out", str(tmp_path / "f")]
    assert run(argv) == 0
    first = json.loads((tmp_path / "f" / "result.json").read_text())
    again = tmp_path / "again.json"
    argv = ["rescore", str(tmp_path / "f" / "predictions.jsonl"), "--benchmark", "vsibench", "--rows", str(rows)]
    assert run([*argv, "--json", str(again)]) == 0
    assert json.loads(again.read_text())["protocols"]["official"]["overall"] == first["overall"]
    assert first["overall"] == pytest.approx(35.3, abs=0.05)
