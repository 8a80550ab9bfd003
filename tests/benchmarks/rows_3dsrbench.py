"""Generated rows as the circular 3DSRBench has them: every question turned, mirrored, and both."""

from __future__ import annotations

import random
from typing import Any

CATEGORIES = ("height_higher", "location_above", "orientation_viewpoint", "multi_object_facing")
VARIANTS = ("", "-1", "-flip", "-flip-1")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        question = k // len(VARIANTS)
        letters = "AB" if question % 3 == 0 else "ABCD"
        texts = dict(zip(letters, (f"thing {n}" for n in rng.sample(range(10, 99), 4)), strict=False))
        rows.append(
            {
                "index": k, "qid": f"Q{question:07d}{VARIANTS[k % len(VARIANTS)]}", "question": f"Question {question}?",
                "category": CATEGORIES[question % len(CATEGORIES)], "answer": rng.choice(letters),
            }
            | {letter: texts.get(letter, "nan") for letter in "ABCD"}
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
