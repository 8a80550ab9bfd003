"""Rigid transforms as 4x4 matrices.

`T_a_b` maps points of frame b to frame a: `p_a = T_a_b @ p_b`, and so `T_a_c = T_a_b @ T_b_c`. Frames chain by
reading the names. All functions broadcast over leading axes.

>>> import numpy as np
>>> T_world_cam = look_at(np.array([0.0, -2.0, 1.0]), np.array([0.0, 0.0, 1.0]))
>>> transform_points(T_world_cam, np.array([0.0, 0.0, 2.0])).round(6) + 0.0  # 2 m ahead of the camera
array([0., 0., 1.])
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

WORLD_UP = np.array([0.0, 0.0, 1.0])


def transform_points(T_a_b: Float[np.ndarray, "*#t 4 4"], points_b: Float[np.ndarray, "*p 3"]) -> np.ndarray:
    """Map points [..., 3] from frame b to frame a. One transform for any number of points, or one for each."""
    rotation, translation = T_a_b[..., :3, :3], T_a_b[..., :3, 3]
    if T_a_b.ndim == 2:
        return points_b @ rotation.T + translation
    return np.einsum("...ij,...j->...i", rotation, points_b) + translation


def invert_rigid(T_a_b: Float[np.ndarray, "*t 4 4"]) -> Float[np.ndarray, "*t 4 4"]:
    """`T_b_a`, by transposing the rotation (exact for rigid transforms, no linear solve)."""
    rotation = np.swapaxes(T_a_b[..., :3, :3], -1, -2)
    T_b_a = np.zeros_like(T_a_b)
    T_b_a[..., :3, :3] = rotation
    T_b_a[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, T_a_b[..., :3, 3])
    T_b_a[..., 3, 3] = 1.0
    return T_b_a


def from_rotation_translation(
    rotation: Float[np.ndarray, "*t 3 3"], translation: Float[np.ndarray, "*t 3"]
) -> Float[np.ndarray, "*t 4 4"]:
    """Assemble `T_a_b` from the rotation R_a_b and the origin of b in a."""
    T_a_b = np.zeros((*rotation.shape[:-2], 4, 4))
    T_a_b[..., :3, :3] = rotation
    T_a_b[..., :3, 3] = translation
    T_a_b[..., 3, 3] = 1.0
    return T_a_b


def rotation_z(angle_rad: float) -> Float[np.ndarray, "3 3"]:
    """Rotation about world up; positive angles turn x towards y (counter-clockwise seen from above)."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_between(a: Float[np.ndarray, "3"], b: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that turns direction `a` into direction `b`."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -1.0 + 1e-12:  # opposite: half a turn about any perpendicular axis
        helper = np.eye(3)[np.argmin(np.abs(a))]
        axis = np.cross(a, helper)
        axis /= np.linalg.norm(axis)
        return 2.0 * np.outer(axis, axis) - np.eye(3)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + cosine)


def rotation_from_quaternion(wxyz: Float[np.ndarray, "*q 4"]) -> Float[np.ndarray, "*q 3 3"]:
    """Rotation matrices of quaternions (w, x, y, z); they are normalised first."""
    w, x, y, z = np.moveaxis(wxyz / np.linalg.norm(wxyz, axis=-1, keepdims=True), -1, 0)
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )


def look_at(
    eye: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"] = WORLD_UP
) -> Float[np.ndarray, "4 4"]:
    """`T_world_cam` of a camera at `eye` that looks at `target` (OpenCV axes: x right, y down, z forward).

    Raises:
        ValueError: `eye` equals `target`, or the view direction is parallel to `up`.
    """
    forward = target - eye
    right = np.cross(forward, up)
    if np.linalg.norm(forward) < 1e-9 or np.linalg.norm(right) < 1e-9:
        raise ValueError(f"no unique view from {eye} to {target} with up {up}: move one of the points")
    forward = forward / np.linalg.norm(forward)
    right = right / np.linalg.norm(right)
    return from_rotation_translation(np.stack([right, np.cross(forward, right), forward], -1), eye)


def pose_problem(T_world_cam: np.ndarray, tolerance: float = 1e-2) -> str | None:
    """What keeps a matrix from being a rigid transform, in words, or None when it is one."""
    if T_world_cam.shape != (4, 4):
        return f"pose has shape {T_world_cam.shape}, expected 4x4"
    if not np.isfinite(T_world_cam).all():
        return "pose has NaN or infinite entries"
    if not np.allclose(T_world_cam[3], [0, 0, 0, 1], atol=tolerance):
        return f"last row of pose is {T_world_cam[3].tolist()}, expected 0 0 0 1"
    rotation = T_world_cam[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > tolerance:
        return f"rotation is not orthonormal (off by {error:.2g})"
    if np.linalg.det(rotation) < 0:
        return "rotation is a mirror image (determinant -1)"
    return None
