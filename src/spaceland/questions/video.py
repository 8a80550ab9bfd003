"""Which frames stand for a video: uniform sampling, as SPAR's 32 of each scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def uniform_frames(frames: Sequence[T], count: int) -> tuple[T, ...]:
    """`count` frames, the i-th at floor(i * n / count).

    >>> uniform_frames(range(100), 4)
    (0, 25, 50, 75)
    """
    return tuple(frames[i * len(frames) // count] for i in range(count))
