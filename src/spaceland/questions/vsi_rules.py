"""The rules behind the answers of VSI-Bench, from boxes, counts and areas alone.

    counting            how many boxes a category has
    size                the longest side of a box, in centimetres
    room size           the floor area, in square metres
    absolute distance   the least distance between two boxes, in metres
    relative distance   the category whose nearest box is nearest
    direction           where a box lies for somebody at a second one who faces a third, seen from above

Worked example. You stand at (0, 0) and face (0, 2); the thing asked about is at (-1, -2), so you would turn 153 degrees
to the left to face it: easy "left", medium "back" (135 degrees or more), hard "back-left".

`vsi_official` applies the rules to released questions and compares the answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.geometry.boxes import OrientedBox

Level = Literal["easy", "medium", "hard"]
BACK_DEG = 135.0
"""From this turn on, a thing is at the back."""


def longest_side_cm(box: OrientedBox) -> float:
    """The longest of the three sides of a box, in centimetres."""
    return 100 * float(box.size.max())


def least_distance_m(some: Sequence[OrientedBox], others: Sequence[OrientedBox]) -> float:
    """The least distance between a solid box of one group and one of another, in metres; 0 where two overlap."""
    pairs = [(a, b) for a in some for b in others]
    return float(box_distance(Boxes.stack([a for a, _ in pairs]), Boxes.stack([b for _, b in pairs])).min())


def by_distance(target: Sequence[OrientedBox], choices: Mapping[str, Sequence[OrientedBox]]) -> list[tuple[float, str]]:
    """(distance in metres, label) of some categories, nearest first; of several boxes the nearest counts."""
    return sorted((least_distance_m(target, boxes), label) for label, boxes in choices.items())


def turn_deg(
    standing: Float[np.ndarray, "3"], facing: Float[np.ndarray, "3"], asked: Float[np.ndarray, "3"]
) -> float | None:
    """By how much one turns to face a thing, seen from above: positive to the left, from -180 to 180 degrees.

    Args:
        standing: Where one stands, world metres with z up.
        facing: Where one looks at first.
        asked: The thing.

    Returns:
        None when one stands at a place that is faced or asked about.
    """
    ahead, there = (facing - standing)[:2], (asked - standing)[:2]
    if not ahead.any() or not there.any():
        return None
    cross = float(ahead[0] * there[1] - ahead[1] * there[0])
    return math.degrees(math.atan2(cross, float(ahead @ there)))


def direction(turned_deg: float, level: Level) -> str:
    """The words for a turn at a level of difficulty.

    >>> [direction(deg, level) for deg, level in ((153, "easy"), (153, "medium"), (-100, "medium"), (-100, "hard"))]
    ['left', 'back', 'right', 'back-right']
    """
    side = "left" if turned_deg > 0 else "right"
    if level == "easy":
        return side
    if level == "medium":
        return "back" if abs(turned_deg) >= BACK_DEG else side
    return f"{'front' if abs(turned_deg) < 90 else 'back'}-{side}"


def direction_words(level: Level) -> tuple[str, ...]:
    """All answers of a level.

    >>> direction_words("medium")
    ('left', 'right', 'back')
    """
    if level == "hard":
        return "front-left", "front-right", "back-left", "back-right"
    return ("left", "right", "back") if level == "medium" else ("left", "right")


def edge_gap_deg(turned_deg: float, level: Level) -> float:
    """By how many degrees a turn is away from one with another answer."""
    size = abs(turned_deg)
    # Straight ahead and straight behind part left from right; medium has no left and right behind.
    edges = {"easy": (0.0, 180.0), "medium": (0.0, BACK_DEG), "hard": (0.0, 90.0, 180.0)}[level]
    return min(abs(size - edge) for edge in edges)
