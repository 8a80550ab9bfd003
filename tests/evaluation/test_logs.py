"""Logs of other harnesses: read as what they are, refused where they are about other rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from rows_vsibench import make_rows

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import ScoreError
from spaceland.cli import run
from spaceland.errors import SpacelandError
from spaceland.evaluation.logs import guess_benchmark, read_log

VSI = find_benchmark("vsibench")
ROWS = make_rows(30, 8)


def lmms_eval(rows: list[dict[str, Any]], *, doc: bool, nested: bool = False) -> str:
    lines = []
    for k, row in enumerate(rows):
        text = f"There are {row['ground_truth']}." if row["options"] is None else row["ground_truth"]
        line: dict[str, Any] = {"doc_id": k, "target": row["ground_truth"], "filtered_resps": [text], "doc_hash": "x"}
        if nested:
            line["resps"] = [[line.pop("filtered_resps")[0]]]
        if doc:
            line["doc"] = row
        lines.append(json.dumps(line))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("doc", [False, True])
def test_lmms_eval(tmp_path: Path, doc: bool, nested: bool) -> None:
    log = tmp_path / "20260801_samples_vsibench.jsonl"
    log.write_text(lmms_eval(ROWS, doc=doc, nested=nested))
    found = read_log(log, VSI, None if doc else ROWS)
    assert found.kind == "lmms-eval" and len(found.replies) == 30 and found.num_without_reply == 0
    rows = [] if doc else ["--rows", str(tmp_path / "rows.json")]
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    assert run(["rescore", str(log), *rows, "--json", str(tmp_path / "out.json")]) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    # The same replies, two rules: a sentence is no number to the official scorer, and one to lmms-eval's.
    assert result["protocols"]["lmms-eval"]["overall"] == 100.0 == result["protocols"]["strict"]["overall"]
    assert result["protocols"]["official"]["overall"] == 50.0
    assert result["source"]["kind"] == "lmms-eval" and "vlmevalkit" in result["protocols"]


def test_a_log_of_another_order_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "samples_vsibench.jsonl"
    log.write_text(lmms_eval(ROWS, doc=False))
    with pytest.raises(ScoreError, match="are not those of the rows"):
        read_log(log, VSI, ROWS[10:] + ROWS[:10])
    with pytest.raises(ScoreError, match="there are 20 rows"):
        read_log(log, VSI, ROWS[:20])
    with pytest.raises(ScoreError, match="does not hold the rows"):
        read_log(log, VSI)
    log.write_text("".join(json.dumps({"doc_id": k, "resps": [["A"]]}) + "\n" for k in range(30)))
    with pytest.raises(ScoreError, match="states no answers"):
        read_log(log, VSI, ROWS)
    log.write_text(2 * lmms_eval(ROWS[:1], doc=False))
    with pytest.raises(ScoreError, match="two samples with the doc_id 0"):
        read_log(log, VSI, ROWS)


def write_tsv(path: Path, rows: list[dict[str, Any]], *, ids: bool) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(
            file, ["index", *(["id"] if ids else []), "answer", "options", "prediction"], delimiter="\t"
        )
        table.writeheader()
        for k, row in enumerate(rows):
            line = {"index": k, "id": row["id"], "answer": row["ground_truth"], "options": row["options"]}
            table.writerow(
                {k: v for k, v in line.items() if k in table.fieldnames} | {"prediction": f"**{row['ground_truth']}**"}
            )


@pytest.mark.parametrize("ids", [False, True])
def test_vlmevalkit_tables(tmp_path: Path, ids: bool) -> None:
    log = tmp_path / "Qwen2.5-VL-7B_VSI-Bench_32frame.tsv"
    shuffled = ROWS[::-1] if ids else ROWS
    write_tsv(log, shuffled, ids=ids)
    if ids:  # ids tell the rows apart, so their places do not matter
        text = log.read_text().replace("\n0\t", "\nx0\t")
        log.write_text(text)
    found = read_log(log, VSI, ROWS)
    assert found.kind == "VLMEvalKit" and found.replies[str(ROWS[3]["id"])] == f"**{ROWS[3]['ground_truth']}**"


def test_vlmevalkit_spreadsheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="reads spreadsheets")
    book = openpyxl.Workbook()
    book.active.append(["index", "answer", "prediction"])
    for k, row in enumerate(ROWS):
        book.active.append([k, row["ground_truth"], row["ground_truth"]])
    book.save(tmp_path / "M_VSI-Bench.xlsx")
    assert len(read_log(tmp_path / "M_VSI-Bench.xlsx", VSI, ROWS).replies) == 30


def test_spreadsheets_without_openpyxl_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "vsibench.xlsx").write_bytes(b"PK")
    with pytest.raises(SpacelandError, match="pip install openpyxl"):
        read_log(tmp_path / "vsibench.xlsx", VSI, ROWS)


def test_plain_lines_and_rows_inside(tmp_path: Path) -> None:
    log = tmp_path / "replies.jsonl"
    log.write_text("".join(json.dumps({"id": row["id"], "response": row["ground_truth"]}) + "\n" for row in ROWS[:20]))
    found = read_log(log, VSI, ROWS)
    assert found.kind == "plain" and len(found.replies) == 20 and len(found.rows) == 30
    log.write_text("".join(json.dumps({**row, "prediction": None if row["id"] < 5 else "A"}) + "\n" for row in ROWS))
    found = read_log(log, VSI)
    assert len(found.rows) == 30 and found.num_without_reply == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": 0, "text": "A"}\n', "is no log that is known"),
        ('{"id": "other", "prediction": "A"}\n', "cannot be matched"),
        ('{"id": 0, "prediction": "A"}\n{"id": 0, "prediction": "B"}\n', "two replies"),
        ('{"doc_id": "x", "resps": []}\n', "doc_id should be a number"),
        ("", "is empty"),
    ],
)
def test_what_is_no_log(tmp_path: Path, text: str, words: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(text)
    with pytest.raises(SpacelandError, match=words):
        read_log(log, VSI, ROWS)


def test_names_of_files() -> None:
    assert guess_benchmark(Path("samples_sparbench_tiny.jsonl")) == "sparbench"
    assert guess_benchmark(Path("notes.jsonl")) is None
