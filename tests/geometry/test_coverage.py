"""Greedy cover: the worked example, ties, and never below the known share of the best choice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spaceland.geometry.coverage import greedy_cover


def test_the_worked_example() -> None:
    shown = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0]], dtype=bool)
    assert greedy_cover(shown, np.ones(4), 2) == [0, 1]
    assert greedy_cover(shown, np.array([1.0, 1.0, 1.0, 9.0]), 1) == [1]


def test_the_earlier_of_equals_is_taken() -> None:
    assert greedy_cover(np.ones((3, 4)), np.ones(3), 3) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_at_least_63_per_cent_of_the_best(seed: int) -> None:
    worth = np.random.default_rng(seed).random((30, 9)) < 0.2
    best = max(worth[:, list(few)].any(1).sum() for few in combinations(range(9), 3))
    assert worth[:, greedy_cover(worth, np.ones(30), 3)].any(1).sum() >= (1 - 1 / np.e) * best
