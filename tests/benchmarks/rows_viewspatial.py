"""Generated rows as ViewSpatial-Bench releases them: without an id."""

from __future__ import annotations

import random
from typing import Any

TYPES = ("Camera perspective - Object View Orientation", "Person perspective - Relative Direction", "Person - Scene")
WORDS = ("left", "right", "front", "back", "front-left", "back-right")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        texts = rng.sample(WORDS, 4)
        letter = rng.choice("ABCD")
        rows.append(
            {
                "question_type": TYPES[k % len(TYPES)], "image_path": [f"{k}.jpg"], "question": f"Question {k}?",
                "choices": "\n".join(f"{one}. {text}" for one, text in zip("ABCD", texts, strict=True)),
                "answer": f"{letter}. {texts['ABCD'.index(letter)]}",
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
