"""Every benchmark with its generated rows, and hostile replies."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import KNOWN

CASES = [(name, protocol.name) for name in KNOWN for protocol in find_benchmark(name).protocols]
PIECES = (
    *"Ab()[]{}<>/\\*_`^:,-+.;=#|\"' \n\t", "  ", "\r\n", "\x00", "\x1b[31m", "\u202e", "\u200b", "\ufeff",
    "\ud800", "\uff14", "\u0663", "\u00b2", "\u4e16", "\U0001f600", "e\u0301", "9" * 400, "1e999", "-0", "nan",
    "inf", "1_000", "1,200.5", "0x1f", "3.5 m", "150 cm", "four", "twenty-one", "hundred ", "and", "yes", "none",
    "sos", "eos", "<think>", "</think>", "<answer>", "</answer>", "answer is", "The answer is", "Final answer: (B)",
    "move_up:", "move_right:0.3", "<OBJ001>", "<OBJ", "<LOC500>", "[1, 2, 3]", '{"bbox_3d": [',
    '{"label": "chair", "bbox_3d": [0,0,0,1,1,1,0,0,0]}', '"frame": 0', "```json", "[" * 60, "(" * 60, "{" * 60,
    "'''", "__import__('os')", "1" + "+1" * 30, "10**10**10", "%s%n", "${x}", "../..", "; DROP TABLE", "\\boxed{C}",
    "A.", "A:", "Option A:", "x" * 200,
)  # fmt: skip
PATTERNS = (
    " ", "\n", "\t", "A", "A ", "a", "9", "0.", "1,", "1 ", "-", ".", "*", "[", "(", "{", '{"', "<", "< ", "<answer",
    "<answer>", "<answer>A", "</think", "<think>", "</answer>", "answer", "answer ", "answer is ", "is ", "a:", ":,",
    "move_up:1,", "**", "`", "```", "<OBJ", "<OBJ001>", "bbox_3d", '{"bbox_3d":', "hundred ", "one ", "and ", "\\",
    "\u200b", "\u4e16", "x",
)  # fmt: skip


def rows_module(name: str) -> ModuleType:
    """`make_rows(num, seed)` and `gold(row)` of a benchmark; `CHANCE` and `MAXIMUM` where it is an odd one."""
    return importlib.import_module(f"rows_{name.replace('-', '_')}")


@pytest.fixture
def rows_of() -> Callable[[str], ModuleType]:
    return rows_module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with `benchmark` and `protocol` runs for every protocol of every known benchmark."""
    if {"benchmark", "protocol"} <= set(metafunc.fixturenames):
        metafunc.parametrize(("benchmark", "protocol"), CASES)
    elif "benchmark" in metafunc.fixturenames:
        metafunc.parametrize("benchmark", list(KNOWN))


@pytest.fixture
def hostile() -> Callable[[int, int], list[str]]:
    """So many strange replies, by seed."""

    def make(num: int, seed: int) -> list[str]:
        rng = random.Random(seed)
        return ["".join(rng.choices(PIECES, k=rng.choice((0, 1, 2, 3, 5, 9, 20)))) for _ in range(num)]

    return make


@pytest.fixture
def monsters() -> list[str]:
    """Long replies that cost quadratic time where a rule looks at the rest of the text again and again."""
    long = [pattern * (60_000 // len(pattern)) for pattern in PATTERNS]
    return [*long, *(f"answer A{text}x" for text in long[:4]), *(f"{text}A" for text in long[:4])]


@pytest.fixture
def by_id() -> Callable[[Any, list[dict[str, Any]], list[str]], dict[str, str]]:
    """Predictions of a benchmark from rows and replies in their order."""
    return lambda benchmark, rows, replies: {
        benchmark.row_id(benchmark.adapt(row) if benchmark.adapt else row): reply
        for row, reply in zip(rows, replies, strict=True)
    }
