"""The same spot in two views: a stored place in the room, projected into both images and held against their depth."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from spaceland.geometry.transforms import transform_points
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.evidence import MARGIN_M, Evidence
from spaceland.verify.rows import LETTERS, Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import check_choice, rounded

_POINT = re.compile(r"\((\d{1,4}),(\d{1,4})\)", re.ASCII)
_NEAR_M, _NEAR_PER_M = 0.05, 0.03
"""How far the depth at a spot may be from the spot's own: noise, and coordinates that are rounded."""


def check_correspondence(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`point_correspondence`: the spot projects to the mark in the first image and to the answer in the second."""
    spot = np.array(reals(row.values.get("point_world_m"), "facts.values.point_world_m", 3))
    if not scene.objects_by_id[row.objects["red"]].box.contains(spot, MARGIN_M):
        raise Wrong("the spot is not on the marked object")
    _check_projection("red point", row.marks[0].xy, frames[0], spot)
    value = reals(row.value, "facts.value", 2)
    if any(number != int(number) or not 0 <= number <= 1000 for number in value):
        raise Wrong(f"facts.value is {shown(row.value)}, not two whole numbers from 0 to 1000")
    _check_projection("facts.value", value, frames[1], spot)
    if text.asks_backwards(text.stem_of(row)):
        raise Wrong("the question asks for the spot in the first image")
    written = f"({value[0]:.0f},{value[1]:.0f})"
    if row.format == "fill":
        if row.answer != written:
            raise Wrong(f"answer is {shown(row.answer)}, derived {written}")
        return
    _, options = text.split_options(row)
    least = real(row.params.get("min_point_gap_share"), "facts.params.min_point_gap_share")
    for option in options:
        if option != written and _apart_share(read_point(option), value, frames[1]) < least - 1e-3:
            raise Wrong(f"the option {option} is nearer to {written} than {least:g} of the image width")
    check_choice(row, options, [k for k, option in enumerate(options) if option == written], written)


def check_spots(row: Row, scene: Scene, frames: Sequence[Frame], evidence: Evidence) -> bool:
    """Raise `Wrong` when something hides the spot, or a wrong option shows a place near to it.

    Returns False where a place has no depth that could tell.
    """
    spot = np.array(reals(row.values.get("point_world_m"), "facts.values.point_world_m", 3))
    told = True
    places = row.marks[0].xy, reals(row.value, "facts.value", 2)
    for frame, xy in zip(frames, places, strict=True):
        depths = evidence.depths(frame, xy)
        if depths is None or len(depths) == 0:
            told = False
            continue
        z = solvers.depth_m(frame, spot)
        if np.abs(depths - z).min() > _NEAR_M + _NEAR_PER_M * z:
            raise Wrong(f"frame {frame.id} does not show the spot: depth {np.median(depths):.2f}, its own {z:.2f} m")
    least = real(row.params.get("min_point_gap_m"), "facts.params.min_point_gap_m")
    for k, option in enumerate(row.options or ()):
        if row.answer == LETTERS[k]:
            continue
        xy = read_point(option)
        depths = evidence.depths(frames[1], xy)
        if depths is None or len(depths) == 0:
            told = False
            continue
        pixel = np.array(xy) / 1000 * [frames[1].camera.width, frames[1].camera.height]
        local = frames[1].camera.unproject(np.broadcast_to(pixel, (len(depths), 2)), depths.astype(np.float64))
        gaps = np.linalg.norm(transform_points(np.asarray(frames[1].T_world_cam), local) - spot, axis=1)
        if gaps.max() < 0.9 * least - 0.02:
            raise Wrong(f"the option {option} shows a place only {gaps.max():.2f} m from the spot")
    return told


def read_point(written: str) -> tuple[int, int]:
    """A position written as "(x,y)" on the 0..1000 scale and nothing else."""
    found = _POINT.fullmatch(written)
    point = (int(found.group(1)), int(found.group(2))) if found else (-1, -1)
    if not found or max(point) > 1000:
        raise Wrong(f"{shown(written)} is not a position (x,y) from 0 to 1000")
    return point


def _check_projection(name: str, xy: Sequence[float], frame: Frame, spot: np.ndarray) -> None:
    local = solvers.in_camera(frame, spot)
    if local[2] <= 0:
        raise Wrong(f"the spot is behind the camera of frame {frame.id}")
    pixel, _ = frame.camera.project(local)
    for axis, number, exact, size in zip("xy", xy, pixel, (frame.camera.width, frame.camera.height), strict=True):
        # The spot is stored to a tenth of a millimetre.
        rounded(f"{axis} of {name}", number, 1000 * float(exact) / size, 1.0 + 0.2 * frame.camera.fx / local[2] / size)


def _apart_share(a: Sequence[float], b: Sequence[float], frame: Frame) -> float:
    """Distance in the picture as a share of its width."""
    return math.hypot(a[0] - b[0], (a[1] - b[1]) * frame.camera.height / frame.camera.width) / 1000
