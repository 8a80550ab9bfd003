"""Files around a score: odd predictions, targets that are folders, splits that file names tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from released_layouts import lay_out

from spaceland.benchmarks.predictions import read_predictions, read_table
from spaceland.benchmarks.released import open_rows
from spaceland.benchmarks.released.tables import read_rows_files
from spaceland.cli import run
from spaceland.errors import SceneError

ROW = {
    "id": 1,
    "question_type": "object_counting",
    "question": "?",
    "ground_truth": "4",
    "dataset": "d",
    "scene_name": "s",
}
MARK = b"\xef\xbb\xbf"


def _written(folder: Path, prediction: str = '"4"') -> list[str]:
    (folder / "rows.jsonl").write_text(json.dumps(ROW))
    (folder / "replies.jsonl").write_text(f'{{"id": 1, "prediction": {prediction}}}\n')
    return ["score", "vsibench", "--rows", str(folder / "rows.jsonl"), "--predictions", str(folder / "replies.jsonl")]


@pytest.mark.parametrize("name", ["replies.jsonl", "replies.json"])
def test_a_number_of_too_many_digits_is_a_broken_line(name: str, tmp_path: Path) -> None:
    line = f'{{"id": 1, "prediction": {"9" * 5000}}}'
    path = tmp_path / name
    path.write_text(line if name.endswith("l") else f"[{line}]")
    with pytest.raises(SceneError, match=rf"{name}.*: a number with too many digits; write it between quotes"):
        read_predictions(path)
    with pytest.raises(SceneError, match="a number with too many digits"):
        read_rows_files([path])


def test_commands_name_the_number_and_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = _written(tmp_path, "9" * 5000)
    assert run(command) == 2
    assert "replies.jsonl, line 1: a number with too many digits" in " ".join(capsys.readouterr().err.split())
    assert run(["rescore", command[-1], "--benchmark", "vsibench", "--rows", command[3]]) == 2
    assert "replies.jsonl, line 1: a number with too many digits" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "text", ['{"id": 1, "prediction": "4"}\n{"id": 2, "prediction": "B"}', '[{"id": 1, "prediction": "4"}]']
)
def test_a_byte_order_mark_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "replies.jsonl").write_bytes(MARK + text.encode())
    assert read_predictions(tmp_path / "replies.jsonl")["1"] == "4"


def test_broken_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for text, problem in (
        ('{"id": 1}\n\n{"id"', "line 3: not valid JSON"), ("7", "line 1: a row must be a JSON object, found int"),
        ('{"a": ' + "[" * 100_000, "line 1: not valid JSON"), ("{\"a\": \"\xff\"}", "line 1: not UTF-8"),
    ):  # fmt: skip
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(SceneError, match=problem):
            read_table(path)


def test_a_folder_as_target_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = _written(tmp_path)
    for line in (
        [*command, "--json", "."],
        ["rescore", command[-1], "--benchmark", "vsibench", "--rows", command[3], "--json", "."],
        ["compare", "a.json", "--json", "."],
    ):
        assert run(line) == 2
        shown = capsys.readouterr()
        assert "--json takes a file to write, and . is a folder" in " ".join(shown.err.split())
        assert "overall" not in shown.out


def test_splits_of_sqa3d_are_named_by_the_files(
    rows_of: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "sqa_task", tmp_path / "out.json"
    lay_out("sqa3d", rows_of("sqa3d").make_rows(6, 5), folder)
    files = [
        str(folder / f"balanced/v1_balanced_{part}_test_scannetv2.json") for part in ("questions", "sqa_annotations")
    ]
    for rows, split in (
        ([str(folder)], "test"), ([f"{folder}#test"], "test"), (files, "test"), ([f"{folder}#val"], "val"),
    ):  # fmt: skip
        opened = open_rows("sqa3d", rows).rows
        assert {row["split"] for row in opened} == {split}
        (tmp_path / "replies.json").write_text(
            json.dumps([{"id": row["question_id"], "prediction": row["answers"][0]["answer"]} for row in opened])
        )
        command = [
            "score",
            "sqa3d",
            "--rows",
            *rows,
            "--predictions",
            str(tmp_path / "replies.json"),
            "--json",
            str(out),
        ]
        for more in ([], ["--subset", split]):
            assert run([*command, *more]) == 0
            assert json.loads(out.read_text())["groups"][f"EM/{split}"] == 100
    capsys.readouterr()
    with pytest.raises(SceneError, match="are of different splits"):
        open_rows("sqa3d", [files[0], files[1].replace("_test_", "_val_")])


def test_every_option_of_score_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["score", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "Other names of fields as OURS=THEIRS" in shown
