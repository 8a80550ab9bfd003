"""Pinhole cameras without distortion.

Camera frame: x right, y down, z forward (OpenCV). Pixel (column j, row i) covers [j, j+1) x [i, i+1), so its centre
is at (j + 0.5, i + 0.5) and the image spans [0, width] x [0, height]. Calibration files mostly count pixel centres
at whole numbers; readers add 0.5 to their principal point (`from_opencv`). With this convention resizing an image
is a plain multiplication of all four intrinsics.

>>> import numpy as np
>>> camera = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
>>> camera.project(np.array([[0.2, 0.0, 1.0]]))[0]
array([[420., 240.]])
>>> camera.scaled(320, 240).project(np.array([[0.2, 0.0, 1.0]]))[0]
array([[210., 120.]])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics of one image: size in pixels, focal lengths and principal point in pixels."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"image size {self.width}x{self.height} must be positive")
        values = (self.fx, self.fy, self.cx, self.cy)
        if not np.isfinite(values).all() or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"intrinsics fx, fy, cx, cy = {values} must be finite, focal lengths positive")

    @classmethod
    def from_opencv(cls, width: int, height: int, K: Float[np.ndarray, "_ _"]) -> PinholeCamera:
        """From a calibration matrix whose pixel centres are whole numbers (OpenCV, ScanNet, Replica, ...)."""
        return cls(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]) + 0.5, float(K[1, 2]) + 0.5)

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov_deg: float) -> PinholeCamera:
        """Square pixels, centred principal point."""
        f = width / 2 / np.tan(np.radians(horizontal_fov_deg) / 2)
        return cls(width, height, float(f), float(f), width / 2, height / 2)

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """Calibration matrix in our convention (pixel centres at +0.5)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def scaled(self, width: int, height: int) -> PinholeCamera:
        """The camera of the same image resized to width x height; each axis by its own factor."""
        sx, sy = width / self.width, height / self.height
        return PinholeCamera(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)

    def cropped(self, left: int, top: int, width: int, height: int) -> PinholeCamera:
        """The camera of the part of the image that starts at (left, top); the part may exceed the image."""
        return PinholeCamera(width, height, self.fx, self.fy, self.cx - left, self.cy - top)

    def project(self, points_cam: Float[np.ndarray, "*n 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates [..., 2] and depth z [...] in metres of camera-frame points.

        Points at or behind the camera plane (z <= 0) get NaN pixels; their depth is returned as it is.
        """
        z = points_cam[..., 2]
        safe = np.where(z > 0, z, np.nan)
        u = points_cam[..., 0] / safe * self.fx + self.cx
        v = points_cam[..., 1] / safe * self.fy + self.cy
        return np.stack([u, v], -1), z

    def unproject(self, pixels: Float[np.ndarray, "*n 2"], depth_m: Float[np.ndarray, "*n"]) -> np.ndarray:
        """Camera-frame points [..., 3] of pixel coordinates at a depth (z along the axis, not ray length)."""
        x = (pixels[..., 0] - self.cx) / self.fx * depth_m
        y = (pixels[..., 1] - self.cy) / self.fy * depth_m
        return np.stack([x, y, np.broadcast_to(depth_m, x.shape)], -1)

    def pixel_centers(self) -> Float[np.ndarray, "h w 2"]:
        """(u, v) of every pixel centre."""
        u, v = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return np.stack([u, v], -1)

    def pixel_rays(self) -> Float[np.ndarray, "h w 3"]:
        """Camera-frame directions through the pixel centres with z = 1: hit distance along them *is* depth."""
        return self.unproject(self.pixel_centers(), np.ones((self.height, self.width)))

    def contains(self, pixels: Float[np.ndarray, "*n 2"]) -> np.ndarray:
        """Whether pixel coordinates fall inside the image (NaN does not)."""
        u, v = pixels[..., 0], pixels[..., 1]
        return (u >= 0) & (u < self.width) & (v >= 0) & (v < self.height)


def nearest_pixels(size: int, source_size: int) -> Int[np.ndarray, "n"]:
    """Along one axis of a picture resized to `size` pixels, the pixel of the source under each pixel's centre.

    For depth, points and ids, which are never averaged: across an edge the mean lies on no surface.

    >>> nearest_pixels(3, 6), nearest_pixels(4, 2)
    (array([1, 3, 5]), array([0, 0, 1, 1]))
    """
    return ((np.arange(size) + 0.5) * source_size / size).astype(int)
