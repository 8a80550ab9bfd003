"""Which pairs of pictures are matched.

All of them while there are few. Above that, each picture of a video with its neighbours in time (the next k, then at
twice, four, eight ... times k), and every so manieth picture with all others of that kind, so that a walk that comes
back to its start is closed. Photos without times have no neighbours; of these all pairs are matched up to 200 photos.
"""

from __future__ import annotations

from collections.abc import Sequence

_UNORDERED_UP_TO = 200
_ANCHORS = 40
_MAX_OCTAVE = 6


def choose_pairs(
    numbers: Sequence[int], *, in_order: bool, exhaustive_up_to: int = 60, num_neighbors: int = 10
) -> list[tuple[int, int]]:
    """Pairs (a, b) with a before b, each once, in order.

    >>> choose_pairs([0, 1, 4], in_order=True)
    [(0, 1), (0, 4), (1, 4)]
    """
    count = len(numbers)
    if count <= (exhaustive_up_to if in_order else max(exhaustive_up_to, _UNORDERED_UP_TO)):
        return [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    gaps = [*range(1, num_neighbors + 1), *(num_neighbors * 2**k for k in range(1, _MAX_OCTAVE + 1))]
    places = {(i, i + gap) for gap in gaps for i in range(count - gap)}
    anchors = range(0, count, -(-count // _ANCHORS))
    places |= {(i, j) for i in anchors for j in anchors if i < j}
    return [(numbers[i], numbers[j]) for i, j in sorted(places)]
