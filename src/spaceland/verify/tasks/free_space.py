"""A free spot on the floor: where the options lie is read from the picture's depth, and told beside the object."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from spaceland.geometry.footprints import over_footprint
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.evidence import Evidence
from spaceland.verify.rows import LETTERS, Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import center
from spaceland.verify.tasks.correspondence import read_point

_SIDES = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "front": (0.0, -1.0), "behind": (0.0, 1.0)}
_PHRASES = {"to the left of": "left", "to the right of": "right", "in front of": "front", "behind": "behind"}
_BUILDING = ("floor", "ceiling", "ceil", "wall", "room")
_OVERHEAD_M = 1.8
_SLACK_DEG = 8.0
"""Positions are rounded and depth is sampled, which turns the direction of a spot near its object by a little."""
_SLACK_M = 0.08
_ON_FLOOR_M = 0.06
_ROUNDING = 0.1
"""Of 1000: the spot is stored to a tenth of a millimetre."""
_OFF_FLOOR_M = 0.12
_CLOSE_M = 1e-5


def check_free_space(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`free_space_point`: question, options and the stored spot; `check_places` looks at the picture."""
    side = _side(row)
    stem = text.hide_mentions(text.stem_of(row), row)
    said = re.findall(rf"\b({'|'.join(_PHRASES)}) (?:{text.HIDDEN['red']})", stem)
    if [_PHRASES[phrase] for phrase in said] != [side]:
        raise Wrong(f"the question asks for {shown(said)}, facts.values.side is {side}")
    value = reals(row.value, "facts.value", 2)
    written = f"({value[0]:.0f},{value[1]:.0f})"
    _, options = text.split_options(row)
    if options[LETTERS.index(row.answer)] != written:
        raise Wrong(f"the chosen option is {options[LETTERS.index(row.answer)]}, facts.value is {written}")
    _check_standing(row, scene)
    spot = np.array(reals(row.values.get("point_world_m"), "facts.values.point_world_m", 3))
    # The spot lies on the ray through the position, as far as that is rounded.
    local = np.asarray(frames[0].T_world_cam, dtype=float)[:3, :3].T @ (spot - frames[0].T_world_cam[:3, 3])
    pixel, _ = frames[0].camera.project(local)
    for number, exact, size in zip(value, pixel, (frames[0].camera.width, frames[0].camera.height), strict=True):
        if not abs(number - 1000 * float(exact) / size) <= 0.5 + _ROUNDING:
            raise Wrong(f"facts.values.point_world_m is not what {written} shows")
    if not _is_right(row, scene, frames[0], spot[None], side):
        raise Wrong("facts.values.point_world_m is no free spot on that side")


def check_places(row: Row, scene: Scene, frames: Sequence[Frame], evidence: Evidence) -> bool:
    """Raise `Wrong` when the chosen option shows no free spot on that side, or another one does.

    Returns False where a place has no depth that could tell.
    """
    side, told, on_floor = _side(row), True, 0
    for letter, option in zip(LETTERS, row.options or (), strict=False):
        xy = read_point(option)
        depths = evidence.depths(frames[0], xy)
        if depths is None or len(depths) == 0:
            told = False
            continue
        pixel = np.array(xy) / 1000 * [frames[0].camera.width, frames[0].camera.height]
        local = frames[0].camera.unproject(np.broadcast_to(pixel, (len(depths), 2)), depths.astype(np.float64))
        places = transform_points(np.asarray(frames[0].T_world_cam), local)
        if letter == row.answer and not _is_right(row, scene, frames[0], places, side):
            raise Wrong(f"{option} shows no free spot on that side of the object")
        if letter != row.answer and not _is_wrong(row, scene, frames[0], places, side):
            raise Wrong(f"{option} shows a free spot on that side as well")
        on_floor += letter != row.answer and bool((np.abs(_height(scene, places)) < _OFF_FLOOR_M).any())
    if told and not on_floor:
        raise Wrong("the right option is the only one that shows floor")
    return told


def _check_standing(row: Row, scene: Scene) -> None:
    """The object has a floor to stand on beside it: one on a table or a wall has none."""
    most_m = real(row.params.get("max_beside_lift_m"), "facts.params.max_beside_lift_m")
    corners = np.asarray(scene.objects_by_id[row.objects["red"]].box.corners(), dtype=float)
    lift_m = float(_height(scene, corners).min())
    if lift_m > most_m + _CLOSE_M:
        raise Wrong(f"its lowest corner is {lift_m:.2f} m above the floor, more than {most_m:g} m")


def _side(row: Row) -> str:
    side = row.values.get("side")
    if not isinstance(side, str) or side not in _SIDES:
        raise Wrong(f"facts.values.side is {shown(side)}, expected {', '.join(_SIDES)}")
    return side


def _direction(row: Row, scene: Scene, frame: Frame, places: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """By how many degrees places are off the direction from the object's centre, and how far away they are."""
    heading = np.asarray(frame.T_world_cam, dtype=float)[:2, 2]
    length = math.hypot(*heading)
    if length < 1e-6:
        raise Wrong("the camera looks straight down or up")
    ahead = heading / length
    offset = places[:, :2] - center(scene, row, "red")[:2]
    across, onward = offset @ np.array([ahead[1], -ahead[0]]), offset @ ahead
    reach = np.hypot(across, onward)
    cosine = (across * _SIDES[side][0] + onward * _SIDES[side][1]) / np.maximum(reach, 1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))), reach


def _height(scene: Scene, places: np.ndarray) -> np.ndarray:
    if scene.room is None:
        raise Wrong("the scene does not know its floor")
    return places[:, 2] - scene.room.floor_z_m


def _is_right(row: Row, scene: Scene, frame: Frame, places: np.ndarray, side: str) -> bool:
    """Whether one of some places that a position may show is free floor on the side."""
    most_deg = real(row.params.get("beside_deg"), "facts.params.beside_deg")
    most_m = real(row.params.get("max_beside_m"), "facts.params.max_beside_m")
    margin = real(row.params.get("free_margin_m"), "facts.params.free_margin_m")
    if not 0 < most_deg < 45 or margin <= 0:
        raise Wrong(f"facts.params allow {most_deg:g} degrees and {margin:g} m; expected less than 45 and more than 0")
    off_deg, reach = _direction(row, scene, frame, places, side)
    good = (off_deg <= most_deg + _SLACK_DEG) & (reach <= most_m + _SLACK_M)
    good &= np.abs(_height(scene, places)) <= _ON_FLOOR_M
    if scene.room is not None and scene.room.has_outline:
        walls = solvers.outline_distances_m(places[:, :2], np.asarray(scene.room.floor_polygon, dtype=float))
        good &= walls >= margin - _SLACK_M
    for thing in scene.objects:
        low = float(np.asarray(thing.aabb.minimum)[2]) - float(scene.room.floor_z_m) if scene.room else 0.0
        if thing.label not in _BUILDING and low < _OVERHEAD_M:
            good &= ~over_footprint(thing.box, places[:, :2], max(0.0, margin - _SLACK_M))
    return bool(good.any())


def _is_wrong(row: Row, scene: Scene, frame: Frame, places: np.ndarray, side: str) -> bool:
    """Whether one of some places is off the floor or on another side."""
    least_deg = real(row.params.get("not_beside_deg"), "facts.params.not_beside_deg")
    if not 45 < least_deg <= 180:
        raise Wrong(f"facts.params.not_beside_deg is {least_deg:g}, expected more than 45")
    off_deg, _ = _direction(row, scene, frame, places, side)
    return bool((np.abs(_height(scene, places)) >= _OFF_FLOOR_M).any() or (off_deg >= least_deg - _SLACK_DEG).any())
