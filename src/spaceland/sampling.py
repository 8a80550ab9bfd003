"""Evenly spread choices, the one rule for all: frames of a video, pictures of a capture, files of a folder.

GPT4Scene and SPAR both take, of N frames, frame floor((i - 1) N / n) + 1 for i = 1 .. n; counted from 0 that is
floor(i N / n) for i = 0 .. n - 1.
"""

from __future__ import annotations


def evenly(total: int, wanted: int) -> list[int]:
    """Indices (from 0) of `wanted` of `total` things; all of them when there are no more than that.

    >>> evenly(100, 8)
    [0, 12, 25, 37, 50, 62, 75, 87]
    """
    if wanted >= total:
        return list(range(total))
    return [i * total // wanted for i in range(wanted)]
