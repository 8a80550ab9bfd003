"""Which detections show one thing: they are joined two by two, those that agree most first.

The affinity of two groups of detections pools the evidence of all pairs across them (see `evidence.py`):

    affinity(A, B) = cells of A inside detections of B, and of B inside detections of A
                     --------------------------------------------------------------------
                     cells of A visible in frames of B, and of B visible in frames of A

Joining goes on until no two groups agree enough. Pooling makes one bad mask harmless, and groups that frames show side
by side stay apart. Nothing depends on the order of the frames or detections: the best pair of all is joined first, and
of equals the one that comes first in the canonical order of `merge.py`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from spaceland.objects.evidence import Evidence
from spaceland.objects.labels import Labels, vote
from spaceland.objects.lift import Lifted
from spaceland.objects.merge_config import MergeConfig

_MIN_CELLS = 10


class _Group:
    """Detections joined so far: `visible[f]` cells of them that frame f sees, `count[f]` detections in it."""

    def __init__(self, members: list[int], visible: Float[np.ndarray, "f"], count: Float[np.ndarray, "f"]) -> None:
        self.members, self.visible, self.count = members, visible, count
        self.agreed: dict[int, float] = {}
        self.label = ""
        self.tracks: frozenset[int] = frozenset()


def cluster(lifted: Sequence[Lifted], evidence: Evidence, config: MergeConfig) -> list[list[int]]:
    """Groups of indices into `lifted`; each group ascending, groups by their first member."""
    labels = Labels(config.groups)
    groups = _single(lifted, evidence)
    heap: list[tuple[float, int, int, int, int]] = []
    version = [0] * len(groups)

    def push(a: int, b: int) -> None:
        a, b = min(a, b), max(a, b)
        affinity, _ = _affinity(groups[a], groups[b], groups[a].agreed[b])
        if affinity >= min(config.same_label, config.other_label, config.same_track) or _tracked(groups[a], groups[b]):
            heapq.heappush(heap, (-affinity, a, b, version[a], version[b]))

    for a, group in groups.items():
        for b in group.agreed:
            if a < b:
                push(a, b)
    while heap:
        _, a, b, version_a, version_b = heapq.heappop(heap)
        if a not in groups or b not in groups or (version_a, version_b) != (version[a], version[b]):
            continue
        if not _same(groups[a], groups[b], groups[a].agreed[b], labels, config):
            continue
        _join(groups, a, b, lifted)
        version[a] += 1
        for other in groups[a].agreed:
            push(a, other)
    return [sorted(group.members) for _, group in sorted(groups.items())]


def _single(lifted: Sequence[Lifted], evidence: Evidence) -> dict[int, _Group]:
    """Every detection as a group of its own, with what it has in common with others."""
    visible = np.asarray((evidence.cells @ evidence.visible).todense(), dtype=float)
    inside = evidence.cells @ evidence.inside
    both = (inside + inside.T).tocsr()
    groups = {}
    for number, thing in enumerate(lifted):
        count = np.zeros(visible.shape[1])
        count[evidence.frame_of[number]] = 1
        group = groups[number] = _Group([number], visible[number], count)
        group.label = thing.label
        group.tracks = frozenset([thing.track]) if thing.track >= 0 else frozenset()
        row: Int[np.ndarray, "k"] = both.indices[both.indptr[number] : both.indptr[number + 1]]
        values = both.data[both.indptr[number] : both.indptr[number + 1]]
        group.agreed = {int(k): float(v) for k, v in zip(row, values, strict=True) if k != number}
    by_track: dict[int, list[int]] = {}
    for number, thing in enumerate(lifted):
        if thing.track >= 0:
            by_track.setdefault(thing.track, []).append(number)
    for members in by_track.values():
        for a, b in itertools.pairwise(members):
            groups[a].agreed.setdefault(b, 0.0)
            groups[b].agreed.setdefault(a, 0.0)
    return groups


def _affinity(a: _Group, b: _Group, agreed: float) -> tuple[float, float]:
    """Affinity, and the number of cells it rests on."""
    seen = float(a.visible @ b.count + b.visible @ a.count)
    return (agreed / seen if seen > 0 else 0.0), seen


def _tracked(a: _Group, b: _Group) -> bool:
    return not a.tracks.isdisjoint(b.tracks)


def _same(a: _Group, b: _Group, agreed: float, labels: Labels, config: MergeConfig) -> bool:
    affinity, seen = _affinity(a, b, agreed)
    if seen < _MIN_CELLS:  # nothing is known but that the finder followed one to the other
        return _tracked(a, b)
    if _tracked(a, b) and affinity >= config.same_track:
        return True
    return affinity >= (config.same_label if labels.alike(a.label, b.label) else config.other_label)


def _join(groups: dict[int, _Group], a: int, b: int, lifted: Sequence[Lifted]) -> None:
    """Group b becomes part of group a."""
    one, other = groups[a], groups.pop(b)
    one.members += other.members
    one.visible = one.visible + other.visible
    one.count = one.count + other.count
    one.tracks |= other.tracks
    one.label, _ = vote((lifted[k].label, lifted[k].score) for k in one.members)
    del one.agreed[b]
    for k, value in other.agreed.items():
        if k == a:
            continue
        one.agreed[k] = one.agreed.get(k, 0.0) + value
        groups[k].agreed.pop(b)
        groups[k].agreed[a] = one.agreed[k]
