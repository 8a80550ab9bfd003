"""The pose of a second camera: the rotation by scipy, the written parts read back one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown, whole
from spaceland.verify.tasks.common import ROUNDING, check_choice, decimals, rounded, stored_close

_KEYS = (
    ("distance", "distance"),
    ("toward_right", "toward_left"),
    ("toward_up", "toward_down"),
    ("rotate_right", "rotate_left"),
    ("rotate_up", "rotate_down"),
    ("roll_clockwise", "roll_counterclockwise"),
)


def check_relative_pose(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`camera_pose_relative`: distance, direction and rotation in the axes of the first camera."""
    derived = _pose(frames[0], frames[1])
    least = real(row.params.get("min_baseline_m"), "facts.params.min_baseline_m")
    most = real(row.params.get("max_elevation_deg"), "facts.params.max_elevation_deg")
    if derived[0] < least - solvers.EPSILON:
        raise Wrong(f"the cameras are {derived[0]:.3f} m apart, too near for a direction")
    if max(abs(derived[2]), abs(derived[4])) > most + solvers.EPSILON:
        raise Wrong("a direction is too steep to tell left from right")
    for name, stored in (("facts.value", row.value), ("facts.values.pose", row.values.get("pose"))):
        for part, number in zip(reals(stored, name, 6), derived, strict=True):
            stored_close(name, part, number)
    if text.asks_backwards(text.stem_of(row)):
        raise Wrong("the question asks for the first camera in the axes of the second")
    places, step = decimals(row), whole(row.params.get("angle_step_deg"), "facts.params.angle_step_deg")
    if not 1 <= step <= 90:
        raise Wrong(f"facts.params.angle_step_deg is {step}, expected 1 to 90")
    steps = (10.0**-places, *[float(step)] * 5)
    if row.format == "fill":
        written = read_pose(row.answer, places, step)
        for (name, _), number, exact, size in zip(_KEYS, written, derived, steps, strict=True):
            rounded(name, number, exact, size)
        return
    _, options = text.split_options(row)
    right = [
        k
        for k, option in enumerate(options)
        if all(
            abs(number - exact) <= size / 2 + ROUNDING
            for number, exact, size in zip(read_pose(option, places, step), derived, steps, strict=True)
        )
    ]
    check_choice(row, options, right, ", ".join(f"{v:.2f}" for v in derived))


def read_pose(written: str, places: int, step: int) -> tuple[float, ...]:
    """Signed numbers of "distance:2.2,toward_right:25,...": positive for right, up and clockwise."""
    parts = written.split(",")
    if len(parts) != len(_KEYS):
        raise Wrong(f"pose {shown(written)} has not six parts")
    numbers = []
    for part, (positive, negative) in zip(parts, _KEYS, strict=True):
        key, _, size = part.partition(":")
        if key not in (positive, negative):
            raise Wrong(f"pose part {shown(part)} is neither {positive} nor {negative}")
        number = text.read_number(size, places if key == "distance" else 0)
        if key != "distance" and (number % step or (number == 0 and key != positive) or number > 180):
            raise Wrong(f"pose part {shown(part)} is not a multiple of {step} degrees, or misnames a zero")
        numbers.append(-number if key == negative != positive else number)
    return tuple(numbers)


def _pose(first: Frame, second: Frame) -> tuple[float, ...]:
    """Metres, then degrees: direction right and up, turns right, up and clockwise."""
    a, b = (np.asarray(frame.T_world_cam, dtype=np.float64) for frame in (first, second))
    x, y, z = solvers.in_camera(first, b[:3, 3])
    # In x right, y down, z forward, positive turns about y, x and z go right, up and clockwise.
    turned = Rotation.from_matrix(a[:3, :3].T @ b[:3, :3]).as_euler("YXZ", degrees=True)
    toward = math.degrees(math.atan2(x, z)), math.degrees(math.atan2(-y, math.hypot(x, z)))
    return math.dist(a[:3, 3], b[:3, 3]), *toward, *(float(v) for v in turned)
