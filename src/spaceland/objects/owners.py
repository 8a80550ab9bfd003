"""Points that two things claim belong to one of them: the corner of a table in the boxes around a chair.

Frames have voted on every point of a thing: its share is how many of those that had their say show it as this thing.

- Of a thing that lies in another for the most part, all points that both claim are its own: a book on a table. Every
  frame that shows the table shows the book as table too.
- Otherwise a point belongs to the thing for which its share is higher. Boxes around a chair take the corner of the
  table along from some sides, boxes around the table take it from all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

INSIDE_SHARE = 0.5


def owners(
    cells: Sequence[Int[np.ndarray, "n"]], shares: Sequence[Float[np.ndarray, "n"]], num_cells: int
) -> list[Bool[np.ndarray, "n"]]:
    """Which of its points each thing keeps; of equals the earlier thing has the better claim.

    Args:
        cells: Numbers of the points of each thing, each once.
        shares: Share of the votes for each of them.
        num_cells: All numbers are below this.

    >>> table, chair = np.arange(0, 10), np.arange(8, 13)
    >>> kept = owners([table, chair], [np.full(10, 0.9), np.full(5, 0.6)], 13)
    >>> table[kept[0]].tolist(), chair[kept[1]].tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12])
    """
    kept = [np.ones(len(own), dtype=bool) for own in cells]
    place = np.full(num_cells, -1, dtype=np.int64)
    for a in range(len(cells)):
        place[cells[a]] = np.arange(len(cells[a]))
        for b in range(a + 1, len(cells)):
            mine = place[cells[b]]
            in_b = np.flatnonzero(mine >= 0)
            in_a = mine[in_b]
            if len(in_b) == 0:
                continue
            part_a, part_b = len(in_b) / len(cells[a]), len(in_b) / len(cells[b])
            if max(part_a, part_b) >= INSIDE_SHARE:
                a_wins = np.full(len(in_b), part_a > part_b)
            else:
                a_wins = shares[a][in_a] >= shares[b][in_b]
            kept[a][in_a[~a_wins]] = False
            kept[b][in_b[a_wins]] = False
        place[cells[a]] = -1
    return kept
