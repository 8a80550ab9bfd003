"""Where a place of the room lies in the bird's-eye view (BEV), and back.

The view is orthographic: looking straight down, +x of the world to the right of the picture, +y to its top, no
perspective. Pixel (column j, row i) covers [j, j + 1) x [i, i + 1), as in photographs, so its centre is at +0.5.

>>> import numpy as np
>>> bev_map = BevMap(metres_per_px=0.01, origin_m=(-1.0, 3.0))  # top left corner of the picture at x = -1 m, y = 3 m
>>> bev_map.world_to_pixel(np.array([0.0, 2.0]))
array([100., 100.])
>>> bev_map.pixel_to_world(np.array([100.0, 100.0]))
array([0., 2.])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


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

    def pixel_to_world(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """World (x, y) in metres of pixel coordinates (u, v)."""
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
