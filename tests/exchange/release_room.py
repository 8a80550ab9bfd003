"""A hand-made room as a ScanNet scan, and one released row at a time from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.exchange.case import Case, Reading, Verdict
from spaceland.exchange.locate import Locator
from spaceland.exchange.solve import SOLVERS
from spaceland.exchange.spar7m_read import QaFile, SparRow, parse_line
from spaceland.geometry.transforms import look_at

EYE = np.array([3.0, 1.0, 1.5])
POSES = [
    look_at(EYE, EYE + [0, 1, -0.1]),
    look_at(EYE + [0.5, 0.4, 0.2], EYE + [0.7, 1.4, 0.098]),
    look_at(EYE, EYE + [0, -1, -0.1]),
    look_at(EYE, EYE + [-0.8, 1, -0.1]),
]
"""The second one is turned and moved, the third one sees nothing, the fourth one sees only what is on the left."""
BOXES = [
    ("trash can", (2.0, 4.0, 0.5), (0.6, 0.6, 1.0)),
    ("storage shelf", (4.5, 5.0, 0.75), (0.8, 0.8, 1.5)),
    ("trash can", (4.6, 3.0, 0.4), (0.5, 0.5, 0.8)),
    ("towel", (3.0, 6.0, 0.9), (0.5, 0.5, 1.8)),
    ("left door", (1.5, 6.5, 1.0), (0.6, 0.2, 2.0)),
    ("rj45 outlet", (3.6, 6.9, 0.5), (0.2, 0.2, 0.2)),
]


def in_view(points: np.ndarray, view: int) -> np.ndarray:
    """World points in an image, 0 to 1000."""
    local = (points - POSES[view][:3, 3]) @ POSES[view][:3, :3]
    return local[:, :2] / local[:, 2:] * 260 / [320, 240] * 1000 + 500


def at(k: int, view: int = 0) -> list[int]:
    """Where the middle of box k is."""
    return [round(v) for v in in_view(np.array([BOXES[k][1]]), view)[0]]


def box_of(k: int, view: int = 0) -> list[int]:
    """Around the projected corners of box k."""
    signs = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    pixels = in_view(np.array(BOXES[k][1]) + signs * BOXES[k][2], view)
    return [round(v) for v in (*pixels.min(0), *pixels.max(0))]


def judge(
    locator: Locator,
    task: str,
    format: str,
    question: str,
    answer: str,
    marks: dict[str, Any],
    frames: tuple[int, ...],
    reading: Reading = Reading(),
) -> Verdict:
    """What the audit says of a released row; videos are as short as wanted."""
    video = "_video" in task or task in ("obj_frame_locate", "appearance_order", "obj_count", "room_size", "nav_video")
    images = [
        f"scene0000_00/{f'video_color/frame{k}_{n}' if video else f'image_color/{n}'}.jpg" for k, n in enumerate(frames)
    ]
    row = {
        "id": "scene0000_00_1",
        "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}],
        "image": images,
        "type": "nav" if task == "nav_video" else task,
        **marks,
    }
    file = QaFile("scannet", "train", task, format, Path("rows.jsonl"), 1)
    parsed = parse_line(file, 1, json.dumps(row).encode())
    assert isinstance(parsed, SparRow), parsed
    return SOLVERS[task](Case(parsed, locator, reading))


def solve(locator: Locator, task: str, format: str, question: str, answer: str, marks: dict[str, Any]) -> bool:
    """Whether a released row about the first image (the first two for the motion between views) agrees."""
    frames = (0, 1) if task == "view_change_infer" else (0,)
    return judge(locator, task, format, question, answer, marks, frames).agrees
