"""A kept prefix answers as encoding anew does, for one question and many, greedy and with beams."""

from __future__ import annotations

import io
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_models import chat, picture, tiny_model, wake

from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.models.answering import Answerer, clip_key
from spaceland.models.prefix import batch_after, encode_prefix, generate_after, logits_after
from spaceland.models.processor import CameraPicture

KINDS = ["qwen2_5_vl", "qwen3_vl", "internvl"]
GREEDY = {"do_sample": False, "max_new_tokens": 6, "min_new_tokens": 6}
QUESTIONS = ["What?", "Where is the table, seen from the first picture?", "?"]


def ready(model: Any, *chats: Any) -> dict[str, Any]:
    return model.processor(chats, add_generation_prompt=True)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_answers_are_those_of_encoding_anew(kind: str) -> None:
    model = wake(tiny_model(kind))
    chats = [chat(3, text) for text in QUESTIONS]
    prefix = encode_prefix(model, ready(model, chats[0]))
    kept = [(layer.keys.clone(), layer.values.clone()) for layer in prefix.cache.layers]
    calls = model.encoder.calls  # type: ignore[union-attr]
    tails = [model.processor.split(one, add_generation_prompt=True)[1] for one in chats]
    batch = batch_after(model, prefix, tails)
    logits, real = logits_after(model, prefix, batch)
    for settings in (GREEDY, {**GREEDY, "num_beams": 3}, {**GREEDY, "num_beams": 2, "num_return_sequences": 2}):
        copies = settings.get("num_return_sequences", 1)
        together = generate_after(model, prefix, batch, **settings)
        assert model.encoder.calls == calls  # type: ignore[union-attr]
        for row, one in enumerate(chats):
            anew = model.generate(**ready(model, one), **settings)
            calls = model.encoder.calls  # type: ignore[union-attr]
            assert torch.equal(together[row * copies : (row + 1) * copies, -6:], anew[:, -6:])
            alone = generate_after(model, prefix, ready(model, one), **settings)
            assert torch.equal(alone, anew)
            calls = model.encoder.calls  # type: ignore[union-attr]
    with torch.no_grad():
        for row, one in enumerate(chats):
            full = model(**ready(model, one)).logits[0]
            part = logits[row][real[row]]
            torch.testing.assert_close(part, full[-len(part) :], rtol=0, atol=2e-6)
            assert len(part) == len(tails[row])
    # What was kept is as it was.
    for layer, (keys, values) in zip(prefix.cache.layers, kept, strict=True):
        assert torch.equal(layer.keys, keys) and torch.equal(layer.values, values)
    assert prefix.num_bytes == sum(k.nbytes + v.nbytes for k, v in kept)


def test_a_chat_that_begins_otherwise_is_refused() -> None:
    model = wake(tiny_model())
    prefix = encode_prefix(model, ready(model, chat(2)))
    for other in (chat(3), chat(1), chat(2)[1:]):
        with pytest.raises(ChatError, match="kept prefix"):
            generate_after(model, prefix, ready(model, other), **GREEDY)
    with pytest.raises(ChatError, match="words alone"):
        batch_after(model, prefix, [[]])
    with pytest.raises(ChatError, match="words alone"):
        batch_after(model, prefix, [[5, model.config.image_token_id]])
    with pytest.raises(ChatError, match="not of 2"):
        encode_prefix(model, ready(model, chat(2), chat(2)))
    with pytest.raises(ChatError, match="no pictures"):
        encode_prefix(model, ready(model, [Message("user", ["hello"])]))
    small = tiny_model(max_tokens=80)
    prefix = encode_prefix(small, ready(small, chat(2)))
    with pytest.raises(ChatError, match="the model takes 80"):
        batch_after(small, prefix, [[1] * 50])


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "internvl"])
def test_answerer_says_what_separate_runs_say_and_encodes_each_clip_once(kind: str) -> None:
    model = wake(tiny_model(kind))
    chats = [
        *(chat(2, text) for text in QUESTIONS),
        chat(3, "Another clip?", seed=20),
        [Message("user", ["No picture."])],
        *(chat(1, text, seed=30) for text in QUESTIONS[:2]),
        [Message("user", chat(2)[1].content)],  # the first clip, other words before it
    ]
    expected = [model.generate(**ready(model, one), **GREEDY)[0, -6:].tolist() for one in chats]
    lengths = [len(ready(model, one)["input_ids"][0]) for one in chats]
    answerer, calls = Answerer(model), model.encoder.calls  # type: ignore[union-attr]
    assert answerer.answer(chats, **GREEDY) == list(zip(expected, lengths, strict=True))
    first = model.encoder.calls - calls  # type: ignore[union-attr]
    assert first == 4  # two clips with several questions, and two chats that stand alone
    for k in (0, 2, 5):
        assert answerer.answer([chats[k]], **GREEDY) == [(expected[k], lengths[k])]
    assert model.encoder.calls - calls == first  # type: ignore[union-attr]
    # The same pictures behind other words are not encoded again either.
    assert answerer.answer([chats[7]], **GREEDY) == [(expected[7], lengths[7])]
    assert model.encoder.calls - calls == first  # type: ignore[union-attr]
    assert answerer.answer([], **GREEDY) == []


def test_answerer_forgets_the_longest_unused() -> None:
    model = wake(tiny_model())
    answerer = Answerer(model, most_clips=2)
    for seed, new in ((1, 1), (2, 1), (1, 0), (3, 1), (1, 0), (2, 1)):
        calls = model.encoder.calls  # type: ignore[union-attr]
        answerer.answer([chat(1, seed=100 * seed)], **GREEDY)
        assert model.encoder.calls - calls == new, seed  # type: ignore[union-attr]


def test_clips_are_known_by_content() -> None:
    image = picture()

    def key(*parts: Any) -> tuple[str, ...]:
        return clip_key([Message("user", [*parts, "words"])])

    assert key(image) == key(image.copy()) != key(picture(seed=1)) and len(key(image, image)) == 2
    assert key() == ()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert key(Picture(buffer.getvalue(), "image/png", 80, 60, "a")) == key(
        Picture(buffer.getvalue(), "image/png", 80, 60, "b")
    )
    import numpy as np

    assert key(CameraPicture(image, np.eye(3))) != key(CameraPicture(image, 2 * np.eye(3))) != key(CameraPicture(image))
    # A picture of the same bytes in another shape is another picture.
    assert key(picture(60, 80)) != key(picture(80, 60))


@pytest.mark.heavy
def test_linear_attention_takes_one_question_at_a_time() -> None:
    """Qwen3.5: no key-value cache in most layers; what they keep instead is copied for each question."""
    model = wake(tiny_model("qwen3_5"))
    chats = [chat(2, text) for text in QUESTIONS]
    plain = {k: v for k, v in ready(tiny_model("qwen3_5"), chats[0]).items() if not k.startswith("geometry_")}
    with torch.no_grad():
        identity = tiny_model("qwen3_5")
        assert torch.equal(identity(**ready(identity, chats[0])).logits, identity.base(**plain).logits)
    prefix = encode_prefix(model, ready(model, chats[0]))
    assert not prefix.takes_batches and prefix.num_bytes > 0
    for settings in (GREEDY, {**GREEDY, "num_beams": 2}):
        for one in chats:
            anew = model.generate(**ready(model, one), **settings)
            assert torch.equal(generate_after(model, prefix, ready(model, one), **settings), anew)
    with pytest.raises(ChatError, match="one question at a time"):
        generate_after(model, prefix, ready(model, *chats), **GREEDY)
    expected = [model.generate(**ready(model, one), **GREEDY)[0, -6:].tolist() for one in chats]
    assert [tokens for tokens, _ in Answerer(model).answer(chats, **GREEDY)] == expected
