"""The run's folder: nothing is lost, nothing is torn, and another configuration is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spaceland.errors import OutputError, SceneError
from spaceland.evaluation.store import PredictionStore, check_config, config_difference, read_records


def record(name: str, text: str = "A", prompt: str = "p") -> dict[str, str]:
    return {"id": name, "prompt_sha256": prompt, "prediction": text}


@pytest.mark.parametrize("cut", [1, 5, 30, 60])
def test_a_torn_line_is_cut_off_and_nothing_else(tmp_path: Path, cut: int) -> None:
    with PredictionStore(tmp_path) as store:
        store.append([record("a"), record("b", "\u4e16\ud800\n\r\u2028x")])
        store.append([record("c", "y" * 40)])
    data = store.path.read_bytes()
    store.path.write_bytes(data[:-cut])
    with PredictionStore(tmp_path) as again:
        assert list(again.records) == ["a", "b"]
        assert again.records["b"]["prediction"] == "\u4e16\ud800\n\r\u2028x"
        again.append([record("c", "new")])
    assert [one["id"] for one in read_records(store.path)] == ["a", "b", "c"]


def test_only_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text('{"id": "a", "predic')
    with PredictionStore(tmp_path) as store:
        assert not store.records and store.path.read_bytes() == b""


def test_the_last_line_of_a_row_counts(tmp_path: Path) -> None:
    with PredictionStore(tmp_path) as store:
        store.append([record("a", "old"), record("a", "new", "q")])
    with PredictionStore(tmp_path) as store:
        assert store.records["a"] == record("a", "new", "q")


def test_two_runs_at_a_time_are_refused(tmp_path: Path) -> None:
    with (
        PredictionStore(tmp_path),
        pytest.raises(OutputError, match="another run is writing"),
        PredictionStore(tmp_path),
    ):
        pass
    with PredictionStore(tmp_path) as store:
        store.append([record("a")])


@pytest.mark.parametrize("line", ["no json", "[1]", '{"id": "a"}', '{"id": 1, "prompt_sha256": "", "prediction": ""}'])
def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps(record("a"))
    (tmp_path / "predictions.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(SceneError, match="line 2"), PredictionStore(tmp_path):
        pass


def test_differences_are_shown(tmp_path: Path) -> None:
    config = {"model": "a", "frames": {"num": 32, "rule": "x"}, "seed": 0}
    check_config(tmp_path, config)
    check_config(tmp_path, dict(reversed(config.items())))
    with pytest.raises(OutputError) as error:
        check_config(tmp_path, {**config, "frames": {"num": 16, "rule": "x"}, "model": "b"})
    assert "frames.num: 32 there, 16 now" in str(error.value)
    assert 'model: "a" there, "b" now' in str(error.value)
    assert "rule" not in str(error.value)
    assert list(config_difference({"a": None}, {})) == []
