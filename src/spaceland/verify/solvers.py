"""The eight tasks worked out from their definitions: scene poses and boxes in, plain numbers and words out.

Every function is a few lines of school geometry in float64. World: metres, z up. Camera: x right, y down, z forward. An
object's place is the centre of its oriented box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Frame, Room, Scene
from spaceland.verify.rows import Wrong

EPSILON = 1e-6
"""Slack for floating point wherever a number meets a limit."""

Vector = Float[np.ndarray, "3"]


def in_camera(frame: Frame, point_world: Vector) -> Vector:
    """A world point in the camera axes of a frame."""
    pose = np.asarray(frame.T_world_cam, dtype=np.float64)
    return transform_points(invert_rigid(pose), np.asarray(point_world, dtype=np.float64))


def depth_m(frame: Frame, center: Vector) -> float:
    """Distance along the viewing direction."""
    return float(in_camera(frame, center)[2])


def distance_m(a: Vector, b: Vector) -> float:
    """Straight line between two places."""
    return math.dist(a, b)


def clear_sign(value: float, threshold: float, margin: float, axis: str) -> int:
    """-1, 0 or 1 when `value` is clearly negative, level or positive.

    Raises:
        Wrong: it is within `margin` of the threshold on either side, so nobody should have been asked.
    """
    if abs(value) >= threshold + margin - EPSILON:
        return 1 if value > 0 else -1
    if abs(value) <= threshold - margin + EPSILON:
        return 0
    raise Wrong(f"{axis} is {value:.3f} m, too near to the threshold {threshold:g} m (margin {margin:g} m) to be asked")


def clear_range(numbers: dict[str, float], limits: Sequence[float], share: float, axis: str) -> int:
    """As `clear_sign` of `closer_m`, which must be a share of the greater distance `range_m`, too, unless level."""
    sign = clear_sign(numbers["closer_m"], limits[0], limits[1], axis)
    if sign and abs(numbers["closer_m"]) < share * numbers["range_m"] - EPSILON:
        raise Wrong(f"{axis} is {numbers['closer_m']:.3f} m, less than {share:g} of {numbers['range_m']:.3f} m")
    return sign


def pick(sign: int, negative: str, positive: str) -> str:
    """A word for a sign; nothing for 0."""
    return {-1: negative, 0: "", 1: positive}[sign]


def relation_numbers(frame: Frame, asked: Vector, other: Vector) -> dict[str, float]:
    """How far `asked` is to the right of, above and closer than `other`, and by which angle it is farther right."""
    p, q = in_camera(frame, asked), in_camera(frame, other)
    eye = np.asarray(frame.T_world_cam, dtype=np.float64)[:3, 3]
    return {
        "right_m": float(p[0] - q[0]),
        "above_m": float(asked[2] - other[2]),
        "closer_m": math.dist(eye, other) - math.dist(eye, asked),
        "range_m": max(math.dist(eye, other), math.dist(eye, asked)),
        "bearing_gap_deg": math.degrees(math.atan2(p[0], p[2]) - math.atan2(q[0], q[2])),
        "less_deep_m": float(q[2] - p[2]),
    }


def relation_words(
    numbers: dict[str, float],
    side: Sequence[float],
    height: Sequence[float],
    reach: Sequence[float],
    range_share: float,
    bearing_gap_deg: float,
) -> tuple[str, str, str]:
    """Slots left/right, above/below, closer/farther, each limit as (threshold, margin).

    Closer and farther also need `range_share` of the greater distance. In the picture the two must differ by
    `bearing_gap_deg` if and only if they do in the room.

    Raises:
        Wrong: a slot is unclear, or the picture contradicts it.
    """
    sideways = clear_sign(numbers["right_m"], side[0], side[1], "left/right")
    upwards = clear_sign(numbers["above_m"], height[0], height[1], "above/below")
    nearer = clear_range(numbers, reach, range_share, "closer/farther")
    gap = numbers["bearing_gap_deg"]
    if (sideways * gap < bearing_gap_deg - EPSILON) if sideways else (abs(gap) > bearing_gap_deg + EPSILON):
        raise Wrong("left/right in the room contradicts the picture")
    if nearer * numbers["less_deep_m"] < 0:
        raise Wrong("closer/farther contradicts the depths")
    return pick(sideways, "left", "right"), pick(upwards, "below", "above"), pick(nearer, "farther", "closer")


def imagined_numbers(stand: Vector, face: Vector, asked: Vector) -> dict[str, float]:
    """Where `asked` is for somebody who stands at `stand` and faces `face`, upright: metres right, ahead and above."""
    ahead = (face - stand)[:2]
    offset = (asked - stand)[:2]
    facing, reach = math.hypot(*ahead), math.hypot(*offset)
    if facing < EPSILON or reach < EPSILON:
        raise Wrong("two of the three places coincide, so there is no direction")
    return {
        "ahead_m": float(np.dot(offset, ahead)) / facing,
        # The turn from `ahead` to `offset` is clockwise, to the right, where the cross product is negative.
        "right_m": float(ahead[1] * offset[0] - ahead[0] * offset[1]) / facing,
        "above_m": float(asked[2] - stand[2]),
        "lever": reach / facing,
        "reach_m": reach,
    }


def imagined_words(numbers: dict[str, float], plane: Sequence[float], height: Sequence[float]) -> tuple[str, str, str]:
    """Slots left/right, above/below, behind/front. The margin in the plane grows with the lever arm."""
    threshold, margin = plane[0], plane[1] * (1 + numbers["lever"])
    if margin >= threshold:
        # Nothing is clearly level any more; only what lies beyond the wider margin is clear.
        for axis in ("right_m", "ahead_m"):
            if abs(numbers[axis]) < threshold + margin - EPSILON:
                raise Wrong(f"{axis} is {numbers[axis]:.3f} m, within the widened margin {margin:.3f} m")
    sideways = clear_sign(numbers["right_m"], threshold, margin, "left/right after the move")
    onward = clear_sign(numbers["ahead_m"], threshold, margin, "front/behind after the move")
    upwards = clear_sign(numbers["above_m"], height[0], height[1], "above/below after the move")
    return pick(sideways, "left", "right"), pick(upwards, "below", "above"), pick(onward, "behind", "front")


def imagined_pair_numbers(stand: Vector, face: Vector, asked: Vector, other: Vector) -> dict[str, float]:
    """Where `asked` is against `other` for somebody at `stand` facing `face`: metres right, above and closer."""
    ahead, between = (face - stand)[:2], (asked - other)[:2]
    facing = math.hypot(*ahead)
    if facing < EPSILON:
        raise Wrong("the faced object is where the observer stands, so there is no direction")
    bearings = []
    for thing in (asked, other):
        x, y = (float(v) for v in (thing - stand)[:2])
        bearings.append(math.atan2(ahead[1] * x - ahead[0] * y, ahead[0] * x + ahead[1] * y))
    return {
        "bearing_gap_deg": wrap_deg(math.degrees(bearings[0] - bearings[1])),
        "reach_m": min(math.hypot(*(thing - stand)[:2]) for thing in (asked, other)),
        "right_m": float(ahead[1] * between[0] - ahead[0] * between[1]) / facing,
        "above_m": float(asked[2] - other[2]),
        "closer_m": math.dist(stand, other) - math.dist(stand, asked),
        "range_m": max(math.dist(stand, other), math.dist(stand, asked)),
        "lever": math.hypot(*between) / facing,
    }


def imagined_pair_words(
    numbers: dict[str, float],
    plane: Sequence[float],
    height: Sequence[float],
    reach: Sequence[float],
    range_share: float,
    bearing_gap_deg: Sequence[float],
) -> tuple[str, str, str]:
    """Slots left/right, above/below, closer/farther after the move.

    The directions in which the two lie must differ by the first of `bearing_gap_deg`, the short way round, if and only
    if one of them is to the right of the other, and by no more than the second.

    Raises:
        Wrong: a slot is unclear, the directions contradict it, or the answer does not depend on the move.
    """
    threshold, margin = plane[0], plane[1] * (1 + numbers["lever"])
    if margin >= threshold and abs(numbers["right_m"]) < threshold + margin - EPSILON:
        raise Wrong(f"right_m is {numbers['right_m']:.3f} m, within the widened margin {margin:.3f} m")
    sideways = clear_sign(numbers["right_m"], threshold, margin, "left/right after the move")
    upwards = clear_sign(numbers["above_m"], height[0], height[1], "above/below after the move")
    nearer = clear_range(numbers, reach, range_share, "closer/farther after the move")
    gap, (least, most) = numbers["bearing_gap_deg"], bearing_gap_deg
    if (sideways * gap < least - EPSILON) if sideways else (abs(gap) > least + EPSILON):
        raise Wrong("left/right in the room contradicts the directions in which the two lie after the move")
    if abs(gap) > most + EPSILON:
        raise Wrong(f"the two lie {abs(gap):.1f} degrees apart after the move, so neither way round is the short one")
    if not sideways and not nearer:
        raise Wrong("only height differs, which is the same before and after the move")
    return pick(sideways, "left", "right"), pick(upwards, "below", "above"), pick(nearer, "farther", "closer")


def words_for_observer(
    frame: Frame, asked: Vector, side: Sequence[float], height: Sequence[float], ahead: Sequence[float]
) -> tuple[tuple[str, str, str], dict[str, float]]:
    """Slots for the observer at the camera (its x axis, height in the room, its z axis), and the numbers.

    Raises:
        Wrong: a slot is unclear, or front/behind differs between the camera's z axis and its level heading.
    """
    local = in_camera(frame, asked)
    pose = np.asarray(frame.T_world_cam, dtype=np.float64)
    heading = math.atan2(pose[0, 2], pose[1, 2])
    offset = asked - pose[:3, 3]
    numbers = {
        "right_m": float(local[0]),
        "above_m": float(asked[2] - frame.T_world_cam[2, 3]),
        "ahead_m": float(local[2]),
        "level_ahead_m": float(offset[0] * math.sin(heading) + offset[1] * math.cos(heading)),
    }
    sideways = clear_sign(numbers["right_m"], side[0], side[1], "left/right of the observer")
    upwards = clear_sign(numbers["above_m"], height[0], height[1], "above/below the observer")
    onward = clear_sign(numbers["ahead_m"], ahead[0], ahead[1], "front/behind the observer")
    if clear_sign(numbers["level_ahead_m"], ahead[0], ahead[1], "front/behind on the level") != onward:
        raise Wrong("front/behind of the tilted camera contradicts front/behind on the level")
    words = pick(sideways, "left", "right"), pick(upwards, "below", "above"), pick(onward, "behind", "front")
    return words, numbers


def check_diagonal(sideways_m: float, onward_m: float, words: Sequence[str], least_deg: float) -> None:
    """Raise `Wrong` when a direction that is named is too near to being straight ahead, or sideways.

    `words` are the slots left/right, above/below, behind/front.
    """
    off_axis = math.degrees(math.atan2(abs(sideways_m), abs(onward_m)))
    if words[0] and off_axis < least_deg - EPSILON:
        raise Wrong(f"left/right is only {off_axis:.1f} degrees from straight ahead, less than {least_deg:g}")
    if words[2] and 90 - off_axis < least_deg - EPSILON:
        raise Wrong(f"front/behind is only {90 - off_axis:.1f} degrees from sideways, less than {least_deg:g}")


def angles_deg(frame: Frame) -> tuple[float, float, float]:
    """Heading (clockwise from world +y, seen from above), elevation and roll (clockwise) of a camera."""
    right, down, forward = np.asarray(frame.T_world_cam, dtype=np.float64)[:3, :3].T
    heading = math.degrees(math.atan2(forward[0], forward[1]))
    elevation = math.degrees(math.atan2(forward[2], math.hypot(forward[0], forward[1])))
    roll = math.degrees(math.atan2(-right[2], -down[2]))
    return heading, elevation, roll


def wrap_deg(angle: float) -> float:
    """The same angle between -180 and 180."""
    return (angle + 180.0) % 360.0 - 180.0


def motion(first: Frame, second: Frame) -> tuple[float, float, float, float, float]:
    """Metres right, up and forward in the level frame of the first view; degrees turned up and right."""
    a = np.asarray(first.T_world_cam, dtype=np.float64)
    b = np.asarray(second.T_world_cam, dtype=np.float64)
    forward = np.array([a[0, 2], a[1, 2], 0.0])
    if math.hypot(*forward) < EPSILON:
        raise Wrong("the first view looks straight up or down and has no heading")
    forward /= math.hypot(*forward)
    up = np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    moved = b[:3, 3] - a[:3, 3]
    (heading1, elevation1, _), (heading2, elevation2, _) = angles_deg(first), angles_deg(second)
    return (
        float(moved @ right),
        float(moved @ up),
        float(moved @ forward),
        elevation2 - elevation1,
        wrap_deg(heading2 - heading1),
    )


def object_ids_with_label(scene: Scene, label: str) -> set[int]:
    """Ids of the objects that carry a label."""
    return {thing.id for thing in scene.objects if thing.label == label}


def floor_area_m2(room: Room) -> float:
    """Area inside the floor outline, by the shoelace formula."""
    corners = [(float(x), float(y)) for x, y in room.floor_polygon]
    twice = 0.0
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        twice += x0 * y1 - x1 * y0
    return abs(twice) / 2


def outline_distances_m(places: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Distance of places [n, 2] from the nearest wall of an outline [k, 2]."""
    found = []
    for place in np.asarray(places, dtype=float):
        walls = []
        for start, stop in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            wall = stop - start
            length = max(float(wall @ wall), 1e-12)
            share = min(max(float((place - start) @ wall) / length, 0.0), 1.0)
            walls.append(math.dist(place, start + share * wall))
        found.append(min(walls))
    return np.array(found)
