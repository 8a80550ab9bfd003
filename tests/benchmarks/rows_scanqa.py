"""Generated rows as ScanQA releases them. The answers hold nothing that any protocol's cleaning would change."""

from __future__ import annotations

import random
from typing import Any

COLORS = ("brown", "black", "white", "blue", "dark green", "light gray", "silver", "red and yellow")
PLACES = ("left of desk", "under window", "next to door", "behind sofa", "in corner of room", "on top of cabinet")
COUNTS = ("three", "four", "five", "six", "seven", "eight")
KINDS = ("wooden chair", "office chair", "trash can", "coffee table", "bookshelf", "kitchen sink", "bath towel")
QUESTIONS = (
    ("What color is the chair by the wall {}?", COLORS),
    ("Where is the lamp of room {}?", PLACES),
    ("How many chairs are in room {}?", COUNTS),
    ("What kind of thing stands at place {}?", KINDS),
    ("What is next to the door of room {}?", KINDS),
    ("Which side of room {} has light?", PLACES),
)
CHANCE = (0.0, 45.0)


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` rows, all question classes in turn, with two references each."""
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        question, answers = QUESTIONS[k % len(QUESTIONS)]
        rows.append(
            {
                "scene_id": f"scene{k % 9:04d}_00",
                "question_id": f"val-scene{k % 9:04d}-{k}",
                "question": question.format(k),
                "answers": rng.sample(answers, 2),
                "object_ids": [k % 30],
                "object_names": ["chair"],
            }
        )
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["answers"][0]
