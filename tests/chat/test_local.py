"""Local models on tiny random weights of the real architectures: the plumbing, never the quality."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

from spaceland.chat.gpt4scene import GPT4SceneChat
from spaceland.chat.local import LocalChat, LocalConfig, folder_revision
from spaceland.chat.pictures import make_picture
from spaceland.chat.types import Generation, Message, Picture
from spaceland.errors import ChatError

QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
INTERN_TOKENS = ["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
# Own short templates in the families' form: turns in im_start/im_end, pictures as their placeholder.
TEMPLATE = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{%- if m.content is string %}{{ m.content }}{%- else %}"
    "{%- for c in m.content %}{%- if c.type == 'image' %}IMAGE{%- else %}{{ c.text }}{%- endif %}{%- endfor %}"
    "{%- endif %}<|im_end|>\n{%- endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
)


def tokenizer(words: list[str], image: str, **names: str) -> Any:
    """Every byte is a token, and the special words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({c: k for k, c in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.add_special_tokens({"additional_special_tokens": words})
    fast.chat_template = TEMPLATE.replace("IMAGE", image)
    for name, value in names.items():
        fast.init_kwargs[name] = value
    return fast


def save_qwen(folder: Path, kind: str) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.manual_seed(0)
    words = tokenizer(QWEN_TOKENS, "<|vision_start|><|image_pad|><|vision_end|>")
    ids = {
        name: words.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("vision_start", "vision_end", "image_pad", "video_pad")
    }
    text = {"vocab_size": len(words), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 20000,
            "bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}  # fmt: skip
    patch = 16 if kind == "qwen3_vl" else 14
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    if kind == "qwen3_vl":
        vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32,
                  "patch_size": patch, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 16}  # fmt: skip
        rope["mrope_interleaved"] = True
    elif kind == "qwen2_5_vl":
        vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32,
                  "patch_size": patch, "window_size": 56, "fullatt_block_indexes": [1]}  # fmt: skip
    else:
        vision = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": patch}
    config = AutoConfig.for_model(
        kind,
        text_config={**text, "rope_parameters": rope},
        vision_config=vision,
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
    )
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    words.save_pretrained(folder)
    side = 2 * patch
    Qwen2VLImageProcessorPil(
        patch_size=patch, merge_size=2, size={"shortest_edge": 4 * side**2, "longest_edge": 64 * side**2}
    ).save_pretrained(folder)
    return folder


def save_internvl(folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    torch.manual_seed(0)
    words = tokenizer(INTERN_TOKENS, "<IMG_CONTEXT>")
    config = AutoConfig.for_model(
        "internvl",
        text_config={"model_type": "qwen2", "vocab_size": len(words), "hidden_size": 32, "intermediate_size": 48,
                     "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
                     "bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id},
        vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "image_size": [56, 56], "patch_size": [14, 14]},
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        downsample_ratio=0.5,
    )  # fmt: skip
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    words.save_pretrained(folder)
    GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, crop_to_patches=True).save_pretrained(folder)
    return folder


HEAVY = [pytest.param(kind, marks=pytest.mark.heavy) for kind in ("qwen2_vl", "qwen3_vl", "internvl")]


@pytest.fixture(scope="module", params=["qwen2_5_vl", *HEAVY])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    save_internvl(folder) if request.param == "internvl" else save_qwen(folder, request.param)
    return request.param, folder


def messages(count: int = 2) -> list[Message]:
    rng = np.random.default_rng(1)
    pictures = [
        make_picture(rng.integers(0, 255, (60 + 10 * k, 90, 3), np.uint8), f"{k}", lossless=True) for k in range(count)
    ]
    return [Message("system", ["Be brief."]), Message("user", [*pictures, "What is this? <OBJ001>"])]


def test_answers_and_repeats_itself(saved: tuple[str, Path]) -> None:
    folder = saved[1]
    model = LocalChat(LocalConfig(path=str(folder), device="cpu"))
    first, second = (model.complete(messages(), Generation(max_tokens=6)) for _ in range(2))
    assert first.text == second.text and first.usage == second.usage
    assert 1 <= first.usage["completion_tokens"] <= 6 and first.finish in ("stop", "length")
    # Another temperature and seed still work, and the seed decides.
    hot = [model.complete(messages(), Generation(8, 1.5, seed=k)).text for k in (1, 1)]
    assert hot[0] == hot[1]
    # Pictures reach the model: each is as many tokens as its family says.
    inputs = model.inputs(messages())
    ids = inputs["input_ids"][0].tolist()
    image = model._processor.image_token_id
    grid = inputs.get("image_grid_thw")
    expected = int(grid.prod(-1).sum()) // 4 if grid is not None else 2 * 4
    assert ids.count(image) == expected and inputs["pixel_values"].dtype == model._model.dtype
    assert model.count_text("abc") == 3


def test_a_batch_says_what_each_chat_alone_is_told(saved: tuple[str, Path]) -> None:
    model = LocalChat(LocalConfig(path=str(saved[1]), device="cpu"))
    text = [Message("user", ["A much longer question without any picture, so that lengths differ. " * 3])]
    chats = [messages(1), messages(3), text]
    alone = [model.complete(chat, Generation(max_tokens=6)) for chat in chats]
    together = model.complete_many(chats, Generation(max_tokens=6))
    assert together == alone
    assert model.complete_many([], Generation()) == []
    facts = model.facts()
    assert facts["dtype"] == "float32" and facts["device"] == "cpu" and facts["revision"].startswith("folder ")


def test_a_batch_that_fails_is_asked_one_by_one(saved: tuple[str, Path]) -> None:
    model = LocalChat(LocalConfig(path=str(saved[1]), device="cpu"))
    broken = [Message("user", [Picture(b"no picture", "image/png", 1, 1, "x"), "?"])]
    first, second = model.complete_many([broken, messages(1)], Generation(max_tokens=2))
    assert isinstance(first, ChatError) and not isinstance(second, ChatError)


def test_pictures_change_the_answer(saved: tuple[str, Path]) -> None:
    import torch

    model = LocalChat(LocalConfig(path=str(saved[1]), device="cpu"))
    black, white = (
        model.inputs([Message("user", [make_picture(np.full((64, 64, 3), v, np.uint8), "x", lossless=True), "?"])])
        for v in (0, 255)
    )
    with torch.inference_mode():
        a, b = (model._model(**inputs).logits[0, -1] for inputs in (black, white))
    assert (a - b).abs().max() > 1e-6


def test_text_alone(saved: tuple[str, Path]) -> None:
    model = LocalChat(LocalConfig(path=str(saved[1]), device="cpu", dtype="bfloat16"))
    assert model.complete([Message("user", ["hello"])], Generation(max_tokens=2)).usage["completion_tokens"] <= 2


@pytest.mark.heavy
def test_gpt4scene_takes_33_pictures_and_stops_at_128(tmp_path: Path) -> None:
    model = GPT4SceneChat(str(save_qwen(tmp_path, "qwen2_vl")), device="cpu")
    reply = model.complete(messages(33), Generation(max_tokens=4000))
    assert reply.usage["completion_tokens"] <= 128
    assert reply.model == str(tmp_path)


@pytest.mark.heavy
def test_no_torchvision_is_needed(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["torchvision"] = None  # importing it now fails
from spaceland.chat.local import LocalChat, LocalConfig, folder_revision
LocalChat(LocalConfig(path={str(save_qwen(tmp_path, "qwen2_5_vl"))!r}, device="cpu"))
print(sorted(m for m in sys.modules if m.startswith("torchvision") and sys.modules[m]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("[]")


def test_max_pixels_bound_a_picture(tmp_path: Path) -> None:
    path = str(save_qwen(tmp_path, "qwen2_5_vl"))
    big = [Message("user", [make_picture(np.zeros((400, 400, 3), np.uint8), "x"), "?"])]
    grid = LocalChat(LocalConfig(path=path, device="cpu", max_pixels=4 * 28 * 28)).inputs(big)["image_grid_thw"]
    assert int(grid.prod()) // 4 == 4


def test_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ChatError, match="cannot load"):
        LocalChat(LocalConfig(path=str(tmp_path / "nothing")))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ChatError, match=re.escape(str(tmp_path))):
        LocalChat(LocalConfig(path=str(tmp_path)))


def test_retrained_weights_of_equal_size_are_another_revision(tmp_path: Path) -> None:
    (tmp_path / "lora").mkdir()
    large, small = tmp_path / "model.safetensors", tmp_path / "lora" / "adapter.safetensors"
    large.write_bytes(bytes(40_000_000))
    small.write_bytes(b"a" * 100)
    revisions = [folder_revision(str(tmp_path)), folder_revision(str(tmp_path))]
    small.write_bytes(b"b" * 100)
    revisions.append(folder_revision(str(tmp_path)))
    large.write_bytes(bytes(39_999_999) + b"c")
    revisions.append(folder_revision(str(tmp_path)))
    assert revisions[0] == revisions[1] and len(set(revisions)) == 3
    assert folder_revision("some/id") is None
