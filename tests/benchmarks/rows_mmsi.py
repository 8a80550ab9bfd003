"""Generated rows as MMSI-Bench releases them, en dash and all."""

from __future__ import annotations

import random
from typing import Any

TYPES = ("Positional Relationship (Cam.\u2013Obj.)", "Positional Relationship (Obj.\u2013Reg.)", "Motion (Cam.)", "MSR")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        texts = [f"thing {number}" for number in rng.sample(range(10, 99), 4)]
        options = ", ".join(f"{letter}: {text}" for letter, text in zip("ABCD", texts, strict=True))
        rows.append(
            {
                "id": k, "question_type": TYPES[k % len(TYPES)], "question": f"Question {k}?\nOptions: {options}",
                "answer": rng.choice("ABCD"), "thought": "",
            }
        )  # fmt: skip
    return rows


def gold(row: dict[str, Any]) -> str:
    return f"``{row['answer']}``"
