"""Generated rows as EmbSpatial-Bench releases them: the answer counts from 0."""

from __future__ import annotations

import random
from typing import Any

RELATIONS = ("above", "under", "left", "right", "close", "far")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "question_id": f"mp3d_{k}", "question": f"Question {k}?", "relation": RELATIONS[k % 6],
            "answer_options": [f"thing {n}" for n in rng.sample(range(10, 99), 4)], "answer": rng.randrange(4),
            "data_source": ("mp3d", "scannet", "ai2thor")[k % 3],
        }
        for k in range(num)
    ]  # fmt: skip


def gold(row: dict[str, Any]) -> str:
    return "ABCD"[row["answer"]]
