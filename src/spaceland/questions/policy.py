"""The ambiguity policy: which facts are clear enough to ask about.

A categorical answer comes from comparing a number with a threshold. Facts too near to a threshold, on *either* side,
are rejected: with threshold t and margin m, a value between t - m and t + m is asked about by nobody. So whatever
moves a value by less than m turns no answer into another one. Every rule has a name, and every rejection is counted
under it.
"""

from __future__ import annotations

from dataclasses import dataclass

STRUCTURE_LABELS = (
    "wall", "floor", "ceiling", "ceil", "door", "doorframe", "door frame", "window", "remove", "split", "object",
    "objects", "unknown", "unlabeled", "otherstructure", "otherfurniture", "otherprop", "misc", "room",
)  # fmt: skip
"""Labels that are never asked about: surfaces without a clear centre, and names that say nothing."""


@dataclass(frozen=True, kw_only=True)
class AmbiguityPolicy:
    """All limits in one place. Lengths in metres, angles in degrees, areas as shares of the image."""

    excluded_labels: tuple[str, ...] = STRUCTURE_LABELS

    # Which views of an object may be asked about.
    min_area_share: float = 0.0015
    """Visible area, as a share of the image (0.0015 is 461 px of 640x480)."""
    min_visible_fraction: float = 0.4
    """Visible share of the whole projection."""
    max_occluded: float = 0.4
    """Hidden share of the part inside the image, whatever hides it, annotated or not."""
    max_contradicted: float = 0.1
    """Share of the visible part that looks unlike the scan, where no depth tells what is in front of it."""
    max_truncated: float = 0.35
    """Share of the projection beyond the image border."""
    min_clearance_share: float = 0.006
    """Distance from the marked pixel to the edge of the visible part, as a share of the image width."""
    min_depth_m: float = 0.3
    max_depth_m: float = 10.0

    # Numbers.
    min_depth_gap_m: float = 0.2
    """Depth difference between reference and asked object: below it the question is its own answer."""
    min_distance_m: float = 0.3
    """Distance between two centres."""

    # Relations: left/right and above/below in metres, closer/farther in metres of distance to the observer.
    side_threshold_m: float = 0.15
    side_margin_m: float = 0.10
    height_threshold_m: float = 0.15
    height_margin_m: float = 0.10
    range_threshold_m: float = 0.20
    range_margin_m: float = 0.15
    min_bearing_gap_deg: float = 3.0
    """A left/right answer must also be one in the picture, by this angle between the two lines of sight."""

    # Imagined observer.
    imagined_threshold_m: float = 0.20
    imagined_margin_m: float = 0.10
    """Grows with the lever arm: a shift of the faced object turns the view (see `imagination`)."""
    min_facing_distance_m: float = 0.6
    min_imagined_distance_m: float = 0.4
    min_axis_angle_deg: float = 12.0
    """A left/right (front/behind) answer must be this far from straight ahead or behind (from sideways)."""

    # Two views.
    min_overlap: float = 0.15
    max_overlap: float = 0.9
    min_baseline_m: float = 0.3
    min_rotation_deg: float = 15.0
    """Two views differ by `min_baseline_m` or by `min_rotation_deg`."""
    max_baseline_m: float = 5.0
    max_roll_deg: float = 8.0
    """Camera motion leaves roll out, so views that differ in roll are not asked about."""
    max_elevation_deg: float = 60.0
    """Steeper views have no clear heading."""
    max_target_truncated: float = 0.05
    max_target_occluded: float = 0.25
    """An object whose box is asked for must be nearly whole in the second view."""
    unique_target_label: bool = True
    """No second object of the same label in the view in which one is searched."""

    # Video.
    num_video_frames: int = 32
    min_count: int = 1
    max_count: int = 20

    # Variety.
    max_same_objects: int = 2
    """How often one task may ask about the same set of objects in a scene."""


def side_of_threshold(value: float, threshold: float, margin: float) -> int | None:
    """-1, 0 or +1 for a value clearly below -threshold, between, or clearly above +threshold; None when unclear.

    >>> [side_of_threshold(v, 0.15, 0.10) for v in (-0.4, -0.2, 0.0, 0.1, 0.26)]
    [-1, None, 0, None, 1]
    """
    value = round(value, 6)  # rounding noise of a moved world must not decide exact ties
    if abs(value) >= round(threshold + margin, 6):
        return 1 if value > 0 else -1
    if abs(value) <= round(threshold - margin, 6):
        return 0
    return None
