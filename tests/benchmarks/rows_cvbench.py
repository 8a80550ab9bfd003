"""Generated rows as CV-Bench releases them."""

from __future__ import annotations

import random
from typing import Any

PARTS = (("ADE20K", "Count"), ("COCO", "Relation"), ("Omni3D", "Depth"), ("Omni3D", "Distance"), ("ADE20K", "Relation"))


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        source, task = PARTS[k % len(PARTS)]
        choices = [f"thing {number}" for number in rng.sample(range(10, 99), rng.randint(3, 6))]
        lines = "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCDEF", choices, strict=False))
        rows.append(
            {
                "idx": k, "type": "3D" if source == "Omni3D" else "2D", "task": task, "source": source,
                "question": f"Question {k}?", "choices": choices, "answer": f"({rng.choice('ABCDEF'[: len(choices)])})",
                "prompt": f"Question {k}? Select from the following choices.\n{lines}",
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"].strip("()")
