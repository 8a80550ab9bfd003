"""The verb `train`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from training_data import row, save_model, write_rows

from spaceland.cli import run
from spaceland.training.config import TinySettings

torch.set_num_threads(1)
OWN = """
workers = 0
save_every = 2
[model]
vlm = "MODEL"
dtype = "float32"
grid = { long_side_cells = 2 }
[[stages]]
train = ["language_model"]
batch = 4
device_batch = 4
max_tokens = 400
gradient_checkpointing = false
[[stages.data]]
kind = "rows"
path = "rows"
"""


def test_dry_run_then_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = [row(k) for k in range(8)]
    rows[3]["answer"] = ""
    write_rows(tmp_path / "rows", rows)
    config = tmp_path / "own.toml"
    config.write_text(OWN.replace("MODEL", str(save_model(tmp_path / "model"))))
    where = [str(config), "--data", str(tmp_path)]
    assert run(["train", *where, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "no row of ours (1)" in said and "2 steps of 4 samples" in said and "GB on one device" in said
    assert run(["train", *where]) == 2 and "--out names the folder" in capsys.readouterr().err
    out = ["--out", str(tmp_path / "run")]
    # A slip in --data leaves nothing that would stand in the way.
    assert run(["train", str(config), "--data", str(tmp_path / "date"), *out]) == 2
    assert run(["train", *where, *out, "--max-steps", "0"]) == 2
    assert "--max-steps is 0" in capsys.readouterr().err
    assert run(["train", *where, *out, "--max-steps", "3"]) == 0
    assert "3 steps, last loss" in capsys.readouterr().out
    told = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in told] == [1, 2, 3]
    assert set(told[0]) == {"stage", "step", "loss", "grad_norm", "lr", "tokens", "time_s"}
    assert told[2]["tokens"] > told[1]["tokens"] > 0 and told[0]["lr"] == 1e-5
    assert run(["train", *where, *out, "--set", "seed=2", "--max-steps", "3", "--resume"]) == 2
    assert "seed: 0 became 2" in capsys.readouterr().err
    assert run(["train", "tyni", *out]) == 2 and "presets are" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--encoder", "nosense"), "there is no encoder 'nosense'"),
        (("--encoder", "vggt:/no/such/folder"), "there is no folder or file /no/such/folder"),
        (("--set", "model.adapter.fusion=magic"), "'magic' is no fusion"),
        (("--set", "model.encoder=zeros:vggt", "model.adapter.layers=[99]"), "not [99]"),
        (("--set", "model.grid.foo=1"), "unexpected keyword argument 'foo'"),
        (("--set", "model.lora.rank=0"), "no LoRA weights can be added"),
        (("--set", "stages.0.lr=-1"), "learning rates must be above 0"),
        (("--set", "stages.0.weight_decay=-1"), "weight_decay and max_grad_norm cannot be below 0"),
        (("--set", "workers=-1"), "workers is a number of processes"),
        (("--max-steps", "0"), "--max-steps is 0"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(
    more: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    from spaceland.training import plan
    from spaceland.training import run as training

    def work(*_: object) -> None:
        raise AssertionError("rooms were generated")

    monkeypatch.setattr(plan, "make_rooms", work)
    monkeypatch.setattr(training, "make_rooms", work)
    assert run(["train", "tiny", "--dry-run", *more]) == 2 and words in capsys.readouterr().err
    assert run(["train", "tiny", "--out", str(tmp_path / "run"), *more]) == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_trackers_and_optimizers_are_those_of_transformers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from spaceland.training import stage
    from spaceland.training.config_file import read_config
    from spaceland.training.plan import plan_run

    write_rows(tmp_path / "rows", [row(k) for k in range(4)])
    config = tmp_path / "own.toml"
    config.write_text(OWN.replace("MODEL", str(save_model(tmp_path / "model"))))
    read = read_config(str(config), ['report_to=["trackio", "tensorboard"]', "stages.0.optimizer=adafactor"])
    (planned,) = plan_run(read, tmp_path, tmp_path, 1).stages
    arguments = stage._arguments(read, planned, tmp_path / "1-train", False)
    assert arguments.report_to == ["trackio", "tensorboard"] and arguments.optim == "adafactor"
    # What is not installed or not known is one line, not a stack of calls.
    monkeypatch.setattr("transformers.integrations.integration_utils.is_trackio_available", lambda: False)
    for change, said in (("report_to=['trackio']", "pip install trackio"), ("report_to=['trackyo']", "trackyo"),
                         ("stages.0.optimizer=adamm", "adamm")):  # fmt: skip
        out = tmp_path / said.replace(" ", "")
        words = ["train", str(config), "--data", str(tmp_path), "--out", str(out), "--set", change]
        assert run(words) == 2
        told = capsys.readouterr().err
        assert said in told and "Traceback" not in told


def test_a_tiny_model_is_made_of_its_own_texts(tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    from spaceland.training.tiny_model import CONTROL, build_tiny

    texts = [f"How many chairs are there? {k}" for k in range(30)]
    small = TinySettings(hidden=64, layers=1, vision_hidden=32, vision_layers=1, vocabulary=320)
    for name in ("a", "b"):
        build_tiny(tmp_path / name, texts if name == "a" else texts[::-1], small, seed=3)
    words = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert len(words) <= 320 and [words.convert_tokens_to_ids(t) for t in CONTROL] == list(range(7))
    # Digits stay apart, anything can be written, and the same texts and seed give the same files.
    ids = words("There are 1234 chairs: öß漢")["input_ids"]
    assert words.decode(ids) == "There are 1234 chairs: öß漢"
    assert [words.decode([k]) for k in words("1234")["input_ids"]] == ["1", "2", "3", "4"]
    assert (tmp_path / "a/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()
    first, second = (AutoModelForImageTextToText.from_pretrained(tmp_path / name) for name in "ab")
    assert all(p.equal(q) for p, q in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.heavy
def test_the_tiny_preset_runs_from_nothing(tmp_path: Path) -> None:
    smaller = [
        'stages.0.data.0.path="1"', "stages.0.data.0.per_scene=2", 'eval.data.0.path="101"', "eval.data.0.per_scene=2",
        "eval.rows=4", "eval.answers=4", "eval.every=2",
    ]  # fmt: skip
    words = ["train", "tiny", "--out", str(tmp_path / "run"), "--max-steps", "3", "--set", *smaller]
    assert run([*words, "--report-to", "tensorboard"]) == 0
    told = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert {"loss", "eval_loss", "eval_score"} <= {key for entry in told for key in entry}
    assert list((tmp_path / "run").glob("1-rooms/**/events.out.tfevents.*"))
    assert (tmp_path / "run/model/base/config.json").is_file()
