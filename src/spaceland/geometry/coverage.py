"""Choosing few things that together cover much: greedy, which is never worse than 63 per cent of the best choice.

Worked example. Candidate a covers items 1, 2, 3; b covers 3, 4; c covers 2, 3. Two candidates: a first (three items),
then b, which adds item 4, where c would add nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped


def greedy_cover(
    worth: Shaped[np.ndarray, "items candidates"], weights: Float[np.ndarray, "items"], count: int
) -> list[int]:
    """Candidates in the order in which they are chosen; ties go to the earlier one.

    Args:
        worth: What a candidate gives of an item, 0 to 1 (or bool). An item counts by the best chosen candidate.
        weights: What an item counts.
        count: How many to choose, at most the number of candidates.
    """
    worth = np.asarray(worth)
    best = np.zeros(len(worth), dtype=np.float32 if worth.dtype == bool else np.float64)
    free = np.ones(worth.shape[1], dtype=bool)
    chosen: list[int] = []
    for _ in range(count):
        # Gains are rounded so that noise of the last digit does not decide between equals.
        gains = np.round(np.maximum(worth - best[:, None], 0.0).T @ weights, 9)
        winner = int(np.argmax(np.where(free, gains, -1.0)))
        chosen.append(winner)
        free[winner] = False
        best = np.maximum(best, worth[:, winner])
    return chosen
