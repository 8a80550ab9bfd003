"""A thing at its place in the room, and floor that must stay free."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.geometry.transforms import rotation_z
from spaceland.scenes.rooms.furniture import Model
from spaceland.scenes.rooms.plan import rectangle

Rest = Literal["floor", "object", "wall", "ceiling"]


@dataclass(frozen=True, eq=False)
class Placement:
    """A model in the room frame: turned by `yaw`, its origin at `position`; `support` is the index of what bears it."""

    model: Model
    position: Float[np.ndarray, "3"]
    yaw: float
    rest: Rest
    support: int | None = None

    @cached_property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        return rotation_z(self.yaw)

    @cached_property
    def center(self) -> Float[np.ndarray, "3"]:
        """Middle of the model's box."""
        return self.position + self.rotation @ ((self.model.low + self.model.high) / 2)

    @cached_property
    def footprint(self) -> Float[np.ndarray, "4 2"]:
        return rectangle(self.center[:2], self.model.size[:2], self.yaw)

    @cached_property
    def circle(self) -> tuple[float, float, float]:
        """x, y and radius of a circle around the footprint."""
        return float(self.center[0]), float(self.center[1]), float(np.hypot(*self.model.size[:2]) / 2)

    @cached_property
    def z_range(self) -> tuple[float, float]:
        return float(self.position[2] + self.model.low[2]), float(self.position[2] + self.model.high[2])

    @property
    def front(self) -> Float[np.ndarray, "2"]:
        """Horizontal direction in which it faces."""
        return np.array([np.sin(self.yaw), -np.cos(self.yaw)])


@dataclass(frozen=True, eq=False)
class Zone:
    """Floor that must stay free between two heights; `owner` may stand in it, and so may what `owner` brings."""

    corners: Float[np.ndarray, "4 2"]
    low_m: float
    high_m: float
    owner: int
