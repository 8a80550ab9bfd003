"""Which proposal stands for which annotated object: the one whose axis-aligned box overlaps its box most.

Proposals carry the numbers that the pictures show. Ground truth and proposals are compared by boxes that are aligned to
the axes, as the paper's text data were made; a match below the threshold is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.scenes.scene import SceneObject


@dataclass(frozen=True)
class Match:
    """The proposal `number` for an object, and the overlap (intersection over union) of their boxes."""

    number: int
    iou: float


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Overlap of every annotated object (rows) with every proposal (columns, by ascending number) of a scene."""

    object_ids: tuple[int, ...]
    numbers: tuple[int, ...]
    iou: Float[np.ndarray, "n m"]

    @classmethod
    def of(cls, truth: Sequence[SceneObject], proposals: Mapping[int, AxisAlignedBox]) -> Overlaps:
        """Compare the objects of a scene with proposals by number."""
        numbers = sorted(proposals)
        iou = pairwise_iou([thing.aabb for thing in truth], [proposals[k] for k in numbers])
        return cls(tuple(thing.id for thing in truth), tuple(numbers), iou)

    def best(self, object_id: int) -> Match | None:
        """The proposal that overlaps an object most, however little; None where either does not exist."""
        if object_id not in self.object_ids or not self.numbers:
            return None
        row = self.iou[self.object_ids.index(object_id)]
        return Match(self.numbers[int(row.argmax())], float(row.max()))

    def captioned(self, described: Sequence[int], min_iou: float) -> dict[int, Match]:
        """For captions: proposals vote for the described object that they overlap most, and each object keeps the best
        of its voters, if it overlaps enough."""
        rows = [k for k, object_id in enumerate(self.object_ids) if object_id in set(described)]
        if not rows or not self.numbers:
            return {}
        iou = self.iou[rows]
        voted = np.zeros(iou.shape, dtype=bool)
        voted[iou.argmax(0), np.arange(len(self.numbers))] = True
        iou = np.where(voted, iou, -1.0)
        best = iou.argmax(1)
        found = {
            self.object_ids[row]: Match(self.numbers[int(j)], float(iou[k, j]))
            for k, (row, j) in enumerate(zip(rows, best, strict=True))
        }
        return {object_id: match for object_id, match in found.items() if match.iou >= min_iou}


def pairwise_iou(a: Sequence[AxisAlignedBox], b: Sequence[AxisAlignedBox]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of all pairs of boxes."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    low_a, high_a = (np.array([getattr(box, name) for box in a])[:, None] for name in ("minimum", "maximum"))
    low_b, high_b = (np.array([getattr(box, name) for box in b])[None] for name in ("minimum", "maximum"))
    shared = np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None).prod(-1)
    total = (high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - shared
    return np.where(total > 0, shared / np.where(total > 0, total, 1), 0.0)
