"""Where a place of the room lies in the bird's-eye view (BEV), and back.

Both views look straight down: +x of the world points to the right of the picture, +y to its top. Pixel (column j,
row i) covers [j, j + 1) x [i, i + 1), as in photographs, so its centre is at +0.5.

`BevMap` is orthographic: height does not matter.

>>> import numpy as np
>>> bev_map = BevMap(metres_per_px=0.01, origin_m=(-1.0, 3.0))  # top left corner of the picture at x = -1 m, y = 3 m
>>> bev_map.world_to_pixel(np.array([0.0, 2.0]))
array([100., 100.])
>>> bev_map.pixel_to_world(np.array([100.0, 100.0]))
array([0., 2.])

`PerspectiveMap` is a camera: what stands higher is nearer to it, so larger and farther from the picture's middle.

>>> view = PerspectiveMap(camera_m=(2.0, 3.0, 8.0), focal_px=400.0, center_px=(200.0, 150.0), floor_z_m=0.0)
>>> view.world_to_pixel(np.array([3.0, 3.0, 0.0])), view.world_to_pixel(np.array([3.0, 3.0, 4.0]))
(array([250., 150.]), array([300., 150.]))
>>> view.pixel_to_world(np.array([300.0, 150.0])), view.pixel_to_world(np.array([300.0, 150.0]), 4.0)
(array([4., 3.]), array([3., 3.]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

_NEAR_M = 1e-6


@dataclass(frozen=True)
class BevMap:
    """Scale in metres per pixel, and world (x, y) in metres of the picture's top left corner (not a pixel centre)."""

    metres_per_px: float
    origin_m: tuple[float, float]

    def world_to_pixel(self, points: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n 2"]:
        """Pixel coordinates (u, v) of world points [..., 2 or 3] in metres; height does not matter."""
        u = (points[..., 0] - self.origin_m[0]) / self.metres_per_px
        v = (self.origin_m[1] - points[..., 1]) / self.metres_per_px
        return np.stack([u, v], -1)

    def pixel_to_world(
        self, pixels: Float[np.ndarray, "*n 2"], z_m: float | Float[np.ndarray, "*n"] | None = None
    ) -> Float[np.ndarray, "*n 2"]:
        """World (x, y) in metres of pixel coordinates (u, v); the height `z_m` does not matter."""
        x = self.origin_m[0] + pixels[..., 0] * self.metres_per_px
        y = self.origin_m[1] - pixels[..., 1] * self.metres_per_px
        return np.stack([x, y], -1)

    def to_json(self) -> dict[str, Any]:
        """As it is kept in `objects.json`; `from_json` gives exactly the same map back."""
        return {"metres_per_px": self.metres_per_px, "origin_m": list(self.origin_m)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BevMap:
        """Inverse of `to_json`."""
        x, y = data["origin_m"]
        return cls(float(data["metres_per_px"]), (float(x), float(y)))


@dataclass(frozen=True)
class PerspectiveMap:
    """A camera at world `camera_m` that looks straight down; `focal_px` and `center_px` are its intrinsics in pixels.

    Points without a height (x, y) count as lying on the floor, at world `floor_z_m`.
    """

    camera_m: tuple[float, float, float]
    focal_px: float
    center_px: tuple[float, float]
    floor_z_m: float

    @property
    def metres_per_px(self) -> float:
        """Scale on the floor plane; the floor is seen without distortion because the camera looks straight down."""
        return (self.camera_m[2] - self.floor_z_m) / self.focal_px

    def world_to_pixel(self, points: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n 2"]:
        """Pixel coordinates (u, v) of world points [..., 3], or [..., 2] on the floor; NaN at or above the camera."""
        z = points[..., 2] if points.shape[-1] == 3 else np.full(points.shape[:-1], self.floor_z_m)
        below = self.camera_m[2] - z
        scale = self.focal_px / np.where(below > _NEAR_M, below, np.nan)
        u = self.center_px[0] + (points[..., 0] - self.camera_m[0]) * scale
        v = self.center_px[1] - (points[..., 1] - self.camera_m[1]) * scale
        return np.stack([u, v], -1)

    def pixel_to_world(
        self, pixels: Float[np.ndarray, "*n 2"], z_m: float | Float[np.ndarray, "*n"] | None = None
    ) -> Float[np.ndarray, "*n 2"]:
        """World (x, y) in metres of pixel coordinates (u, v) at world height `z_m`; None: on the floor."""
        below = self.camera_m[2] - (self.floor_z_m if z_m is None else np.asarray(z_m))
        x = self.camera_m[0] + (pixels[..., 0] - self.center_px[0]) / self.focal_px * below
        y = self.camera_m[1] - (pixels[..., 1] - self.center_px[1]) / self.focal_px * below
        return np.stack([x, y], -1)

    def rays(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
        """World directions through pixel coordinates, one metre long downwards: distance along them is depth."""
        x = (pixels[..., 0] - self.center_px[0]) / self.focal_px
        y = (self.center_px[1] - pixels[..., 1]) / self.focal_px
        return np.stack([x, y, np.full(x.shape, -1.0)], -1)

    def to_json(self) -> dict[str, Any]:
        """As it is kept in `objects.json`; `from_json` gives exactly the same map back."""
        return {
            "camera_m": list(self.camera_m),
            "focal_px": self.focal_px,
            "center_px": list(self.center_px),
            "floor_z_m": self.floor_z_m,
            "metres_per_px": self.metres_per_px,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PerspectiveMap:
        """Inverse of `to_json`."""
        x, y, z = data["camera_m"]
        u, v = data["center_px"]
        return cls(
            (float(x), float(y), float(z)), float(data["focal_px"]), (float(u), float(v)), float(data["floor_z_m"])
        )


ViewMap: TypeAlias = BevMap | PerspectiveMap


def map_from_json(data: dict[str, Any]) -> ViewMap:
    """The map of a view as `objects.json` keeps it under "bev", whichever kind it is."""
    return PerspectiveMap.from_json(data) if "camera_m" in data else BevMap.from_json(data)
