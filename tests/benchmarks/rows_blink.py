"""Generated rows as BLINK releases them."""

from __future__ import annotations

import random
from typing import Any

from spaceland.benchmarks.blink import TASKS


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        task = TASKS[k % len(TASKS)]
        choices = [f"thing {number}" for number in rng.sample(range(10, 99), 4)]
        lines = "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCD", choices, strict=True))
        rows.append(
            {
                "idx": f"val_{task}_{k}", "sub_task": task, "question": f"Question {k}?", "choices": choices,
                "answer": f"({rng.choice('ABCD')})", "prompt": f"Question {k}?\nSelect from the following.\n{lines}",
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
