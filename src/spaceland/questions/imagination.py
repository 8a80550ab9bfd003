"""Where things would be for an observer who moved (SPAR `spatial_imagination_oc|oo`, `_mv`, `_video`, `_video_hard`).

Worked example. Seen from above, with world x to the right and y up the page, the table's centre is at (2, 3), the
door's at (2, 5), the plant's at (3, 4) and the lamp's at (1, 3.5); all are equally high. Standing at the table and
facing the door means looking along +y; the plant is 1 m to the right and 1 m ahead, the lamp 1 m to the left and 0.5 m
ahead:

    image       a green box (stand here), a blue box (face this), a red box (asked), a yellow box (compared with)
    observer    An observer moves to the centre of the table (green bounding box) and faces the door (blue bounding
                box). Where ... is the plant (red bounding box)? ...
                A. left, , front   B. right, , front   C. right, , behind   D. left, , behind
    answer      B
    two things  ... where is the plant (red bounding box) relative to the lamp (yellow bounding box)?
    answer      right, , farther

Left/right and front/behind lie in the floor plane; above/below is height in the room: against the green object's
centre, or of the two compared objects. Closer/farther is the distance from the green object's centre.
Moving the blue object by d turns the view by up to d / |green - blue|, which moves the red one sideways by its own
distance times that angle. The margin of the policy is widened by this lever arm.

Which of two things is farther to the right must also be so by the directions in which they lie. Of two things behind
the observer, the one farther to the right is the one farther to the left for somebody who looks round: nobody is asked.
Nor of two things nearly opposite each other, or of two of which one is just higher: that is so from everywhere.

Where the first image is the observer's, sentences also tell the place before the move. Videos have no such observer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from spaceland.questions.answers import BEHIND_FRONT, BELOW_ABOVE, FARTHER_CLOSER, LEFT_RIGHT, RelationAnswer
from spaceland.questions.facts import TaskContext
from spaceland.questions.policy import side_of_threshold
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.relation import compare, place_for, side_of_range, slot
from spaceland.questions.setups import Setup, multi_views, single_views, unmarked_videos, videos


@dataclass(frozen=True)
class Imagined:
    """An observer at an object's centre who faces another object, upright. Unit vectors lie in the floor plane."""

    origin: np.ndarray
    forward: np.ndarray
    facing_m: float

    def right_ahead(self, offset: np.ndarray) -> tuple[float, float]:
        """Metres to the right and ahead of a horizontal offset."""
        return float(offset @ np.array([self.forward[1], -self.forward[0]])), float(offset @ self.forward)


def imagine(context: TaskContext, stand: int, face: int) -> Imagined | None:
    """The imagined observer; None where the faced object gives no clear direction."""
    origin = context.thing(stand).center
    facing = (context.thing(face).center - origin)[:2]
    facing_m = float(np.linalg.norm(facing))
    if facing_m < context.policy.min_facing_distance_m:
        context.reject("faced object too near to face it")
        return None
    return Imagined(origin, facing / facing_m, facing_m)


def solve_imagination_oc(context: TaskContext, setup: Setup) -> Solved | None:
    """Where the third pick is for an observer at the first who faces the second."""
    stand, face, asked = (pick.object_id for pick in setup.picks)
    policy, observer = context.policy, imagine(context, stand, face)
    if observer is None:
        return None
    center = context.thing(asked).center
    offset, above_m = (center - observer.origin)[:2], float((center - observer.origin)[2])
    offset_m = float(np.linalg.norm(offset))
    if round(offset_m, 6) < policy.min_imagined_distance_m:
        context.reject("asked object too near to the imagined place")
        return None
    right_m, ahead_m = observer.right_ahead(offset)
    margin_m = policy.imagined_margin_m * (1 + offset_m / observer.facing_m)
    side = _side(right_m, policy.imagined_threshold_m, margin_m)
    front = _side(ahead_m, policy.imagined_threshold_m, margin_m)
    height = side_of_threshold(above_m, policy.height_threshold_m, policy.height_margin_m)
    if side is None or front is None or height is None:
        context.reject("too near to a threshold")
        return None
    limit = np.sin(np.radians(policy.min_axis_angle_deg))
    if (side != 0 and abs(right_m) < limit * offset_m) or (front != 0 and abs(ahead_m) < limit * offset_m):
        context.reject("too near to straight ahead or sideways")
        return None
    before: list[str] = []
    if len(setup.frames) <= 3:
        seen = place_for(context, setup.observer, asked, "place before the move ")
        if seen is None:
            return None
        if not seen.slots[2]:
            context.reject("place before the move too near to a threshold")
            return None
        before = list(seen.slots)
    slots = slot(side, LEFT_RIGHT), slot(height, BELOW_ABOVE), slot(front, BEHIND_FRONT)
    if not any(slots):
        context.reject("level on every axis")
        return None
    return Solved(
        RelationAnswer(slots),
        {
            "before": before,
            "right_m": round(right_m, 4),
            "ahead_m": round(ahead_m, 4),
            "above_m": round(above_m, 4),
        },
        {
            "plane": [policy.imagined_threshold_m, policy.imagined_margin_m],
            "height": [policy.height_threshold_m, policy.height_margin_m],
            "before_side": [policy.side_threshold_m, policy.side_margin_m],
            "min_imagined_distance_m": policy.min_imagined_distance_m,
            "min_axis_angle_deg": policy.min_axis_angle_deg,
            "height_axis": "world up",
        },
    )


def solve_imagination_oo(context: TaskContext, setup: Setup) -> Solved | None:
    """The third pick relative to the fourth, for an observer at the first who faces the second."""
    stand, face, asked, other = (pick.object_id for pick in setup.picks)
    policy, observer = context.policy, imagine(context, stand, face)
    if observer is None:
        return None
    p, q = context.thing(asked).center - observer.origin, context.thing(other).center - observer.origin
    reach_m = min(float(np.hypot(*p[:2])), float(np.hypot(*q[:2])))
    if round(reach_m, 6) < policy.min_imagined_distance_m:
        context.reject("asked object too near to the imagined place", value=reach_m)
        return None
    between, above_m = (p - q)[:2], float(p[2] - q[2])
    right_m, _ = observer.right_ahead(between)
    ranges_m = float(np.linalg.norm(p)), float(np.linalg.norm(q))
    closer_m = ranges_m[1] - ranges_m[0]
    margin_m = policy.imagined_margin_m * (1 + float(np.linalg.norm(between)) / observer.facing_m)
    side = _side(right_m, policy.imagined_threshold_m, margin_m)
    height = side_of_threshold(above_m, policy.height_threshold_m, policy.height_margin_m)
    nearer = side_of_range(policy, *ranges_m)
    if side is None or height is None or nearer is None:
        context.reject("too near to a threshold")
        return None
    gap_deg = _bearing_gap_deg(observer.right_ahead(p[:2]), observer.right_ahead(q[:2]))
    if side * gap_deg < policy.min_bearing_gap_deg if side else abs(gap_deg) >= policy.min_bearing_gap_deg:
        context.reject("left/right differs between room and view", value=gap_deg)
        return None
    if round(abs(gap_deg), 6) > policy.max_bearing_gap_deg:
        context.reject("the short way round is not clear", value=gap_deg)
        return None
    slots = slot(side, LEFT_RIGHT), slot(height, BELOW_ABOVE), slot(nearer, FARTHER_CLOSER)
    if not side and not nearer:
        # Height is the same from everywhere: nobody would have to imagine anything.
        context.reject("only height differs" if height else "level on every axis")
        return None
    before: list[str] = []
    if len(setup.frames) <= 3:
        seen = compare(context, setup.observer, asked, other)
        if seen is None:
            return None
        assert isinstance(seen.answer, RelationAnswer)
        before = list(seen.answer.value)
    return Solved(
        RelationAnswer(slots),
        {
            "before": before,
            "right_m": round(right_m, 4),
            "above_m": round(above_m, 4),
            "closer_m": round(closer_m, 4),
            "bearing_gap_deg": round(gap_deg, 2),
        },
        {
            "plane": [policy.imagined_threshold_m, policy.imagined_margin_m],
            "height": [policy.height_threshold_m, policy.height_margin_m],
            "range": [policy.range_threshold_m, policy.range_margin_m],
            "min_range_share": policy.min_range_share,
            "before_side": [policy.side_threshold_m, policy.side_margin_m],
            "min_imagined_distance_m": policy.min_imagined_distance_m,
            "min_bearing_gap_deg": policy.min_bearing_gap_deg,
            "max_bearing_gap_deg": policy.max_bearing_gap_deg,
            "height_axis": "world up",
        },
    )


def _bearing_gap_deg(asked: tuple[float, float], other: tuple[float, float]) -> float:
    """How much farther to the right of the line of sight one thing lies than another, the short way round.

    >>> at_100_deg_right, at_110_deg_left = (1.0, -0.18), (-1.0, -0.36)
    >>> round(_bearing_gap_deg(at_100_deg_right, at_110_deg_left))
    -150
    """
    gap_deg = math.degrees(math.atan2(*asked) - math.atan2(*other))
    # Exactly opposite things have no short way: the sign is then the wrong one for both of them.
    return gap_deg - math.copysign(360.0, gap_deg) if round(abs(gap_deg), 6) >= 180 else gap_deg


def _side(value: float, threshold: float, margin: float) -> int | None:
    """As `side_of_threshold`; a margin beyond the threshold leaves no room for "clearly level"."""
    if margin >= threshold and abs(value) < threshold + margin:
        return None
    return side_of_threshold(value, threshold, margin)


ROLES_OC, ROLES_OO = ("green", "blue", "red"), ("green", "blue", "red", "yellow")
_observed = partial(multi_views, observer=True)
_oc, _oo = "spatial_imagination_oc", "spatial_imagination_oo"
propose_imagination_oc = proposer(_oc, single_views, ROLES_OC, "bbox", solve_imagination_oc)
propose_imagination_oc_mv = proposer(f"{_oc}_mv", _observed, ROLES_OC, "bbox", solve_imagination_oc)
propose_imagination_oc_video = proposer(f"{_oc}_video", videos, ROLES_OC, "bbox", solve_imagination_oc)
propose_imagination_oc_hard = proposer(f"{_oc}_video_hard", unmarked_videos, ROLES_OC, None, solve_imagination_oc)
propose_imagination_oo = proposer(_oo, single_views, ROLES_OO, "bbox", solve_imagination_oo)
propose_imagination_oo_mv = proposer(f"{_oo}_mv", _observed, ROLES_OO, "bbox", solve_imagination_oo)
propose_imagination_oo_video = proposer(f"{_oo}_video", videos, ROLES_OO, "bbox", solve_imagination_oo)
propose_imagination_oo_hard = proposer(f"{_oo}_video_hard", unmarked_videos, ROLES_OO, None, solve_imagination_oo)
