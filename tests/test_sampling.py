"""Evenly spread choices are those of the papers."""

from __future__ import annotations

import math

import pytest

from spaceland.sampling import evenly


@pytest.mark.parametrize("total", [0, 1, 5, 8, 33, 100, 334])
@pytest.mark.parametrize("wanted", [0, 1, 3, 8, 32])
def test_the_papers_formula(total: int, wanted: int) -> None:
    n = min(total, wanted)
    assert [k + 1 for k in evenly(total, wanted)] == [math.floor((i - 1) * total / n) + 1 for i in range(1, n + 1)]
