"""Generated rows of Scan2Cap: objects with one description, and the IoU of a box that is always good enough."""

from __future__ import annotations

import random
from typing import Any

SIZES = ("small", "large", "tall", "wide", "narrow", "round", "square", "heavy", "thin", "old")
COLORS = ("brown", "black", "white", "blue", "green", "gray", "silver", "red", "yellow", "orange")
THINGS = ("chair", "table", "desk", "lamp", "sofa", "shelf", "cabinet", "bed", "sink", "monitor", "printer", "stool")
PLACES = ("left of", "right of", "behind", "under", "above", "near", "opposite", "against", "between", "inside")
# A perfect caption has CIDEr 10, so a row scores 1; overall is CIDEr x 100, which goes to 1000 and not to 100.
MAXIMUM = dict.fromkeys(("official", "ll3da", "leo", "video-3d-llm", "vg-llm", "chat-scene", "strict"), 0.999)
CHANCE = (0.0, 30.0)


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` objects. Descriptions are written as released tokens are: every protocol sees the same words."""
    rng = random.Random(seed)
    rows = []
    for k in range(num):
        thing, other = rng.sample(THINGS, 2)
        text = (
            f"{rng.choice(SIZES)} {rng.choice(COLORS)} {thing} {rng.choice(PLACES)} number{k} "
            f"{rng.choice(COLORS)} {other} with mark{rng.randrange(1000)}"
        )
        rows.append(
            {
                "scene_id": f"scene{k % 9:04d}_00",
                "object_id": str(k),
                "object_name": thing,
                "descriptions": [text],
                "tokens": [text.split()],
                "iou": round(rng.uniform(0.51, 0.95), 3),
                "pred_id": k % 100,
                "center_camera": [k % 5 - 2.0, 0.5, 1.0 + k % 4],
            }
        )
    return rows


def gold(row: dict[str, Any]) -> str:
    return row["descriptions"][0]
