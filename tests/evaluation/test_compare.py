"""Paired comparison against plain reference, and results that must not be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows_vsibench import make_rows

from spaceland.benchmarks import find_benchmark, score_benchmark
from spaceland.benchmarks.known import KNOWN, ScoreError
from spaceland.cli import run
from spaceland.errors import SceneError
from spaceland.evaluation.compare import compare
from spaceland.evaluation.loaded import load_result, load_results
from spaceland.evaluation.result import build_result

ROWS = make_rows(300, 5)


def noisy(seed: int, share: float) -> dict[str, str]:
    """Gold answers, a share of them spoilt."""
    rng = np.random.default_rng(seed)
    return {str(row["id"]): "Z" if rng.random() < share else row["ground_truth"] for row in ROWS}


def write(path: Path, replies: dict[str, str], rows: list[dict[str, Any]] = ROWS, name: str = "m") -> Path:
    chosen = find_benchmark("vsibench")
    result = build_result(
        chosen,
        "official",
        {str(row["id"]): row for row in rows},
        {key: {"prediction": text} for key, text in replies.items()},
        {"model": {"name": name}},
    )
    path.write_text(json.dumps(result))
    return path


def test_figures_from_cells_are_those_of_the_scorer(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.json", noisy(1, 0.3)), write(tmp_path / "b.json", noisy(2, 0.6), name="n")
    found = compare(load_results([a, b]))
    one, two = (score_benchmark("vsibench", ROWS, noisy(*how)) for how in ((1, 0.3), (2, 0.6)))
    change, (low, high) = found.differences[0]["overall", ""]
    assert one.overall is not None and two.overall is not None
    assert change == pytest.approx(two.overall - one.overall, abs=1e-9) and low < change < high < 0
    for task, value in two.tasks.items():
        assert found.differences[0]["tasks", task][0] == pytest.approx(value - one.tasks[task], abs=1e-9)
    for group, value in two.groups.items():
        assert found.differences[0]["groups", group][0] == pytest.approx(value - one.groups[group], abs=1e-9)


def test_the_interval_is_that_of_a_plain_paired_bootstrap(tmp_path: Path) -> None:
    first, second = noisy(1, 0.3), noisy(1, 0.3)
    for key in list(second)[::9]:
        second[key] = "Z"
    paths = [write(tmp_path / f"{k}.json", replies) for k, replies in enumerate((first, second))]
    change, (low, high) = compare(load_results(paths)).differences[0]["overall", ""]
    # Plain reference: draw rows within question types, score both anew.
    rng = np.random.default_rng(9)
    scores = [
        {s.id: s.score for s in score_benchmark("vsibench", ROWS, r, resamples=0).samples} for r in (first, second)
    ]
    cells: dict[str, list[float]] = {}
    for row in ROWS:
        key = str(row["id"])
        cells.setdefault(row["question_type"], []).append(scores[1][key] - scores[0][key])
    tasks: dict[str, list[np.ndarray]] = {}
    for kind, values in cells.items():
        task = "direction" if "direction" in kind else kind
        drawn = np.array(values)[rng.integers(0, len(values), (4000, len(values)))].mean(1)
        tasks.setdefault(task, []).append(drawn)
    draws = 100 * np.mean([np.mean(parts, axis=0) for parts in tasks.values()], axis=0)
    assert np.allclose([low, high], np.percentile(draws, [2.5, 97.5]), atol=0.5)
    # Far narrower than two separate intervals, which is what pairing is for.
    one = score_benchmark("vsibench", ROWS, first).overall_interval
    assert one is not None and high - low < 0.8 * (one[1] - one[0])
    assert change < 0


def test_equal_results_differ_by_nothing(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, noisy(1, 0.4)) for name in ("a.json", "b.json"))
    found = compare(load_results([a, b]))
    assert all(entry == (0.0, (0.0, 0.0)) for entry in found.differences[0].values())
    assert found.disagreements[0].ids == () and found.disagreements[0].only_first == 0
    assert [result.name for result in found.results] == ["m (a)", "m (b)"]


def test_where_they_disagree(tmp_path: Path) -> None:
    first = {str(row["id"]): row["ground_truth"] for row in ROWS}
    second = {**first, "4": "Z", "5": "Z", "0": "1000"}
    third = {key: text for key, text in second.items() if key != "6"}
    paths = [write(tmp_path / f"{k}.json", replies) for k, replies in enumerate((first, second, third))]
    found = compare(load_results(paths))
    assert [apart.ids for apart in found.disagreements] == [("0", "4", "5"), ("0", "4", "5", "6")]
    assert found.disagreements[0].only_first == 3 and found.disagreements[0].both_right == len(ROWS) - 3
    assert found.disagreements[0].by_task["object_rel_distance"] == (1, 0)
    assert found.to_json()["differences"][1]["disagree"] == ["0", "4", "5", "6"]


def test_other_rows_are_refused_or_cut_to_the_shared_ones(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.json", noisy(1, 0.3)), write(tmp_path / "b.json", noisy(2, 0.5), make_rows(300, 5)[:200])
    with pytest.raises(ScoreError, match="300 in all, 200 in each"):
        compare(load_results([a, b]))
    found = compare(load_results([a, b]), common=True)
    expected = score_benchmark("vsibench", ROWS[:200], {k: v for k, v in noisy(1, 0.3).items() if int(k) < 200})
    assert found.num_left_out == 100 and found.figures[0]["overall", ""] == pytest.approx(expected.overall)
    changed = [{**row, "question": "other"} for row in ROWS]
    c = write(tmp_path / "c.json", noisy(1, 0.3), changed)
    with pytest.raises(ScoreError, match="other content"):
        compare(load_results([a, c]))


def test_results_of_spaceland_score(tmp_path: Path) -> None:
    for name, how in (("a", (1, 0.3)), ("b", (2, 0.3))):
        result = score_benchmark("vsibench", ROWS, noisy(*how))
        (tmp_path / f"{name}.json").write_text(json.dumps(result.to_json()))
    found = compare(load_results([tmp_path / "a.json", tmp_path / "b.json"]))
    # Without cells, the direction task and what is made of it cannot be told from the scores alone unless they agree.
    assert ("tasks", "object_counting") in found.differences[0]
    for key, (change, _) in found.differences[0].items():
        one, two = (figures[key] for figures in found.figures)
        assert one is not None and two is not None and change == pytest.approx(two - one, abs=1e-5)


@pytest.mark.parametrize("benchmark", sorted(KNOWN))
def test_every_benchmark_can_be_compared(benchmark: str, tmp_path: Path) -> None:
    import importlib

    rows_module = importlib.import_module(f"rows_{benchmark.replace('-', '_')}")
    rows, chosen = rows_module.make_rows(24, 2), find_benchmark(benchmark)
    ids = [chosen.row_id(chosen.adapt(row) if chosen.adapt else row) for row in rows]
    paths = []
    for k in (0, 3):
        records = {i: {"prediction": rows_module.gold(row)} for i, row in list(zip(ids, rows, strict=True))[k:]}
        by_id = dict(zip(ids, rows, strict=True))
        result = build_result(chosen, chosen.protocols[0].name, by_id, records, {"model": {"name": f"m{k}"}})
        paths.append(tmp_path / f"{k}.json")
        paths[-1].write_text(json.dumps(result))
    found = compare(load_results(paths))
    for key, (change, _) in found.differences[0].items():
        one, two = (figures[key] for figures in found.figures)
        assert one is not None and two is not None and change == pytest.approx(two - one, abs=1e-4)


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"benchmark": "vsibench"}', '{"benchmark": "vsibench", "protocols": 3}', "x"]
)
def test_what_is_no_result(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SceneError, match=r"result|JSON"):
        load_result(tmp_path / "x.json")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write(tmp_path / "a.json", noisy(1, 0.2)), write(tmp_path / "b.json", noisy(2, 0.7), name="[red]n[/red]")
    out = tmp_path / "c.json"
    assert run(["compare", str(a), str(b), "--json", str(out), "--protocol", "strict"]) == 0
    shown = capsys.readouterr().out
    assert "vsibench@strict" in shown and "B: [red]n[/red]" in shown and "*" in shown and "both right" in shown
    assert json.loads(out.read_text())["differences"][0]["figures"]["overall"]["difference"] < 0
    assert run(["compare", str(a), str(b), "--protocol", "lmms-eval"]) == 2
    assert "it has official, strict" in capsys.readouterr().err
    assert run(["compare", str(a), "--gallery", str(tmp_path / "g.html")]) == 2
