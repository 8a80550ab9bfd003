"""Generated rows as MindCube releases them."""

from __future__ import annotations

import random
from typing import Any

SETTINGS = ("around", "rotation", "among", "aroundnew", "translation")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        options = " ".join(f"{letter}. thing {rng.randint(10, 99)}" for letter in "ABCD")
        rows.append(
            {
                "id": f"{SETTINGS[k % len(SETTINGS)]}_group{k:03d}_q0", "question": f"Question {k}? {options}",
                "gt_answer": rng.choice("ABCD"), "images": ["a.png", "b.png"], "category": [],
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["gt_answer"]
