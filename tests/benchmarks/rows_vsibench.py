"""Generated rows as VSI-Bench releases them."""

from __future__ import annotations

import random
from typing import Any

TYPES = (
    "object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation", "object_rel_distance",
    "object_rel_direction_easy", "object_rel_direction_medium", "object_rel_direction_hard", "route_planning",
    "obj_appearance_order",
)  # fmt: skip
OPTIONS = {"object_rel_direction_easy": 2, "object_rel_direction_medium": 3}


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` rows, all types in turn."""
    rng = random.Random(seed)
    return [_row(k, TYPES[k % len(TYPES)], rng) for k in range(num)]


def _row(k: int, kind: str, rng: random.Random) -> dict[str, Any]:
    options = None
    if kind == "object_counting":
        truth = str(rng.randint(2, 9))
    elif kind in ("object_abs_distance", "room_size_estimation"):
        truth = f"{rng.uniform(0.3, 40 if 'room' in kind else 6):.1f}"
    elif kind == "object_size_estimation":
        truth = str(rng.randint(20, 250))
    else:
        letters = "ABCD"[: OPTIONS.get(kind, 4)]
        options = [f"{letter}. thing {rng.randint(10, 99)} {letter.lower()}" for letter in letters]
        truth = rng.choice(letters)
    return {
        "id": k,
        "dataset": "scannet",
        "scene_name": f"scene{k % 7:04d}_00",
        "question_type": kind,
        "question": f"Question {k}?",
        "options": options,
        "ground_truth": truth,
        "pruned": rng.random() < 0.5,
    }


def gold(row: dict[str, Any]) -> str:
    return row["ground_truth"]
