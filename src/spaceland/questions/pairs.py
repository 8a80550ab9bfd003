"""Pairs of views worth asking about: they share enough to be related and differ enough not to be the same picture."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np

from spaceland.questions.facts import TaskContext, shuffled
from spaceland.scenes.scene import Frame

_TRIES_PER_FRAME = 12


def rotation_angle_deg(T_world_a: np.ndarray, T_world_b: np.ndarray) -> float:
    """Angle of the rotation between two camera poses."""
    trace = float(np.trace(T_world_a[:3, :3].T @ T_world_b[:3, :3]))
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))


def view_pairs(context: TaskContext, rng: Random) -> Iterator[tuple[Frame, Frame]]:
    """Ordered pairs of frames in random order; every frame is first in a few of them before any is first in more."""
    frames, policy, overlap = context.scene.frames, context.policy, context.views.visibility.overlap
    if len(frames) < 2:
        context.reject("fewer than two views")
    candidates = {
        f: shuffled([s for s in range(len(frames)) if s != f], rng)[:_TRIES_PER_FRAME] for f in range(len(frames))
    }
    for attempt in range(_TRIES_PER_FRAME):
        for first in shuffled(candidates, rng):
            if attempt >= len(candidates[first]):
                continue
            second = candidates[first][attempt]
            shared = min(float(overlap[first, second]), float(overlap[second, first]))
            a, b = frames[first].T_world_cam, frames[second].T_world_cam
            baseline_m = float(np.linalg.norm(a[:3, 3] - b[:3, 3]))
            if shared < policy.min_overlap:
                context.reject("views share too little")
            elif shared > policy.max_overlap:
                context.reject("views share almost everything")
            elif baseline_m > policy.max_baseline_m:
                context.reject("viewpoints too far apart")
            elif baseline_m < policy.min_baseline_m and rotation_angle_deg(a, b) < policy.min_rotation_deg:
                context.reject("viewpoints almost the same")
            else:
                yield frames[first], frames[second]
