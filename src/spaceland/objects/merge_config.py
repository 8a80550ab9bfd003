"""How the points of many frames become objects: the limits, with what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    """Limits of `merge.py`. Affinity runs from 0 (never the same pixels) to 1 (always)."""

    same_label: float = 0.35
    """Least affinity at which two parts with one label (or labels of one group) are the same thing."""
    other_label: float = 0.65
    """Least affinity where the labels differ."""
    same_track: float = 0.1
    """Least affinity where the finder followed one thing through the video from one part to the other."""
    trust_tracks: bool = False
    """Tracks name the things: one object for each track, which gets the track's number as its id."""
    groups: Sequence[Sequence[str]] | None = None
    """Labels that finders mix up for one thing, in groups; None takes `labels.GROUPS`."""
    tolerance_m: float = 0.03
    tolerance_per_m: float = 0.02
    """A point is visible where the depth at its pixel is its own, up to `tolerance_m + tolerance_per_m * depth`."""
    min_consensus: float = 0.5
    """Points that fewer of the frames that see them (and the thing) show as this thing are dropped."""
    max_through: float = 2.0
    """Points that more frames see through than see, times this, are dropped."""
    box_outside_percent: float = 0.5
    """Share of the points of a thing that may lie beyond each side of its box, where it was found in boxes alone."""
    table_tops: bool = True
    """Of boxes around tables, only what is not above a top or beside it counts (`spaceland.objects.table_top`)."""
    one_owner: bool = True
    """A point belongs to one thing (`spaceland.objects.owners`)."""
    min_points: int = 20
    min_views: int = 2
    """Things with fewer points or frames are left out. One frame is enough if the scene has only one."""
    suppress_overlap: float = 0.6
    """Of two things of which one lies in the other by at least this share of its points, the better one stays."""
    min_side_m: float = 0.04
    """Boxes are at least so thick: a picture seen from the front grows into the wall, away from the cameras."""
