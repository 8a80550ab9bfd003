"""Rows of ScanRefer with one box, and what a reply to one scores."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from spaceland.benchmarks.scanrefer import BENCHMARK
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, rotation_z

UNIT = [0.0, 0, 0, 1, 1, 1]


def row(**fields: Any) -> dict[str, Any]:
    base = {"scene_id": "scene0000_00", "object_id": "1", "object_name": "chair", "ann_id": "0"}
    return {**base, "description": "it is a chair.", "gt_bbox": UNIT, **fields}


def metrics(protocol: str, reply: str, **fields: Any) -> dict[str, Any]:
    scores = BENCHMARK.protocol(protocol).score([row(**fields)], [reply])
    return dict(scores[0].metrics)


def camera_fields(*poses: np.ndarray) -> dict[str, Any]:
    align = from_rotation_translation(rotation_z(0.7), np.array([1.0, -2, 0.1]))
    return {
        "axis_align_matrix": align.tolist(),
        "cam2global": [(invert_rigid(align) @ pose).tolist() for pose in poses],
    }


def frame_box(frame: object, values: object) -> str:
    return f"```json\n\t{json.dumps({'frame': frame, 'bbox_3d': values})}\n```"
