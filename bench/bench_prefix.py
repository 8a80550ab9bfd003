"""Many questions on one clip: everything anew for each, the clip's tokens encoded once, its prefix kept.

The goal is that 18 questions behind a kept prefix, the making of the prefix included, take less than 15 % of the time
of 18 runs that encode anew, with the same logits up to rounding. All ways start from pictures and end with words, and
answer the same questions with the same number of tokens. Weights are random: this is about time, never about answers.

`--size small` is for a processor: a few million parameters, 8 frames of 640 x 480. `--size real` is for a GPU: shapes
of Qwen2.5-VL-3B and VGGT-1B in bfloat16, 32 frames.

    python bench/bench_prefix.py
    python bench/bench_prefix.py --size real --device cuda
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "models"))

from tiny_models import QWEN_TOKENS, text_config, tokenizer

from spaceland.chat.image_processor import make_processor
from spaceland.chat.types import Message
from spaceland.models.adapter import AdapterConfig
from spaceland.models.encoders.vggt import Vggt, VggtConfig
from spaceland.models.families import family_of
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.prefix import batch_after, encode_prefix, generate_after, logits_after
from spaceland.models.processor import GeometryProcessor

GOAL = 0.15
SMALL: dict[str, Any] = {
    "text": {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 8, "num_attention_heads": 4,
             "num_key_value_heads": 2, "head_dim": 64},
    "sections": [8, 12, 12],
    "vision": {"depth": 6, "hidden_size": 128, "intermediate_size": 352, "num_heads": 4, "out_hidden_size": 256,
               "fullatt_block_indexes": [5], "window_size": 112, "patch_size": 14},
    "vggt": {"embed_dim": 128, "depth": 6, "num_heads": 2, "vit_depth": 4, "vit_num_heads": 2,
             "dpt_layers": (1, 2, 4, 5)},
    "merger_dim": 256,
    "frames": 8,
    "dtype": torch.float32,
}  # fmt: skip
REAL: dict[str, Any] = {
    "text": {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
             "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 128000},
    "sections": [16, 24, 24],
    "vision": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
               "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112, "patch_size": 14},
    "vggt": {},
    "merger_dim": 4096,
    "frames": 32,
    "dtype": torch.bfloat16,
}  # fmt: skip


def make_model(size: dict[str, Any], device: str) -> GeometryVLM:
    """A model with random weights, its adapter awake."""
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    words = tokenizer(QWEN_TOKENS, "<|vision_start|><|image_pad|><|vision_end|>")
    rope = {"rope_type": "default", "mrope_section": size["sections"], "rope_theta": 1e6}
    ids = {name: words.convert_tokens_to_ids(f"<|{name}|>") for name in ("vision_start", "vision_end")}
    config = AutoConfig.for_model(
        "qwen2_5_vl",
        text_config={**text_config(words), **size["text"], "rope_parameters": rope},
        vision_config=size["vision"],
        image_token_id=words.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=words.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device(device):
        vlm = AutoModelForImageTextToText.from_config(config, dtype=size["dtype"]).eval()
        sizes = VggtConfig(**size["vggt"])
        encoder = Vggt(sizes, sizes.depth - 1, heads=False).to(size["dtype"]).requires_grad_(False).eval()
    images = Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, size={"shortest_edge": 28**2, "longest_edge": 10**7})
    family = family_of(vlm.config)
    processor = GeometryProcessor(
        make_processor(config, images, words, words.chat_template), family, family.token_grid(preset="vgllm")
    )
    model = GeometryVLM.from_parts(vlm, processor, encoder, AdapterConfig(merger_dim=size["merger_dim"]))
    for merger in model.adapter.mergers:  # type: ignore[union-attr]
        torch.nn.init.normal_(merger.mlp[-1].weight, std=0.02)
    return model.to(device=device, dtype=size["dtype"]).eval()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "real"), default="small")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--questions", type=int, default=18)
    parser.add_argument("--tokens", type=int, default=8, help="of each answer; VSI-Bench takes at most 16")
    parser.add_argument("--frames", type=int, help="8 for small, 32 for real")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    args = parser.parse_args()
    size = SMALL if args.size == "small" else REAL
    model = make_model(size, args.device)
    num = args.frames or size["frames"]
    figures = {"size": args.size, **compare(model, make_frames(num), args.questions, args.tokens, args.repeats)}
    for name in figures["seconds"]:
        print(
            f"{name:20} {figures['seconds'][name]:8.2f} s  {100 * figures['share_of_anew'][name]:5.1f} %  "
            f"{figures['equal_answers'][name]} of {args.questions} answers equal"
        )
    share = figures["share_of_anew"]["prefix, one by one"]
    print(f"prefix: {figures['prefix_tokens']} tokens, {figures['prefix_bytes'] / 1e6:.1f} MB")
    print(
        f"logits: at most {figures['largest_logit']:.2f}, they differ by {figures['largest_difference_of_logits']:.1e}"
    )
    print(f"goal {100 * GOAL:.0f} %: {'reached' if share < GOAL else 'missed'} one by one with {100 * share:.1f} %")
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")


def make_frames(num: int) -> list[Image.Image]:
    """Noise of 640 x 480 pixels."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (480, 640, 3), np.uint8)) for _ in range(num)]


def compare(
    model: GeometryVLM, frames: Sequence[Image.Image], num_questions: int, tokens: int, repeats: int
) -> dict[str, Any]:
    """All ways in turns: seconds (median), equal answers, logits."""
    device = model.device.type
    chats = [
        [
            Message(
                "user", [*frames, f"These are frames of a video.\nHow many chairs, counted {k} times? Answer briefly."]
            )
        ]
        for k in range(num_questions)
    ]
    how = {"do_sample": False, "max_new_tokens": tokens, "min_new_tokens": tokens}

    def anew() -> list[list[int]]:
        return [_answers(model.generate(**_ready(model, one), **how), tokens)[0] for one in chats]

    def encoded_once() -> list[list[int]]:
        first = _ready(model, chats[0])
        clips = model.encode_batch(first)
        return [_answers(model.generate(**_ready(model, one), clips=clips, **how), tokens)[0] for one in chats]

    def behind_prefix(together: bool) -> list[list[int]]:
        prefix = encode_prefix(model, _ready(model, chats[0]))
        tails = [model.processor.split(one, add_generation_prompt=True)[1] for one in chats]
        groups = [tails] if together else [[tail] for tail in tails]
        return [
            answer
            for group in groups
            for answer in _answers(generate_after(model, prefix, batch_after(model, prefix, group), **how), tokens)
        ]

    model.generate(**_ready(model, chats[0]), **how)  # warm up
    ways: dict[str, Callable[[], list[list[int]]]] = {
        "anew": anew,
        "encoded once": encoded_once,
        "prefix, one by one": lambda: behind_prefix(False),
        "prefix, one batch": lambda: behind_prefix(True),
    }
    # Processor time where that is what computes: other programs on the machine do not count.
    clock = time.perf_counter if device.startswith("cuda") else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers = {}
    for _ in range(repeats):  # in turns, so that a busy machine is busy for all
        for name, way in ways.items():
            _wait(device)
            start = clock()
            answers[name] = way()
            _wait(device)
            seconds[name].append(clock() - start)

    prefix = encode_prefix(model, _ready(model, chats[0]))
    largest, scale = 0.0, 0.0
    for one in chats[:3]:
        with torch.no_grad():
            whole = model(**_ready(model, one)).logits[0]
        part = logits_after(model, prefix, _ready(model, one))[0][0]
        largest = max(largest, float((whole[-len(part) :] - part).abs().max()))
        scale = max(scale, float(whole.abs().max()))
    base = statistics.median(seconds["anew"])
    equal = {n: sum(a == b for a, b in zip(answers["anew"], got, strict=True)) for n, got in answers.items()}
    return {
        "frames": len(frames),
        "questions": num_questions,
        "answer_tokens": tokens,
        "prefix_tokens": prefix.num_tokens,
        "prefix_bytes": prefix.num_bytes,
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "share_of_anew": {name: statistics.median(s) / base for name, s in seconds.items()},
        "equal_answers": equal,
        "largest_difference_of_logits": largest,
        "largest_logit": scale,
        "machine": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "date": date.today().isoformat(),
    }  # fmt: skip


def _ready(model: GeometryVLM, chat: Any) -> dict[str, Any]:
    return model.processor([chat], add_generation_prompt=True)


def _answers(ids: Any, num: int) -> Sequence[list[int]]:
    return ids[:, -num:].tolist()


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
