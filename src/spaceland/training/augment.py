"""Zoom: a window of the picture takes the place of the whole, with intrinsics that follow.

A model that has seen one camera only reads distances off picture sizes: others measured that scaling the pictures by
0.8 halves the score of VG LLM's detection. A window of share s of the picture, shown as large as the picture was, has
focal lengths 1/s times as long; depths, distances and boxes in camera axes and metres stay what they are. Pixel
coordinates in the text would not, so data that has them is not zoomed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from spaceland.geometry.camera import PinholeCamera
from spaceland.training.config import AugmentConfig


@dataclass(frozen=True)
class Window:
    """A part of a picture with the picture's aspect: its share of the sides, and where its free room lies (0..1)."""

    share: float
    x: float
    y: float

    def of(self, camera: PinholeCamera) -> tuple[tuple[int, int, int, int], PinholeCamera]:
        """(left, top, right, bottom) in whole pixels, and the camera of that part."""
        width, height = max(1, round(camera.width * self.share)), max(1, round(camera.height * self.share))
        left, top = round((camera.width - width) * self.x), round((camera.height - height) * self.y)
        return (left, top, left + width, top + height), camera.cropped(left, top, width, height)


def window_rule(config: AugmentConfig) -> Callable[[Random], Window]:
    """Draws windows; without a zoom the whole picture."""

    def draw(rng: Random) -> Window:
        if rng.random() >= config.probability:
            return Window(1.0, 0.0, 0.0)
        return Window(rng.uniform(config.min_zoom, config.max_zoom), rng.random(), rng.random())

    return draw
