"""Training itself, on models of a few thousand parameters: what is learnt, what stays, and going on after a stop."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from safetensors.torch import load_file
from training_data import row, save_model, write_rows

from spaceland.errors import TrainingError
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.training.build import open_model
from spaceland.training.collate import Collator, PlannedSamples
from spaceland.training.config import DataConfig, EvalConfig, LoraSettings, ModelConfig, StageConfig, TrainConfig
from spaceland.training.mixture import make_order
from spaceland.training.parts import count_parts, part_of, set_trained
from spaceland.training.run import train
from spaceland.training.sources import open_source

torch.set_num_threads(1)
GRID = {"long_side_cells": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, held-out rows and models of three families."""
    root = tmp_path_factory.mktemp("training")
    write_rows(root / "rows", [row(k) for k in range(12)])
    write_rows(root / "held", [row(k) for k in range(20, 24)])
    save_model(root / "qwen")
    return root


def config(root: Path, **stage: Any) -> TrainConfig:
    settings = {
        "data": (DataConfig(kind="rows", path="rows"),), "train": ("language_model", "merger"), "max_steps": 6,
        "batch": 4, "device_batch": 2, "lr": 3e-3, "warmup": 0.0, "max_tokens": 400, "gradient_checkpointing": False,
    }  # fmt: skip
    model = ModelConfig(vlm=str(root / "qwen"), dtype="float32", grid=GRID)
    return TrainConfig(
        model=model, stages=(StageConfig(**settings | stage),), workers=0, save_every=2, seed=1  # type: ignore[arg-type]
    )  # fmt: skip


def lines(out: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k != "time_s"} for entry in rows]


def test_going_on_is_the_same_to_the_last_bit(data: Path, tmp_path: Path) -> None:
    """A run with evaluation, dropout and random zooms, stopped after any step, ends like one that never stopped."""
    zoomed = DataConfig(kind="rows", path="rows", augment=True)
    whole = replace(
        config(data, data=(zoomed,), train=("language_model",), part_lr={"language_model": 2e-3}),
        eval=EvalConfig(data=(DataConfig(kind="rows", path="held"),), every=3, rows=4, answers=4, max_new_tokens=3),
    )
    whole = replace(whole, model=replace(whole.model, lora=LoraSettings(rank=2, dropout=0.3)))
    train(whole, tmp_path / "a", data_root=data)
    told = lines(tmp_path / "a")
    losses = [entry["loss"] for entry in told if "loss" in entry]
    assert len(losses) == 6 and [e["step"] for e in told if "eval_loss" in e] == [3, 6]
    assert all(0 <= e["eval_score"] <= 100 and e["eval_answers"] == 4 for e in told if "eval_score" in e)
    # What a kill leaves: metrics ahead of the last whole checkpoint, a checkpoint without its mark.
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    stage = tmp_path / "b/1-train"
    (stage / "state.safetensors").unlink()
    shutil.rmtree(tmp_path / "b/model")
    (stage / "checkpoint-6/complete").unlink()
    (stage / "checkpoint-6/optimizer.pt").write_bytes(b"half")
    with (tmp_path / "b/metrics.jsonl").open("a") as file:
        file.write('{"stage": "train", "step": 6, "lo')
    train(whole, tmp_path / "b", data_root=data, resume=True)
    assert lines(tmp_path / "b") == told
    for name in ("1-train/state.safetensors", "model/lora/adapter_model.safetensors"):
        first, second = (load_file(tmp_path / out / name) for out in ("a", "b"))
        assert first.keys() == second.keys() and all(first[k].equal(second[k]) for k in first)
    # A finished run that is told to go on has nothing to do.
    before = (tmp_path / "b/1-train/state.safetensors").stat().st_mtime_ns
    assert train(whole, tmp_path / "b", data_root=data, resume=True).steps == 6
    assert (tmp_path / "b/1-train/state.safetensors").stat().st_mtime_ns == before
    # A run of an older version lacks settings that came later.
    told_then = json.loads((tmp_path / "b/config.json").read_text())
    del told_then["config"]["model"]["rotation"]
    (tmp_path / "b/config.json").write_text(json.dumps(told_then))
    # What changes nothing that is learnt may change; other settings or data are refused, with the difference.
    assert train(replace(whole, workers=1, max_broken=0.2), tmp_path / "b", data_root=data, resume=True).steps == 6
    with pytest.raises(TrainingError, match=r"stages\[0\].lr: 0.003 became 0.1"):
        train(replace(whole, stages=(replace(whole.stages[0], lr=0.1),)), tmp_path / "b", data_root=data, resume=True)
    with pytest.raises(TrainingError, match="add --resume"):
        train(whole, tmp_path / "b", data_root=data)
    with pytest.raises(TrainingError, match="max_steps: None became 3"):
        train(whole, tmp_path / "b", data_root=data, resume=True, max_steps=3)
    shutil.copytree(data / "rows", tmp_path / "data/rows")
    shutil.copytree(data / "held", tmp_path / "data/held")
    (tmp_path / "data/rows/images/room/3.png").unlink()
    with pytest.raises(TrainingError, match="data are not those"):
        train(whole, tmp_path / "b", data_root=tmp_path / "data", resume=True)


def test_loss_is_the_mean_over_learnt_tokens_of_the_whole_batch(data: Path, tmp_path: Path) -> None:
    """Accumulated batches, logits where they are needed: the first loss is what a plain forward pass gives."""
    run = config(data, max_steps=1)
    train(run, tmp_path / "a", data_root=data)
    stage = run.stages[0]
    source = open_source(stage.data[0], data)
    order = make_order([source], stage, run.seed, 3)
    samples = PlannedSamples([source], order, seed="")
    model = open_model(run.model, seed=1, tiny_folder=tmp_path)
    batch = Collator.of(model.processor)([samples[k] for k in range(4)])
    batch.pop("skipped")
    with torch.no_grad():
        plain = float(model(**batch).loss)
    assert lines(tmp_path / "a")[0]["loss"] == pytest.approx(plain, rel=1e-5)


def test_only_named_parts_move_and_loss_falls(data: Path, tmp_path: Path) -> None:
    run = config(data, max_steps=16, lr=2e-2, train=("merger", "language_model"))
    before = {n: p.clone() for n, p in open_model(run.model, seed=1, tiny_folder=tmp_path).named_parameters()}
    train(replace(run, save_every=100), tmp_path / "a", data_root=data)
    losses = [entry["loss"] for entry in lines(tmp_path / "a") if "loss" in entry]
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
    model = GeometryVLM.from_pretrained(tmp_path / "a/model")
    moved = {part_of(n) for n, p in model.named_parameters() if not p.equal(before[n])}
    assert moved == {"merger", "language_model"}


def test_stages_follow_each_other_and_stop_between_them(data: Path, tmp_path: Path) -> None:
    first = config(data, max_steps=2, name="first", train=("merger",)).stages[0]
    second = config(data, max_steps=3, name="second", train=("language_model",)).stages[0]
    run = replace(config(data), stages=(first, second))
    train(run, tmp_path / "a", data_root=data)
    told = lines(tmp_path / "a")
    assert [(e["stage"], e["step"]) for e in told] == [("first", 1), ("first", 2)] + [("second", k) for k in (3, 4, 5)]
    last = load_file(tmp_path / "a/2-second/state.safetensors")
    merger = load_file(tmp_path / "a/1-first/state.safetensors")
    assert {part_of(n) for n in merger} == {"merger"} and {part_of(n) for n in last} == {"merger", "language_model"}
    assert all(last[n].equal(merger[n]) for n in merger)
    # Stopped between the stages: the second begins with what the first left.
    shutil.copytree(tmp_path / "a", tmp_path / "b", ignore=shutil.ignore_patterns("2-second", "model"))
    train(run, tmp_path / "b", data_root=data, resume=True)
    assert lines(tmp_path / "b") == told
    again = load_file(tmp_path / "b/2-second/state.safetensors")
    assert all(last[n].equal(again[n]) for n in last)


def test_adapter_alone_learns_beside_a_frozen_encoder(data: Path, tmp_path: Path) -> None:
    run = config(data, train=("adapter",), max_steps=4, gradient_checkpointing=True)
    run = replace(run, model=replace(run.model, encoder="random:da3-small", adapter={"merger_dim": 8}))
    # A small encoder of the real architecture would still be 22 M; its control says nothing and costs nothing.
    run = replace(run, model=replace(run.model, encoder="zeros:da3-small"))
    train(run, tmp_path / "a", data_root=data)
    state = load_file(tmp_path / "a/1-train/state.safetensors")
    assert state and all(name.startswith("adapter.") for name in state)
    assert {p.name for p in (tmp_path / "a/model").iterdir()} == {"adapter.safetensors", "geometry_vlm.json"}
    loaded = GeometryVLM.from_pretrained(tmp_path / "a/model")
    assert loaded.encoder is not None and loaded.encoder.spec.name.startswith("zeros:")
    values = dict(loaded.named_parameters())
    assert all(values[name].equal(state[name]) for name in state)


def test_broken_samples_are_named_and_too_many_stop_the_run(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "rows", tmp_path / "rows")
    for k in (2, 5):
        path = tmp_path / f"rows/images/room/{k}.png"
        path.write_bytes(path.read_bytes()[:50])
    run = replace(config(data), max_broken=0.5, workers=0)
    result = train(run, tmp_path / "a", data_root=tmp_path)
    skipped = [json.loads(line) for line in (tmp_path / "a/skipped.jsonl").read_text().splitlines()]
    assert result.broken == len(skipped) == 4  # two epochs of twelve
    assert {entry["id"] for entry in skipped} == {"rows:r2", "rows:r5"}
    with pytest.raises(TrainingError, match=r"2 samples were broken, more than the 1"):
        train(replace(run, max_broken=0.05), tmp_path / "c", data_root=tmp_path)


@pytest.mark.heavy
def test_workers_and_their_timing_decide_nothing(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "rows", tmp_path / "rows")
    path = tmp_path / "rows/images/room/2.png"
    path.write_bytes(path.read_bytes()[:50])
    run = replace(config(data), max_broken=0.5)
    for workers, out in ((0, "a"), (2, "b")):
        train(replace(run, workers=workers), tmp_path / out, data_root=tmp_path)
    assert lines(tmp_path / "a") == lines(tmp_path / "b")
    assert (tmp_path / "a/skipped.jsonl").read_text() == (tmp_path / "b/skipped.jsonl").read_text() != ""


def test_parts_and_lora_leave_the_tower_alone(data: Path) -> None:
    model = open_model(
        ModelConfig(vlm=str(data / "qwen"), dtype="float32", grid=GRID, lora=LoraSettings(rank=2)),
        seed=0, tiny_folder=data,
    )  # fmt: skip
    set_trained(model, ("language_model",))
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    # Seven layers of each of two blocks, two factors each; none in the vision tower, whose layers share the names.
    assert len(trained) == 2 * 7 * 2 and all(".lora_" in n and ".language_model." in n for n in trained)
    counts = count_parts(model.named_parameters())
    assert counts["vision_tower"][1] == 0 < counts["vision_tower"][0] and counts["adapter"] == (0, 0)
    with pytest.raises(TrainingError, match="no adapter to train"):
        set_trained(model, ("adapter",))


def test_batches_that_cannot_be_divided_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="a batch of 4 cannot be divided"):
        train(config(data, device_batch=3), tmp_path / "a", data_root=data)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="no run of ours"):
        train(config(data), tmp_path / "b", data_root=data)


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen3_vl", "internvl"])
def test_other_families_train_plain_and_with_geometry(kind: str, data: Path, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", kind)
    for encoder, train_parts in (("none", ("language_model",)), ("zeros:da3-small", ("language_model", "adapter"))):
        run = config(data, max_steps=10, lr=1e-2, train=train_parts, gradient_checkpointing=True)
        adapter = {} if encoder == "none" else {"merger_dim": 8}
        run = replace(run, model=ModelConfig(vlm=str(folder), dtype="float32", encoder=encoder, adapter=adapter,
                                             grid=GRID if kind != "internvl" else {}))  # fmt: skip
        out = tmp_path / encoder.partition(":")[0]
        train(run, out, data_root=data)
        losses = [entry["loss"] for entry in lines(out)]
        assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


@pytest.mark.heavy
def test_bfloat16_keeps_trained_parts_in_float32(data: Path, tmp_path: Path) -> None:
    run = config(data, max_steps=12, lr=1e-2)
    run = replace(run, model=replace(run.model, dtype="bfloat16"))
    train(run, tmp_path / "a", data_root=data)
    state = load_file(tmp_path / "a/1-train/state.safetensors")
    assert all(value.dtype == torch.float32 for value in state.values())
    model = GeometryVLM.from_pretrained(tmp_path / "a/model")
    assert {p.dtype for p in model.vlm.parameters()} == {torch.bfloat16}
    losses = [entry["loss"] for entry in lines(tmp_path / "a")]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
