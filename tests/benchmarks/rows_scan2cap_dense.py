"""Generated scenes with described objects, and their true boxes and descriptions as replies."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rows_scan2cap import make_rows as make_objects

# A perfect caption has CIDEr 10, so a scene scores 1; overall is CIDEr F1 x 100, which goes to 1000 and not to 100.
MAXIMUM = dict.fromkeys(("official", "described", "strict"), 0.999)
CHANCE = (0.0, 30.0)


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` scenes of two to four objects that stand apart, described in words that every protocol sees alike."""
    rng = np.random.default_rng(seed)
    objects = iter(make_objects(4 * num, seed))
    rows = []
    for index in range(num):
        cells = rng.permutation(27)[: 2 + index % 3]
        things = []
        for cell in cells.tolist():
            thing = next(objects)
            center = np.array([cell % 3, cell // 3 % 3, cell // 9]) * 2.0
            box = np.concatenate([center, rng.uniform(0.4, 1.8, 3)]).round(3).tolist()
            kept = {key: thing[key] for key in ("object_id", "object_name", "descriptions", "tokens")}
            things.append(kept | {"box": box})
        rows.append({"scene_id": f"scene{index:04d}_00", "objects": things})
    return rows


def gold(row: dict[str, Any]) -> str:
    return json.dumps([{"box": one["box"], "caption": one["descriptions"][0]} for one in row["objects"]])
