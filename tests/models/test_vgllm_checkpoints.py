"""Checkpoints in the layout of the released VG-LLM models, against the same parts put together by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_models import TinyEncoder, chat
from vgllm_writer import VGGT, merger_tensors, tiny_vggt, write_vgllm

from spaceland.errors import ChatError, EncoderError
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.merger import GeometryMerger


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize("reference", ["first", "last"])
def test_it_computes_what_its_parts_compute(generation: Any, reference: str, tmp_path: Path) -> None:
    vlm = write_vgllm(tmp_path, generation, reference_frame=reference)
    model = GeometryVLM.from_vgllm(tmp_path, encoder_config=VGGT)
    assert model.sources.rotation == ("zxy" if generation == "v1" else "ZXY")
    assert model.processor.grid.preset == "vgllm" and model.encoder.spec.commercial is False  # type: ignore[union-attr]
    assert model.adapter.layers == (VGGT.depth - 2,)  # type: ignore[union-attr]
    batch = model.processor([chat(2, size=(160, 90))], add_generation_prompt=True)
    frames = batch["geometry_frames"][0]
    assert frames.shape == (2, 3, 294, 518) and batch["image_grid_thw"].tolist() == [[1, 20, 36]] * 2
    with torch.no_grad():
        logits = model(**batch).logits
        # By hand: the trunk's last layer but one, patches alone, cropped to even, merged, added.
        order = frames.flip(0) if reference == "last" else frames
        tokens = tiny_vggt()(order, [VGGT.depth - 2])[VGGT.depth - 2][:, 5:].unflatten(1, (21, 37))
        tokens = tokens.flip(0) if reference == "last" else tokens
        merger = GeometryMerger(32, 20, 32)
        merger.load_state_dict(merger_tensors())
        visual = vlm.model.get_image_features(batch["pixel_values"], batch["image_grid_thw"], return_dict=True)
        geometry = merger(tokens[:, :20, :36]).flatten(1, 2)
        visual.pooler_output = tuple(p + g for p, g in zip(visual.pooler_output, geometry, strict=True))
        own = {k: v for k, v in batch.items() if not k.startswith("geometry_") and k != "pixel_values"}
        expected = vlm(**own, mm_encoder_outputs={"image": visual}).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=2e-5)
    assert (expected - vlm(**own, pixel_values=batch["pixel_values"]).logits).abs().max() > 1e-3


def test_saved_again_it_keeps_adapter_and_names_alone(tmp_path: Path) -> None:
    write_vgllm(tmp_path / "released", "v2")
    model = GeometryVLM.from_vgllm(tmp_path / "released", encoder_config=VGGT, rotation="zxy")
    model.save_pretrained(tmp_path / "saved")
    assert {p.name for p in (tmp_path / "saved").iterdir()} == {"adapter.safetensors", "geometry_vlm.json"}
    said = json.loads((tmp_path / "saved" / "geometry_vlm.json").read_text())
    assert said["encoder"]["source"] == f"vgllm:{tmp_path / 'released'}" and said["rotation"] == "zxy"
    opened = GeometryVLM.from_pretrained(tmp_path / "saved", encoder=model.encoder)
    batch = model.processor([chat(1, size=(120, 90))], add_generation_prompt=True)
    assert torch.equal(opened(**batch).logits, model(**batch).logits)
    # Without help the encoder of VGGT-1B's sizes is looked for in the checkpoint, and this small one is not it.
    with pytest.raises(EncoderError, match="do not fit"):
        GeometryVLM.from_pretrained(tmp_path / "saved")


def test_what_is_no_such_checkpoint_is_named(tmp_path: Path) -> None:
    def refused(says: str, kind: type[Exception] = ChatError, **config: Any) -> None:
        write_vgllm(tmp_path / "a", "v2", **config)
        with pytest.raises(kind, match=says):
            GeometryVLM.from_vgllm(tmp_path / "a", encoder_config=VGGT)

    refused("use_geometry_encoder: false", use_geometry_encoder=False)
    refused("fuses by 'gated'", feature_fusion_method="gated")
    refused("merges patches by 'attention'", geometry_merger_type="attention")
    refused("trained with 'pi3'", EncoderError, geometry_encoder_type="pi3")
    refused("reference_frame 'middle'", EncoderError, reference_frame="middle")

    from safetensors.torch import load_file, save_file

    weights = load_file(tmp_path / "a" / "model.safetensors")

    def without(part: str, says: str, kind: type[Exception] = ChatError) -> None:
        write_vgllm(tmp_path / "b", "v2")
        left = {k: v for k, v in weights.items() if part not in k}
        save_file(left, tmp_path / "b" / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(kind, match=says):
            GeometryVLM.from_vgllm(tmp_path / "b", encoder_config=VGGT)

    without("geometry_merger.", "no checkpoint of VG LLM")
    without("geometry_merger.mlp.2", r"lacks geometry_merger\.mlp\.2\.weight")
    without("model.layers.1.mlp.up", "lacks 1 tensors")
    without("geometry_encoder.", "no weights whose names begin", EncoderError)
    without("frame_blocks.0.attn.proj.weight", "lacks 1 tensors", EncoderError)
    save_file({**weights, "feature_fusion.gate.weight": torch.ones(1)}, tmp_path / "a" / "model.safetensors")
    write = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps({**write, "reference_frame": "first"}))
    with pytest.raises(ChatError, match="weights of its own"):
        GeometryVLM.from_vgllm(tmp_path / "a", encoder=TinyEncoder())
