"""What early exit and chunks save: VGGT's trunk beside the straightforward one that keeps all layers.

Both have the same weights and blocks and give the same tokens of the last layer but one, the one that VG LLM takes. The
straightforward one runs all frames through the ViT at once, runs all layers and keeps them in a list. Memory is what is
needed above the weights. On a GPU: VGGT-1B's size in bfloat16, frames of 392x518; on a CPU: a quarter of its width,
its depth, small frames; there every run is a process of its own, and memory is that of the process.
Goal: at most 30 % of the memory at 8 and at 32 frames.

    OMP_NUM_THREADS=2 python bench/bench_encoder.py
    python bench/bench_encoder.py --frames 8 32 --repeats 5
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import transformers
from torch import Tensor

from spaceland.models.encoders.vggt import Vggt, VggtConfig

GOAL = 0.30
Kind = Literal["ours", "plain"]
KINDS: tuple[Kind, ...] = ("plain", "ours")
SMALL = VggtConfig(img_size=518, embed_dim=256, num_heads=4, vit_depth=4, vit_num_heads=4)


@dataclass(frozen=True)
class Setup:
    """What is run where."""

    device: str
    dtype: torch.dtype
    config: VggtConfig
    height: int
    width: int

    @property
    def layer(self) -> int:
        """The layer that is wanted."""
        return self.config.depth - 2


def setup() -> Setup:
    """The real size where there is a GPU, else a small one."""
    if torch.cuda.is_available():
        return Setup("cuda", torch.bfloat16, VggtConfig(), 392, 518)
    return Setup("cpu", torch.float32, SMALL, 112, 154)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--repeats", type=int, default=3, help="timed runs; the median counts")
    parser.add_argument("--child", nargs=3, metavar=("KIND", "FRAMES", "WHAT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    at = setup()
    if args.child:
        kind, frames, what = args.child
        run = prepared(kind, at, int(frames))
        print(json.dumps(host_peak(run) if what == "memory" else seconds(run, args.repeats, at.device)))
        return
    where = torch.cuda.get_device_name() if at.device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    print(
        f"{where}; torch {torch.__version__}, transformers {transformers.__version__}; width {at.config.embed_dim}, "
        f"{at.config.depth} layers, {at.dtype}, frames {at.height}x{at.width}; layer {at.layer} wanted"
    )
    for frames in args.frames:
        measured = {kind: measure(kind, at, frames, args.repeats) for kind in KINDS}
        share = measured["ours"][1] / measured["plain"][1]
        for kind in KINDS:
            print(f"{frames:3d} frames  {kind:5s}  {measured[kind][0]:8.3f} s  {measured[kind][1] / 2**20:9.1f} MiB")
        print(
            f"{frames:3d} frames  time {measured['ours'][0] / measured['plain'][0]:.2f}, memory {share:.1%} "
            f"(goal {GOAL:.0%}: {'met' if share <= GOAL else 'missed'})"
        )
    print(f"largest difference between the two: {difference(at):.2g}")


def measure(kind: Kind, at: Setup, frames: int, repeats: int) -> tuple[float, float]:
    """Median seconds, and bytes above the weights."""
    if at.device == "cuda":
        run = prepared(kind, at, frames)
        taken = seconds(run, repeats, at.device)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        torch.cuda.synchronize()
        return taken, torch.cuda.max_memory_allocated() - before
    found = {}
    for what in ("time", "memory"):
        # Freed blocks go back to the system at once where memory is what counts.
        environment = os.environ | ({"MALLOC_MMAP_THRESHOLD_": "65536"} if what == "memory" else {})
        command = [sys.executable, __file__, "--child", kind, str(frames), what, "--repeats", str(repeats)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        found[what] = float(json.loads(done.stdout))
    return found["time"], found["memory"]


def prepared(kind: Kind, at: Setup, frames: int) -> Callable[[], Tensor]:
    """The run that is measured, after one on a single frame."""
    model = network(kind, at)
    clip = torch.rand(frames, 3, at.height, at.width, generator=torch.Generator().manual_seed(0))

    def run(clip: Tensor = clip) -> Tensor:
        if kind == "ours":
            return model.encode(clip, [at.layer]).tokens[at.layer]
        return keep_all(model, clip)[at.layer]

    run(clip[:1])
    return run


def network(kind: Kind, at: Setup) -> Vggt:
    """Random weights, the same for both; ours is built as deep as needed."""
    torch.manual_seed(0)
    with torch.device(at.device):
        model = Vggt(at.config, heads=False).to(at.dtype).requires_grad_(False).eval()
    if kind == "ours":
        model.num_built = at.layer + 1
        del model.trunk.frame_blocks[at.layer + 1 :], model.trunk.global_blocks[at.layer + 1 :]
    return model


@torch.no_grad()
def keep_all(model: Vggt, clip: Tensor) -> list[Tensor]:
    """Tokens of every layer, in a list, as the released code has them."""
    trunk, grid = model.trunk, (clip.shape[2] // model.spec.patch, clip.shape[3] // model.spec.patch)
    patches = model.vit(clip, len(clip))
    x = torch.cat([trunk.special_tokens(len(clip)), patches], dim=1)
    in_frame, in_clip = trunk.angles(grid, len(clip), x)
    layers = []
    for frame_block, global_block in zip(trunk.frame_blocks, trunk.global_blocks, strict=True):
        within = frame_block(x, in_frame)
        x = global_block(within.reshape(1, -1, x.shape[-1]), in_clip).reshape(x.shape)
        layers.append(torch.cat([within, x], dim=-1))
    return [layer[:, trunk.config.num_special :].unflatten(1, grid) for layer in layers]


def seconds(run: Callable[[], Tensor], repeats: int, device: str) -> float:
    """Median time of a run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def host_peak(run: Callable[[], Tensor]) -> float:
    """Bytes by which this process grew at most during a run (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = status("VmRSS")
    run()
    return status("VmHWM") - before


def status(field: str) -> int:
    """Bytes of a field of this process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {field} in /proc/self/status; this measure needs Linux")


def difference(at: Setup) -> float:
    """Between the features of the two, on one clip."""
    runs = [prepared(kind, at, 4) for kind in KINDS]
    plain, ours = (run().float() for run in runs)
    return float((plain - ours).abs().max())


if __name__ == "__main__":
    main()
