"""`--protocol all`: protocols that cannot be scored are named, and the table fits into 80 columns."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import rows_scanqa
import rows_scanrefer
from rich.console import Console

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import ScoreError
from spaceland.commands.score import score
from spaceland.commands.side_by_side import print_side_by_side


def write(folder: Path, name: str, rows: list[dict[str, Any]], module: Any) -> tuple[tuple[str, ...], Path]:
    benchmark = find_benchmark(name)
    (folder / "rows.json").write_text(json.dumps(rows))
    ids = [benchmark.row_id(benchmark.adapt(row) if benchmark.adapt else row) for row in rows]
    replies = [{"id": row_id, "prediction": module.gold(row)} for row_id, row in zip(ids, rows, strict=True)]
    (folder / "replies.json").write_text(json.dumps(replies))
    return (str(folder / "rows.json"),), folder / "replies.json"


def test_protocols_whose_data_are_missing_are_named_and_the_others_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = rows_scanrefer.make_rows(20, 1)
    table, replies = write(tmp_path, "scanrefer", rows, rows_scanrefer)
    gone = ("proposals", "cam2global")
    bare = [{key: value for key, value in row.items() if key not in gone} for row in rows]
    (tmp_path / "rows.json").write_text(json.dumps(bare))
    out = tmp_path / "out.json"
    assert score("scanrefer", rows=table, predictions=replies, protocol="all", json_path=out) == 0
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines() if not line.startswith(("Not", "Wrote", "Next"))) <= 80
    found = json.loads(out.read_text())
    missing = {"chat-scene", "gpt4scene", "vg-llm", "vg-llm-refined", "vg-llm-2511", "vg-llm-2511-refined", "spar"}
    assert missing <= set(found["not_scored"]) and not missing & set(found["protocols"])
    assert set(found["protocols"]) | set(found["not_scored"]) == {p.name for p in find_benchmark("scanrefer").protocols}
    assert "has no 'proposals', which protocol chat-scene needs" in found["not_scored"]["chat-scene"]
    assert "Not scored under vg-llm: row 'scene" in printed
    assert found["protocols"]["official"]["overall"] == 100
    with pytest.raises(ScoreError, match="which protocol vg-llm needs"):
        score("scanrefer", rows=table, predictions=replies, protocol="vg-llm")


def test_broken_rows_stop_all_protocols_at_once(tmp_path: Path) -> None:
    table, replies = write(tmp_path, "scanqa", rows_scanqa.make_rows(6, 1), rows_scanqa)
    (tmp_path / "rows.json").write_text('[{"question_id": "a"}]')
    with pytest.raises(ScoreError, match="row 1 has no question and no answers"):
        score("scanqa", rows=table, predictions=replies, protocol="all")


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("num", [1, 3, 7, 12])
def test_every_figure_is_there_and_no_line_is_too_long(num: int, width: int) -> None:
    names = ["EM", "object_size_estimation", "unique not_in_others acc@0.25", "BLEU-4@0.25", "Place"]
    figures = {
        f"protocol-{k:02}": {name: 10.0 * k + n / 100 for n, name in enumerate([*names, "overall"])}
        | ({f"only {k}": 99.0} if k == 2 else {})
        for k in range(num)
    }
    only = [f"only {k}" for k in range(num) if k == 2]
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    print_side_by_side(console, figures, [names, only, ["overall"]] if only else [names, ["overall"]], {"overall": 5})
    text = stream.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for protocol, values in figures.items():
        assert protocol in text
        assert all(f"{value:.2f}" in text for value in values.values())
    if width == 80 and num == 12:
        assert sum("only 2" in line for line in lines) == 1
        # A block shows only the protocols that have one of its figures, and rows by figure where they are known.
        assert any(line.split()[:2] == ["rows", "5"] for line in lines)
