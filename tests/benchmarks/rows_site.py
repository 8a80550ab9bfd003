"""Generated rows as SITE releases them: pictures and videos, answers as letters."""

from __future__ import annotations

import random
from typing import Any

CATEGORIES = ("counting & existence", "depth & 3d understanding", "multi-view & cross-image reasoning")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        options = [f"thing {number}" for number in rng.sample(range(10, 99), rng.randint(3, 6))]
        rows.append(
            {
                "question": f"Question {k}?", "options": options, "answer": rng.choice("ABCDEF"[: len(options)]),
                "category": CATEGORIES[k % len(CATEGORIES)], "dataset": ("CV-Bench", "VSI-Bench")[k % 2],
                "visual": [f"{k}.mp4"] if k % 2 else [f"{k}a.jpg", f"{k}b.jpg"],
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return f"({row['answer']})"
