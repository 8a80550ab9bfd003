"""VGGT's nine numbers for a camera: translation, quaternion (scalar last), vertical and horizontal field of view.

They say where the world is in the camera (camera from world, OpenCV axes); the principal point is the image centre.
Source: the released "absT_quaR_FoV" encoding.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_FOV_RAD = (0.01, 3.13)  # beyond these a focal length means nothing; an untrained head says 0


def encode_pose(
    T_world_cam: Float[Tensor, "*b 4 4"], K: Float[Tensor, "*b 3 3"], height: int, width: int
) -> Float[Tensor, "*b 9"]:
    """Poses and intrinsics in pixels as encodings; the principal point is lost."""
    R_world_cam = T_world_cam[..., :3, :3]
    R = R_world_cam.mT
    t = -(R @ T_world_cam[..., :3, 3:])[..., 0]
    vertical = 2 * torch.atan(height / 2 / K[..., 1, 1])
    horizontal = 2 * torch.atan(width / 2 / K[..., 0, 0])
    return torch.cat([t, _quaternion_xyzw(R), vertical[..., None], horizontal[..., None]], dim=-1)


def decode_pose(
    encoding: Float[Tensor, "*b 9"], height: int, width: int
) -> tuple[Float[Tensor, "*b 4 4"], Float[Tensor, "*b 3 3"]]:
    """`T_world_cam` and intrinsics in pixels of frames of the given size.

    The quaternion may have any length; a zero one, and a field of view outside (0, pi), give something finite.
    """
    R = _rotation(encoding[..., 3:7])
    t = encoding[..., :3, None]
    bottom = torch.zeros_like(encoding[..., None, :4])
    bottom[..., 3] = 1
    T_world_cam = torch.cat([torch.cat([R.mT, -R.mT @ t], dim=-1), bottom], dim=-2)
    fov = encoding[..., 7:9].clamp(*_FOV_RAD)
    K = torch.zeros_like(R)
    K[..., 0, 0] = width / 2 / torch.tan(fov[..., 1] / 2)
    K[..., 1, 1] = height / 2 / torch.tan(fov[..., 0] / 2)
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = width / 2, height / 2, 1
    return T_world_cam, K


def unproject(
    depth: Float[Tensor, "s h w"], K: Float[Tensor, "s 3 3"], T_world_cam: Float[Tensor, "s 4 4"]
) -> Float[Tensor, "s h w 3"]:
    """World points of the pixel centres; `depth` along the optical axis."""
    _, height, width = depth.shape
    v, u = torch.meshgrid(
        torch.arange(height, device=depth.device) + 0.5, torch.arange(width, device=depth.device) + 0.5, indexing="ij"
    )
    focal, centre = K[:, None, None, [0, 1], [0, 1]], K[:, None, None, :2, 2]
    rays = (torch.stack([u, v], dim=-1).to(depth.dtype) - centre) / focal
    points = torch.cat([rays * depth[..., None], depth[..., None]], dim=-1)
    R, t = T_world_cam[:, None, :3, :3], T_world_cam[:, None, None, :3, 3]
    return points @ R.mT + t


def _rotation(xyzw: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation of a quaternion: R = I + 2 w [v] + 2 [v]^2 for unit length; identity for zero."""
    unit = xyzw / xyzw.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    x, y, z, w = unit.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    eye = torch.eye(3, dtype=xyzw.dtype, device=xyzw.device)
    return eye + 2 * w[..., None, None] * cross + 2 * cross @ cross


def _quaternion_xyzw(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4"]:
    """Unit quaternion with w >= 0, well-conditioned for every rotation.

    Each row of 4 q q^T is a multiple of the quaternion; the row of its largest entry is taken.
    """
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    xy, xz, yz = R[..., 0, 1] + R[..., 1, 0], R[..., 0, 2] + R[..., 2, 0], R[..., 1, 2] + R[..., 2, 1]
    wx, wy, wz = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    outer = torch.stack(
        [
            torch.stack([1 + xx - yy - zz, xy, xz, wx], dim=-1),
            torch.stack([xy, 1 - xx + yy - zz, yz, wy], dim=-1),
            torch.stack([xz, yz, 1 - xx - yy + zz, wz], dim=-1),
            torch.stack([wx, wy, wz, 1 + xx + yy + zz], dim=-1),
        ],
        dim=-2,
    )
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    row = outer.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    unit = row / row.norm(dim=-1, keepdim=True)
    return torch.where(unit[..., 3:] < 0, -unit, unit)
