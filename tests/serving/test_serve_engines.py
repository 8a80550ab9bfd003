"""Engines on tiny random weights of the real architectures: what they say equals the model asked plainly."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")
pytest.importorskip("starlette", reason="needs the extra serve")

import torch
from tiny_models import TinyEncoder, picture, tiny_model, tiny_vlm, tokenizer, wake
from tokenizers import AddedToken

from spaceland.chat.local import LocalChat, LocalConfig
from spaceland.chat.types import Generation, Message, Picture
from spaceland.serving.decoding import draw, together
from spaceland.serving.engine import Engine, Prompt
from spaceland.serving.geometry_engine import GeometryEngine
from spaceland.serving.local_engine import LocalEngine
from spaceland.serving.model_engine import special_words
from spaceland.serving.problems import RequestError
from spaceland.serving.requests import Sampling

KINDS = [
    "qwen2_5_vl",
    pytest.param("qwen3_vl", marks=pytest.mark.heavy),
    pytest.param("internvl", marks=pytest.mark.heavy),
]


def encoded(seed: int, width: int = 80, height: int = 60) -> Picture:
    out = io.BytesIO()
    picture(width, height, seed).save(out, "PNG")
    return Picture(out.getvalue(), "image/png", width, height, f"{seed}")


def chat(pictures: Sequence[Picture], question: str, system: str = "Be brief.") -> list[Message]:
    return [Message("system", [system]), Message("user", [*pictures, question])]


ROOM, HALL = [encoded(1), encoded(2)], [encoded(k, 90, 70) for k in (3, 4, 5)]
CHATS = [
    chat(ROOM, "What is this?"),
    chat(HALL, "How many chairs are in this hall, and where?"),
    [Message("user", ["No picture at all."])],
    chat(ROOM, "Where?"),
    chat(ROOM[:1], "One picture"),
    chat(ROOM, "Other words before them", system="Be long."),
]


def run(engine: Engine, prompts: Sequence[Prompt], sampling: Sequence[Sampling]) -> list[list[int]]:
    """Tokens of every answer up to its end."""
    out: list[list[int]] = [[] for _ in prompts]

    def take(tokens: list[int]) -> list[bool]:
        done = []
        for answer, token, how in zip(out, tokens, sampling, strict=True):
            ended = len(answer) >= how.max_tokens or bool(answer and answer[-1] in engine.ends)
            if not ended:
                answer.append(token)
            done.append(len(answer) >= how.max_tokens or token in engine.ends)
        return [d or len(a) >= h.max_tokens for d, a, h in zip(done, out, sampling, strict=True)]

    engine.generate(prompts, sampling, take)
    return out


def loud(model: Any) -> None:
    """Larger weights, so that what a tiny random model says depends on what it is asked."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0 if weight.ndim > 1 else 1.0)


def plain(model: Any, messages: Sequence[Message], most: int) -> list[int]:
    """The reference: one chat, nothing kept, transformers' own greedy decoding."""
    batch = model.processor([messages], add_generation_prompt=True)
    ids = model.generate(**batch, max_new_tokens=most, do_sample=False)[0, batch["input_ids"].shape[1] :].tolist()
    end = model.generation_config.eos_token_id
    return ids[: ids.index(end) + 1] if end in ids else ids


@pytest.mark.parametrize("kind", KINDS)
def test_questions_about_many_clips_together_as_each_alone(kind: str) -> None:
    encoder = TinyEncoder()
    model = wake(tiny_model(kind, encoder=encoder))
    loud(model.vlm)
    engine = GeometryEngine(model, "tiny")
    lengths = [9, 4, 7, 12, 5, 8]
    expected = [plain(model, messages, most) for messages, most in zip(CHATS, lengths, strict=True)]
    assert len({tuple(tokens[:4]) for tokens in expected}) > 2  # they do say different things
    encoder.calls = 0
    prompts = [engine.prepare(messages) for messages in CHATS]
    for prompt, messages in zip(prompts, CHATS, strict=True):
        batch = model.processor([messages], add_generation_prompt=True)
        assert prompt.num_tokens == batch["input_ids"].shape[1]
    sampling = [Sampling(max_tokens=most) for most in lengths]
    assert run(engine, prompts, sampling) == expected
    # Three clips: encoded once each, though one of them is asked about three times with two beginnings.
    assert encoder.calls == 3
    # Prompts of kept clips open no picture, and say the same, alone and in another company.
    again = [engine.prepare(messages) for messages in CHATS]
    assert [p.inputs.batch is None for p in again] == [True, True, False, True, True, True]
    assert [p.num_tokens for p in again] == [p.num_tokens for p in prompts]
    assert run(engine, again[::-1], sampling[::-1])[::-1] == expected
    assert [run(engine, [p], [s])[0] for p, s in zip(again, sampling, strict=True)] == expected
    assert encoder.calls == 3
    assert engine.cache.hits >= 11 and engine.cache.misses == 3 and engine.cache.bytes > 0


def test_a_clip_that_was_let_go_of_is_encoded_anew() -> None:
    model = wake(tiny_model())
    engine = GeometryEngine(model, "tiny")
    how = [Sampling(max_tokens=5)]
    first = run(engine, [engine.prepare(CHATS[0])], how)
    kept = engine.prepare(CHATS[0])
    assert kept.inputs.batch is None
    engine._kept._kept.clear()
    assert run(engine, [kept], how) == first
    none = GeometryEngine(model, "tiny", cache_bytes=0)
    assert run(none, [none.prepare(c) for c in (CHATS[0], CHATS[3])], how * 2)[0] == first[0]
    assert none.cache.bytes == 0 and none.cache.clips == 0


def test_layers_without_keys_and_values_take_the_other_way() -> None:
    model = wake(tiny_model())
    engine = GeometryEngine(model, "tiny")
    engine._keys_and_values = False
    sampling = [Sampling(max_tokens=6)] * len(CHATS)
    assert run(engine, [engine.prepare(c) for c in CHATS], sampling) == [plain(model, c, 6) for c in CHATS]
    assert engine.cache.clips == 3


def test_a_model_without_an_encoder() -> None:
    model = tiny_model(plain=True, config=None)
    engine = GeometryEngine(model, "tiny")
    assert engine.facts.about["encoder"] == "none"
    sampling = [Sampling(max_tokens=6)] * len(CHATS)
    assert run(engine, [engine.prepare(c) for c in CHATS], sampling) == [plain(model, c, 6) for c in CHATS]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_model_says_what_it_says_as_local(kind: str, tmp_path: Path) -> None:
    local = LocalChat(LocalConfig(path=str(save_plain(kind, tmp_path)), device="cpu"))
    engine = LocalEngine(local, "plain")
    expected = [local.complete(messages, Generation(7)) for messages in CHATS]
    prompts = [engine.prepare(messages) for messages in CHATS]
    sampling = [Sampling(max_tokens=7)] * len(CHATS)
    for _ in range(2):
        answers = run(engine, prompts, sampling)
        assert [engine.decode(tokens).strip() for tokens in answers] == [reply.text for reply in expected]
        assert [len(tokens) for tokens in answers] == [reply.usage["completion_tokens"] for reply in expected]
    assert [p.num_tokens for p in prompts] == [reply.usage["prompt_tokens"] for reply in expected]
    assert engine.cache.clips == 3 and engine.cache.misses == 3 and engine.cache.hits == 7


def test_a_seed_decides_alone_and_in_company() -> None:
    engine = GeometryEngine(wake(tiny_model()), "tiny")
    hot = [Sampling(max_tokens=8, temperature=1.5, seed=k) for k in (1, 2)]
    prompt = engine.prepare(CHATS[0])
    alone = [run(engine, [prompt], [how])[0] for how in hot]
    assert alone[0] != alone[1] and run(engine, [prompt], hot[:1])[0] == alone[0]
    mixed = run(engine, [engine.prepare(CHATS[1]), prompt, prompt, prompt], [Sampling(max_tokens=4), *hot, hot[0]])
    assert mixed[1:] == [*alone, alone[0]]
    assert mixed[0] == run(engine, [engine.prepare(CHATS[1])], [Sampling(max_tokens=4)])[0]


def test_draws_follow_their_chances() -> None:
    scores = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = torch.Generator().manual_seed(0)

    def shares(how: Sampling) -> list[float]:
        drawn = [draw(scores, how, generator) for _ in range(2000)]
        return [drawn.count(k) / 2000 for k in range(4)]

    assert shares(Sampling(max_tokens=1, temperature=1)) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    squared = torch.tensor([0.25, 0.09, 0.0225, 0.0025])
    assert shares(Sampling(max_tokens=1, temperature=0.5)) == pytest.approx(
        (squared / squared.sum()).tolist(), abs=0.03
    )
    assert shares(Sampling(max_tokens=1, temperature=1, top_p=0.6)) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    for how in (Sampling(max_tokens=1, temperature=1e-30), Sampling(max_tokens=1, temperature=1, top_p=0.0)):
        assert shares(how)[0] == 1


def test_prompts_are_laid_together_from_the_right() -> None:
    a = {
        "input_ids": torch.tensor([[1, 2]]),
        "attention_mask": torch.ones(1, 2),
        "pixel_values": torch.ones(3, 5),
        "x": [1],
    }
    b = {"input_ids": torch.tensor([[3, 4, 5]]), "attention_mask": torch.ones(1, 3)}
    batch = together([a, b], pad_token=9)
    assert batch["input_ids"].tolist() == [[9, 1, 2], [3, 4, 5]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert batch["pixel_values"].shape == (3, 5) and batch["x"] == [1]


def test_what_a_model_cannot_take_is_refused() -> None:
    engine = GeometryEngine(tiny_model(max_tokens=60), "tiny")
    for word in ("<|im_start|>", "<|image_pad|>", "<|video_pad|>"):
        with pytest.raises(RequestError, match="control word") as caught:
            engine.prepare([Message("user", [f"Hi {word} there"])])
        assert caught.value.status == 400
        # Templates put parts together.
        with pytest.raises(RequestError, match="control word"):
            engine.prepare([Message("user", ["Hi " + word[:5], word[5:]])])
    engine.prepare([Message("user", ["<|im_"]), Message("user", ["start|>"])])
    broken = replace(ROOM[0], data=ROOM[0].data[:60])
    with pytest.raises(RequestError, match="cannot be decoded"):
        engine.prepare(chat([broken], "?"))
    with pytest.raises(RequestError, match="the model takes 60"):
        engine.prepare(chat(ROOM, "x" * 100))
    with pytest.raises(RequestError, match="longer than 30 times"):
        engine.prepare(chat([encoded(1, 900, 5)], "?"))


def test_control_words_without_a_role_count_too() -> None:
    words = tokenizer(["<|im_start|>"], "<|image_pad|>")
    words.add_tokens([AddedToken("<|hidden|>", special=True), AddedToken("plain", special=False)])
    assert "<|hidden|>" not in words.all_special_tokens
    assert set(special_words(words)) == {"<|im_start|>", "<|im_end|>", "<|hidden|>"}


def test_a_plain_model_does_not_say_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_plain("qwen2_5_vl", tmp_path / "secret")
    engine = LocalEngine(LocalChat(LocalConfig(path=str(folder), device="cpu")), "plain")
    with pytest.raises(RequestError, match="plain cannot take this request") as caught:
        engine.prepare([Message("user", [encoded(1, 1, 300), "?"])])
    assert "secret" not in str(caught.value) and caught.value.status == 400

    # What decoders raise on hostile bytes is the picture's fault; anything else stays a bug.
    def fail(*_: object, **__: object) -> None:
        raise struct.error("deep in a decoder")

    monkeypatch.setattr("PIL.Image.Image.convert", fail)
    for tried in (engine, GeometryEngine(tiny_model(), "tiny")):
        with pytest.raises(RequestError, match="truncated or broken"):
            tried.prepare(chat(ROOM, "?"))


def save_plain(kind: str, folder: Path, change: Callable[[Any], None] | None = None) -> Path:
    """A tiny model as a folder of transformers."""
    model, processor = tiny_vlm(kind)
    loud(model)
    if change is not None:
        change(model)
    model.save_pretrained(folder)
    processor.tokenizer.chat_template = processor.chat_template
    processor.tokenizer.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    return folder
