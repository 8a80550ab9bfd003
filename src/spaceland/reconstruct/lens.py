"""Lenses that bend straight lines a little, and pictures without that.

A ray x, y (at depth 1) lands at  u = f x (1 + k1 r^2 + k2 r^4) + cx,  v likewise with cy,  r^2 = x^2 + y^2.
With k1 < 0 straight lines bow outwards (barrel), as with most phones and action cameras.

`pinhole` is the camera of the straightened picture: same size, principal point in the middle, and the shortest focal
length at which every pixel comes from inside the original picture, so that there are no blank borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import ReconstructionError, require
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.types import CaptureImage, Estimate

_STEPS = 20


@dataclass(frozen=True)
class Lens:
    """Size, focal length and principal point in pixels (pixel centres at +0.5), and radial distortion."""

    width: int
    height: int
    focal_px: float
    cx: float
    cy: float
    k1: float = 0.0
    k2: float = 0.0

    def distort(self, rays: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Pixels [..., 2] of rays x, y at depth 1."""
        r2 = (rays**2).sum(-1, keepdims=True)
        return self.focal_px * rays * (1 + self.k1 * r2 + self.k2 * r2**2) + np.array([self.cx, self.cy])

    def undistort(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Rays x, y at depth 1 of pixels [..., 2]; the inverse of `distort` (Newton on the radius)."""
        bent = (pixels - np.array([self.cx, self.cy])) / self.focal_px
        wanted = np.linalg.norm(bent, axis=-1)
        radius = wanted.copy()
        for _ in range(_STEPS):
            value = radius * (1 + self.k1 * radius**2 + self.k2 * radius**4) - wanted
            slope = 1 + 3 * self.k1 * radius**2 + 5 * self.k2 * radius**4
            radius = radius - value / np.maximum(slope, 0.1)
        return bent * np.where(wanted > 0, radius / np.maximum(wanted, 1e-12), 1.0)[..., None]

    @property
    def bending_px(self) -> float:
        """How far the corners of the picture are from where a lens without distortion would put them."""
        corners = np.array([[0.0, 0.0], [self.width, 0.0], [0.0, self.height], [self.width, self.height]])
        straight = self.undistort(corners) * self.focal_px + np.array([self.cx, self.cy])
        return float(np.linalg.norm(straight - corners, axis=1).max())

    @property
    def is_sane(self) -> bool:
        """Whether the distortion grows steadily over the picture, as in any real lens."""
        corner = np.hypot(max(self.cx, self.width - self.cx), max(self.cy, self.height - self.cy)) / self.focal_px
        r2 = np.linspace(0.0, 1.2 * corner, 50) ** 2
        return bool((1 + 3 * self.k1 * r2 + 5 * self.k2 * r2**2 > 0.1).all())

    def pinhole(self) -> PinholeCamera:
        """The camera of the straightened picture."""
        across, down = np.linspace(0, self.width, 33), np.linspace(0, self.height, 33)
        sides = [
            np.stack(np.broadcast_arrays(x, y), -1)
            for x, y in ((0.0, down), (float(self.width), down), (across, 0.0), (across, float(self.height)))
        ]
        left, right, top, bottom = (np.abs(self.undistort(side)) for side in sides)
        half_x = min(left[:, 0].min(), right[:, 0].min())
        half_y = min(top[:, 1].min(), bottom[:, 1].min())
        f = max(self.width / 2 / half_x, self.height / 2 / half_y)
        return PinholeCamera(self.width, self.height, float(f), float(f), self.width / 2, self.height / 2)

    def to_pinhole(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Where pixels of the original picture lie in the straightened one."""
        camera = self.pinhole()
        return self.undistort(pixels) * np.array([camera.fx, camera.fy]) + np.array([camera.cx, camera.cy])

    def to_json(self) -> dict[str, Any]:
        """For reports; `lens_of` reads it."""
        return asdict(self)


def lens_of(estimate: Estimate) -> Lens | None:
    """The lens that an estimate found in the pictures; None where it took them as they are."""
    record = estimate.report.get("lens")
    return None if record is None else Lens(**record)


def straighten(picture: UInt8[np.ndarray, "h w 3"], lens: Lens) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as the camera `lens.pinhole()` would have taken it."""
    return _straightener(lens)(picture)


def undistort_images(images: Sequence[CaptureImage], estimate: Estimate) -> tuple[CaptureImage, ...]:
    """The images as the cameras of the estimate's views see them: same ids and sizes, straightened when read.

    Estimators that find a lens return views of the straightened pictures; everything that comes after them works on
    what this returns.

    Raises:
        ReconstructionError: a picture has another size than the estimate's lens is for.
    """
    lens = lens_of(estimate)
    if lens is None:
        return tuple(images)
    for image in images:
        if (image.width, image.height) != (lens.width, lens.height):
            raise ReconstructionError(
                f"picture {image.id} is {image.width}x{image.height}, but the lens was estimated for "
                f"{lens.width}x{lens.height}; use the pictures that the poses were estimated from"
            )
    make, focal = _straightener(lens), lens.pinhole().fx
    return tuple(replace(image, color=_Straightened(image, make), focal_px=focal) for image in images)


@dataclass(frozen=True, eq=False)
class _Straightened:
    image: CaptureImage
    make: Any

    def __call__(self) -> UInt8[np.ndarray, "h w 3"]:
        return self.make(self.image.color())


def _straightener(lens: Lens) -> Any:
    """A function that straightens pictures of one lens; the tables are worked out when first needed."""
    require("cv2", "recon")
    tables: list[tuple[np.ndarray, np.ndarray]] = []

    def make(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        import cv2

        if not tables:
            # OpenCV counts pixel centres at whole numbers.
            source = (lens.distort(lens.pinhole().pixel_rays()[..., :2]) - 0.5).astype(np.float32)
            tables.append((source[..., 0], source[..., 1]))
        return cv2.remap(picture, *tables[0], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

    return make
