"""From detections in space to things: join, keep the points that frames agree on, leave out duplicates, name, score.

1. `cluster`: detections that show one thing are joined.
2. Consensus: a point stays when at least half of the frames that see it, and have their say, show it as this thing. A
   frame has its say where it shows this thing somewhere, or shows another thing at the point. Points that frames see
   through are dropped.
3. Of what boxes around a table hold, the table stays (`table_top`). Small lumps beside the rest, and such as one frame
   alone shows, are dropped; things of too few points or frames are left out.
4. Of two things in one place the better one stays (`duplicates`), and a point that two things claim belongs to one of
   them (`owners`).
5. Score: mean score of the detections * (1 - 1/2 ^ views) * sqrt(views / frames that could show it). Something that is
   really there is found again and again.

The result does not depend on the order in which frames and detections are given: detections are first sorted by frame,
place, label, score. The same detections give the same objects to the last digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from spaceland.objects.cells import lumps
from spaceland.objects.cluster import cluster
from spaceland.objects.duplicates import without_duplicates
from spaceland.objects.evidence import Evidence, SeenFrame, gather
from spaceland.objects.fit_box import fit_box
from spaceland.objects.labels import Labels, vote
from spaceland.objects.lift import Lifted
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.owners import owners
from spaceland.objects.plausible import MAX_BOTTOM_M, STANDING
from spaceland.objects.table_top import LABELS as TABLES
from spaceland.objects.table_top import table_top
from spaceland.objects.types import FoundObject

_COULD_SHOW = 0.3
_STRAY_LUMP = 0.04
_OFTEN = 0.2
_MIN_LUMP_M = 0.08
_BESIDE_M = 0.06
_SURELY = 2.0


@dataclass(frozen=True, eq=False)
class _Thing:
    """Detections joined: `cells` (numbers, with `points`), `own` frames that show each as this thing, and their share
    of the frames that have their say."""

    members: list[int]
    cells: Int[np.ndarray, "n"]
    points: Float[np.ndarray, "n 3"]
    own: Float[np.ndarray, "n"]
    share: Float[np.ndarray, "n"]
    top: Bool[np.ndarray, "n"]
    frames: Int[np.ndarray, "k"]
    label: str
    votes: Mapping[str, int]
    score: float = 0.0

    def only(self, keep: Bool[np.ndarray, "n"]) -> _Thing:
        """With some of the points."""
        parts = {name: getattr(self, name)[keep] for name in ("cells", "points", "own", "share", "top")}
        return replace(self, **parts)


def merge(
    lifted: Sequence[Lifted],
    frames: Sequence[SeenFrame],
    config: MergeConfig,
    *,
    voxel_m: float,
    link_m: float,
    counts: Counter[str],
    floor_z_m: float | None = None,
) -> list[FoundObject]:
    """Objects, best first, ids from 0.

    Args:
        lifted: Detections in space.
        frames: All frames that the finder looked at, whether it found something there or not.
        config: Limits.
        voxel_m: Edge of the cells in which points are averaged.
        link_m: Points nearer to each other than about this belong to one lump.
        counts: What is left out is added here by reason.
        floor_z_m: Height of the floor where it is known.
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
    link_m = max(link_m, _MIN_LUMP_M)
    things = []
    for members in groups:
        thing = _thing(members, lifted, evidence, covered, config, counts)
        part = _shaped(thing, lifted, frames, floor_z_m, config, voxel_m, counts)
        if part is None:
            continue
        thing = _scored(_without_strays(part, link_m, counts), lifted, evidence)
        if _enough(thing, min_views, config, counts):
            things.append(thing)
    things.sort(key=lambda thing: (-thing.score, thing.label, tuple(thing.points[0])))
    kept = things
    if not config.trust_tracks:
        kept = without_duplicates(things, Labels(config.groups), config.suppress_overlap, counts)
        if config.one_owner:
            kept = _of_one_owner(kept, len(evidence.places), voxel_m, link_m, counts)
            kept = [thing for thing in kept if _enough(thing, min_views, config, counts)]
    found = []
    for number, thing in enumerate(kept):
        eyes = np.mean([frames[k].T_world_cam[:3, 3] for k in thing.frames], axis=0)
        outside = config.box_outside_percent if _guessed(thing, lifted) else 0.0
        box = fit_box(thing.points, eyes, config.min_side_m, outside)
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
    counts: Counter[str],
) -> _Thing:
    """The points that at least half of the frames show as this thing, and that are not seen through."""
    cells = np.unique(np.concatenate([evidence.cells[k].indices for k in members]))
    frames = np.unique(evidence.frame_of[members])
    own = np.zeros(len(cells))
    for frame in frames:
        mine = [k for k in members if evidence.frame_of[k] == frame]
        own += np.asarray(evidence.inside[cells][:, mine].sum(1)).ravel() > 0
    elsewhere = np.setdiff1d(np.arange(evidence.visible.shape[1]), frames)
    asked = np.asarray(evidence.visible[cells][:, frames].sum(1)).ravel()
    asked += np.asarray(covered[cells][:, elsewhere].sum(1)).ravel()
    share = own / np.maximum(asked, 1)
    solid = evidence.through[cells] <= config.max_through * np.asarray(evidence.visible[cells].sum(1)).ravel()
    agreed = share >= config.min_consensus
    counts["point: frames see through it"] += int((~solid).sum())
    counts["point: frames show it as something else"] += int((solid & ~agreed).sum())
    label, votes = vote((lifted[k].label, lifted[k].score) for k in members)
    top = np.zeros(len(cells), dtype=bool)
    return _Thing(members, cells, evidence.places[cells], own, share, top, frames, label, votes).only(solid & agreed)


def _shaped(
    thing: _Thing,
    lifted: Sequence[Lifted],
    frames: Sequence[SeenFrame],
    floor_z_m: float | None,
    config: MergeConfig,
    voxel_m: float,
    counts: Counter[str],
) -> _Thing | None:
    """Of what boxes around a table hold, the table; None where there is none. Other things, and masks, stay."""
    if floor_z_m is None or not (config.table_tops and len(thing.points) and _guessed(thing, lifted)):
        return thing
    labels = Labels(config.groups)
    bottom_m = float(np.percentile(thing.points[:, 2], 5)) - floor_z_m
    if bottom_m > MAX_BOTTOM_M and any(labels.alike(thing.label, label) for label in STANDING):
        counts["object: too high above the floor"] += 1
        return None
    if not any(labels.alike(thing.label, label) for label in TABLES):
        return thing
    eye_z_m = float(np.median([frames[k].T_world_cam[2, 3] for k in thing.frames]))
    found = table_top(thing.points, eye_z_m, floor_z_m, voxel_m)
    if found is None:
        counts["object: a table without a top"] += 1
        return None
    counts["point: above a table or beside it"] += int((~found.table).sum())
    return replace(thing, top=found.top).only(found.table)


def _guessed(thing: _Thing, lifted: Sequence[Lifted]) -> bool:
    """Whether most of its detections are boxes without masks, of which the thing's pixels had to be guessed."""
    return sum(not lifted[k].masked for k in thing.members) > len(thing.members) / 2


def _without_strays(thing: _Thing, link_m: float, counts: Counter[str]) -> _Thing:
    if len(thing.points) == 0:
        return thing
    keep = _supported(lumps(thing.points, link_m), thing.own, len(thing.frames))
    counts["point: stray"] += int((~keep).sum())
    return thing.only(keep)


def _scored(thing: _Thing, lifted: Sequence[Lifted], evidence: Evidence) -> _Thing:
    could = np.asarray(evidence.visible[thing.cells].sum(0)).ravel() >= _COULD_SHOW * max(1, len(thing.cells))
    could[thing.frames] = True
    best = [max(lifted[k].score for k in thing.members if evidence.frame_of[k] == frame) for frame in thing.frames]
    share = len(thing.frames) / int(could.sum())
    score = float(np.mean(best) * (1 - 0.5 ** len(thing.frames)) * np.sqrt(share))
    return replace(thing, score=min(max(score, 0.0), 1.0))


def _enough(thing: _Thing, min_views: int, config: MergeConfig, counts: Counter[str]) -> bool:
    if len(thing.frames) < min_views:
        counts["object: seen in too few frames"] += 1
    elif len(thing.points) < config.min_points:
        counts["object: too few points"] += 1
    else:
        return True
    return False


def _of_one_owner(
    things: Sequence[_Thing], num_cells: int, voxel_m: float, link_m: float, counts: Counter[str]
) -> list[_Thing]:
    """Points that several things claim stay with one; what hangs on to the others by them alone goes too."""
    # No vote is as good as to be part of a top that goes on all around.
    claims = [np.where(thing.top, _SURELY, thing.share) for thing in things]
    keeps = owners([thing.cells for thing in things], claims, num_cells)
    left = [thing.only(keep) for thing, keep in zip(things, keeps, strict=True)]
    trees = [cKDTree(thing.points) if len(thing.points) else None for thing in left]
    result = []
    for thing, part in zip(things, left, strict=True):
        for k, other in enumerate(left):
            tree = trees[k]
            if other is part or tree is None or len(part.points) == 0 or not _lost_to(thing, part, other):
                continue
            lump = lumps(part.points, 2 * voxel_m)
            sizes = np.bincount(lump)
            near = np.isfinite(tree.query(part.points, distance_upper_bound=_BESIDE_M)[0])
            theirs = np.bincount(lump, near) > 0.5 * sizes
            theirs[np.argmax(sizes)] = False
            part = part.only(~theirs[lump])
        counts["point: of another thing"] += len(thing.points) - len(part.points)
        result.append(part if part is thing else _without_strays(part, link_m, counts))
    return result


def _lost_to(thing: _Thing, part: _Thing, other: _Thing) -> bool:
    return bool(np.isin(np.setdiff1d(thing.cells, part.cells), other.cells).any())


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
