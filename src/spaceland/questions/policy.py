"""The ambiguity policy: which facts are clear enough to ask about.

A categorical answer comes from comparing a number with a threshold. Facts too near to a threshold, on *either* side,
are rejected: with threshold t and margin m, a value between t - m and t + m is asked about by nobody. So whatever
moves a value by less than m turns no answer into another one. Every rule has a name, and every rejection is counted
under it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from spaceland.errors import SourceError

STRUCTURE_LABELS = (
    "wall", "floor", "ceiling", "ceil", "door", "doorframe", "door frame", "window", "remove", "split", "object",
    "objects", "unknown", "unlabeled", "otherstructure", "otherfurniture", "otherprop", "misc", "room",
)  # fmt: skip
"""Labels that are never asked about: surfaces without a clear centre, and names that say nothing."""

CONFUSED_LABELS = (
    "cabinet, cabinets, kitchen cabinet, kitchen cabinets, bathroom cabinet, file cabinet, storage cabinet, "
    "display cabinet, cupboard, wardrobe, wardrobe cabinet, wardrobe closet, closet, shelf, shelves, bookshelf, "
    "bookshelves, bookcase, storage shelf, kitchen shelf, dresser, chest of drawers",
)
"""Groups of labels that people take for one another where such things touch: built-in furniture, say."""


@dataclass(frozen=True, kw_only=True)
class AmbiguityPolicy:
    """All limits in one place. Lengths in metres, angles in degrees, areas as shares of the image."""

    excluded_labels: tuple[str, ...] = STRUCTURE_LABELS
    confused_labels: tuple[str, ...] = CONFUSED_LABELS
    """Groups of labels with commas between them: of things that touch, with two labels of one group, none is picked."""
    max_touching_m: float = 0.1
    """Boxes with a smaller gap between them touch."""

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
    min_range_share: float = 0.10
    """Closer and farther also differ by this share of the greater distance."""
    min_bearing_gap_deg: float = 3.0
    """A left/right answer must also be one in the picture, by this angle between the two lines of sight."""

    # Closest and farthest.
    tie_margin_m: float = 0.2
    """The closest (farthest) object beats every other one by at least this much, and by the ratio below."""
    tie_ratio: float = 1.1

    # Sizes.
    max_size_truncated: float = 0.01
    max_size_occluded: float = 0.1
    """An object whose size is asked for must be nearly whole in the view."""
    max_box_tilt_deg: float = 5.0
    """Boxes that lean by more have no length, width and height."""
    min_size_m: float = 0.05
    """Thinner things have no size in whole centimetres."""
    max_stray_share: float = 0.12
    """A box of which a side shrinks by more without the outermost points of its scan holds stray points."""

    # Which of two is larger.
    size_ratio: float = 1.3
    size_margin_m: float = 0.15
    """The higher (longer) object beats the other one by both ..."""
    max_size_ratio: float = 3.0
    """... and is at most so many times as high (long): what is larger still need not be looked at."""
    volume_ratio: float = 2.0
    max_volume_ratio: float = 8.0
    min_volume_side_m: float = 0.1
    """Thinner things have no volume that anybody could judge."""
    max_compared_truncated: float = 0.1
    max_compared_occluded: float = 0.25

    # Spots seen in two views.
    point_border_share: float = 0.03
    """A spot lies this far inside both images, as a share of the image width."""
    min_point_gap_m: float = 0.25
    """Wrong spots are at least so far from the right one in the room ..."""
    min_point_gap_share: float = 0.08
    """... and so far from it and each other in the picture, as a share of its width."""

    # Free spots on the floor.
    floor_tolerance_m: float = 0.04
    free_margin_m: float = 0.2
    """Nothing stands nearer to a free spot than this, going by the boxes of all objects."""
    max_beside_m: float = 2.0
    """A spot beside an object is at most this far from its centre."""
    beside_deg: float = 25.0
    not_beside_deg: float = 65.0
    """A spot to the left of something is this near to straight left; what is not left, this far from it."""
    max_beside_lift_m: float = 0.3
    """The object's lowest corner is no higher than this above the floor: it stands there."""
    max_beside_bearing_deg: float = 18.0
    """The object is this near to straight ahead, so that left and behind mean the same to everybody."""

    # Detection.
    min_detected: int = 2
    max_detected: int = 20
    window_frames: int = 4
    """Frames of a window (VG LLM trains with 4 and is also tested with 6)."""
    window_step_s: float = 1.0
    """Time between them, where frames have timestamps; the nearest frame is taken."""
    max_window_gap_s: float = 3.0
    """Frames that are farther apart in time make no window."""
    window_stride: int = 3
    """Every third frame, where frames have no timestamps."""

    # Imagined observer.
    imagined_threshold_m: float = 0.20
    imagined_margin_m: float = 0.10
    """Grows with the lever arm: a shift of the faced object turns the view (see `imagination`)."""
    min_facing_distance_m: float = 0.6
    min_imagined_distance_m: float = 0.4
    min_axis_angle_deg: float = 12.0
    """A left/right (front/behind) answer must be this far from straight ahead or behind (from sideways)."""
    max_bearing_gap_deg: float = 165.0
    """Two things in directions that differ by more are opposite each other: either way round may be the short one."""

    # Two views.
    min_overlap: float = 0.15
    min_landmark_share: float = 0.001
    """Some annotated thing (doors and windows count) covers this share of both images: tiles look the same anywhere."""
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

    # The second camera in the first image.
    min_camera_depth_m: float = 0.5
    """A camera that is nearer than this is not asked for."""
    camera_border_share: float = 0.02
    """Its projection must be this far inside the image border, as a share of the image width."""
    camera_clearance_m: float = 0.1
    """The surface behind it must be this much deeper; else it may be hidden."""
    min_place_gap_m: float = 0.4
    """Wrong places are at least this far in the room from the right one and from each other ..."""
    min_place_gap_share: float = 0.25
    """... and by this share of the depth of the right one."""

    # Video.
    num_video_frames: int = 32
    min_count: int = 1
    max_count: int = 20

    # In which frames something is seen. Between seen and unseen nobody is asked.
    seen_fraction: float = 0.35
    """Visible share of the whole projection from which on an object of `min_area_share` counts as seen."""
    seen_large_share: float = 0.15
    """Visible area that is large enough whatever its share of the whole, as a share of the image."""
    unseen_area_share: float = 0.0003
    """Visible area below which an object counts as not seen, as a share of the image."""
    min_seen_frames: int = 2
    min_unseen_frames: int = 2
    min_appearance_gap: int = 2
    """Frames between the first that clearly shows one kind of things and the first that shows a little of the next."""
    max_glimpse_frames: int = 1
    """So many frames may show a little of something right before it is clearly seen."""

    # Walked paths.
    path_straight_m: float = 0.25
    """A straight leg may stray this far from its line; the path must look the same with a quarter less and more."""
    min_leg_m: float = 0.6
    min_path_m: float = 1.5
    max_path_turns: int = 5
    turn_threshold_deg: float = 30.0
    half_turn_threshold_deg: float = 145.0
    turn_margin_deg: float = 8.0
    """Bends this near to a threshold are neither straight on nor a turn, or neither a turn nor a half turn."""
    max_passed_m: float = 2.0
    """Distance from the path to a thing that is passed, or from its end to the thing at which it ends."""
    min_passed_m: float = 0.4
    min_nearest_gap_m: float = 0.3
    """The thing at which a path ends is nearer than any other by this much."""

    # Planned ways.
    way_clear_m: float = 0.25
    """A planned way is the shortest that keeps so far away from everything that stands in the way ..."""
    way_slack_m: float = 0.05
    """... and has the same turns for somebody who keeps away by so much less and more."""
    way_leg_change_m: float = 0.4
    """So much shorter or longer its legs may be for them."""
    way_detour: float = 1.25
    """No other way that is up to so many times as long turns differently."""
    min_way_m: float = 1.0
    max_hug_m: float = 1.2
    """So far a way may lead alongside something at the least distance and `way_slack_m`."""

    # VSI-Bench's questions.
    vsi_min_count: int = 2
    vsi_min_size_m: float = 0.1
    """Longest side of a thing whose size is asked for."""
    vsi_min_distance_m: float = 0.3
    """Between the nearest points of two boxes."""
    route_stop_m: float = 0.4
    """One stops so far in front of a thing."""
    route_body_m: float = 0.2
    """Free space on both sides of a way."""
    min_route_leg_m: float = 0.8
    route_turn_deg: float = 30.0
    """From this bend on it is a turn to the left or right, and from the next one on a turn back."""
    route_back_deg: float = 140.0
    route_margin_deg: float = 8.0
    max_route_lift_m: float = 0.3
    """Ways lead to things whose lowest point is no higher than this above the floor."""

    # Variety.
    max_answer_share: float = 0.34
    """Share of a task's facts in a scene that may have the same relation, count or choice (three always may)."""
    max_same_objects: int = 2
    """How often one task may ask about the same set of objects in a scene."""
    max_same_labels: int = 2
    """How often the sizes of the same two kinds of things may be compared in a scene."""


def policy_with(changes: Mapping[str, Any]) -> AmbiguityPolicy:
    """The default policy with some limits changed, as read from a JSON file.

    Raises:
        SourceError: a limit that does not exist, or a value of another type.
    """
    known = {field.name: getattr(AmbiguityPolicy(), field.name) for field in fields(AmbiguityPolicy)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise SourceError(f"policy has no limit '{name}'" + (f"; did you mean {close[0]}?" if close else ""))
        default = known[name]
        if isinstance(default, bool):
            good = isinstance(value, bool)
        elif isinstance(default, tuple):
            good = isinstance(value, list) and all(isinstance(label, str) for label in value)
        else:
            good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            good = good and (isinstance(value, int) or not isinstance(default, int))
        if not good:
            raise SourceError(f"policy limit {name} is {value!r}; expected something like {default!r}")
        values[name] = tuple(value) if isinstance(default, tuple) else type(default)(value)
    return AmbiguityPolicy(**values)


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
