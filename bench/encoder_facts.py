"""Facts of a geometry model that no clock tells: graph breaks, waits of the host, memory at real size, operations.

Waits and memory are found without a GPU too: VGGT-1B runs on torch's meta device, where tensors have no values.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench_encoder import GOAL, keep_all
from bench_prefix import SMALL, make_frames, make_model
from flops import counted, encoder_work, language_work, tower_work
from measuring import Bench, Row, megabytes
from spaceland.chat.types import Message
from spaceland.models.clip_tokens import visual_tokens
from spaceland.models.encoders.vggt import Vggt, VggtConfig


class Live(TorchDispatchMode):
    """Bytes of the tensors that are alive on the meta device, apart from those that were there before."""

    def __init__(self, before: nn.Module) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {p.untyped_storage()._cdata for p in before.parameters()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.device.type == "meta":
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self._known:
                    self._known.add(key)
                    self.now += size
                    weakref.finalize(storage, self._gone, key, size)
        self.peak = max(self.peak, self.now)
        return out

    def _gone(self, key: int, size: int) -> None:
        self.now -= size
        self._known.discard(key)


class FusedAttention(TorchFunctionMode):
    """Attention as fused kernels do it: nothing but its result is kept. The meta device would spell it out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


class Waits(TorchDispatchMode):
    """Counts what makes a program wait for its device: values that are read, copies that are not asynchronous."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.copies = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        given = {t.device.type for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        made = {t.device.type for t in tree_leaves(out) if isinstance(t, Tensor)}
        if len(given | made) > 1:
            self.copies += 1
            if not kwargs.get("non_blocking"):
                self.waits[str(func)] += 1
        elif given - {"cpu"} and not made:
            self.waits[str(func)] += 1
        return out


def live_memory(bench: Bench) -> Row:
    """Peak of the live tensors of VGGT-1B in bfloat16 beside those of an implementation that keeps all layers."""
    with torch.device("meta"):
        model = Vggt(VggtConfig(), heads=False).to(torch.bfloat16).requires_grad_(False).eval()
    notes, ours = [], 0
    for num in (8, 32):
        frames = torch.zeros(num, 3, 392, 518)
        peaks = []
        for run in (keep_all, Vggt.encode):
            with torch.no_grad(), FusedAttention(), Live(model) as live:
                run(model, frames)
            peaks.append(live.peak)
        ours = peaks[1]
        notes.append(f"{num} frames {ours / peaks[0]:.1%} of {megabytes(peaks[0])}")
    note = f"{', '.join(notes)}: VGGT-1B, 392 x 518, counted, not measured (goal {GOAL:.0%})"
    return Row(part="encoder memory, 32 frames, real size", bytes=ours, note=note)


def graph(bench: Bench) -> Row:
    """Whether torch can take the whole encoder, loop over chunks of frames included, as one graph."""
    small = Vggt(VggtConfig(**SMALL["vggt"]), 5, heads=False).requires_grad_(False).eval().to(bench.device)
    clip = torch.rand(20, 3, 56, 70, device=bench.device)
    with torch.no_grad():
        found = torch._dynamo.explain(small.forward)(clip, (4,))
    reasons = "; ".join(str(reason.reason) for reason in found.break_reasons)
    return Row(part="graph breaks", note=f"{found.graph_break_count} in {found.graph_count} graph(s) {reasons}".strip())


def count(bench: Bench) -> Row:
    """The formulas beside torch's own count, in the small size, where nothing is fused away."""
    model = make_model(SMALL, "cpu")
    batch = model.processor([[Message("user", [*make_frames(1), "Why?"])]], add_generation_prompt=True)
    frames, cells, tokens = batch["geometry_frames"][0], batch["geometry_cells"][0], batch["input_ids"].shape[1]
    clips = model.encode_batch(batch)
    language = language_work(model.base, tokens, 1)
    pairs = {
        "encoder": (encoder_work(model.encoder, frames).total, lambda: model.encoder.encode(frames)),
        "image encoder": (tower_work(model.base.model.visual, cells).total, lambda: visual_tokens(model.base, batch)),
        # Torch counts the half of causal attention that is masked.
        "language model": (
            language.linear + 2 * language.attention,
            lambda: model(**batch, clips=clips, logits_to_keep=1),
        ),
    }
    with torch.no_grad():
        ratios = {name: formula / counted(run) for name, (formula, run) in pairs.items()}
    return Row(part="formula / count", note=", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items()))


def waiting(bench: Bench) -> Row:
    """Whether the encoder's loop ever makes the host wait.

    On a GPU torch raises at the first wait. Without one, VGGT-1B runs on the meta device, whose values cannot be read.
    """
    if bench.gpu:
        encoder, frames = bench.model.encoder, bench.batch["geometry_frames"][0]
        encoder.encode(frames)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            encoder.encode(frames)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return Row(part="waits of the host", note="0 (torch's own watch on the device)")
    with torch.device("meta"):
        encoder = Vggt(VggtConfig(), 23, heads=False).requires_grad_(False).eval()
    with Waits() as seen:
        encoder.encode(torch.rand(32, 3, 392, 518))
    note = f"{seen.waits.total()} {dict(seen.waits) or ''}; {seen.copies} copies, one for each 8 frames"
    return Row(part="waits of the host", note=f"{note} (VGGT-1B without values, 32 frames)")
