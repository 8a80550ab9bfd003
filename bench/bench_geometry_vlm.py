"""Where a geometry model's time and memory go: preparing, encoding, prefill, decoding, training, kept prefixes.

With a GPU: the shapes of Qwen2.5-VL-3B and VGGT-1B in bfloat16 with random weights made on the device, 32 frames of
640 x 480 (392 x 518 for the encoder); wall-clock time. Without one: a few million parameters in float32, 8 frames;
processor time, so that other programs on the machine do not count (but they still take its caches and memory
bandwidth). Every part prints a row and can be run alone; one that fails says so, and the others go on.

    python bench/bench_geometry_vlm.py
    python bench/bench_geometry_vlm.py --part encode prefill decode
    OMP_NUM_THREADS=1 python bench/bench_geometry_vlm.py --memory     without a GPU: memory in place of time

After --budget-s (8 minutes) no new part is begun. Operations are counted by the formulas of flops.py; their share is of
the data sheet's peak on a GPU, of what a matrix product reaches on a processor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers

from bench_encoder import GOAL as MEMORY_GOAL
from bench_encoder import KINDS, measure, setup
from bench_prefix import GOAL as PREFIX_GOAL
from bench_prefix import compare, make_frames, make_model
from encoder_facts import count, graph, live_memory, waiting
from flops import Work, adapter_work, encoder_work, language_work, num_windows, peak_of, tower_work
from measuring import Bench, Row, line, megabytes
from spaceland.models.clip_tokens import visual_tokens
from spaceland.models.prefix import batch_after, encode_prefix, generate_after
from spaceland.training.config import LoraSettings, Part
from spaceland.training.parts import lora_config, set_dtypes, set_trained

LEARNT = 32
"""Tokens of the answer in a training step."""


def prepare(bench: Bench) -> Row:
    """Pictures to tensors, on the processor whatever the device."""
    model, chat = bench.model, bench.chat
    return bench.measured("prepare", lambda: model.processor([chat], add_generation_prompt=True))


def encode(bench: Bench) -> Row:
    """The geometry encoder on a clip."""
    encoder, frames = bench.model.encoder, bench.batch["geometry_frames"][0]
    return bench.measured("encode", lambda: encoder.encode(frames), encoder_work(encoder, frames).total)


def tower(bench: Bench) -> Row:
    """The model's own image encoder on the same frames."""
    model, batch = bench.model, bench.model._moved(bench.batch)
    visual, cells = model.base.model.visual, batch["geometry_cells"][0]
    calls = (visual.config.depth - len(visual.config.fullatt_block_indexes)) * num_windows(visual, cells)
    return bench.measured(
        "tower",
        lambda: model.base.model.get_image_features(
            batch["pixel_values"], image_grid_thw=batch["image_grid_thw"], return_dict=True
        ),
        tower_work(visual, cells).total,
        f"{calls:,} calls of attention, one for each window of each layer",
    )


def prefill(bench: Bench) -> Row:
    """The language model on the fused tokens, to the first logits."""
    model, batch, clips = bench.model, bench.batch, bench.clips
    tokens = batch["input_ids"].shape[1]
    work = language_work(model.base, tokens, 1).total
    run = lambda: model(**batch, clips=clips, use_cache=True, logits_to_keep=1)  # noqa: E731
    return bench.measured("prefill", run, work, f"{tokens:,} tokens")


def decode(bench: Bench) -> Row:
    """One more token through `generate`, behind a kept prefix."""
    model, num = bench.model, 32 if bench.gpu else 16
    prefix = encode_prefix(model, bench.batch, clips=bench.clips)
    batch = batch_after(model, prefix, [model.processor.split(bench.chat, add_generation_prompt=True)[1]])

    def run(tokens: int) -> Any:
        return generate_after(model, prefix, batch, do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens)

    row = bench.measured("decode, a token", lambda: run(num + 1), language_work(model.base, 1, 1).linear)
    if row.median_s is None:
        return row
    _, first = bench.times(lambda: run(1), bench.repeats)
    row.median_s, row.min_s = ((seconds - first) / num for seconds in (row.median_s, row.min_s or 0.0))
    row.share = None  # a token is bound by memory, not by operations
    row.note = f"{1 / row.median_s:.1f} tokens/s"
    peak = peak_of(torch.cuda.get_device_name()) if bench.gpu else None
    if peak:
        weights = sum(p.nbytes for p in model.base.model.language_model.parameters())
        row.note += f", {(weights + prefix.num_bytes) / row.median_s / peak[1]:.0%} of the memory's bandwidth"
    return row


def shares(bench: Bench) -> Row:
    """One question from pictures to the first logits, and which part takes how much of it."""
    model, seconds = bench.model, Counter[str]()
    clock = time.perf_counter if bench.gpu else time.process_time

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start = clock()
        out = run()
        if bench.gpu:
            torch.cuda.synchronize()
        seconds[name] += clock() - start
        return out

    def whole() -> None:
        batch = timed("prepare", lambda: model.processor([bench.chat], add_generation_prompt=True))
        timed("all else", lambda: model(**batch, logits_to_keep=1, use_cache=True))

    def pieces() -> None:
        batch = bench.batch
        cells = batch["geometry_cells"][0]
        features = timed("encoder", lambda: model.encoder.encode(batch["geometry_frames"][0]))
        frames = timed("image encoder", lambda: visual_tokens(model.base, model._moved(batch)))
        clip = timed("adapter", lambda: tuple(model.adapter(frames, features, cells)))
        timed("language model", lambda: model(**batch, clips=[clip], logits_to_keep=1, use_cache=True))

    row = bench.measured("question", whole)
    with torch.no_grad():
        pieces()
        seconds.clear()
        for _ in range(bench.repeats):
            timed("prepare", lambda: model.processor([bench.chat], add_generation_prompt=True))
            pieces()
    total = seconds.total()
    row.note = ", ".join(f"{name} {taken / total:.0%}" for name, taken in seconds.items())
    return row


def kept_prefix(bench: Bench) -> Row:
    """18 questions on one clip; see bench_prefix.py."""
    found = compare(bench.model, make_frames(bench.num_frames), 18, 8, 1)
    share, seconds = found["share_of_anew"]["prefix, one by one"], found["seconds"]
    return Row(
        part="18 questions, kept prefix",
        median_s=seconds["prefix, one by one"],
        note=f"{share:.1%} of {seconds['anew']:.1f} s anew (goal {PREFIX_GOAL:.0%}: {_met(share < PREFIX_GOAL)}); "
        f"{found['equal_answers']['prefix, one by one']} of 18 answers equal; logits up to "
        f"{found['largest_logit']:.2f} differ by {found['largest_difference_of_logits']:.1e}",
    )


def memory_at(frames: int) -> Callable[[Bench], Row]:
    """The encoder's memory above its weights beside an implementation that keeps all layers; see bench_encoder.py."""

    def run(bench: Bench) -> Row:
        found = {kind: measure(kind, setup(), frames, bench.repeats) for kind in KINDS}
        share = found["ours"][1] / found["plain"][1]
        return Row(
            part=f"encoder memory, {frames} frames",
            median_s=found["ours"][0],
            bytes=int(found["ours"][1]),
            note=f"{share:.1%} of {megabytes(found['plain'][1])} (goal {MEMORY_GOAL:.0%}: "
            f"{_met(share <= MEMORY_GOAL)}), time {found['ours'][0] / found['plain'][0]:.2f}",
        )

    return run


def training(kind: str, parts: tuple[Part, ...], *, lora: bool) -> Callable[[Bench], Row]:
    """A step at batch 1 as the trainer makes it: frozen encoders run too, gradients, AdamW."""

    def run(bench: Bench) -> Row:
        bench.forget()
        model = make_model(bench.size, bench.device)
        if lora:
            model.add_lora(lora_config(LoraSettings()))
        set_trained(model, parts)
        set_dtypes(model, bench.size["dtype"], uniform=False)
        model.gradient_checkpointing_enable()
        model.train()
        optimizer = torch.optim.AdamW([p for _, p in model.trained_parameters()], lr=1e-5)
        batch = model.processor([bench.chat], add_generation_prompt=True)
        ids = batch["input_ids"].to(bench.device)
        where = torch.arange(ids.shape[1] - LEARNT - 1, ids.shape[1] - 1, device=bench.device)

        def step() -> None:
            optimizer.zero_grad()
            with torch.autocast(bench.device, torch.bfloat16, enabled=bench.gpu):
                loss = model(
                    **batch,
                    labels=ids,
                    use_cache=False,
                    logits_to_keep=where,
                    shift_labels=ids[:, where + 1].contiguous(),
                ).loss
            loss.backward()
            optimizer.step()

        frames, cells = batch["geometry_frames"][0], batch["geometry_cells"][0]
        language = language_work(model.base, ids.shape[1], LEARNT)
        adapter = adapter_work(model.adapter, cells)
        frozen: tuple[Work, ...] = (encoder_work(model.encoder, frames), tower_work(model.base.model.visual, cells))
        work = sum(part.total for part in (*frozen, language, adapter)) + adapter.backward(trained=True)
        work += language.backward(trained=not lora and "language_model" in parts)
        before = torch.cuda.memory_allocated() if bench.gpu else 0
        row = bench.row(f"training step, {kind}", step, work)
        trained = sum(p.numel() for _, p in model.trained_parameters())
        row.note = f"{trained / 1e6:,.1f} M trained"
        if bench.gpu:
            row.bytes = torch.cuda.max_memory_allocated()
            row.note += f"; {megabytes(before)} of it are weights before the first step"
        return row

    return run


PARTS: dict[str, Callable[[Bench], Row]] = {
    "prepare": prepare,
    "encode": encode,
    "tower": tower,
    "prefill": prefill,
    "decode": decode,
    "shares": shares,
    "waits": waiting,
    "graph": graph,
    "count": count,
    "memory-real": live_memory,
    "prefix": kept_prefix,
    "memory8": memory_at(8),
    "memory32": memory_at(32),
    "train-adapter": training("adapter", ("adapter",), lora=False),
    "train-lora": training("LoRA and adapter", ("adapter", "language_model"), lora=True),
    "train-full": training("language model and adapter", ("adapter", "language_model"), lora=False),
}
HAVE_MEMORY = ("prepare", "encode", "tower", "prefill", "decode", "train-adapter", "train-lora", "train-full")


def main() -> None:
    """Run the parts and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, help="all by default")
    parser.add_argument("--frames", type=int, help="32 on a GPU, 8 without")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each part")
    parser.add_argument("--memory", action="store_true", help="without a GPU: measure memory, not time")
    parser.add_argument("--budget-s", type=float, default=480, help="no part is begun after so long")
    parser.add_argument("--out", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    bench = Bench(args.repeats, args.frames, args.memory)
    if args.memory and not bench.gpu and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        # Freed blocks go back to the system at once; the allocator reads this when a program starts.
        os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    name = torch.cuda.get_device_name() if bench.gpu else f"{platform.machine()}, {os.cpu_count()} cores"
    about = (
        f"{name}; {torch.get_num_threads()} thread(s), load {os.getloadavg()[0]:.1f}; torch {torch.__version__}, "
        f"transformers {transformers.__version__}; {bench.num_frames} frames; {date.today()}"
    )
    print(about, flush=True)
    if bench.peak:
        print(f"peak: {bench.peak / 1e12:.3g} TFLOP/s", flush=True)
    print(
        "| part | median | least | memory | operations | share of peak | |\n|---|--:|--:|--:|--:|--:|---|", flush=True
    )
    rows, start = [], time.monotonic()
    for part in args.part or (HAVE_MEMORY if args.memory and not bench.gpu else PARTS):
        row = Row(part=part, note="not begun: the time was over")
        if time.monotonic() - start < args.budget_s:
            try:
                row = PARTS[part](bench)
            except Exception as error:
                traceback.print_exc()
                row = Row(part=part, note=f"failed: {type(error).__name__}: {str(error).splitlines()[0]}")
        rows.append(row)
        print(line(row), flush=True)
        if bench.gpu:
            torch.cuda.empty_cache()
    if args.out:
        args.out.write_text(json.dumps({"about": about, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


def _met(reached: bool) -> str:
    return "met" if reached else "missed"


if __name__ == "__main__":
    main()
