"""Which frames stand for a video.

uniform     evenly spread in time, as SPAR's 32 of each scan
coverage    chosen so that they see as much of what the whole video sees as possible; in time order

Worked example. Of six frames the first four show the same desk, the fifth a bed, the sixth a shelf. Two frames by
coverage are the fifth (or sixth) and one of the desk; uniform ones are the first and the fourth, both of the desk.

Coverage works on the overlap matrix of a scene: entry (i, j) is the share of what frame i sees that frame j sees too. A
choice is worth the sum over all frames of the share that the best chosen frame sees of it. Frames at which the camera
lingers are many and alike, so each counts by one over the number of frames like it; otherwise the longest look would
take all. Frames are added greedily, which is never worse than 63 per cent of the best choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from spaceland.geometry.coverage import greedy_cover
from spaceland.sampling import evenly

T = TypeVar("T")
_MAX_CANDIDATES = 1200
"""Of longer videos this many frames, evenly spread, are candidates."""


def uniform_frames(frames: Sequence[T], count: int) -> tuple[T, ...]:
    """`count` evenly spread frames.

    >>> uniform_frames(range(100), 4)
    (0, 25, 50, 75)
    """
    return tuple(frames[k] for k in evenly(len(frames), count))


def coverage_frames(frames: Sequence[T], overlap: Float[np.ndarray, "f f"], count: int) -> tuple[T, ...]:
    """`count` frames that see as much as possible, in their order.

    Args:
        frames: All frames of the video.
        overlap: Share of what frame i sees that frame j sees too.
        count: How many to choose; no more than there are.
    """
    step = max(1, -(-len(frames) // _MAX_CANDIDATES))
    candidates = np.arange(0, len(frames), step)
    if len(candidates) < count:
        candidates = np.arange(len(frames))
    # Shares are rounded so that noise of the last digit does not decide between equals; the earlier frame wins.
    shares = np.round(np.asarray(overlap, dtype=np.float64)[np.ix_(candidates, candidates)], 6)
    weights = 1.0 / np.maximum(np.minimum(shares, shares.T).sum(1), 1.0)
    chosen = greedy_cover(shares, weights, count)
    return tuple(frames[int(candidates[k])] for k in sorted(chosen))
