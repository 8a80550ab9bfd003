"""The whole model on tiny random weights of three families: identity, fusion by hand, training, generation, batches."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_models import TinyEncoder, chat, picture, tiny_model, tiny_vlm, wake

from spaceland.chat.types import Message
from spaceland.errors import ChatError, EncoderError
from spaceland.models.adapter import AdapterConfig
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.processor import GeometryProcessor

KINDS = ["qwen2_5_vl", "qwen3_vl", "internvl"]
FUSIONS = ["add", "gated", "cross_attention"]
GREEDY = {"do_sample": False, "max_new_tokens": 5, "min_new_tokens": 5}


def ready(model: GeometryVLM, *chats: Any) -> dict[str, Any]:
    return model.processor(chats, add_generation_prompt=True)


def plain_logits(model: GeometryVLM, batch: dict[str, Any]) -> Any:
    """The unmodified model of transformers on the same batch."""
    with torch.no_grad():
        return model.base(**{k: v for k, v in batch.items() if not k.startswith("geometry_")}).logits


CASES = [(kind, fusion) for kind in KINDS for fusion in FUSIONS] + [("qwen3_vl", "deepstack")]


@pytest.mark.parametrize(("kind", "fusion"), CASES)
def test_untrained_it_is_the_base_model_to_the_bit(kind: str, fusion: Any) -> None:
    layers = (0, 1, 2) if fusion == "deepstack" else None
    config = AdapterConfig(fusion=fusion, merger_dim=24, camera_token=True, rays=True, ray_dim=8, layers=layers)
    model = tiny_model(kind, config)
    batch = ready(model, chat(2), chat(1, "Another one?"))
    expected = plain_logits(model, batch)
    with torch.no_grad():
        assert torch.equal(model(**batch).logits, expected)
        wake(model)
        assert (model(**batch).logits - expected).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_fused_tokens_are_visual_plus_merged_at_the_placeholders(kind: str) -> None:
    """Against the plain model with embeddings put in by hand."""
    model = wake(tiny_model(kind))
    batch = ready(model, chat(2, size=(80, 40)))
    with torch.no_grad():
        logits = model(**batch).logits
        features = model.encoder.encode(batch["geometry_frames"][0])  # type: ignore[union-attr]
        geometry = model.adapter.mergers[0](features.tokens[1]).flatten(0, 2)  # type: ignore[index,union-attr]
        how = {"image_grid_thw": batch["image_grid_thw"]} if "image_grid_thw" in batch else {}
        out = model.base.model.get_image_features(batch["pixel_values"], **how, return_dict=True)
        visual = torch.cat(list(out.pooler_output))
        fused = visual + geometry
        out.pooler_output = (fused,) if model.processor.family.fixed is None else fused.reshape(2, -1, 32)
        own = {k: v for k, v in batch.items() if not k.startswith("geometry_") and k != "pixel_values"}
        expected = model.base(**own, mm_encoder_outputs={"image": out}).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss_and_changes_the_adapter_alone(kind: str) -> None:
    model = tiny_model(kind, AdapterConfig(merger_dim=24, camera_token=True))
    batch = ready(model, chat(2, "Say."), chat(3, "Say more?", seed=9))
    batch["labels"] = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    before = {n: p.clone() for n, p in model.named_parameters()}
    names = [n for n, _ in model.trained_parameters()]
    assert names and all(n.startswith("adapter.") for n in names)
    frozen = model.encoder.weight  # type: ignore[union-attr]
    assert all(value.data_ptr() != frozen.data_ptr() for value in model.state_dict().values())
    assert all(p is not frozen for p in model.parameters())
    optimizer = torch.optim.AdamW([p for _, p in model.trained_parameters()], lr=0.01)
    model.train()
    losses = []
    for _ in range(6):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, parameter in model.named_parameters():
        assert name in names or torch.equal(parameter, before[name]), name
    assert all(not torch.equal(p, before[n]) for n, p in model.trained_parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_gives_the_same_gradients(kind: str) -> None:
    grads = []
    for checkpointing in (False, True):
        model = wake(tiny_model(kind))
        model.base.requires_grad_(True)
        if checkpointing:
            model.gradient_checkpointing_enable()
        model.train()
        batch = ready(model, chat(2))
        model(**batch, labels=batch["input_ids"]).loss.backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys() and any("visual" in n or "vision" in n for n in grads[0])
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"num_beams": 2, "num_return_sequences": 2}, {"num_return_sequences": 3}]
)
def test_generate_encodes_once_and_equals_generation_without_a_cache(kind: str, how: dict[str, Any]) -> None:
    model = wake(tiny_model(kind))
    batch = ready(model, chat(2), chat(1, "Another?"))
    settings = {**GREEDY, **how}
    if how.get("num_return_sequences") == 3:
        settings["do_sample"] = True
    calls = model.encoder.calls  # type: ignore[union-attr]
    torch.manual_seed(0)
    ids = model.generate(**batch, **settings)
    assert model.encoder.calls - calls == 2  # type: ignore[union-attr]  # once per clip
    assert ids.shape == (2 * how.get("num_return_sequences", 1), batch["input_ids"].shape[1] + 5)
    if not how:
        # Word by word from logits of the whole sequence, everything encoded anew each time.
        for row in range(2):
            one = ready(model, (chat(2), chat(1, "Another?"))[row])
            for k in range(5):
                token = ids[row, -5 + k]
                logits = model(**one).logits[0, -1]
                assert logits[token] >= logits.max() - 1e-4
                one["input_ids"] = torch.cat([one["input_ids"], token.reshape(1, 1)], 1)
                for key in ("attention_mask", "mm_token_type_ids"):
                    if key in one:
                        one[key] = torch.cat([one[key], one[key].new_full((1, 1), key == "attention_mask")], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_different_length_in_one_batch_equal_separate_runs(kind: str) -> None:
    model = wake(tiny_model(kind))
    chats = [
        chat(1, "Short?"),
        chat(4, "A much longer question about four pictures?", seed=3, size=(60, 80)),
        [Message("user", ["No picture at all."])],
        chat(2, "Two.", seed=8),
    ]
    batch = ready(model, *chats)
    with torch.no_grad():
        together = model(**batch).logits
        for row, one in enumerate(chats):
            alone = model(**ready(model, one)).logits[0]
            torch.testing.assert_close(together[row, -len(alone) :], alone, rtol=0, atol=2e-6)
    ids = model.generate(**batch, **GREEDY)
    for row, one in enumerate(chats):
        assert torch.equal(ids[row, -5:], model.generate(**ready(model, one), **GREEDY)[0, -5:])


@pytest.mark.parametrize("kind", KINDS)
def test_one_encoded_clip_serves_many_questions(kind: str) -> None:
    model = wake(tiny_model(kind))
    pictures = [picture(80, 60, k) for k in range(3)]
    chats = [[Message("user", [*pictures, text])] for text in ("What?", "Where is it, then?", "?")]
    clip = model.encode_clip(pictures)
    calls = model.encoder.calls  # type: ignore[union-attr]
    for _ in range(2):  # what generate does to its input does not reach the kept clip
        for settings in (GREEDY, {**GREEDY, "num_beams": 3}):
            kept = model.generate(**ready(model, *chats), clips=[clip] * 3, **settings)
            assert model.encoder.calls == calls  # type: ignore[union-attr]
            anew = model.generate(**ready(model, *chats), **settings)
            calls = model.encoder.calls  # type: ignore[union-attr]
            assert torch.equal(kept, anew)
    with torch.no_grad():
        kept_logits = model(**ready(model, *chats), clips=[clip] * 3).logits
        torch.testing.assert_close(kept_logits, model(**ready(model, *chats)).logits, rtol=0, atol=1e-6)


def test_positions_of_one_call_do_not_leak_into_the_next() -> None:
    for kind in KINDS[:2]:
        model = wake(tiny_model(kind))
        with torch.no_grad():
            first = model(**ready(model, chat(1))).logits
            model.generate(**ready(model, chat(4, size=(30, 90))), **GREEDY)
            assert torch.equal(model(**ready(model, chat(1))).logits, first)
            text = ready(model, [Message("user", ["words"])])
            alone = plain_logits(tiny_model(kind), text)
            assert torch.equal(model(**text).logits, alone)


def test_masking_is_for_training_alone() -> None:
    model = wake(tiny_model("qwen3_vl", AdapterConfig(merger_dim=24, mask_probability=1.0, mask_ratio=0.8)))
    batch = ready(model, chat(2))
    with torch.no_grad():
        still = model(**batch).logits
        assert torch.equal(model(**batch).logits, still)
        model.train()
        a, b = model(**batch).logits, model(**batch).logits
        assert (a - still).abs().max() > 1e-3 and (a - b).abs().max() > 1e-3
        model.eval()
        assert torch.equal(model(**batch).logits, still)


def test_without_an_encoder_it_is_the_plain_model() -> None:
    for kind in KINDS:
        model = tiny_model(kind, None, plain=True)
        batch = ready(model, chat(2), chat(1))
        assert "geometry_frames" not in batch and model.adapter is None
        assert torch.equal(model(**batch).logits, plain_logits(model, batch))
        assert model.generate(**batch, **GREEDY).shape[0] == 2


def test_lora_trains_beside_the_adapter() -> None:
    from peft import LoraConfig

    model = tiny_model()
    batch = ready(model, chat(2))
    expected = plain_logits(model, batch)
    model.add_lora(LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    assert torch.equal(model(**batch).logits, expected)
    model.train()
    model(**batch, labels=batch["input_ids"]).loss.backward()
    names = {
        n.split(".")[-3] if "lora" in n else n.split(".")[0] for n, p in model.trained_parameters() if p.grad.any()
    }
    assert names == {"lora_B", "adapter"}  # A waits for B, as always with LoRA
    assert model.eval().generate(**batch, **GREEDY, num_beams=2).shape[0] == 1
    with pytest.raises(ChatError, match="LoRA weights already"):
        model.add_lora(LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.raises(ChatError, match="no LoRA weights"):
        tiny_model().add_lora(LoraConfig(r=2, target_modules=["nothing"]))


def test_moves_and_casts_reach_the_encoder() -> None:
    model = tiny_model()
    model.to(torch.bfloat16)
    assert model.encoder.weight.dtype == torch.bfloat16  # type: ignore[union-attr]
    batch = ready(model, chat(2))
    assert torch.equal(model(**batch).logits, plain_logits(model, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_processor_and_batches_travel_between_processes(kind: str) -> None:
    model = tiny_model(kind)
    processor = pickle.loads(pickle.dumps(model.processor))
    batch = pickle.loads(pickle.dumps(processor([chat(2)], add_generation_prompt=True)))
    assert torch.equal(model(**batch).logits, model(**ready(model, chat(2))).logits)


def test_parts_that_do_not_fit_are_named() -> None:
    vlm, own = tiny_vlm("qwen2_5_vl")
    family = family_of(vlm.config)

    def refused(says: str, kind: type[Exception] = EncoderError, **parts: Any) -> None:
        processor = GeometryProcessor(own, family, parts.pop("grid", family.token_grid()), **parts.pop("how", {}))
        with pytest.raises(kind, match=says):
            GeometryVLM.from_parts(
                vlm, processor, parts.get("encoder", TinyEncoder()), AdapterConfig(**parts["config"])
            )

    refused("takes no features behind", config={"fusion": "deepstack"})
    refused("makes no frames", config={}, how={"geometry": False})
    refused("patches of 14 pixels", config={}, grid=family.token_grid(patch_px=16))
    refused("makes none", config={"rays": True})
    refused("layers 0 to 2", config={"layers": (7,)})
    with pytest.raises(ChatError, match="takes no encoded pictures"):
        processor = GeometryProcessor(own, family, family.token_grid())
        GeometryVLM.from_parts(vlm.model.language_model, processor)


def test_batches_that_do_not_fit_are_named() -> None:
    model = tiny_model()
    batch = ready(model, chat(2))
    with pytest.raises(ChatError, match="at least one frame"):
        model.encode_clip([])
    with pytest.raises(ChatError, match="no geometry_cells"):
        model(**{k: v for k, v in batch.items() if k != "geometry_cells"})
    with pytest.raises(EncoderError, match="no geometry_frames"):
        model(**{k: v for k, v in batch.items() if k != "geometry_frames"})
    with pytest.raises(ChatError, match="2 pictures but places for 1"):
        model(**{**batch, "geometry_cells": [batch["geometry_cells"][0][:1]]})
    small = [batch["geometry_frames"][0][..., :56]]
    with pytest.raises(EncoderError, match="6 x 4 patches, 6 x 8 are needed"):
        model(**{**batch, "geometry_frames": small})
