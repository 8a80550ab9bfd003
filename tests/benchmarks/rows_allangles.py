"""Generated rows as All-Angles Bench releases them: options in columns, three or two of them."""

from __future__ import annotations

import random
from typing import Any

from spaceland.benchmarks.allangles import CATEGORIES


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        letters = "ABC"[: 2 if k % 5 == 0 else 3]
        texts = dict(zip(letters, (f"thing {n}" for n in rng.sample(range(10, 99), 3)), strict=False))
        rows.append(
            {"index": k, "question": f"Question {k}?", "category": CATEGORIES[k % 6], "answer": rng.choice(letters)}
            | {letter: texts.get(letter, float("nan")) for letter in "ABC"}
        )
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
