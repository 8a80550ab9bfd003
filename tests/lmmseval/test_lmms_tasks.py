"""The tasks as lmms-eval calls them: what is asked, and figures equal to those of `spaceland score`."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lmmseval_help import Case

from spaceland.benchmarks import find_benchmark, score_benchmark
from spaceland.benchmarks.known import ScoreError
from spaceland.chat.types import Picture
from spaceland.cli import run
from spaceland.evaluation.media import MediaFinder, load_media
from spaceland.evaluation.plan import MAX_TOKENS
from spaceland.lmmseval import prepared, task
from spaceland.lmmseval.__main__ import TASKS, main
from spaceland.lmmseval.prepared import BENCHMARKS, load, prepare, task_fields, task_name

MakeCase = Callable[..., Case]


def mixed(case: Case, seed: int = 2) -> dict[str, str]:
    """Replies that are right, another's, decorated, or empty."""
    rng = random.Random(seed)
    every = list(case.gold.values())

    def one(text: str) -> str:
        return rng.choice((text, text, rng.choice(every), f"{text.capitalize()}.", ""))

    return {row_id: one(text) for row_id, text in case.gold.items()}


def as_harness(case: Case, replies: dict[str, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and log lines, the way lmms-eval makes them: strip, process, gather by pickle, aggregate by figure."""
    _, metrics, _ = task_fields(case.name)
    lines, items = [], {metric["metric"]: [] for metric in metrics}
    for number, doc in enumerate(case.documents()):
        raw = replies[doc["id"]]
        samples = task.process_results(doc, [raw.strip()])
        assert samples.keys() == items.keys()
        for name, sample in samples.items():
            items[name].append(pickle.loads(pickle.dumps(sample)))
        lines.append(json.loads(json.dumps({"doc_id": number, "target": task.doc_to_target(doc),
                                            "filtered_resps": raw, **samples})))  # fmt: skip
    return {metric["metric"]: metric["aggregation"](items[metric["metric"]]) for metric in metrics}, lines


@pytest.mark.parametrize("name", BENCHMARKS)
def test_figures_and_samples_are_those_of_score(name: str, make_case: MakeCase, tmp_path: Path) -> None:
    case = make_case(name)
    prepare(name, [str(case.path)], case.media)
    replies = {row_id: f" {text}\n" for row_id, text in mixed(case).items()}
    figures, lines = as_harness(case, replies)
    stripped = {row_id: text.strip() for row_id, text in replies.items()}
    expected = score_benchmark(name, case.rows, stripped, resamples=0)
    known = expected.tasks | expected.groups | {"overall": expected.overall}
    assert figures == {figure: known[figure] for figure in figures}
    assert set(figures) >= {figure for figure, value in expected.groups.items() if value is not None} | {"overall"}
    by_id = {sample.id: sample for sample in expected.samples}
    compared = 0
    for line in lines:
        sample = by_id[line["overall"]["id"]]
        for figure in figures:
            value = line[figure]["value"]
            if value is not None:
                own = figure in ("overall", sample.task)
                assert value == (sample.score if own else sample.metrics[figure]), figure
                compared += 1
    assert compared >= (0 if name == "scan2cap" else len(lines))
    # The log, whatever its order and with some rows only, rescored to the same.
    log = tmp_path / f"20260801_samples_{task_name(name)}.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in reversed(lines[:15])))
    out = ["--rows", str(case.path), "--protocol", "official", "--json", str(tmp_path / "out.json")]
    assert run(["rescore", str(log), "--answered", *out]) == 0
    some = [line["overall"]["id"] for line in lines[:15]]
    benchmark = find_benchmark(name)
    rows = [row for row in case.rows if benchmark.row_id(benchmark.adapt(row) if benchmark.adapt else row) in some]
    result = json.loads((tmp_path / "out.json").read_text())
    again = score_benchmark(name, rows, {row_id: stripped[row_id] for row_id in some}, resamples=0)
    assert result["rows"]["evaluated"] == 15
    assert result["overall"] == again.overall
    assert result["protocols"]["official"]["groups"] == again.groups


@pytest.mark.parametrize("name", BENCHMARKS)
def test_gold_scores_the_maximum(name: str, make_case: MakeCase) -> None:
    case = make_case(name, 80)
    prepare(name, [str(case.path)], blind=True)
    figures, _ = as_harness(case, case.gold)
    # "towl" is no class, so cate31 stops below 100; Scan2Cap's figure is a CIDEr.
    assert figures["overall"] == pytest.approx({"embodiedscan-det": 100 * 30 / 31, "scan2cap": 1000}.get(name, 100))


def test_what_is_asked(make_case: MakeCase) -> None:
    case = make_case("scanqa", 4)
    prepare("scanqa", [str(case.path)], case.media, frames=2)
    doc = case.documents()[0]
    row = case.rows[0]
    words = f"{row['question']} Answer the question using a single word or phrase."
    assert task.doc_to_text(doc) == task.doc_to_text(doc, {"pre_prompt": "no"}) == words
    assert task.doc_to_target(doc) == "; ".join(row["answers"])
    assert [image.size for image in task.doc_to_visual(doc)] == [(48, 36)] * 2
    (message,) = task.doc_to_messages(doc)
    assert [part["type"] for part in message["content"]] == ["image", "image", "text"]
    assert message["role"] == "user" and message["content"][-1]["text"] == words
    # The bytes are those that `spaceland evaluate` sends.
    media = MediaFinder(case.media).find(row, row)
    sent = load_media(media, load("scanqa").policy)[0]
    assert [part["url"].info["spaceland_picture"] for part in message["content"][:2]] == sent


def test_frames_carry_their_labels_and_blind_shows_none(make_case: MakeCase) -> None:
    case = make_case("scanrefer", 6)
    prepare("scanrefer", [str(case.path)], case.media, protocol="vg-llm")
    doc = case.documents()[0]
    content = task.doc_to_messages(doc)[0]["content"]
    assert [part.get("text") for part in content[:-1:2]] == [f"Frame-{k}: " for k in range(len(content) // 2)]
    assert "Localize the first clear frame" in content[-1]["text"]
    assert task_fields("scanrefer")[2]["protocol"] == "scanrefer@vg-llm"
    prepared._load.cache_clear()
    prepare("scanrefer", [str(case.path)], blind=True)
    assert task.doc_to_visual(doc) == [] and len(task.doc_to_messages(doc)[0]["content"]) == 1


def test_side_files_are_those_of_score(make_case: MakeCase, tmp_path: Path) -> None:
    case = make_case("multi3drefer", 12)
    rows = [{key: value for key, value in row.items() if key != "gt_bboxes"} for row in case.rows]
    boxes = {row["scene_id"]: {"objects": {}} for row in case.rows}
    for row in case.rows:
        if row.get("gt_bboxes"):
            objects = boxes[row["scene_id"]]["objects"]
            objects |= {str(k): box for k, box in zip(row["object_ids"], row["gt_bboxes"], strict=True)}
    case.path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(ScoreError, match="gt_bboxes"):
        prepare("multi3drefer", [str(case.path)], blind=True)
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    prepare("multi3drefer", [str(case.path)], blind=True, side_files={"extra": tmp_path / "boxes.json"})
    found = {row_id: row.get("gt_bboxes") for row_id, row in load("multi3drefer").rows.items()}
    assert any(found.values())
    figures, _ = as_harness(case, {row_id: json.dumps(found[row_id] or []) for row_id in found})
    assert figures["overall"] == 100


def test_refusals(make_case: MakeCase, tmp_path: Path) -> None:
    case = make_case("sqa3d", 6)
    with pytest.raises(ScoreError, match=r"sqa3d is not prepared in .*prepare sqa3d --rows"):
        task_fields("sqa3d")
    with pytest.raises(ScoreError, match="'vsibench' has no task for lmms-eval here"):
        prepare("vsibench", [str(case.path)])
    with pytest.raises(ScoreError, match="rows have no media"):
        prepare("sqa3d", [str(case.path)], tmp_path / "prepared")
    setup = prepare("sqa3d", [str(case.path)], case.media)
    doc = case.documents()[0]
    samples = [task.process_results(doc, ["x"])["EM"]] * 2
    with pytest.raises(ScoreError, match="two replies"):
        task.aggregate(samples)
    prepared._load.cache_clear()
    case.path.write_text(case.path.read_text().replace("?", "??"))
    with pytest.raises(ScoreError, match="are not those that were prepared"):
        load("sqa3d")
    choices = prepared.folder() / "sqa3d.json"
    choices.write_text(choices.read_text().replace(setup.format, "spaceland-lmms-eval/0"))
    with pytest.raises(ScoreError, match="by this version"):
        task_fields("sqa3d")


def test_the_command(make_case: MakeCase, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == TASKS and (TASKS / "scanqa_spaceland.yaml").is_file()
    case = make_case("scan2cap", 5)
    out = tmp_path / "elsewhere"
    assert main(["prepare", "scan2cap", "--rows", str(case.path), "--media", str(case.media), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "5 rows of scan2cap@official" in said and f"SPACELAND_LMMS_EVAL={out}" in said
    assert "--tasks scan2cap_spaceland" in said
    assert len((out / "scan2cap.jsonl").read_text().splitlines()) == 5
    assert main(["prepare", "scanqq", "--rows", str(case.path)]) == 2
    assert "give one of scanqa" in capsys.readouterr().err


def test_the_folder_is_what_lmms_eval_expects(make_case: MakeCase) -> None:
    """Every name after !function is there; lengths of replies are those of `spaceland evaluate`."""
    yaml = pytest.importorskip("yaml", reason="lmms-eval brings it")
    import runpy

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: Any, node: Any) -> Any:
        module, name = loader.construct_scalar(node).split(".")
        return runpy.run_path(str(TASKS / f"{module}.py"))[name]

    Loader.add_constructor("!function", function)
    names = set()
    for name in BENCHMARKS:
        case = make_case(name, 8)
        prepare(name, [str(case.path)], blind=True)
    for file in sorted(TASKS.glob("*.yaml")):
        config = yaml.load(file.read_text(), Loader)
        config = yaml.load((TASKS / config.pop("include")).read_text(), Loader) | config
        names.add(config["task"])
        assert config["tag"] == "spaceland" and config["dataset_path"] == "json"
        for key in ("doc_to_text", "doc_to_visual", "doc_to_messages", "doc_to_target", "process_results"):
            assert config[key] is getattr(task, key)
        benchmark = config["metadata"]["setup"]["benchmark"]
        assert config["task"] == task_name(benchmark)
        assert config["generation_kwargs"] == {
            "max_new_tokens": MAX_TOKENS.get(benchmark, 512), "temperature": 0, "do_sample": False, "until": []
        }  # fmt: skip
        index = Path(config["dataset_kwargs"]["data_files"][config["test_split"]])
        assert len(index.read_text().splitlines()) == 8
        assert config["metric_list"][0]["metric"] == "overall"
    assert names == {task_name(name) for name in BENCHMARKS}


def test_sources_mean_the_same_everywhere(make_case: MakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case("scanqa", 3)
    monkeypatch.chdir(case.path.parent)
    assert prepare("scanqa", [case.path.name], Path("media")).rows == (str(case.path),)
    assert prepared._absolute("hf:a/b#val") == "hf:a/b#val"
    assert prepared._absolute("media#val") == f"{case.media}#val"
    assert isinstance(load("scanqa").cache.load(load("scanqa").items[case.documents()[0]["id"]].media)[0][0], Picture)
