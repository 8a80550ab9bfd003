"""Mixtures take what weights say, at random; benchmarks are balanced and scored by the scorer that we have."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from test_spar7m import tree_hash

from spaceland.benchmarks import baseline_predictions, score_benchmark
from spaceland.benchmarks.sparbench import TASKS
from spaceland.cli import run
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.generate import generate
from spaceland.datasets.rows import read_rows
from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.exchange.cut import Candidate, Cut, balanced
from spaceland.exchange.mix import Mixture, joined_settings, named_sources, parse_weight, plan
from spaceland.questions.conventions import Conventions
from spaceland.verify import verify_dataset


def counts(folder: Path) -> Counter[tuple[str, str]]:
    return Counter((row["task"], row["format"]) for row in read_rows(folder / "rows.jsonl"))


def written(folder: Path) -> list[dict[str, Any]]:
    return list(read_rows(folder / "rows.jsonl"))


def test_everything_once_by_default(dataset: Path, tmp_path: Path) -> None:
    Mixture({"small": dataset}).write(tmp_path / "mix")
    assert sorted(json.dumps(row) for row in written(tmp_path / "mix")) == sorted(
        json.dumps(row) for row in written(dataset)
    )
    assert all((tmp_path / "mix" / path).is_file() for row in written(tmp_path / "mix") for path in row["images"])
    info = json.loads((tmp_path / "mix" / "info.json").read_text())
    assert info["rows"] == pq.read_table(tmp_path / "mix" / "rows.parquet").num_rows == len(written(dataset))


def test_weights_multiply_and_repeat(dataset: Path, tmp_path: Path) -> None:
    weights = ["sentence=2", "select=0", "obj_count/*/*=5", "*/obj_count/*=1.5", "fill=1"]
    with pytest.raises(SourceError, match="matches no rows; sources are small"):
        Mixture({"small": dataset}, weights)
    weights.remove("obj_count/*/*=5")
    mixture = Mixture({"small": dataset}, weights)
    mixture.write(tmp_path / "mix")
    before, after = counts(dataset), counts(tmp_path / "mix")
    assert after["room_size", "sentence"] == 2 * before["room_size", "sentence"]
    assert after["obj_count", "sentence"] == 3 * before["obj_count", "sentence"]
    assert after["obj_count", "fill"] == round(1.5 * before["obj_count", "fill"] + 1e-9)
    assert not any(format == "select" for _, format in after)
    ids = [row["id"] for row in written(tmp_path / "mix")]
    assert len(set(ids)) == len(ids) and sum(i.endswith("~2") for i in ids) > 0
    table = json.loads((tmp_path / "mix" / "mix.json").read_text())
    assert {(p["task"], p["format"]): p["taken"] for p in table["parts"] if p["taken"]} == dict(after)


def test_total_scales_the_weights(dataset: Path, tmp_path: Path) -> None:
    for total in (1, 50, 333):
        mixture = Mixture({"small": dataset}, ["sentence=3"], total=total)
        assert mixture.num_rows == sum(part.taken for part in mixture.parts) == total


def test_a_share_is_a_random_sample_and_the_seed_decides(dataset: Path, tmp_path: Path) -> None:
    row = written(dataset)[0]
    folder = tmp_path / "many"
    folder.mkdir()
    lines = [json.dumps({**row, "id": f"r{k}"}) for k in range(1000)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "images").symlink_to(dataset / "images")
    taken = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        Mixture({"many": folder}, ["many=0.1"], seed=seed).write(tmp_path / name)
        taken[name] = [int(found["id"][1:]) for found in written(tmp_path / name)]
    assert len(taken["a"]) == len(set(taken["a"])) == 100
    assert 350 < np.mean(taken["a"]) < 650 and taken["a"] != sorted(taken["a"])
    assert tree_hash(tmp_path / "a")["rows.jsonl"] == tree_hash(tmp_path / "b")["rows.jsonl"]
    assert set(taken["c"]) != set(taken["a"])


def test_several_sources_keep_apart(dataset: Path, tmp_path: Path) -> None:
    sources = named_sources([str(dataset), f"twin={dataset}"])
    assert list(sources) == ["small", "twin"]
    Mixture(sources, ["twin/room_size/*=2", "small=1"]).write(tmp_path / "mix")
    rows = written(tmp_path / "mix")
    assert len({row["id"] for row in rows}) == len(rows) > 2 * len(written(dataset))
    assert {row["images"][0].split("/")[1] for row in rows} == {"small", "twin"}
    assert all((tmp_path / "mix" / path).is_file() for row in rows for path in row["images"])


@pytest.mark.heavy
def test_mixtures_verify_by_the_settings_of_their_parts(dataset: Path, tmp_path: Path) -> None:
    source = "rooms:1?frames=32&width=160&height=120"
    chosen = GenerateConfig(tasks=("obj_count",), per_scene=2, conventions=Conventions(video_frames="coverage"))
    generate([source], tmp_path / "chosen", chosen, workers=1)
    Mixture({"small": dataset, "chosen": tmp_path / "chosen"}, ["obj_count=2", "small=0.4"]).write(tmp_path / "mix")
    Mixture({"mix": tmp_path / "mix", "small": dataset}, total=60).write(tmp_path / "again")
    Mixture({"alone": dataset}, total=20).write(tmp_path / "alone")
    for name in ("mix", "again", "alone"):
        report = verify_dataset(tmp_path / name, [source])
        assert report.ok and report.total >= 20 and report.notes == [], (name, report.failures[:3], report.notes)
    rows = written(tmp_path / "again")
    assert {row["id"].rpartition("/")[0] for row in rows} == {"mix/small", "mix/chosen", "small"}
    # Each part holds by its own settings, and an id of no known part is none of ours.
    info = json.loads((tmp_path / "mix" / "info.json").read_text())
    assert info["parts"]["chosen"]["config"]["conventions"]["video_frames"] == "coverage"
    del info["parts"]["chosen"]
    (tmp_path / "mix" / "info.json").write_text(json.dumps(info))
    report = verify_dataset(tmp_path / "mix", [source])
    strange = [row["id"] for row in written(tmp_path / "mix") if row["id"].startswith("chosen/")]
    reasons = dict(report.failures)
    assert strange and all("id does not start with" in reasons[row_id] for row_id in strange)


def test_settings_of_mixtures_of_mixtures() -> None:
    inner = joined_settings({"a": {"config": {"seed": 1}}, "b": None})
    assert inner == {"parts": {"a": {"config": {"seed": 1}}, "b": {}}}
    assert joined_settings({"": inner}) == inner
    nested = joined_settings({"old": inner, "c": {"config": {}}})
    assert nested == {"parts": {"old/a": {"config": {"seed": 1}}, "old/b": {}, "c": {"config": {}}}}
    assert joined_settings({"": ["damaged"]}) == {}


def test_plan_by_hand() -> None:
    available = {("rooms", "t", "sentence"): 600, ("rooms", "t", "select"): 600, ("scans", "t", "select"): 900}
    rules = [parse_weight(text) for text in ("sentence=1", "select=0.1", "rooms=2")]
    taken = {(part.source, part.format): part.taken for part in plan(available, rules)}
    assert taken == {("rooms", "sentence"): 1200, ("rooms", "select"): 120, ("scans", "select"): 90}


@pytest.mark.parametrize("text", ["x", "=1", "a/b=1", "a=-1", "a=nan", "a=inf", "a//b=1", "a=1e9"])
def test_bad_weights(text: str) -> None:
    with pytest.raises(SourceError, match="should be NAME=NUMBER"):
        parse_weight(text)


def test_mix_refusals(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="two datasets are called 'small'"):
        named_sources([str(dataset), str(dataset)])
    with pytest.raises(SourceError, match="no dataset given"):
        named_sources([])
    with pytest.raises(SceneError, match=r"has no rows\.jsonl"):
        Mixture({"x": tmp_path})
    with pytest.raises(SourceError, match="all weights are 0"):
        Mixture({"small": dataset}, ["*=0"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        Mixture({"small": dataset}).write(tmp_path / "out")


def test_a_benchmark(dataset: Path, tmp_path: Path) -> None:
    benchmark = Cut(dataset, per_task=2, seed=3)
    tally = benchmark.write(tmp_path / "bench")
    rows = written(tmp_path / "bench")
    found = Counter(row["task"] for row in rows)
    assert {task for task in found if task in TASKS} == {task for task, _ in counts(dataset) if task in TASKS}
    assert all(n == 2 for task, n in found.items() if task not in benchmark.short)
    assert benchmark.short["room_size"] == 1 and tally.total == len(rows) == benchmark.num_rows
    assert all(found[task] == n < 2 for task, n in benchmark.short.items())
    assert "spatial_imagination_oc_video" in benchmark.unscored
    for row in rows:
        assert row["format_type"] in ("fill", "select")
        assert row["img_type"] == {1: "single_view", 32: "video"}.get(len(row["image"]), "multi_view")
        assert all((tmp_path / "bench" / path).is_file() for path in row["image"])
    letters = Counter(row["answer"] for row in rows if row["task"] == "obj_spatial_relation_oo")
    assert max(letters.values()) == 1
    gold = score_benchmark("sparbench", rows, baseline_predictions("sparbench", "oracle", rows))
    assert gold.overall == 100 and not gold.missing and set(gold.tasks) == set(found) & set(TASKS)
    table = pq.read_table(next((tmp_path / "bench" / "data").iterdir()))
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    assert "image" in json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    again = tmp_path / "again"
    Cut(dataset, per_task=2, seed=3).write(again, name="bench")
    assert tree_hash(again) == tree_hash(tmp_path / "bench")


def test_marks_are_drawn_in_a_benchmark(dataset: Path, tmp_path: Path) -> None:
    Cut(dataset, per_task=1, tasks=["distance_prediction_oc"]).write(tmp_path / "bench")
    (row,) = written(tmp_path / "bench")
    original = next(found for found in written(dataset) if found["id"] == row["id"])
    x, y = original["marks"][0]["xy"]
    picture = np.array(Image.open(tmp_path / "bench" / row["image"][0])).astype(int)
    red, green, blue = picture[int(y * 120 / 1000), int(x * 160 / 1000)]
    assert red > 150 and red > green + 60 and red > blue + 60


def test_balance_by_letter_then_scene() -> None:
    pool = [Candidate(k, f"scene{k % 5}", "ABBBBBBBCD"[k % 10], k.to_bytes(8, "big")) for k in range(400)]
    chosen = balanced(pool, 80, Random(0))
    assert Counter(c.answer for c in chosen) == dict.fromkeys("ABCD", 20)
    twins = [Candidate(k, "s", "A", b"same") for k in range(9)]
    assert len(balanced(twins, 5, Random(0))) == 1
    spread = balanced([Candidate(k, f"s{k % 7}", "", k.to_bytes(8, "big")) for k in range(70)], 14, Random(0))
    assert Counter(c.scene for c in spread) == {f"s{k}": 2 for k in range(7)}


def test_cut_refusals(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no task fly"):
        Cut(dataset, tasks=["fly"])
    with pytest.raises(SourceError, match="at least one row"):
        Cut(dataset, per_task=0)
    with pytest.raises(SceneError, match="no rows that can be scored"):
        Cut(dataset, tasks=["spatial_imagination_oc_video"])


def test_commands_one_after_another(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb suggests the next one, and what it writes is what the next one reads."""
    source = "rooms:1?frames=32&width=160&height=120"
    small, spar, back, mixed, bench = str(dataset), *(str(tmp_path / name) for name in "simb")
    steps = [
        (["export", small, "--to", "spar7m", "--out", spar, "--limit", "30"], "start your loader"),
        (["import", spar, "--out", back, "--recompute", source], "recomputed answers agree"),
        (["mix", small, back, "--out", mixed, "--weight", "select=0.5"], "Next: spaceland export"),
        (["export", mixed, "--to", "messages"], "Next: datasets.load_dataset"),
        (["cut", small, "--out", bench, "--per-task", "1"], "Next: spaceland score sparbench --rows"),
        (["score", "sparbench", "--rows", f"{bench}/rows.jsonl", "--baseline", "oracle"], "overall"),
        (["report", back], "samples of 30 rows"),
    ]
    for arguments, expected in steps:
        assert run(arguments) == 0, arguments
        told = capsys.readouterr()
        assert expected in told.out, (arguments, told.out)
    assert (tmp_path / "m-messages" / "messages.jsonl").is_file()
    assert run(["import", spar]) == 2
    assert "give --out FOLDER" in capsys.readouterr().err
    assert run(["export", str(tmp_path), "--to", "llava"]) == 2
    assert "has no rows.jsonl" in capsys.readouterr().err
