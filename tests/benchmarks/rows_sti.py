"""Generated rows as STI-Bench releases them: options as JSON text."""

from __future__ import annotations

import json
import random
from typing import Any

TASKS = ("Dimensional Measurement", "Ego & Trajectory", "Pose Estimation", "Speed & Acceleration")
VIDEOS = ("camera_{}.mp4", "scene{:04d}_00.mp4", "{:06d}.mp4")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "Video": VIDEOS[k % 3].format(k), "ID": k % 5, "Task": TASKS[k % len(TASKS)], "time_start": 0.5,
            "time_end": 4.0, "Question": f"Question {k}?", "Answer": rng.choice("ABCDE"),
            "Candidates": json.dumps({letter: f"{rng.uniform(1, 9):.2f} m" for letter in "ABCDE"}),
        }
        for k in range(num)
    ]  # fmt: skip


def gold(row: dict[str, Any]) -> str:
    return row["Answer"]
