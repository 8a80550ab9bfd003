"""From detections in space to things: join, keep the points that frames agree on, leave out duplicates, name, score.

1. `cluster`: detections that show one thing are joined.
2. Consensus: a point stays when at least half of the frames that see it, and have their say, show it as this thing. A
   frame has its say where it shows this thing somewhere, or shows another thing at the point.
3. Small lumps beside the rest, and such as one frame alone shows, are dropped; things of too few points or frames are
   left out.
4. Of two things in one place the better one stays, also where the smaller one lies inside the larger.
5. Score: mean score of the detections * (1 - 1/2 ^ views) * sqrt(views / frames that could show it). Something that is
   really there is found again and again.

The result does not depend on the order in which frames and detections are given: detections are first sorted by frame,
place, label, score. The same detections give the same objects to the last digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from spaceland.objects.cells import lumps
from spaceland.objects.cluster import cluster
from spaceland.objects.evidence import Evidence, SeenFrame, gather
from spaceland.objects.fit_box import fit_box
from spaceland.objects.labels import Labels, vote
from spaceland.objects.lift import Lifted
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.types import FoundObject

_COULD_SHOW = 0.3
_STRAY_LUMP = 0.04
_OFTEN = 0.2
_MIN_LUMP_M = 0.08
_NEAR_M = 0.03


@dataclass(frozen=True, eq=False)
class _Thing:
    members: list[int]
    points: Float[np.ndarray, "n 3"]
    frames: Int[np.ndarray, "k"]
    label: str
    votes: Mapping[str, int]
    score: float


def merge(
    lifted: Sequence[Lifted],
    frames: Sequence[SeenFrame],
    config: MergeConfig,
    *,
    voxel_m: float,
    link_m: float,
    counts: Counter[str],
) -> list[FoundObject]:
    """Objects, best first, ids from 0.

    Args:
        lifted: Detections in space.
        frames: All frames that the finder looked at, whether it found something there or not.
        config: Limits.
        voxel_m: Edge of the cells in which points are averaged.
        link_m: Points nearer to each other than about this belong to one lump.
        counts: What is left out is added here by reason.
    """
    if not lifted:
        return []
    frame_index = {frame.frame_id: number for number, frame in enumerate(frames)}
    lifted = sorted(lifted, key=lambda thing: _canonical(thing, frame_index))
    evidence = gather(
        lifted,
        frames,
        frame_index,
        voxel_m=voxel_m,
        tolerance_m=config.tolerance_m,
        tolerance_per_m=config.tolerance_per_m,
    )
    groups = _by_track(lifted) if config.trust_tracks else cluster(lifted, evidence, config)
    covered = _covered(evidence)
    min_views = min(config.min_views, len({thing.frame_id for thing in lifted}))
    things = []
    for members in groups:
        thing = _thing(members, lifted, evidence, covered, config, max(link_m, _MIN_LUMP_M), counts)
        if len(thing.frames) < min_views:
            counts["object: seen in too few frames"] += 1
        elif len(thing.points) < config.min_points:
            counts["object: too few points"] += 1
        else:
            things.append(thing)
    things.sort(key=lambda thing: (-thing.score, thing.label, tuple(thing.points[0])))
    kept = things if config.trust_tracks else _without_duplicates(things, config, counts)
    found = []
    for number, thing in enumerate(kept):
        eyes = np.mean([frames[k].T_world_cam[:3, 3] for k in thing.frames], axis=0)
        box = fit_box(thing.points, eyes, config.min_side_m)
        names = tuple(frames[k].frame_id for k in thing.frames)
        object_id = lifted[thing.members[0]].track if config.trust_tracks else number
        found.append(FoundObject(object_id, thing.label, thing.score, thing.points, box, names, thing.votes))
    return found


def _canonical(thing: Lifted, frame_index: Mapping[str, int]) -> tuple:
    region = thing.region
    return frame_index[thing.frame_id], region.top, region.left, thing.label, thing.score, len(thing.points)


def _by_track(lifted: Sequence[Lifted]) -> list[list[int]]:
    """One group for each track; detections without one are left out."""
    groups: dict[int, list[int]] = {}
    for number, thing in enumerate(lifted):
        if thing.track >= 0:
            groups.setdefault(thing.track, []).append(number)
    return [groups[track] for track in sorted(groups)]


def _covered(evidence: Evidence) -> csr_matrix:
    """Which cells each frame shows in any of its detections, [c, f]."""
    inside = evidence.inside.tocoo()
    shape = evidence.visible.shape
    found = csr_matrix((inside.data, (inside.row, evidence.frame_of[inside.col])), shape)
    found.data[:] = 1
    return found


def _thing(
    members: list[int],
    lifted: Sequence[Lifted],
    evidence: Evidence,
    covered: csr_matrix,
    config: MergeConfig,
    link_m: float,
    counts: Counter[str],
) -> _Thing:
    cells = np.unique(np.concatenate([evidence.cells[k].indices for k in members]))
    frames = np.unique(evidence.frame_of[members])
    own = np.zeros(len(cells))
    for frame in frames:
        mine = [k for k in members if evidence.frame_of[k] == frame]
        own += np.asarray(evidence.inside[cells][:, mine].sum(1)).ravel() > 0
    elsewhere = np.setdiff1d(np.arange(evidence.visible.shape[1]), frames)
    asked = np.asarray(evidence.visible[cells][:, frames].sum(1)).ravel()
    asked += np.asarray(covered[cells][:, elsewhere].sum(1)).ravel()
    agreed = own >= config.min_consensus * np.maximum(asked, 1)
    counts["point: frames show it as something else"] += int((~agreed).sum())
    cells = cells[agreed]
    points = evidence.places[cells]
    if len(points):
        keep = _supported(lumps(points, link_m), own[agreed], len(frames))
        counts["point: stray"] += int((~keep).sum())
        cells, points = cells[keep], points[keep]
    label, votes = vote((lifted[k].label, lifted[k].score) for k in members)
    could = np.asarray(evidence.visible[cells].sum(0)).ravel() >= _COULD_SHOW * max(1, len(cells))
    could[frames] = True
    best = [max(lifted[k].score for k in members if evidence.frame_of[k] == frame) for frame in frames]
    share = len(frames) / int(could.sum())
    score = float(np.mean(best) * (1 - 0.5 ** len(frames)) * np.sqrt(share))
    return _Thing(members, points, frames, label, votes, min(max(score, 0.0), 1.0))


def _supported(lump: Int[np.ndarray, "n"], own: Float[np.ndarray, "n"], num_frames: int) -> Bool[np.ndarray, "n"]:
    """Points of the largest lump, and of others that are not small and that more than one frame shows.

    `own` counts the frames that show each point as this thing; a lump is as large as these together. What one frame
    alone shows beside the thing is mostly a mask that bled over its edge.
    """
    sizes = np.bincount(lump, own)
    shown = np.array([np.median(own[lump == k]) for k in range(len(sizes))])
    # Legs under a table are small lumps, but many frames show them.
    often = shown >= max(3, _OFTEN * num_frames)
    good = often | (sizes >= _STRAY_LUMP * sizes.sum()) & (shown >= min(2, num_frames - 1))
    good[np.argmax(sizes)] = True
    return good[lump]


def _without_duplicates(things: list[_Thing], config: MergeConfig, counts: Counter[str]) -> list[_Thing]:
    """Of things in one place, the first (best); things that are kept apart by frames stay two."""
    labels = Labels(config.groups)
    kept: list[_Thing] = []
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
            if both >= config.suppress_overlap:
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
