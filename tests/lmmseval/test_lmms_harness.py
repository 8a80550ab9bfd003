"""The real lmms-eval, in the Python that SPACELAND_LMMS_EVAL_PYTHON names (it needs lmms-eval and this package)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lmmseval_help import Case

from spaceland.benchmarks import find_benchmark, score_benchmark
from spaceland.cli import run
from spaceland.lmmseval.__main__ import TASKS
from spaceland.lmmseval.prepared import BENCHMARKS, prepare, task_name

PYTHON = os.environ.get("SPACELAND_LMMS_EVAL_PYTHON")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not PYTHON, reason="set SPACELAND_LMMS_EVAL_PYTHON to a Python that has lmms-eval and this package"
    ),
]


def harness(folder: Path, *arguments: str) -> dict[str, dict[str, float]]:
    """Figures by task; the logs are under `folder`/logs."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1"}
    command = [str(PYTHON), "-m", "lmms_eval", *arguments, "--include_path", str(TASKS), "--log_samples",
               "--output_path", str(folder / "logs")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (result,) = (folder / "logs").rglob("*_results.json")
    return {
        task: {name.removesuffix(",none"): value for name, value in figures.items() if "_stderr" not in name}
        for task, figures in json.loads(result.read_text())["results"].items()
    }


def check_same(folder: Path, case: Case, figures: dict[str, float], replies: dict[str, str]) -> None:
    """Figures, and those of the log rescored, are those of the scorer."""
    benchmark = find_benchmark(case.name)
    rows = [row for row in case.rows if benchmark.row_id(benchmark.adapt(row) if benchmark.adapt else row) in replies]
    expected = score_benchmark(case.name, rows, replies, resamples=0)
    known = {"overall": expected.overall} | expected.tasks | expected.groups
    compared = [name for name in figures if name != "alias"]
    assert len(compared) >= 8
    assert {name: figures[name] for name in compared} == {name: known.get(name) for name in compared}
    (log,) = (folder / "logs").rglob(f"*_samples_{task_name(case.name)}.jsonl")
    out = folder / "again.json"
    options = ["--answered", "--protocol", "official", "--json", str(out)]
    assert run(["rescore", str(log), "--rows", str(case.path), *options]) == 0
    again = json.loads(out.read_text())
    assert again["overall"] == expected.overall and again["rows"]["evaluated"] == len(replies)
    assert again["protocols"]["official"]["groups"] == expected.groups


def test_replayed_predictions_score_as_here(make_case: Callable[..., Case], tmp_path: Path) -> None:
    cases = [make_case(name, 20) for name in BENCHMARKS]
    said = {}
    for case in cases:
        prepare(case.name, [str(case.path)], case.media)
        gold = list(case.gold.values())
        said[case.name] = {row_id: gold[max(0, k - 4)] for k, row_id in enumerate(case.gold)}
    lines = [{"id": i, "prediction": f" {text} "} for replies in said.values() for i, text in replies.items()]
    (tmp_path / "said.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = harness(
        tmp_path, "--model", "spaceland_replay", "--model_args", f"predictions={tmp_path / 'said.jsonl'}",
        "--tasks", "spaceland",
    )  # fmt: skip
    assert found.keys() == {task_name(name) for name in BENCHMARKS}
    for case in cases:
        replies = {row_id: text.strip() for row_id, text in said[case.name].items()}
        check_same(tmp_path, case, found[task_name(case.name)], replies)


def test_a_local_model_says_what_it_says_in_evaluate(make_case: Callable[..., Case], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra model")
    from test_local import save_qwen

    model = f"local:{save_qwen(tmp_path / 'tiny', 'qwen2_5_vl')}"
    case = make_case("scanqa", 8)
    prepare("scanqa", [str(case.path)], case.media, frames=2)
    found = harness(
        tmp_path, "--model", "spaceland", "--model_args", f"model={model}", "--tasks", "scanqa_spaceland",
        "--limit", "5", "--gen_kwargs", "max_new_tokens=6",
    )  # fmt: skip
    (log,) = (tmp_path / "logs").rglob("*_samples_*.jsonl")
    said = {line["overall"]["id"]: line["filtered_resps"] for line in map(json.loads, log.read_text().splitlines())}
    assert len(said) == 5
    out = tmp_path / "run"
    options = ["--media", str(case.media), "--frames", "2", "--max-tokens", "6", "--model", model, "--out", str(out)]
    assert run(["evaluate", "scanqa", "--rows", str(case.path), *options]) == 0
    own = {line["id"]: line["prediction"] for line in map(json.loads, (out / "predictions.jsonl").open())}
    assert said == {row_id: own[row_id] for row_id in said}
    check_same(tmp_path, case, found["scanqa_spaceland"], said)
