"""Small data and models for the tests of training: pictures of a few pixels, random weights of real architectures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Own templates in the families' form. Qwen2.5-VL has a system prompt of its own, Qwen3-VL has none, InternVL writes a
# picture as a placeholder and a line break.
TURNS = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{%- for c in m.content %}{% if c.type == 'image' %}IMAGE{% else %}{{ c.text }}{% endif %}{% endfor %}"
    "{%- endif %}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
QWEN = "<|vision_start|><|image_pad|><|vision_end|>"
TEMPLATES = {
    "qwen2_5_vl": "{%- if messages[0].role != 'system' %}" + SYSTEM + "{% endif -%}" + TURNS.replace("IMAGE", QWEN),
    "qwen2_vl": "{%- if messages[0].role != 'system' %}" + SYSTEM + "{% endif -%}" + TURNS.replace("IMAGE", QWEN),
    "qwen3_vl": TURNS.replace("IMAGE", QWEN),
    "internvl": TURNS.replace("IMAGE", "<IMG_CONTEXT>\n"),
}
_QWEN_WORDS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
WORDS = {
    "qwen2_vl": _QWEN_WORDS,
    "qwen2_5_vl": _QWEN_WORDS,
    "qwen3_vl": _QWEN_WORDS,
    "internvl": ["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
}


def tokenizer(kind: str) -> Any:
    """Every byte is a token, and the control words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE({c: k for k, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": WORDS[kind]})
    fast.chat_template = TEMPLATES[kind]
    return fast


def save_model(folder: Path, kind: str = "qwen2_5_vl", hidden: int = 32) -> Path:
    """A model with random weights, its tokenizer and image processor."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.manual_seed(0)
    words = tokenizer(kind)

    def id_of(word: str) -> int:
        return words.convert_tokens_to_ids(word)

    text = {"vocab_size": len(words), "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": hidden // 2,
            "max_position_embeddings": 4096, "tie_word_embeddings": True, "bos_token_id": None,
            "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}  # fmt: skip
    if kind == "internvl":
        config = AutoConfig.for_model(
            kind, text_config={**text, "model_type": "qwen2"}, image_token_id=id_of("<IMG_CONTEXT>"),
            vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
                           "num_attention_heads": 2, "image_size": [56, 56], "patch_size": [14, 14]},
            downsample_ratio=0.5, tie_word_embeddings=True,
        )  # fmt: skip
        images: Any = GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, crop_to_patches=True)
    else:
        patch = 16 if kind == "qwen3_vl" else 14
        rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
        vision: dict[str, Any] = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
                                  "out_hidden_size": hidden, "patch_size": patch}  # fmt: skip
        if kind == "qwen3_vl":
            vision |= {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 16}
            rope["mrope_interleaved"] = True
        elif kind == "qwen2_vl":
            vision = {
                "depth": 2,
                "embed_dim": 16,
                "mlp_ratio": 2,
                "num_heads": 2,
                "hidden_size": hidden,
                "patch_size": 14,
            }
            text.pop("head_dim")
        else:
            vision |= {"window_size": 56, "fullatt_block_indexes": [1]}
        config = AutoConfig.for_model(
            kind, text_config={**text, "rope_parameters": rope}, vision_config=vision, tie_word_embeddings=True,
            image_token_id=id_of("<|image_pad|>"), video_token_id=id_of("<|video_pad|>"),
            vision_start_token_id=id_of("<|vision_start|>"), vision_end_token_id=id_of("<|vision_end|>"),
        )  # fmt: skip
        side = 2 * patch
        images = Qwen2VLImageProcessorPil(
            patch_size=patch, merge_size=2, size={"shortest_edge": side**2, "longest_edge": 64 * side**2}
        )
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    words.save_pretrained(folder)
    images.save_pretrained(folder)
    return folder


def picture(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    """A picture of coarse random patches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST).save(path)
    return path


def row(k: int, **changes: Any) -> dict[str, Any]:
    """A row of ours about one picture."""
    return {
        "id": f"r{k}", "task": "obj_count", "format": "fill", "scene": "room", "images": [f"images/room/{k}.png"],
        "question": f"How many chairs are there in picture {k}?", "answer": str(k % 7), "options": None,
        "marks": [], "facts": {"cameras": [{"horizontal_fov_deg": 60.0}]}, "seed": 0, "version": "0",
    } | changes  # fmt: skip


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A dataset folder with its pictures."""
    for k, entry in enumerate(rows):
        for path in entry["images"]:
            picture(folder / path, k)
    (folder / "rows.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in rows))
    return folder


def write_chat(path: Path, rows: list[Any]) -> Path:
    """A JSON array of conversations."""
    path.write_text(json.dumps(rows))
    return path


def talk(question: str, answer: str) -> list[dict[str, str]]:
    """One question and its answer in LLaVA's form."""
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
