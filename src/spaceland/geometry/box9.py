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

from itertools import permutations, product
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import WORLD_UP, transform_points

EulerConvention = Literal["ZXY", "zxy"]
_LOCKED = 1e-7
"""Below this cosine of the middle angle the other two turn about the same axis."""
_SAME_ANGLE = 1e-9
_UPRIGHT = 0.99


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
    cosine = np.hypot(rotation[0, 1], rotation[1, 1])
    middle = np.arctan2(rotation[2, 1], cosine)
    if cosine < _LOCKED:
        first, last = np.arctan2(rotation[1, 0], rotation[0, 0]), 0.0
    else:
        first = np.arctan2(-rotation[0, 1], rotation[1, 1])
        last = np.arctan2(-rotation[2, 0], rotation[2, 2])
    return _above_minus_pi(np.array([first, middle, last]))


def _above_minus_pi(angles: np.ndarray) -> np.ndarray:
    """Half turns are written as +pi, whatever rounding noise says."""
    return np.where(angles < -np.pi + _SAME_ANGLE, angles + 2 * np.pi, angles)


def with_upright_axes(box: OrientedBox, T_world_cam: Float[np.ndarray, "4 4"]) -> OrientedBox:
    """The same solid with its axes renamed: the third up in the world, the first nearest to the camera's right.

    Of a box that does not stand upright the axis nearest to the vertical is the third.
    """
    right, down = T_world_cam[:3, 0], T_world_cam[:3, 1]
    across = right - (right @ WORLD_UP) * WORLD_UP
    if np.linalg.norm(across) < 1e-6:  # the picture's right points straight up or down
        across = down - (down @ WORLD_UP) * WORLD_UP
    across = across / np.linalg.norm(across)

    def fitness(axes: np.ndarray) -> tuple[float, float, float]:
        turned = box.rotation @ axes
        # Rounded, so that ties do not hang on noise.
        return round(float(turned[:, 2] @ WORLD_UP), 6), round(float(turned[:, 0] @ across), 6), float(axes[0, 0])

    best = max(_AXES, key=fitness)
    return OrientedBox(box.center, box.size @ np.abs(best), box.rotation @ best)


def box9_in_camera(
    box: OrientedBox, T_world_cam: Float[np.ndarray, "4 4"], convention: EulerConvention = "ZXY"
) -> Float[np.ndarray, "9"]:
    """A world box in the axes of a camera (x right, y down, z forward), its axes chosen by `with_upright_axes`."""
    upright = with_upright_axes(box, T_world_cam)
    R_cam_world = T_world_cam[:3, :3].T
    center = R_cam_world @ (upright.center - T_world_cam[:3, 3])
    angles = euler_from_rotation(R_cam_world @ upright.rotation, convention)
    return np.concatenate([center, upright.size, angles])


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


def length_width_height(box: OrientedBox) -> tuple[float, float, float]:
    """The longer and the shorter horizontal side, and the side along the vertical, metres.

    Of a box that does not stand upright the side nearest to the vertical counts as its height.
    """
    vertical = int(np.argmax(np.abs(box.rotation[2]).round(6)))
    first, second = (float(box.size[k]) for k in range(3) if k != vertical)
    return max(first, second), min(first, second), float(box.size[vertical])


def over_footprint(box: OrientedBox, xy: Float[np.ndarray, "n 2"], margin_m: float = 0.0) -> Bool[np.ndarray, "n"]:
    """Whether places on the floor lie below or above a box grown by a margin.

    The footprint of a box that leans by more than a few degrees is taken to be that of the upright box around it.
    """
    vertical = int(np.argmax(np.abs(box.rotation[2]).round(6)))
    if abs(box.rotation[2, vertical]) < _UPRIGHT:
        around = box.axis_aligned()
        return np.all((xy >= around.minimum[:2] - margin_m) & (xy <= around.maximum[:2] + margin_m), axis=-1)
    local = box.to_box_frame(np.concatenate([xy, np.full((len(xy), 1), box.center[2])], axis=1))
    inside = np.abs(local) <= box.size / 2 + margin_m
    return np.all(np.delete(inside, vertical, axis=1), axis=-1)
