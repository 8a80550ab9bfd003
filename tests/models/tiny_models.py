"""Tiny models with random weights of the real architectures, and a tiny geometry encoder, for the tests beside this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from spaceland.chat.image_processor import make_processor
from spaceland.chat.types import Message
from spaceland.models.adapter import AdapterConfig
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.processor import GeometryProcessor
from spaceland.models.sources import Sources
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction

QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
INTERN_TOKENS = ["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
TEMPLATE = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{%- if m.content is string %}{{ m.content }}{%- else %}"
    "{%- for c in m.content %}{%- if c.type == 'image' %}IMAGE{%- else %}{{ c.text }}{%- endif %}{%- endfor %}"
    "{%- endif %}<|im_end|>\n{%- endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
)
SMALL = AdapterConfig(merger_dim=24)


class TinyEncoder(nn.Module):
    """Each patch's mean colour and place, through a random layer; every frame also sees the mean of the first one."""

    def __init__(self, dim: int = 12, layers: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.weight = nn.Parameter(torch.randn(layers, 8, dim, generator=generator), requires_grad=False)
        self.calls = 0
        self.spec = EncoderSpec(
            name="tiny", dim=dim, num_layers=layers, default_layers=(1,), licence="none", camera_dim=6, commercial=True
        )

    def encode(
        self, frames: Tensor, layers: Sequence[int] | None = None, *, truth: FrameTruth | None = None
    ) -> GeometryFeatures:
        self.calls += 1
        assert frames.shape[-1] % 14 == 0 and frames.shape[-2] % 14 == 0 and 0 <= frames.min() <= frames.max() <= 1
        frames = frames.to(self.weight)
        mean = F.avg_pool2d(frames, 14).permute(0, 2, 3, 1)  # [s, r, c, 3]
        rows, cols = mean.shape[1:3]
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        place = (torch.stack([y, x], -1).to(mean) / 40).expand(len(mean), -1, -1, -1)
        first = mean[:1].mean((1, 2), keepdim=True).expand_as(mean)
        x8 = torch.cat([mean, place, first], -1)
        chosen = self.spec.default_layers if layers is None else layers
        tokens = {k: torch.tanh(x8 @ self.weight[k]) for k in chosen}
        camera = torch.cat([mean.mean((1, 2)), first[:, 0, 0]], -1)
        return GeometryFeatures(tokens, camera)

    def predict(self, frames: Tensor) -> GeometryPrediction:
        raise NotImplementedError


def tokenizer(words: list[str], image: str) -> Any:
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
    return fast


def text_config(words: Any, **changes: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(words), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 20000,
        "bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id, **changes,
    }  # fmt: skip


def tiny_vlm(kind: str, seed: int = 0, **text: Any) -> tuple[Any, Any]:
    """Model and its own processor."""
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    if kind == "internvl":
        words = tokenizer(INTERN_TOKENS, "<IMG_CONTEXT>")
        plain = text_config(words, **text)
        plain.pop("head_dim")
        config = AutoConfig.for_model(
            "internvl",
            text_config={"model_type": "qwen2", **plain},
            vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
                           "num_attention_heads": 2, "image_size": [112, 112], "patch_size": [14, 14]},
            image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
            downsample_ratio=0.5,
        )  # fmt: skip
        images: Any = GotOcr2ImageProcessorPil(size={"height": 112, "width": 112}, crop_to_patches=True)
    else:
        words = tokenizer(QWEN_TOKENS, "<|vision_start|><|image_pad|><|vision_end|>")
        rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
        patch = 14 if kind == "qwen2_5_vl" else 16
        vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32,
                  "patch_size": patch}  # fmt: skip
        if kind == "qwen2_5_vl":
            vision |= {"window_size": 56, "fullatt_block_indexes": [1]}
        else:
            vision["num_position_embeddings"] = 16
            rope["mrope_interleaved"] = True
        if kind == "qwen3_vl":
            vision["deepstack_visual_indexes"] = [0, 1]
        if kind == "qwen3_5":
            rope |= {"mrope_section": [1, 1, 0], "partial_rotary_factor": 0.25}
            text = {
                "layer_types": ["linear_attention", "full_attention", "linear_attention"],
                "linear_num_value_heads": 2, "linear_num_key_heads": 2,
                "linear_key_head_dim": 8, "linear_value_head_dim": 8, **text,
            }  # fmt: skip
        ids = {n: words.convert_tokens_to_ids(f"<|{n}|>") for n in ("vision_start", "vision_end", "image_pad")}
        config = AutoConfig.for_model(
            kind,
            text_config={**text_config(words, **text), "rope_parameters": rope},
            vision_config=vision,
            image_token_id=ids["image_pad"],
            video_token_id=words.convert_tokens_to_ids("<|video_pad|>"),
            vision_start_token_id=ids["vision_start"],
            vision_end_token_id=ids["vision_end"],
        )
        images = Qwen2VLImageProcessorPil(
            patch_size=patch, merge_size=2, size={"shortest_edge": 4 * patch**2, "longest_edge": 10**7}
        )
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(config).eval()
    return model, make_processor(config, images, words, words.chat_template)


def tiny_model(
    kind: str = "qwen2_5_vl",
    config: AdapterConfig | None = SMALL,
    *,
    encoder: TinyEncoder | None = None,
    seed: int = 0,
    plain: bool = False,
    sources: Sources | None = None,
    max_tokens: int | None = None,
    **grid: Any,
) -> GeometryVLM:
    """A whole model; a few cells per frame unless `grid` says otherwise. `plain`: without an encoder."""
    vlm, own = tiny_vlm(kind, seed)
    family = family_of(vlm.config)
    sizes = family.token_grid(**{"long_side_cells": 4, **grid})
    rays = config is not None and config.rays
    processor = GeometryProcessor(own, family, sizes, geometry=not plain, rays=rays, max_tokens=max_tokens)
    torch.manual_seed(seed + 1)
    return GeometryVLM.from_parts(
        vlm, processor, None if plain else encoder or TinyEncoder(), config, sources=sources
    ).eval()


def wake(model: GeometryVLM, seed: int = 3) -> GeometryVLM:
    """Give the layers that start at zero something to say, so that geometry changes the answers."""
    torch.manual_seed(seed)
    assert model.adapter is not None
    for parameter in model.adapter.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.5)
    return model


def picture(width: int = 80, height: int = 60, seed: int = 0) -> Image.Image:
    """Noise that survives being shrunk."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def chat(num: int = 2, question: str = "What is this?", seed: int = 0, size: tuple[int, int] = (80, 60)) -> Any:
    pictures = [picture(*size, seed=seed + k) for k in range(num)]
    return [Message("system", ["Be brief."]), Message("user", [*pictures, question])]  # type: ignore[list-item]
