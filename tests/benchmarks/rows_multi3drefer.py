"""Made-up Multi3DRefer rows of every type, and replies that are right under every protocol."""

from __future__ import annotations

from typing import Any

import numpy as np

TYPES = ("mt", "st_w_d", "zt_wo_d", "st_wo_d", "mt", "zt_w_d", "mt", "st_w_d")


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` descriptions, each of a scene of its own with twelve proposals that do not overlap."""
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(num):
        kind = TYPES[index % len(TYPES)]
        cells = rng.permutation(27)[:12]
        centers = np.stack([cells % 3, cells // 3 % 3, cells // 9], 1) * 1.5
        proposals = np.concatenate([centers, rng.uniform(0.3, 1.4, (12, 3))], 1).round(3)
        count = {"z": 0, "s": 1, "m": int(rng.integers(2, 5))}[kind[0]]
        meant = rng.permutation(12)[:count]
        rows.append(
            {
                "scene_id": f"scene{index:04}_00",
                "object_ids": list(range(count)),
                "object_name": "chair",
                "ann_id": str(index),
                "description": f"the chairs of number {index}.",
                "eval_type": kind,
                "gt_bboxes": proposals[meant].tolist(),
                "proposals": proposals.tolist(),
            }
        )
    return rows


def gold(row: dict[str, Any]) -> str:
    """In Chat-Scene's words."""
    ids = sorted(row["proposals"].index(box) for box in row["gt_bboxes"])
    return f"Yes. {', '.join(f'<OBJ{k:03}>' for k in ids)}." if ids else "No."
