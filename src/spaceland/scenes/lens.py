"""Lenses that bend straight lines, and the straightening of their images.

Everything after the readers knows pinhole cameras only. A `Lens` is a camera with one of COLMAP's distortion models;
`pinhole()` is the largest pinhole camera with square pixels that looks the same way and sees nothing beyond the image;
`straighten` resamples an image of the lens into it. With r^2 = x^2 + y^2 of the ray (x, y, 1) and theta = atan(r):

    OPENCV_FISHEYE   (x, y) * theta * (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8) / r
    OPENCV           (x, y) * (1 + k1 r^2 + k2 r^4) + tangential terms of p1, p2
    PINHOLE          (x, y)

Pixel centres are at +0.5, as in COLMAP and everywhere here, so COLMAP's numbers are taken as they are. COLMAP's
SIMPLE_RADIAL and RADIAL are OPENCV with one focal length and p1 = p2 = 0.

>>> import numpy as np
>>> lens = Lens("OPENCV_FISHEYE", 200, 100, 80.0, 80.0, 100.0, 50.0, (0.01, 0.0, 0.0, 0.0))
>>> rays = np.array([[0.5, -0.2], [0.0, 0.0]])
>>> lens.unproject(lens.project(rays)).round(9) + 0.0
array([[ 0.5, -0.2],
       [ 0. ,  0. ]])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
from scipy.ndimage import map_coordinates

from spaceland.errors import SceneError, require
from spaceland.geometry.camera import PinholeCamera

MODELS = {"PINHOLE": 0, "OPENCV": 4, "OPENCV_FISHEYE": 4}
"""Known models and how many distortion coefficients each has."""

_MAX_ANGLE_DEG = 80.0  # a pinhole image of more than 160 degrees is all border
_STEPS = 20


@dataclass(frozen=True)
class Lens:
    """A camera with distortion; `coefficients` are k1 k2 k3 k4 (OPENCV_FISHEYE) or k1 k2 p1 p2 (OPENCV)."""

    model: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"camera model {self.model} is not known; known are {', '.join(MODELS)}")
        if len(self.coefficients) != MODELS[self.model] or not np.isfinite(self.coefficients).all():
            raise ValueError(f"{self.model} needs {MODELS[self.model]} finite coefficients, found {self.coefficients}")
        PinholeCamera(self.width, self.height, self.fx, self.fy, self.cx, self.cy)  # checks the rest

    @classmethod
    def from_numbers(
        cls, model: str, size: Sequence[int], intrinsics: Sequence[float], coefficients: Sequence[float] = ()
    ) -> Lens:
        """From (width, height) and (fx, fy, cx, cy)."""
        (width, height), (fx, fy, cx, cy) = size, intrinsics
        return cls(model, width, height, fx, fy, cx, cy, tuple(coefficients))

    @property
    def straight(self) -> bool:
        """Whether images need no straightening."""
        return not any(self.coefficients) and self.model != "OPENCV_FISHEYE"

    @property
    def is_sane(self) -> bool:
        """Whether rays farther from the axis land farther out all over the image, as in any real lens."""
        corner = np.hypot(max(self.cx, self.width - self.cx) / self.fx, max(self.cy, self.height - self.cy) / self.fy)
        return bool((self._slope(np.linspace(0.0, 1.2 * corner, 50)) > 0.1).all())

    @property
    def bending_px(self) -> float:
        """How far the corners of the image are from where a lens without distortion would put them."""
        corners = np.array([[0.0, 0.0], [self.width, 0.0], [0.0, self.height], [self.width, self.height]])
        plain = self.unproject(corners) * np.array([self.fx, self.fy]) + np.array([self.cx, self.cy])
        return float(np.linalg.norm(plain - corners, axis=1).max())

    def scaled(self, width: int, height: int) -> Lens:
        """The lens of the same image resized to width x height."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy
        )

    def project(self, rays: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Pixel coordinates of rays (x, y, 1)."""
        bent = self._bend(rays)
        return np.stack([bent[..., 0] * self.fx + self.cx, bent[..., 1] * self.fy + self.cy], -1)

    def unproject(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Rays (x, y, 1) through pixel coordinates; directions beyond 80 degrees are pulled back to it."""
        bent = np.stack([(pixels[..., 0] - self.cx) / self.fx, (pixels[..., 1] - self.cy) / self.fy], -1)
        if self.model == "OPENCV_FISHEYE":
            return self._unbend_fisheye(bent)
        if self.model == "OPENCV" and not any(self.coefficients[2:]):
            return self._unbend_radial(bent)
        rays = bent.copy()
        with np.errstate(over="ignore", invalid="ignore"):  # absurd coefficients diverge; `pinhole` refuses them
            for _ in range(_STEPS if self.model == "OPENCV" else 0):
                rays = rays + (bent - self._bend(rays))
        return rays

    def pinhole(self) -> PinholeCamera:
        """The pinhole camera of the straightened image, of the same size; it shows no pixel that the lens did not see.

        Raises:
            SceneError: the coefficients leave no such image.
        """
        return _pinhole(self)

    def straight_camera(self) -> PinholeCamera:
        """The camera of the image in the end: its own where nothing has to be straightened, else `pinhole()`."""
        if self.straight:
            return PinholeCamera(self.width, self.height, self.fx, self.fy, self.cx, self.cy)
        return self.pinhole()

    def to_pinhole(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Where pixels of the image lie in the straightened one."""
        camera = self.pinhole()
        return self.unproject(pixels) * np.array([camera.fx, camera.fy]) + np.array([camera.cx, camera.cy])

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them."""
        return {**asdict(self), "coefficients": list(self.coefficients)}

    @classmethod
    def from_json(cls, record: Any) -> Lens:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            fx, fy, cx, cy = (float(record[name]) for name in ("fx", "fy", "cx", "cy"))
            bends = tuple(float(k) for k in record["coefficients"])
            return cls(str(record["model"]), int(record["width"]), int(record["height"]), fx, fy, cx, cy, bends)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no lens ({type(error).__name__}: {error}): {record}") from error

    def _bend(self, rays: np.ndarray) -> np.ndarray:
        if self.model == "PINHOLE":
            return rays
        x, y = rays[..., 0], rays[..., 1]
        r2 = x * x + y * y
        if self.model == "OPENCV_FISHEYE":
            r = np.sqrt(r2)
            theta = np.arctan(r)
            factor = np.where(r > 1e-9, self._bent_angle(theta) / np.maximum(r, 1e-9), 1.0)
            return rays * factor[..., None]
        k1, k2, p1, p2 = self.coefficients
        radial = 1.0 + k1 * r2 + k2 * r2 * r2
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            -1,
        )

    def _bent_angle(self, theta: np.ndarray) -> np.ndarray:
        k1, k2, k3, k4 = self.coefficients
        t2 = theta * theta
        return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))

    def _slope(self, radius: np.ndarray) -> np.ndarray:
        """How fast the bent radius grows with the straight one (OPENCV), or with the angle (OPENCV_FISHEYE)."""
        t2 = radius * radius
        if self.model == "OPENCV_FISHEYE":
            k1, k2, k3, k4 = self.coefficients
            return 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        k1, k2 = self.coefficients[:2] or (0.0, 0.0)
        return 1 + 3 * k1 * t2 + 5 * k2 * t2 * t2

    def _unbend_radial(self, bent: np.ndarray) -> np.ndarray:
        """Newton's method on the radius; NaN where no ray lands."""
        k1, k2 = self.coefficients[:2]
        target = np.linalg.norm(bent, axis=-1)
        radius = target.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(_STEPS):
                value = radius * (1 + k1 * radius**2 + k2 * radius**4) - target
                radius = radius - value / np.maximum(self._slope(radius), 0.1)
            missed = np.abs(radius * (1 + k1 * radius**2 + k2 * radius**4) - target) > 1e-6 * (1 + target)
        factor = np.where(target > 0, radius / np.maximum(target, 1e-12), 1.0)
        return bent * np.where(missed, np.nan, factor)[..., None]

    def _unbend_fisheye(self, bent: np.ndarray) -> np.ndarray:
        """Newton's method on the angle, which depends on the distance from the centre only."""
        target = np.linalg.norm(bent, axis=-1)
        limit = np.radians(_MAX_ANGLE_DEG)
        theta = np.minimum(target, limit)
        for _ in range(_STEPS):
            step = (self._bent_angle(theta) - target) / np.maximum(self._slope(theta), 0.05)
            theta = np.clip(theta - step, 0.0, limit)
        factor = np.where(target > 1e-9, np.tan(theta) / np.maximum(target, 1e-9), 1.0)
        return bent * factor[..., None]


def straighten(
    image: Shaped[np.ndarray, "h w ..."], lens: Lens, how: Literal["linear", "nearest", "cubic"] = "linear"
) -> Shaped[np.ndarray, "h w ..."]:
    """An image of `lens` as `lens.pinhole()` sees it.

    `nearest` takes the nearest pixel: for depth and for ids. `cubic` keeps fine detail, which matching between images
    lives on, is faster, and needs OpenCV (extra `recon`).
    """
    rows, columns = _source_pixels(lens)
    if how == "nearest":
        r = np.clip(np.rint(rows), 0, lens.height - 1).astype(int)
        c = np.clip(np.rint(columns), 0, lens.width - 1).astype(int)
        return image[r, c]
    if how == "cubic":
        require("cv2", "recon")
        import cv2

        return cv2.remap(image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    planes = image[..., None] if image.ndim == 2 else image
    parts = [
        map_coordinates(planes[..., k].astype(np.float32), (rows, columns), order=1, mode="nearest")
        for k in range(planes.shape[-1])
    ]
    result = np.stack(parts, -1).round().clip(0, 255).astype(image.dtype)
    return result[..., 0] if image.ndim == 2 else result


@lru_cache(maxsize=8)
def _pinhole(lens: Lens) -> PinholeCamera:
    # Rays through the border bound the part of the plane z = 1 that is seen; the image becomes a rectangle inside.
    u, v = np.linspace(0, lens.width, 101), np.linspace(0, lens.height, 101)
    left, right = (lens.unproject(np.stack([np.full_like(v, x), v], -1))[:, 0] for x in (0.0, lens.width))
    top, bottom = (lens.unproject(np.stack([u, np.full_like(u, y)], -1))[:, 1] for y in (0.0, lens.height))
    x_low, x_high, y_low, y_high = left.max(), right.min(), top.max(), bottom.min()
    if not (x_high - x_low > 0.05 and y_high - y_low > 0.05):
        raise SceneError(
            f"{lens.model} with coefficients {lens.coefficients} leaves no straight image; check the calibration file"
        )
    f = float(max(lens.width / (x_high - x_low), lens.height / (y_high - y_low)))
    cx = lens.width / 2 - f * float(x_low + x_high) / 2
    cy = lens.height / 2 - f * float(y_low + y_high) / 2
    return PinholeCamera(lens.width, lens.height, f, f, cx, cy)


@lru_cache(maxsize=4)
def _source_pixels(lens: Lens) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Row and column (as array indices) of the lens's image for each pixel of the straight one."""
    rays = _pinhole(lens).pixel_rays()[..., :2]
    pixels = lens.project(rays) - 0.5
    return pixels[..., 1].astype(np.float32), pixels[..., 0].astype(np.float32)
