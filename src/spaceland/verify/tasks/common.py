"""What the checks of several tasks share: thresholds, stored and written numbers, options, slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import text
from spaceland.verify.rows import LETTERS, Row, Wrong, real, reals, shown, whole

STORED = 1e-4
"""Tolerance for stored exact values, which are rounded to a tenth of a millimetre or finer."""
ROUNDING = 1e-6
"""Tolerance on top of half a step for written, rounded numbers."""
Policy = Mapping[str, Any]

_POLICY_OF_PARAM = {
    "min_depth_gap_m": "min_depth_gap_m",
    "min_depth_m": "min_depth_m",
    "min_distance_m": "min_distance_m",
    "side": ("side_threshold_m", "side_margin_m"),
    "before_side": ("side_threshold_m", "side_margin_m"),
    "height": ("height_threshold_m", "height_margin_m"),
    "range": ("range_threshold_m", "range_margin_m"),
    "ahead": ("side_threshold_m", "side_margin_m"),
    "plane": ("imagined_threshold_m", "imagined_margin_m"),
    "max_truncated": "max_target_truncated",
    "max_occluded": "max_target_occluded",
    "max_roll_deg": "max_roll_deg",
    "tie": ("tie_margin_m", "tie_ratio"),
    "max_box_tilt_deg": "max_box_tilt_deg",
    "min_size_m": "min_size_m",
    "size_tie": ("size_ratio", "size_margin_m"),
    "size_limit": "max_size_ratio",
    "volume_limit": "max_volume_ratio",
    "max_stray_share": "max_stray_share",
    "volume_ratio": "volume_ratio",
    "min_volume_side_m": "min_volume_side_m",
    "min_baseline_m": "min_baseline_m",
    "beside_deg": "beside_deg",
    "not_beside_deg": "not_beside_deg",
    "free_margin_m": "free_margin_m",
    "max_beside_m": "max_beside_m",
    "max_beside_lift_m": "max_beside_lift_m",
    "floor_tolerance_m": "floor_tolerance_m",
    "min_point_gap_m": "min_point_gap_m",
    "min_point_gap_share": "min_point_gap_share",
    "min_bearing_gap_deg": "min_bearing_gap_deg",
    "min_axis_angle_deg": "min_axis_angle_deg",
    "max_bearing_gap_deg": "max_bearing_gap_deg",
    "min_range_share": "min_range_share",
    "min_place_gap_m": "min_place_gap_m",
    "min_place_gap_share": "min_place_gap_share",
    "min_area_share": "min_area_share",
    "seen_fraction": "seen_fraction",
    "seen_large_share": "seen_large_share",
    "unseen_area_share": "unseen_area_share",
    "min_appearance_gap": "min_appearance_gap",
    "max_glimpse_frames": "max_glimpse_frames",
    "min_camera_depth_m": "min_camera_depth_m",
    "camera_border_share": "camera_border_share",
    "camera_clearance_m": "camera_clearance_m",
    "max_elevation_deg": "max_elevation_deg",
    "path_straight_m": "path_straight_m",
    "window_frames": "window_frames",
    "window_step_s": "window_step_s",
    "max_window_gap_s": "max_window_gap_s",
    "window_stride": "window_stride",
    "way_clear_m": "way_clear_m",
    "min_way_m": "min_way_m",
    "min_leg_m": "min_leg_m",
    "min_facing_distance_m": "min_facing_distance_m",
    "min_imagined_distance_m": "min_imagined_distance_m",
    "vsi_min_size_m": "vsi_min_size_m",
    "vsi_min_distance_m": "vsi_min_distance_m",
    "route_stop_m": "route_stop_m",
    "route_body_m": "route_body_m",
    "max_route_lift_m": "max_route_lift_m",
    "min_route_leg_m": "min_route_leg_m",
    "route_turn": ("route_turn_deg", "route_margin_deg"),
    "route_back": ("route_back_deg", "route_margin_deg"),
    "min_path_m": "min_path_m",
    "min_passed_m": "min_passed_m",
    "max_passed_m": "max_passed_m",
    "turn": ("turn_threshold_deg", "turn_margin_deg"),
    "half_turn": ("half_turn_threshold_deg", "turn_margin_deg"),
}


def check_params(row: Row, policy: Policy | None) -> None:
    """Thresholds in the row are those of the dataset, so that nobody can argue an unclear answer clear."""
    for name, keys in _POLICY_OF_PARAM.items():
        if policy is None or name not in row.params:
            continue
        expected = [policy.get(key) for key in keys] if isinstance(keys, tuple) else policy.get(keys)
        if row.params[name] != expected:
            raise Wrong(f"facts.params.{name} is {shown(row.params[name])}, the dataset's setting is {expected}")


def limits(row: Row, name: str) -> tuple[float, ...]:
    """(threshold, margin) of a row; the dead zone has two sides, so the margin may not exceed the threshold."""
    threshold, margin = reals(row.params.get(name), f"facts.params.{name}", 2)
    if not 0 < margin <= threshold:
        raise Wrong(f"facts.params.{name} is {threshold:g} with margin {margin:g}; expected 0 < margin <= threshold")
    return threshold, margin


def stored_close(name: str, stored: object, derived: float, tolerance: float = STORED) -> None:
    if abs(real(stored, name) - derived) > tolerance:
        raise Wrong(f"{name} is {shown(stored)}, derived {derived:.6g}")


def rounded(name: str, written: float, derived: float, step: float) -> None:
    if abs(written - derived) > step / 2 + ROUNDING:
        raise Wrong(f"{name} is {written:g}, derived {derived:.6g}")


def center(scene: Scene, row: Row, role: str) -> np.ndarray:
    return np.asarray(scene.objects_by_id[row.objects[role]].center, dtype=np.float64)


def check_names_one_thing(row: Row, scene: Scene) -> None:
    """Labels of things without a mark are those of one object each, and no other label ends in one of them."""
    for role, label in row.labels.items():
        alike = [thing.label for thing in scene.objects if thing.label.endswith(label)]
        if alike.count(label) != 1:
            raise Wrong(f"{role} is one of several objects labelled {shown(label)}")
        if len(alike) != 1:
            raise Wrong(f"the label {shown(label)} of {role} is the end of another one, {shown(sorted(alike))}")


def marked_frame(row: Row, frames: Sequence[Frame], role: str) -> Frame:
    """The frame that points at a role's object."""
    return frames[next(mark.image_index for mark in row.marks if mark.color == role)]


def check_number(row: Row, derived: float, unit: str) -> None:
    """A number in any of its formats, with the decimals that the row states."""
    stored_close("facts.value", row.value, derived)
    places = decimals(row)
    step = 10.0**-places
    if row.format == "fill":
        rounded("answer", text.read_number(row.answer, places), derived, step)
    elif row.format == "select":
        _, options = text.split_options(row)
        off = [abs(text.read_number(option, places) - derived) for option in options]
        right = [k for k, gap in enumerate(off) if gap <= step / 2 + ROUNDING]
        check_choice(row, options, right, f"{derived:.6g}")
    else:
        sentence = text.hide_mentions(row.answer, row)
        numbers = text.numbers_in(sentence)
        if len(numbers) != 1 or f"{numbers[0]:.{places}f} {unit}" not in sentence:
            raise Wrong(f"the sentence should hold one number in {unit}: {shown(row.answer)}")
        rounded("number in the sentence", numbers[0], derived, step)


def decimals(row: Row) -> int:
    """With how many decimals a row writes metres."""
    places = whole(row.params.get("decimals"), "facts.params.decimals")
    if not 0 <= places <= 4:
        raise Wrong(f"facts.params.decimals is {places}, expected 0 to 4")
    return places


def check_choice(row: Row, options: Sequence[str], right: Sequence[int], derived: str) -> None:
    if len(right) != 1:
        raise Wrong(f"{len(right)} of the options {shown(list(options))} fit the derived answer {derived}")
    if LETTERS[right[0]] != row.answer:
        raise Wrong(f"answer is {row.answer}, the option that fits the derived {derived} is {LETTERS[right[0]]}")


def check_not_stretched(row: Row, scene: Scene, object_id: int) -> None:
    """No side of the box hangs on a few points: without the outermost 2 % at both ends it is nearly as long."""
    most = real(row.params.get("max_stray_share"), "facts.params.max_stray_share")
    if scene.geometry == "generated":
        return
    thing = scene.objects_by_id[object_id]
    half = np.asarray(thing.box.size, dtype=np.float64) / 2
    for k, places in enumerate(thing.box.to_box_frame(np.asarray(thing.points, dtype=np.float64)).T):
        places = np.sort(np.clip(places, -half[k], half[k]))
        # The value between two neighbours at a share of the way from the first to the last.
        ends = np.interp([0, 0.02, 0.98, 1], np.linspace(0, 1, len(places)), places)
        side, kept = ends[3] - ends[0], ends[2] - ends[1]
        if side > 1e-6 and 1 - kept / side > most + 1e-6:
            raise Wrong(f"few points stretch the box of object {object_id} from {kept:.2f} m to {side:.2f} m")


@lru_cache(maxsize=2)
def _reach_m(scene: Scene) -> float:
    """Diagonal of the box around all cameras and objects."""
    places = [np.asarray(frame.T_world_cam, dtype=np.float64)[:3, 3] for frame in scene.frames]
    places += [np.asarray(thing.center, dtype=np.float64) for thing in scene.objects]
    return float(np.linalg.norm(np.ptp(places, axis=0)))


def check_options_in_room(row: Row, scene: Scene, least: str, given_m: float | None = None) -> None:
    """No option of a number in metres can be ruled out by the question alone.

    None is larger than the room, none smaller than what is asked about (the parameter named `least`), and none so near
    to a depth that is given that nobody would be asked.
    """
    most = real(row.params.get("max_m"), "facts.params.max_m")
    reach, value = _reach_m(scene), real(row.value, "facts.value")
    if not value - STORED <= most <= max(reach, value) + STORED:
        raise Wrong(f"facts.params.max_m is {most:g}, more than the {reach:.2f} m of the room or less than the answer")
    step = 10.0 ** -decimals(row)
    if row.format == "select":
        _, options = text.split_options(row)
        _check_none_ruled_out([text.read_number(option, decimals(row)) for option in options], row, least, given_m)
        large = [option for option in options if text.read_number(option, decimals(row)) > most + step / 2 + ROUNDING]
        if large:
            raise Wrong(f"option {shown(large[0])} is larger than the room, {most:g} m")


def _check_none_ruled_out(numbers: Sequence[float], row: Row, least: str, given_m: float | None) -> None:
    low, half = real(row.params.get(least), f"facts.params.{least}"), 0.5 * 10.0 ** -decimals(row)
    for number in numbers:
        if number < low - half - ROUNDING:
            raise Wrong(f"option {number:g} is less than the {low:g} m from which on anybody is asked")
    if given_m is None:
        return
    gap = real(row.params.get("min_depth_gap_m"), "facts.params.min_depth_gap_m")
    for number in numbers:
        if abs(number - given_m) < gap - half - ROUNDING:
            raise Wrong(f"option {number:g} is nearer than {gap:g} m to the given depth of {given_m:.3f} m")


def check_slots(name: str, stored: object, derived: Sequence[str]) -> None:
    if not isinstance(stored, list) or stored != list(derived):
        raise Wrong(f"{name} is {shown(stored)}, derived {shown(list(derived))}")


def check_slot_choice(row: Row, words: Sequence[str]) -> None:
    _, options = text.split_options(row)
    derived = ", ".join(words)
    check_choice(row, options, [k for k, option in enumerate(options) if option == derived], derived)
