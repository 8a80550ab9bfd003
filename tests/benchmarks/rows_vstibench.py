"""Generated rows as VSTI-Bench releases them: letters in `mc_answer`, numbers in `ground_truth`."""

from __future__ import annotations

import random
from typing import Any

from spaceland.benchmarks.vstibench import CHOICES, NUMBERS


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [_row(k, (*NUMBERS, *CHOICES)[k % 10], rng) for k in range(num)]


def _row(k: int, kind: str, rng: random.Random) -> dict[str, Any]:
    row = {"id": k, "question_type": kind, "question": f"Question {k}?", "video_path": f"scene{k % 7}.mp4"}
    if kind in NUMBERS:
        return row | {"ground_truth": f"{rng.uniform(0.2, 6):.1f}", "mc_answer": "", "options": []}
    letter = rng.choice("ABC")
    options = [f"{one}. thing {rng.randint(10, 99)} {one.lower()}" for one in "ABC"]
    return row | {"ground_truth": options["ABC".index(letter)][3:], "mc_answer": letter, "options": options}


def gold(row: dict[str, Any]) -> str:
    return row["mc_answer"] or row["ground_truth"]
