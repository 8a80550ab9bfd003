"""Two things in one place: the same chair found twice, or found as a chair and as a part of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from spaceland.objects.labels import Labels

_NEAR_M = 0.03


class Placed(Protocol):
    """Anything with points and a label."""

    @property
    def points(self) -> Float[np.ndarray, "n 3"]:
        """World points."""
        ...

    @property
    def label(self) -> str:
        """What it is called."""
        ...


Thing = TypeVar("Thing", bound=Placed)


def without_duplicates(
    things: Sequence[Thing], labels: Labels, suppress_overlap: float, counts: Counter[str]
) -> list[Thing]:
    """Of things in one place, the first (best); also where the smaller one lies inside the larger.

    Args:
        things: Best first, with at least one point each.
        labels: Of things with labels that may name one thing, the share of either counts, of others that of both.
        suppress_overlap: Share of the points of a thing that lie within 3 cm of the other.
        counts: What is left out is added here.
    """
    kept: list[Thing] = []
    trees: list[cKDTree] = []
    for thing in things:
        tree = cKDTree(thing.points)
        low, high = thing.points.min(0) - _NEAR_M, thing.points.max(0) + _NEAR_M
        doubled = False
        for other, other_tree in zip(kept, trees, strict=True):
            if (other.points.min(0) > high).any() or (other.points.max(0) < low).any():
                continue
            shared = _share_near(thing.points, other_tree), _share_near(other.points, tree)
            alike = labels.alike(thing.label, other.label)
            both = max(shared) if alike else min(shared)
            if both >= suppress_overlap:
                doubled = True
                break
        if doubled:
            counts["object: in the place of a better one"] += 1
        else:
            kept.append(thing)
            trees.append(tree)
    return kept


def _share_near(points: Float[np.ndarray, "n 3"], tree: cKDTree) -> float:
    distance, _ = tree.query(points, distance_upper_bound=_NEAR_M)
    return float(np.isfinite(distance).mean())
