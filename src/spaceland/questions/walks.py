"""Paths on the floor plan: corners, straight legs and turns.

A hand-held camera sways. A path is therefore drawn with as few corners as keep every point within `straight_m` of the
line between two of them; what is left are legs, each with a length and a heading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import SceneObject

Path = Float[np.ndarray, "n 2"]
_END_M = 0.2
"""A thing is passed when it lies beside a leg, at least this far from the leg's ends."""
_PASSED_PER_LEG = 2


@dataclass(frozen=True)
class Leg:
    """A straight part of a path, from point `start` to point `stop` of it."""

    start: int
    stop: int
    length_m: float
    heading_deg: float


def corners_of(path: Path, straight_m: float) -> list[int]:
    """Points of a path that are enough to draw it: no other point is farther than `straight_m` from their line.

    The farthest point from the line between two corners becomes a corner, as long as it is too far (Douglas-Peucker).
    """
    corners = {0, len(path) - 1}
    waiting = [(0, len(path) - 1)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        along = path[b] - path[a]
        length = float(np.hypot(*along))
        offset = path[a + 1 : b] - path[a]
        share = np.clip(offset @ along / max(length, 1e-9) ** 2, 0, 1)
        # Rounded, so that the noise of a moved world does not decide between equals.
        away = np.round(np.linalg.norm(offset - share[:, None] * along, axis=1), 6)
        k = int(np.argmax(away))
        if away[k] > straight_m:
            corners.add(a + 1 + k)
            waiting += [(a, a + 1 + k), (a + 1 + k, b)]
    return sorted(corners)


def turn_word(turn_deg: float, policy: AmbiguityPolicy) -> str | None:
    """ "straight", "left", "right" or "round"; None for what is neither."""
    size, margin = round(abs(turn_deg), 6), policy.turn_margin_deg
    if size <= policy.turn_threshold_deg - margin:
        return "straight"
    if size >= policy.half_turn_threshold_deg + margin:
        return "round"
    if policy.turn_threshold_deg + margin <= size <= policy.half_turn_threshold_deg - margin:
        return "right" if turn_deg > 0 else "left"
    return None


def legs_of(path: Path, straight_m: float, policy: AmbiguityPolicy) -> list[Leg]:
    """The legs of a path. Corners at which it goes straight on are dropped while it stays within twice the width."""
    corners = corners_of(path, straight_m)
    k = 1
    while k < len(corners) - 1:
        a, b, c = (path[n] for n in corners[k - 1 : k + 2])
        turn = wrap_deg(heading_deg(c - b) - heading_deg(b - a))
        part = path[corners[k - 1] : corners[k + 1] + 1] - a
        off = np.abs(part @ right_of(heading_deg(c - a)))
        if turn_word(turn, policy) == "straight" and off.max() <= 2 * straight_m:
            del corners[k]
            k = max(1, k - 1)
        else:
            k += 1
    legs = []
    for a, b in pairwise(corners):
        step = path[b] - path[a]
        legs.append(Leg(a, b, float(np.hypot(*step)), heading_deg(step)))
    return legs


def setback_m(path: Path, leg: Leg) -> float:
    """How far at most one falls back behind a place that was reached before on the same leg."""
    along = (path[leg.start : leg.stop + 1] - path[leg.start]) @ (path[leg.stop] - path[leg.start])
    along = along / max(leg.length_m, 1e-9)
    return float((np.maximum.accumulate(along) - along).max())


def passed_on(
    policy: AmbiguityPolicy, start: Float[np.ndarray, "2"], stop: Float[np.ndarray, "2"], things: Sequence[SceneObject]
) -> list[tuple[SceneObject, float]]:
    """Things wholly on one side of a leg, and how far their centres are to its right, in the order of passing."""
    length = float(np.hypot(*(stop - start)))
    ahead, right = (stop - start) / length, right_of(heading_deg(stop - start))
    found = []
    for thing in things:
        offset = thing.center[:2] - start
        along, across = float(offset @ ahead), float(offset @ right)
        sides = (thing.box.corners()[:, :2] - start) @ right * np.sign(across)
        if (
            _END_M <= along <= length - _END_M
            and policy.min_passed_m <= abs(across) <= policy.max_passed_m
            and sides.min() >= policy.side_margin_m
        ):
            found.append((round(abs(across), 6), thing.id, along, across, thing))
    nearest = sorted(found)[:_PASSED_PER_LEG]
    return [(thing, across) for _, _, _, across, thing in sorted(nearest, key=lambda one: (round(one[2], 6), one[1]))]


def heading_deg(step: Float[np.ndarray, "2"]) -> float:
    """Degrees clockwise from world +y, as seen from above."""
    return float(np.degrees(np.arctan2(step[0], step[1])))


def right_of(heading_deg: float) -> Float[np.ndarray, "2"]:
    angle = np.radians(heading_deg)
    return np.array([np.cos(angle), -np.sin(angle)])


def wrap_deg(angle_deg: float) -> float:
    return (angle_deg + 180) % 360 - 180
