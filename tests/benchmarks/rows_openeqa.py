"""Generated rows as OpenEQA releases them; some have extra answers."""

from __future__ import annotations

import random
from typing import Any

from spaceland.benchmarks.openeqa import CATEGORIES

COLORS = ("red", "blue", "green", "white", "brown")
THINGS = ("chair", "sofa", "table", "lamp", "shelf", "desk")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        row = {
            "question_id": f"q{k}", "question": f"Question {k}?", "category": CATEGORIES[k % len(CATEGORIES)],
            "answer": f"The {rng.choice(COLORS)} {rng.choice(THINGS)}.",
            "episode_history": ("scannet-v0/scene0{}", "hm3d-v0/000-hm3d-{}")[k % 2].format(k % 9),
        }  # fmt: skip
        rows.append(row | ({"extra_answers": [f"a {rng.choice(THINGS)}", "by the door"]} if k % 4 == 0 else {}))
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answer"]
