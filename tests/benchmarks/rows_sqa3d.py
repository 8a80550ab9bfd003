"""Generated rows as SQA3D releases them, questions and annotations joined."""

from __future__ import annotations

import random
from typing import Any

QUESTIONS = (
    ("What is behind me?", ("door", "window", "desk", "bookshelf", "trash can")),
    ("Is the chair on my left side?", ("yes", "no")),
    ("How many chairs are on my right side?", ("two", "three", "four", "five")),
    ("Can I see the door from here?", ("yes", "no")),
    ("Which way should I turn to reach the sink?", ("left", "right", "backward", "forward")),
    ("In front of me, do I see a bed?", ("yes", "no")),
)
CHANCE = (0.0, 60.0)


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` rows, all question types in turn."""
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        question, answers = QUESTIONS[k % len(QUESTIONS)]
        turn = rng.uniform(-3.1, 3.1)
        rows.append(
            {
                "question_id": 220602000000 + k,
                "scene_id": f"scene{k % 9:04d}_00",
                "situation": f"I am standing by table {k}.",
                "alternative_situation": [f"I stand next to table {k}.", f"Table {k} is right before me."],
                "question": question,
                "answers": [{"answer": rng.choice(answers)}],
                "position": {"x": rng.uniform(-3, 3), "y": rng.uniform(-3, 3), "z": 0.0},
                "rotation": _quaternion(turn),
            }
        )
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answers"][0]["answer"]


def _quaternion(turn: float) -> dict[str, float]:
    from math import cos, sin

    return {"_x": 0.0, "_y": 0.0, "_z": sin(turn / 2), "_w": cos(turn / 2)}
