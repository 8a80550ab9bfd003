"""Runs that begin with a whole model: a saved one, a checkpoint of VG LLM, and a control in its encoder's place."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import torch
from tiny_models import TinyEncoder, chat, tiny_model, wake
from training_data import row, save_model, write_rows
from vgllm_writer import VGGT, tiny_vggt, write_vgllm

from spaceland.errors import ChatError, EncoderError, TrainingError
from spaceland.models.adapter import AdapterConfig
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.sources import Sources
from spaceland.training.build import open_model
from spaceland.training.config import DataConfig, LoraSettings, ModelConfig, StageConfig, TrainConfig
from spaceland.training.memory import shape_of
from spaceland.training.parts import count_parts, part_of, set_trained
from spaceland.training.run import train
from spaceland.training.start import named_parts

torch.set_num_threads(1)


def saved(folder: Path, *, lora: bool = False) -> Path:
    """A model with DA3-Small's adapter at two of its layers, and zeros as its encoder."""
    start = ModelConfig(
        vlm=str(save_model(folder / "base")), encoder="zeros:da3-small", dtype="float32", grid={"long_side_cells": 2},
        adapter={"merger_dim": 8, "layers": [5, 11], "rays": True}, rotation="ZXY",
        lora=LoraSettings(rank=3) if lora else None,
    )  # fmt: skip
    open_model(start, seed=5, tiny_folder=folder).save_pretrained(folder / "saved")
    return folder / "saved"


@pytest.mark.parametrize("lora", [False, True])
def test_a_saved_model_brings_its_parts(tmp_path: Path, lora: bool) -> None:
    folder = saved(tmp_path, lora=lora)
    said = json.loads((folder / "geometry_vlm.json").read_text())
    assert said["encoder"]["seed"] == 5 and said["rotation"] == "ZXY"
    config = ModelConfig(vlm=str(folder))
    model = open_model(config, seed=0, tiny_folder=tmp_path)
    assert model.adapter is not None and model.adapter.layers == (5, 11) and model.processor.rays
    assert model.encoder is not None and {b.dtype for b in model.encoder.buffers()} <= {torch.bfloat16}  # type: ignore[attr-defined]
    assert model.sources.encoder_seed == 5 and model.sources.rotation == "ZXY"
    # Another encoder in its place is opened with the layers that the adapter takes, and the model says so.
    control = open_model(replace(config, encoder="random:da3-small"), seed=9, tiny_folder=tmp_path)
    assert (control.sources.encoder, control.sources.encoder_seed) == ("random:da3-small", 9)
    with torch.no_grad():
        control(**control.processor([chat(1)], add_generation_prompt=False))
    # Memory is estimated for the same parameters, without opening it.
    stage = StageConfig(data=(), train=("language_model", "adapter"))
    set_trained(model, stage.train)
    assert shape_of(named_parts(config), stage).counts == count_parts(model.named_parameters())
    assert named_parts(config).encoder == "zeros:da3-small"
    assert named_parts(ModelConfig(vlm="some/model")).encoder == "none"
    with pytest.raises(TrainingError, match="needs an encoder; for a run without"):
        open_model(replace(config, encoder="none"), seed=0, tiny_folder=tmp_path)
    (folder / "geometry_vlm.json").write_text('{"encoder": 3}')
    with pytest.raises(TrainingError, match="cannot be read"):
        named_parts(config)


def test_a_saved_plain_model_stays_plain(tmp_path: Path) -> None:
    plain = ModelConfig(vlm=str(save_model(tmp_path / "base")), dtype="float32", grid={"long_side_cells": 2})
    open_model(plain, seed=0, tiny_folder=tmp_path).save_pretrained(tmp_path / "saved")
    whole = ModelConfig(vlm=str(tmp_path / "saved"), dtype="float32")
    for encoder in ("own", "none"):
        assert open_model(replace(whole, encoder=encoder), seed=0, tiny_folder=tmp_path).adapter is None
    with pytest.raises(TrainingError, match="has no adapter for an encoder"):
        open_model(replace(whole, encoder="zeros:da3-small"), seed=0, tiny_folder=tmp_path)
    with pytest.raises(EncoderError, match="without an encoder"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder="zeros:da3-small")


@pytest.mark.parametrize("generation", ["v2", pytest.param("v1", marks=pytest.mark.heavy)])
def test_a_run_begins_with_a_checkpoint_of_vg_llm(tmp_path: Path, generation: Any) -> None:
    write_vgllm(tmp_path / "released", generation)
    write_rows(tmp_path / "rows", [row(k) for k in range(4)])
    rows = (DataConfig(kind="rows", path="rows"),)
    stage = StageConfig(
        data=rows, train=("adapter",), max_steps=2, batch=2, device_batch=2, lr=1e-2, gradient_checkpointing=False
    )
    model = ModelConfig(vlm=f"vgllm:{tmp_path / 'released'}", dtype="float32")
    # Without help the encoder inside is VGGT-1B; this one is smaller, so it is given.
    run = TrainConfig(model=model, stages=(stage,), workers=0, save_every=2)
    train(run, tmp_path / "run", data_root=tmp_path, encoder=tiny_vggt())
    begun = GeometryVLM.from_vgllm(tmp_path / "released", encoder_config=VGGT)
    after = GeometryVLM.from_pretrained(tmp_path / "run/model", encoder=tiny_vggt())
    assert after.processor.grid == begun.processor.grid and after.sources.rotation == begun.sources.rotation
    assert after.sources.encoder == f"vgllm:{tmp_path / 'released'}"
    before = dict(begun.named_parameters())
    moved = {part_of(name) for name, p in after.named_parameters() if not p.equal(before[name])}
    assert moved == {"adapter"}
    counted = shape_of(replace(named_parts(model), encoder="none", adapter={}), replace(stage, train=("merger",)))
    plain = {part: numbers[0] for part, numbers in count_parts(begun.named_parameters()).items()}
    assert {p: n for p, (n, _) in counted.counts.items()} == {**plain, "adapter": 0}
    assert named_parts(model).adapter == {"merger": "mlp", "merger_dim": 20} and named_parts(model).encoder == "vggt"


def test_features_of_the_encoder_inside_a_checkpoint_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spaceland.models.encoders.feature_cache import CachedEncoder
    from spaceland.models.vgllm_checkpoints import open_vgllm_encoder

    monkeypatch.setattr("spaceland.training.start.open_vgllm_encoder", partial(open_vgllm_encoder, config=VGGT))
    write_vgllm(tmp_path / "released", "v2")
    config = ModelConfig(vlm=f"vgllm:{tmp_path / 'released'}", dtype="float32", cache_features=True)
    model = open_model(config, seed=0, tiny_folder=tmp_path)
    assert isinstance(model.encoder, CachedEncoder)
    plain = GeometryVLM.from_vgllm(tmp_path / "released", encoder_config=VGGT)
    batch = plain.processor([chat(1, size=(120, 90))], add_generation_prompt=False)
    with torch.no_grad():
        for _ in range(2):  # the second time they come from the disk
            assert torch.equal(model(**batch).logits, plain(**batch).logits)


def test_a_save_that_stops_halfway_leaves_no_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Sources(base="some/model", encoder="none")
    model = tiny_model(encoder=TinyEncoder(), config=AdapterConfig(merger_dim=12), sources=home)
    model.save_pretrained(tmp_path / "m")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spaceland.models.saved.write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        wake(model).save_pretrained(tmp_path / "m")
    with pytest.raises(ChatError, match=r"holds no geometry_vlm\.json"):
        GeometryVLM.from_pretrained(tmp_path / "m")


def test_attention_and_pickled_weights(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model")
    plain = ModelConfig(vlm=str(folder), dtype="float32", attention="eager", grid={"long_side_cells": 2})
    model = open_model(plain, seed=0, tiny_folder=tmp_path)
    assert model.config._attn_implementation == "eager" and model.encoder is None
    for table, said in (({"grid": {"cells": 3}}, "grid: unexpected .*'cells'"), ({"adapter": {"fuse": 1}}, "'fuse'")):
        with pytest.raises(TrainingError, match=said):
            open_model(replace(plain, **table), seed=0, tiny_folder=tmp_path)
    torch.save(model.base.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ChatError, match="safetensors"):
        open_model(plain, seed=0, tiny_folder=tmp_path)
