"""Points drawn as discs that face the camera, with a z-buffer: depth where a scene has points but no triangles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, transform_points

_NEAR_M = 0.05
_FAR_M = 100.0
_MAX_RADIUS_PX = 40
_STEPS_PER_M = 10_000
_PINHOLE_M = 0.05


def splat(
    points: Float[np.ndarray, "n 3"],
    radii_m: Float[np.ndarray, "n"],
    camera: PinholeCamera,
    T_world_cam: Float[np.ndarray, "4 4"],
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Depth (0: none) and index of the nearest point (-1: none) when each point is a disc that faces the camera."""
    pixels, z = camera.project(transform_points(invert_rigid(T_world_cam), points))
    radius_px = radii_m * camera.fx / np.where(z > _NEAR_M, z, np.inf)
    near = (z > _NEAR_M) & (z < _FAR_M)
    margin = np.where(near, radius_px, 0)[:, None]
    seen = near & ((pixels > -margin) & (pixels < np.array([camera.width, camera.height]) + margin)).all(1)
    index = np.flatnonzero(seen)
    column, row = np.floor(pixels[index]).astype(np.int64).T
    reach = np.clip(np.round(radius_px[index]), 0, _MAX_RADIUS_PX).astype(np.int64)
    # One integer orders by depth (0.1 mm steps) and then by index, so the result does not depend on drawing order.
    key = (z[index] * _STEPS_PER_M).astype(np.int64) << 32 | index
    empty = np.iinfo(np.int64).max
    buffer = np.full(camera.width * camera.height, empty)
    for r in np.unique(reach):
        of_radius = reach == r
        for dy in range(-r, r + 1):
            half = int(np.sqrt(r * r - dy * dy))
            y = row[of_radius] + dy
            for dx in range(-half, half + 1):
                x = column[of_radius] + dx
                ok = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
                np.minimum.at(buffer, y[ok] * camera.width + x[ok], key[of_radius][ok])
    buffer = _close_pinholes(buffer.reshape(camera.height, camera.width))
    found = buffer != empty
    depth = np.where(found, (buffer >> 32) / _STEPS_PER_M, 0.0).astype(np.float32)
    return depth, np.where(found, buffer & 0xFFFFFFFF, -1).astype(np.int32)


def _close_pinholes(buffer: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Fill single pixels in which one looks through between discs: three of four pairs of neighbours are nearer."""
    height, width = buffer.shape
    padded = np.pad(buffer, 1, mode="edge")
    limit = (buffer >> 32) - int(_PINHOLE_M * _STEPS_PER_M)
    votes = np.zeros(buffer.shape, dtype=np.int8)
    fill = np.zeros_like(buffer)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        other = padded[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        farther = np.maximum(one, other)
        nearer = farther >> 32 < limit
        votes += nearer
        fill = np.where(nearer, np.maximum(fill, farther), fill)
    return np.where(votes >= 3, fill, buffer)
