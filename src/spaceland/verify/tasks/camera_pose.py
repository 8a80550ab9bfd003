"""Where another camera stands in an image."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import ROUNDING, check_choice, decimals, rounded, stored_close
from spaceland.verify.tasks.frames_seen import caster_of

_HELD = 40
_DEPTHS: WeakKeyDictionary[Frame, np.ndarray] = WeakKeyDictionary()
_APART = 50
"""Wrong options are at least this far from the right place (of 1000, across and down together)."""
_HEIGHT_M = 0.1
"""Wrong places are between the lowest and the highest camera of the scene, up to rounding of the place."""


def check_camera_pose(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`camera_motion_infer`: the second camera's centre in the first image."""
    first, second = frames
    camera = first.camera
    local = solvers.in_camera(first, np.asarray(second.T_world_cam, dtype=np.float64)[:3, 3])
    least = real(row.params.get("min_camera_depth_m"), "facts.params.min_camera_depth_m")
    if local[2] < max(least, 0.01) - solvers.EPSILON:
        raise Wrong(f"the second camera is {local[2]:.3f} m ahead of the first, less than {least:g} m")
    u = camera.fx * local[0] / local[2] + camera.cx
    v = camera.fy * local[1] / local[2] + camera.cy
    border = real(row.params.get("camera_border_share"), "facts.params.camera_border_share") * camera.width
    if min(u, v, camera.width - u, camera.height - v) < border - solvers.EPSILON or border < 0:
        raise Wrong("the second camera is not inside the first image, or too near to its border")
    _check_free(row, scene, first, u, v, float(local[2]))
    measure = row.params.get("measure")
    if measure not in ("z", "range"):
        raise Wrong(f"facts.params.measure is {shown(measure)}, expected z or range")
    depth = float(local[2]) if measure == "z" else math.hypot(*local)
    place = 1000 * u / camera.width, 1000 * v / camera.height
    stored = reals(row.value, "facts.value", 3)
    for number, exact in zip(stored[:2], place, strict=True):
        if number != int(number):
            raise Wrong(f"facts.value is {shown(row.value)}, its place should be whole numbers")
        rounded("facts.value", number, exact, 1)
    stored_close("facts.value", stored[2], depth)
    stored_close("facts.values.depth_m", row.values.get("depth_m"), depth)
    others = _other_places(row, scene, first, local, border, least, measure)
    _check_written(row, stored, depth, others)


def _other_places(
    row: Row, scene: Scene, first: Frame, right: np.ndarray, border: float, least: float, measure: str
) -> list[tuple[int, int, float]]:
    """The wrong places: each could be a camera as well, going by the first image alone.

    Raises:
        Wrong: one lies behind what the image shows, near its border, at no camera's height, or where the right one (in
            metres, in the axes of the first camera) or another one nearly is.
    """
    gap_m, gap_share = (
        real(row.params.get(name), f"facts.params.{name}") for name in ("min_place_gap_m", "min_place_gap_share")
    )
    gap_m = max(gap_m, gap_share * float(right[2]))
    taken = [right]
    camera, pose = first.camera, np.asarray(first.T_world_cam, dtype=np.float64)
    heights = [float(np.asarray(frame.T_world_cam)[2, 3]) for frame in scene.frames]
    stored = row.values.get("other_places")
    if not isinstance(stored, list):
        raise Wrong(f"facts.values.other_places is {shown(stored)}, expected places with depths")
    found = []
    for one in stored:
        x, y, depth = reals(one, "a place in facts.values.other_places", 3)
        u, v = x * camera.width / 1000, y * camera.height / 1000
        ray = camera.unproject(np.array([[u, v]]), np.ones(1))[0]
        z = depth if measure == "z" else depth / math.hypot(*ray)
        half = max(camera.width, camera.height) / 2000 + solvers.EPSILON
        if min(u, v, camera.width - u, camera.height - v) < border - half or (x, y) != (int(x), int(y)):
            raise Wrong(f"the wrong place {shown(one)} is too near to the border of the image")
        if z < least - 1e-3:
            raise Wrong(f"the wrong place {shown(one)} is nearer than {least:g} m")
        height = float((pose[:3, :3] @ (ray * z) + pose[:3, 3])[2])
        if not min(heights) - _HEIGHT_M <= height <= max(heights) + _HEIGHT_M:
            raise Wrong(f"the wrong place {shown(one)} is {height:.2f} m high, where no camera is")
        apart_m = min(math.dist(ray * z, other) for other in taken)
        if apart_m < gap_m - 1e-3:
            raise Wrong(f"the wrong place {shown(one)} is {apart_m:.2f} m from another one, less than {gap_m:.2f} m")
        taken.append(ray * z)
        _check_free(row, scene, first, u, v, z)
        found.append((int(x), int(y), depth))
    return found


def _check_free(row: Row, scene: Scene, frame: Frame, u: float, v: float, z: float) -> None:
    """Nothing that is known to be there hides the second camera."""
    clearance = real(row.params.get("camera_clearance_m"), "facts.params.camera_clearance_m")
    caster = caster_of(scene) if frame.depth is None else None
    able = "depth" if frame.depth is not None else "nothing" if caster is None else "mesh"
    if row.params.get("hidden_tested_by") != able:
        raise Wrong(f"facts.params.hidden_tested_by is {shown(row.params.get('hidden_tested_by'))}, expected {able}")
    if able == "nothing":
        return
    if frame.depth is not None:
        seen, camera = _depth(frame), frame.depth_camera or frame.camera
        x = ((u - frame.camera.cx) / frame.camera.fx * camera.fx + camera.cx) * seen.shape[1] / camera.width
        y = ((v - frame.camera.cy) / frame.camera.fy * camera.fy + camera.cy) * seen.shape[0] / camera.height
        near = seen[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
    else:
        assert caster is not None
        pose = np.asarray(frame.T_world_cam, dtype=np.float64)
        ray = frame.camera.unproject(np.array([[u, v]]), np.ones(1)) @ pose[:3, :3].T
        near = caster.cast(pose[:3, 3], ray).distance
    near = near[np.isfinite(near) & (near > 0)]
    # The mesh may have a hole on this very ray, beside which the generator found a surface.
    if len(near) and float(np.median(near)) < z + clearance - 1e-3:
        raise Wrong(f"a surface {np.median(near):.2f} m deep hides the camera at {z:.2f} m, or is too near to it")
    if len(near) == 0 and able == "depth":
        raise Wrong("no depth tells whether the camera is hidden")


def _depth(frame: Frame) -> np.ndarray:
    """The depth map of a frame; those of the last frames are kept, as several rows share a first image."""
    if frame not in _DEPTHS:
        while len(_DEPTHS) >= _HELD:
            del _DEPTHS[next(iter(_DEPTHS))]
        assert frame.depth is not None
        _DEPTHS[frame] = np.asarray(frame.depth())
    return _DEPTHS[frame]


def _check_written(row: Row, stored: Sequence[float], depth: float, others: Sequence[tuple[int, int, float]]) -> None:
    """The place and the depth in the format of the row."""
    digits = decimals(row)
    step = 10.0**-digits
    place = int(stored[0]), int(stored[1])
    number = rf"\d{{1,4}}\.\d{{{digits}}}" if digits else r"\d{1,4}"
    form = re.compile(rf"\((\d{{1,4}}),(\d{{1,4}})\),({number})", re.ASCII)
    if row.format == "sentence":
        said = re.findall(rf"\((\d{{1,4}}),(\d{{1,4}})\)|(?<![\d.])({number}) m\b", row.answer, re.ASCII)
        if len(said) != 2 or len(re.findall(r"\d+(?:\.\d+)?", row.answer)) != 3:
            raise Wrong(f"the sentence should hold one place and one depth in metres: {shown(row.answer)}")
        (x, y, _), (_, _, deep) = sorted(said, key=lambda one: one[2])
        if (x, y) != (str(place[0]), str(place[1])) or not deep:
            raise Wrong(f"the sentence gives the place ({x},{y}), expected {place}")
        rounded("depth in the sentence", float(deep), depth, step)
        return
    if row.format == "fill":
        found = form.fullmatch(row.answer)
        if found is None or (int(found[1]), int(found[2])) != place:
            raise Wrong(f"answer is {shown(row.answer)}, expected the place {place} and a depth")
        rounded("depth in the answer", float(found[3]), depth, step)
        return
    _, options = text.split_options(row)
    right = []
    for k, option in enumerate(options):
        found = form.fullmatch(option)
        if found is None:
            raise Wrong(f"option {shown(option)} is no place with a depth")
        if (int(found[1]), int(found[2])) == place and abs(float(found[3]) - depth) <= step / 2 + ROUNDING:
            right.append(k)
        elif abs(int(found[1]) - place[0]) + abs(int(found[2]) - place[1]) < _APART:
            raise Wrong(f"option {shown(option)} is too near to the right place {place}")
        elif not any(
            (int(found[1]), int(found[2])) == (x, y) and abs(float(found[3]) - deep) <= step / 2 + ROUNDING
            for x, y, deep in others
        ):
            raise Wrong(f"option {shown(option)} is none of facts.values.other_places")
    check_choice(row, options, right, f"{place}, {depth:.6g}")
