"""How the parts of a geometry model are measured: time and memory; and the rows that say so."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from bench_encoder import host_peak
from bench_prefix import REAL, SMALL, make_frames, make_model
from flops import peak_of
from spaceland.chat.types import Message


@dataclass(kw_only=True)
class Row:
    """What a part found; None where it does not apply or was not measured."""

    part: str
    median_s: float | None = None
    min_s: float | None = None
    bytes: int | None = None
    flop: float | None = None
    share: float | None = None
    note: str = ""


class Bench:
    """The model, made when it is first needed, and how things are measured."""

    def __init__(self, repeats: int, frames: int | None, memory: bool) -> None:
        self.gpu = torch.cuda.is_available()
        self.device = "cuda" if self.gpu else "cpu"
        self.size = REAL if self.gpu else SMALL
        self.num_frames = frames or self.size["frames"]
        self.repeats, self.memory = repeats, memory

    @cached_property
    def model(self) -> Any:
        """All parts of the model."""
        return make_model(self.size, self.device)

    @cached_property
    def chat(self) -> list[Message]:
        """A question on a clip."""
        return [Message("user", [*make_frames(self.num_frames), "How many chairs are in this room? Answer briefly."])]

    @cached_property
    def batch(self) -> dict[str, Any]:
        """The same for the model."""
        return self.model.processor([self.chat], add_generation_prompt=True)

    @cached_property
    def clips(self) -> Any:
        """Its fused tokens."""
        return self.model.encode_batch(self.batch)

    @cached_property
    def peak(self) -> float | None:
        """Operations per second that are possible."""
        if not self.gpu:
            a = torch.rand(1024, 1024)
            return 2 * 1024**3 / self.times(lambda: a @ a, 9)[1]
        found = peak_of(torch.cuda.get_device_name())
        return found[0] if found else None

    def measured(self, part: str, run: Callable[[], Any], work: float | None = None, note: str = "") -> Row:
        """Time, memory above what was there before, and what that is in operations."""
        with torch.no_grad():
            return self.row(part, run, work, note)

    def row(self, part: str, run: Callable[[], Any], work: float | None = None, note: str = "") -> Row:
        """As `measured`, with gradients."""
        run()
        row = Row(part=part, flop=work, note=note)
        if self.gpu:
            torch.cuda.synchronize()
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            run()
            row.bytes = torch.cuda.max_memory_allocated() - before
        elif self.memory:
            row.bytes = int(host_peak(run))
            return row
        row.median_s, row.min_s = self.times(run, self.repeats)
        if work and self.peak:
            row.share = work / row.median_s / self.peak
        return row

    def times(self, run: Callable[[], Any], repeats: int) -> tuple[float, float]:
        """Median and least seconds."""
        clock = time.perf_counter if self.gpu else time.process_time
        found = []
        for _ in range(repeats):
            start = clock()
            run()
            if self.gpu:
                torch.cuda.synchronize()
            found.append(clock() - start)
        return statistics.median(found), min(found)

    def forget(self) -> None:
        """Give the model's memory back."""
        for name in ("model", "batch", "clips"):
            self.__dict__.pop(name, None)
        gc.collect()
        if self.gpu:
            torch.cuda.empty_cache()


def line(row: Row) -> str:
    """A row of the table."""
    cells = [
        row.part,
        _seconds(row.median_s),
        _seconds(row.min_s),
        megabytes(row.bytes),
        "" if row.flop is None else f"{row.flop / 1e12:.3g} T",
        "" if row.share is None else f"{row.share:.0%}",
        row.note,
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def megabytes(count: float | None) -> str:
    """In words; empty for None."""
    return "" if count is None else f"{count / 1e6:,.0f} MB"
