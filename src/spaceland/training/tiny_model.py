"""A vision-language model of a few million parameters, made from nothing: real architecture, own small tokenizer.

It is written as a folder like any other checkpoint (Qwen2.5-VL's shape, whose 28-pixel tokens match 2 x 2 patches of
the encoders), so nothing else has to know about it. The tokenizer is byte-level and learnt on the texts it will see, so
any text can be written, and numbers are split into digits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

from spaceland.training.config import TinySettings

CONTROL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content -%}
{%- if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif -%}
{%- endfor -%}
{%- endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""
"""ChatML with Qwen's picture tokens, without a system prompt of its own."""
_MAX_TOKENS = 8192


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer learnt on texts; the same texts give the same tokens.

    Args:
        texts: All that it should be good at.
        vocabulary: Tokens, with 256 bytes and the control tokens among them; fewer if the texts have no more.
    """
    # The trainer counts pairs in parallel otherwise, and ties would fall as threads happen to run.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\p{L}+|\s+|[^\s\p{L}\d]+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Names of the roles stand in every turn of the template.
    inner.train_from_iterator(sorted({*texts, "user", "assistant", "system"}), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": [t for t in CONTROL if t not in fast.all_special_tokens]})
    fast.chat_template = TEMPLATE
    return fast


def build_tiny(folder: Path, texts: Iterable[str], settings: TinySettings, seed: int) -> Path:
    """Write a model with random weights, its tokenizer and its image processor to a folder.

    Args:
        folder: New folder.
        texts: For the tokenizer.
        settings: Sizes.
        seed: Of the weights.
    """
    tokenizer = train_tokenizer(texts, settings.vocabulary)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(tiny_config(tokenizer, settings))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    cell = 28 * 28
    Qwen2VLImageProcessorPil(
        patch_size=14, merge_size=2, size={"shortest_edge": cell, "longest_edge": 1024 * cell}
    ).save_pretrained(folder)
    return folder


def tiny_meta(settings: TinySettings) -> Any:
    """The model without storage, as large as it can become: its tokenizer may find fewer words."""
    tokenizer = train_tokenizer([], settings.vocabulary)
    config = tiny_config(tokenizer, settings)
    config.text_config.vocab_size = max(settings.vocabulary, len(tokenizer))
    with torch.device("meta"):
        return Qwen2_5_VLForConditionalGeneration(config)


def tiny_config(tokenizer: Any, settings: TinySettings) -> Qwen2_5_VLConfig:
    """Qwen2.5-VL in small: full attention in every layer of the vision tower, embeddings tied."""
    head = settings.hidden // settings.heads
    # Rotary channels are shared out between time, height and width, in pairs.
    time = head // 8
    height = (head // 2 - time) // 2
    tokens = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": settings.hidden,
            "intermediate_size": 3 * settings.hidden,
            "num_hidden_layers": settings.layers,
            "num_attention_heads": settings.heads,
            "num_key_value_heads": settings.heads,
            "max_position_embeddings": _MAX_TOKENS,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [time, height, head // 2 - time - height],
            },
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "depth": settings.vision_layers,
            "hidden_size": settings.vision_hidden,
            "intermediate_size": 3 * settings.vision_hidden,
            "num_heads": max(1, settings.vision_hidden // 32),
            "out_hidden_size": settings.hidden,
            "patch_size": 14,
            "window_size": 112,
            "fullatt_block_indexes": list(range(settings.vision_layers)),
        },
        image_token_id=tokens["image_pad"],
        video_token_id=tokens["video_pad"],
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )
