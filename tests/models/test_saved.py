"""Saved and opened again: equal logits, frozen weights stay where they are, broken folders are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_models import TinyEncoder, chat, tiny_model, wake

from spaceland.errors import ChatError, EncoderError
from spaceland.models.adapter import AdapterConfig
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.saved import ADAPTER, BASE, LORA
from spaceland.models.sources import CONFIG, Sources


def logits(model: GeometryVLM) -> Any:
    with torch.no_grad():
        return model(**model.processor([chat(2)], add_generation_prompt=True)).logits


def base_folder(folder: Path, kind: str = "qwen2_5_vl") -> Path:
    """A plain model of transformers on disk, as it would come from the hub."""
    tiny_model(kind, None, plain=True).save_pretrained(folder / "made")
    return folder / "made" / BASE


def with_lora(model: GeometryVLM) -> GeometryVLM:
    from peft import LoraConfig

    torch.manual_seed(6)
    model.add_lora(LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    return model.eval()


CONFIGS = {
    "qwen2_5_vl": AdapterConfig(merger_dim=24, fusion="gated", camera_token=True, rays=True, ray_dim=8),
    "qwen3_vl": AdapterConfig(merger_dim=24, fusion="deepstack", layers=(2, 0)),
    "internvl": AdapterConfig(merger_dim=24, merger="avg", fusion="cross_attention", mask_probability=0.5),
}


@pytest.mark.parametrize("kind", list(CONFIGS))
@pytest.mark.parametrize("lora", [False, True])
def test_the_same_logits_from_adapter_lora_and_the_name_of_the_base(kind: str, lora: bool, tmp_path: Path) -> None:
    base = base_folder(tmp_path, kind)
    model = wake(tiny_model(kind, CONFIGS[kind], sources=Sources(base=str(base), rotation="zxy"), max_clip_tokens=40))
    if lora:
        with_lora(model)
    expected = logits(model)
    model.save_pretrained(tmp_path / "saved")
    names = {p.name for p in (tmp_path / "saved").iterdir()}
    assert names == {CONFIG, ADAPTER} | ({LORA} if lora else set())
    size = sum(p.stat().st_size for p in (tmp_path / "saved").rglob("*.safetensors"))
    assert size < sum(p.numel() * 4 for p in model.parameters()) / 3
    opened = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())
    assert torch.equal(logits(opened), expected) and not opened.training
    assert opened.sources.rotation == "zxy" and opened.processor.grid == model.processor.grid
    assert opened.adapter.config == model.adapter.config  # type: ignore[union-attr]
    # And once more, from what was opened.
    opened.save_pretrained(tmp_path / "again")
    again = GeometryVLM.from_pretrained(tmp_path / "again", encoder=TinyEncoder(), dtype=torch.float32)
    assert torch.equal(logits(again), expected)
    # The base may lie elsewhere meanwhile.
    base.rename(tmp_path / "moved")
    moved = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder(), base=str(tmp_path / "moved"))
    assert torch.equal(logits(moved), expected)
    with pytest.raises(ChatError, match="cannot load the model"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())
    # No folder, and with so many parts no name on the hub either.
    with pytest.raises(ChatError, match="cannot load the model 'out/first/model'"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder(), base="out/first/model")


def test_a_trained_base_is_kept_with_it(tmp_path: Path) -> None:
    base = base_folder(tmp_path)
    model = wake(tiny_model(sources=Sources(base=str(base))))
    model.base.model.language_model.requires_grad_(True)
    with torch.no_grad():
        model.base.model.language_model.norm.weight.mul_(1.5)
    with_lora(model)
    for parameter in model.base.model.language_model.norm.parameters():
        parameter.requires_grad_(True)
    expected = logits(model)
    model.save_pretrained(tmp_path / "saved")
    assert {p.name for p in (tmp_path / "saved").iterdir()} == {CONFIG, ADAPTER, LORA, BASE}
    opened = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())
    assert torch.equal(logits(opened), expected)
    assert opened.sources.own_base_weights and opened.sources.base == str(base)
    assert not any(p.requires_grad for _, p in opened.vlm.named_parameters())
    # Saved again, the weights go with it, though none is trained now.
    opened.save_pretrained(tmp_path / "again")
    assert torch.equal(logits(GeometryVLM.from_pretrained(tmp_path / "again", encoder=TinyEncoder())), expected)
    trained = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder(), trainable=True)
    assert any("lora_A" in n for n, _ in trained.trained_parameters())


def test_a_plain_model_needs_nothing_but_its_name(tmp_path: Path) -> None:
    base = base_folder(tmp_path)
    model = GeometryVLM.from_pretrained(tmp_path / "made")
    model.sources = Sources(base=str(base))
    model.save_pretrained(tmp_path / "saved")
    assert [p.name for p in (tmp_path / "saved").iterdir()] == [CONFIG]
    opened = GeometryVLM.from_pretrained(tmp_path / "saved")
    assert opened.encoder is None and torch.equal(logits(opened), logits(model))


def test_encoders_are_opened_by_their_text(tmp_path: Path) -> None:
    """A small VGGT on disk; then the control with zeros in its place."""
    from vgllm_writer import tiny_vggt

    from spaceland.models.encoders.open_encoder import open_encoder
    from spaceland.models.encoders.vggt import save_vggt

    save_vggt(tiny_vggt(), tmp_path / "vggt")
    text = f"vggt:{tmp_path / 'vggt'}"
    model = wake(
        tiny_model(
            encoder=open_encoder(text, reference_frame="last"), sources=Sources(encoder=text, reference_frame="last")
        )  # type: ignore[arg-type]
    )
    expected = logits(model)
    model.save_pretrained(tmp_path / "saved")
    opened = GeometryVLM.from_pretrained(tmp_path / "saved")
    assert torch.equal(logits(opened), expected)
    control = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=f"zeros:{text}")
    assert control.encoder.spec.name.startswith("zeros:")  # type: ignore[union-attr]
    assert not torch.equal(logits(control), expected)
    with pytest.raises(EncoderError, match="for a model without geometry use the control zeros"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder="none")
    with pytest.raises(EncoderError, match="not for tiny with 12 channels"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())


def test_broken_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ChatError, match=r"holds no geometry_vlm\.json"):
        GeometryVLM.from_pretrained(tmp_path)
    tiny_model().save_pretrained(tmp_path / "saved")
    said = json.loads((tmp_path / "saved" / CONFIG).read_text())
    with pytest.raises(EncoderError, match=r"encoder of your own \(tiny\)"):
        GeometryVLM.from_pretrained(tmp_path / "saved")

    def refused(says: str, **changes: Any) -> None:
        (tmp_path / "saved" / CONFIG).write_text(json.dumps({**said, **changes}))
        with pytest.raises(ChatError, match=says):
            GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())

    refused("format 7", format=7)
    refused("not as it was written", adapter={"width": 3})
    refused("not as it was written", grid={"sizes": 3})
    refused("adapter in", adapter={**said["adapter"], "merger_dim": 30})
    (tmp_path / "saved" / CONFIG).write_text(json.dumps(said))
    whole = (tmp_path / "saved" / ADAPTER).read_bytes()
    (tmp_path / "saved" / ADAPTER).write_bytes(whole[:-40])
    with pytest.raises(ChatError, match="cannot be loaded"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())
    (tmp_path / "saved" / ADAPTER).write_bytes(whole)
    # A base that lacks tensors would be filled with random numbers by transformers.
    from safetensors.torch import load_file, save_file

    weights = load_file(tmp_path / "saved" / BASE / "model.safetensors")
    weights.pop(next(name for name in weights if "layers.1.mlp" in name))
    save_file(weights, tmp_path / "saved" / BASE / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ChatError, match="lacks 1 tensors"):
        GeometryVLM.from_pretrained(tmp_path / "saved", encoder=TinyEncoder())
