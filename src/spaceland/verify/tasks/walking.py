"""What the checks of walks share: turns, things beside a leg, and the sentence that tells the steps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from spaceland.scenes.scene import SceneObject
from spaceland.verify import solvers
from spaceland.verify.rows import Row, Wrong, real, shown, whole
from spaceland.verify.tasks.common import limits

TURNS = {"right": "turn right", "left": "turn left", "round": "turn round", "straight": "look straight ahead"}


def read_passing(one: object, num_legs: int) -> tuple[int, int, float]:
    """Leg, object and metres to the right of one entry of `facts.values.passed`."""
    if not isinstance(one, list) or len(one) != 3:
        raise Wrong(f"facts.values.passed holds {shown(one)}, expected leg, object and metres")
    leg = whole(one[0], "leg of facts.values.passed")
    if not 0 <= leg < num_legs:
        raise Wrong(f"facts.values.passed names leg {leg} of {num_legs}")
    return leg, whole(one[1], "object of facts.values.passed"), real(one[2], "metres of facts.values.passed")


def turn_word(row: Row, turn: float, leg: int) -> str:
    """Which turn begins a leg."""
    aside, half = limits(row, "turn"), limits(row, "half_turn")
    size = abs(turn)
    if size <= aside[0] - aside[1] + solvers.EPSILON and leg == 0:
        return "straight"
    if size >= half[0] + half[1] - solvers.EPSILON:
        return "round"
    if aside[0] + aside[1] - solvers.EPSILON <= size <= half[0] - half[1] + solvers.EPSILON:
        return "right" if turn > 0 else "left"
    raise Wrong(f"a bend of {turn:.1f} degrees is no clear turn")


def check_beside(row: Row, thing: SceneObject, a: np.ndarray, b: np.ndarray) -> float:
    """Metres to the right of a leg, of a thing that lies clearly beside it."""
    across = across_m(a, b, thing.center[:2])
    along = float((thing.center[:2] - a) @ (b - a)) / math.dist(a, b)
    nearest, farthest = (
        real(row.params.get(name), f"facts.params.{name}") for name in ("min_passed_m", "max_passed_m")
    )
    if not nearest - 1e-6 <= abs(across) <= farthest + 1e-6 or not 0 < along < math.dist(a, b):
        raise Wrong(f"what is seen beside the way differs: object {thing.id} is not passed on this leg")
    if any(across * across_m(a, b, corner[:2]) <= 0 for corner in thing.box.corners()):
        raise Wrong(f"what is seen beside the way differs: object {thing.id} lies across the leg")
    return across


def across_m(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> float:
    """Metres to the right of the line from a to b."""
    along, offset = b - a, np.asarray(point, dtype=np.float64) - a
    return float(offset[0] * along[1] - offset[1] * along[0]) / max(math.hypot(*along), solvers.EPSILON)


def check_written(row: Row, steps: Sequence[str]) -> str:
    """The sentence tells all steps in order; what else it says is returned."""
    rest = row.answer
    position = 0
    for step in steps:
        words = step.removeprefix("pass ")
        found = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE).search(rest, position)
        if found is None:
            raise Wrong(f"the answer does not say '{words}' in its place: {shown(row.answer)}")
        rest = rest[: found.start()] + "#" + rest[found.end() :]
        position = found.start() + 1
    return rest


def check_nothing_else(row: Row, rest: str) -> None:
    """Beside the steps and names, a sentence has no numbers and turns."""
    if re.search(r"\d|\b(left|right|round|straight)\b", rest, re.IGNORECASE):
        raise Wrong(f"the answer says more than the steps of the walk: {shown(row.answer)}")
