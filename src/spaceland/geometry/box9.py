"""Oriented boxes as nine numbers: x, y, z, three sizes, three Euler angles (metres and radians).

The nine numbers say nothing about the order of the angles, and releases differ, so the convention is always named:

    "ZXY"   R = Rz(a) Rx(b) Ry(c): turns about the box's own axes (EmbodiedScan, VG LLM since November 2025)
    "zxy"   R = Ry(c) Rx(b) Rz(a): the same turns about fixed axes (VG LLM before)

These are scipy's names: `Rotation.from_euler("ZXY", angles)`. A solid box can be written in 24 ways, one for each
choice of its axes; `with_upright_axes` picks the one that is written: third axis up, first one nearest to the camera's
right.

Worked example. A cupboard of 1.2 x 0.4 x 2.0 m stands 3 m ahead of a level camera, its long side across the view:

>>> import numpy as np
>>> from spaceland.geometry.transforms import look_at
>>> camera = look_at(np.array([0.0, 0.0, 1.0]), np.array([0.0, 5.0, 1.0]))
>>> cupboard = OrientedBox(np.array([0.0, 3.0, 1.0]), np.array([1.2, 0.4, 2.0]), np.eye(3))
>>> [float(v) for v in (box9_in_camera(cupboard, camera) + 0.0).round(2)]
[0.0, 0.0, 3.0, 1.2, 0.4, 2.0, 0.0, 1.57, 0.0]
>>> box_from_box9(box9_in_camera(cupboard, camera), camera).contains(np.array([0.5, 3.1, 1.9]))
np.True_
"""

from __future__ import annotations

import math
from itertools import permutations, product
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import transform_points

EulerConvention = Literal["ZXY", "zxy"]
_LOCKED = 1e-7
"""Below this cosine of the middle angle the other two turn about the same axis."""
_SAME_ANGLE = 1e-9


def _proper_axes() -> list[np.ndarray]:
    """The 24 matrices that rename the axes of a box without turning it inside out."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[list(order), range(3)] = signs
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return found


_AXES = _proper_axes()
_RENAMED = [
    (
        int(np.abs(axes[:, 0]).argmax()),
        float(axes[:, 0].sum()),
        int(np.abs(axes[:, 2]).argmax()),
        float(axes[:, 2].sum()),
    )
    for axes in _AXES
]
"""Of each matrix: which axis of the box becomes the first one and its sign, and the same of the third one."""


def rotation_from_euler(
    angles_rad: Float[np.ndarray, "3"], convention: EulerConvention = "ZXY"
) -> Float[np.ndarray, "3 3"]:
    """The rotation matrix of three angles about z, x and y."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles_rad), np.sin(angles_rad)
    about_z = np.array([[ca, -sa, 0.0], [sa, ca, 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cb, -sb], [0.0, sb, cb]])
    about_y = np.array([[cc, 0.0, sc], [0.0, 1.0, 0.0], [-sc, 0.0, cc]])
    return about_z @ about_x @ about_y if convention == "ZXY" else about_y @ about_x @ about_z


def euler_from_rotation(
    rotation: Float[np.ndarray, "3 3"], convention: EulerConvention = "ZXY"
) -> Float[np.ndarray, "3"]:
    """Angles about z, x and y, radians: the middle one from -pi/2 to pi/2, the others above -pi and up to pi.

    Where the middle one is a right angle (an upright box seen by a level camera) only the sum or the difference of the
    others is known; the last one is then 0.
    """
    if convention == "zxy":
        # R = Ry(c) Rx(b) Rz(a) is the transpose of Rz(-a) Rx(-b) Ry(-c).
        return _above_minus_pi(-euler_from_rotation(rotation.T, "ZXY"))
    (r00, r01, _), (r10, r11, _), (r20, r21, r22) = rotation.tolist()
    cosine = math.hypot(r01, r11)
    middle = math.atan2(r21, cosine)
    if cosine < _LOCKED:
        first, last = math.atan2(r10, r00), 0.0
    else:
        first, last = math.atan2(-r01, r11), math.atan2(-r20, r22)
    return _above_minus_pi(np.array([first, middle, last]))


def _above_minus_pi(angles: np.ndarray) -> np.ndarray:
    """Half turns are written as +pi, whatever rounding noise says."""
    return np.where(angles < -np.pi + _SAME_ANGLE, angles + 2 * np.pi, angles)


def with_upright_axes(box: OrientedBox, T_world_cam: Float[np.ndarray, "4 4"]) -> OrientedBox:
    """The same solid with its axes renamed: the third up in the world, the first nearest to the camera's right.

    Of a box that does not stand upright the axis nearest to the vertical is the third.
    """
    best = _upright_axes(box.rotation, T_world_cam)
    return OrientedBox(box.center, box.size @ np.abs(best), box.rotation @ best)


def _upright_axes(
    rotation: Float[np.ndarray, "3 3"], T_world_cam: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "3 3"]:
    """Which of the 24 matrices renames the axes. Plain numbers: arrays so small cost far more than what they hold."""
    # Level parts of the picture's right, or of its down where right points straight up or down.
    (right_x, down_x, _), (right_y, down_y, _) = T_world_cam[:2, :3].tolist()
    x, y = (right_x, right_y) if math.hypot(right_x, right_y) >= 1e-6 else (down_x, down_y)
    length = math.hypot(x, y)
    xs, ys, heights = rotation.tolist()
    # Rounded, so that ties do not hang on noise.
    up = [round(height, 6) for height in heights]
    across = [round((a * x + b * y) / length, 6) for a, b in zip(xs, ys, strict=True)]
    best, fittest = _AXES[0], (-math.inf, -math.inf, -math.inf)
    for axes, (first, first_sign, third, third_sign) in zip(_AXES, _RENAMED, strict=True):
        fitness = third_sign * up[third], first_sign * across[first], 0.0 if first else first_sign
        if fitness > fittest:
            best, fittest = axes, fitness
    return best


def box9_in_camera(
    box: OrientedBox, T_world_cam: Float[np.ndarray, "4 4"], convention: EulerConvention = "ZXY"
) -> Float[np.ndarray, "9"]:
    """A world box in the axes of a camera (x right, y down, z forward), its axes chosen by `with_upright_axes`."""
    axes = _upright_axes(box.rotation, T_world_cam)
    R_cam_world = T_world_cam[:3, :3].T
    center = R_cam_world @ (box.center - T_world_cam[:3, 3])
    angles = euler_from_rotation(R_cam_world @ (box.rotation @ axes), convention)
    return np.concatenate([center, box.size @ np.abs(axes), angles])


def box_from_box9(
    values: Float[np.ndarray, "9"],
    T_world_cam: Float[np.ndarray, "4 4"] | None = None,
    convention: EulerConvention = "ZXY",
) -> OrientedBox:
    """The box of nine numbers: in the axes in which they are given, or in the world when the camera's pose is given.

    Raises:
        ValueError: not nine finite numbers, or a negative size.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (9,):
        raise ValueError(f"a box has nine numbers, found {values.size}")
    center, rotation = values[:3], rotation_from_euler(values[6:], convention)
    if T_world_cam is not None:
        center, rotation = transform_points(T_world_cam, center), T_world_cam[:3, :3] @ rotation
    return OrientedBox(center, values[3:6], rotation)


def corner_gap_m(a: OrientedBox, b: OrientedBox) -> float:
    """How far the corners of two boxes are apart, however their axes are named: the largest distance of a corner of
    either from the nearest one of the other."""
    distances = np.linalg.norm(a.corners()[:, None] - b.corners()[None], axis=-1)
    return float(max(distances.min(0).max(), distances.min(1).max()))
