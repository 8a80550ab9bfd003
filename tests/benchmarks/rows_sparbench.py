"""Generated rows as SPAR-Bench releases them."""

from __future__ import annotations

import random
from typing import Any

from spaceland.benchmarks.sparbench import LOW, TASKS

MOTION = "move_right:0.4,move_up:0.4,move_forward:2.4,rotate_up:5,rotate_right:60"
CHANCE = (15.0, 65.0)  # a camera motion without a look at the pictures is often half right


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` rows, all tasks in turn."""
    rng = random.Random(seed)
    return [_row(k, TASKS[k % len(TASKS)], rng) for k in range(num)]


def _row(k: int, task: str, rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"id": k, "task": task, "img_type": "multi_view" if "_mv" in task else "single_view"}
    row["question"] = f"Question {k}?"
    if task in LOW:
        return row | {"format_type": "fill", "answer": f"{rng.uniform(0.3, 6):.1f}"}
    if task == "view_change_infer":
        return row | {"format_type": "fill", "answer": MOTION.replace("60", str(5 * rng.randint(1, 20)))}
    options = "".join(f"\n{letter}. thing {rng.randint(10, 99)}" for letter in "ABCD")
    return row | {"format_type": "select", "answer": rng.choice("ABCD"), "question": row["question"] + options}


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
