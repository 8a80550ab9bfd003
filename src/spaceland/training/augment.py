"""Zoom: a window of the picture takes the place of the whole, with intrinsics that follow.

A model that has seen one camera only reads distances off picture sizes: others measured that scaling the pictures by
0.8 halves the score of VG LLM's detection. A window of share s of the picture, shown as large as the picture was, has
focal lengths 1/s times as long; depths, distances and boxes in camera axes and metres stay what they are. Pixel
coordinates in the text would not, so data that has them is not zoomed. A window that would cut a mark off is drawn
again: the question asks about what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


WHOLE = Window(1.0, 0.0, 0.0)
_TRIES = 16


def window_with(
    drawn: Sequence[tuple[float, float, float, float]], draw: Callable[[Random], Window], rng: Random
) -> Window:
    """A window that cuts nothing off that is drawn on the pictures; the whole picture where no such one was found.

    Args:
        drawn: Left, top, right and bottom of each thing, as shares of the picture's sides.
        draw: Of `window_rule`.
        rng: What it draws with.
    """
    for _ in range(_TRIES):
        window = draw(rng)
        left, top = (1 - window.share) * window.x, (1 - window.share) * window.y
        right, bottom = left + window.share, top + window.share
        if all(left <= x0 and top <= y0 and x1 <= right and y1 <= bottom for x0, y0, x1, y1 in drawn):
            return window
    return WHOLE


def window_rule(config: AugmentConfig) -> Callable[[Random], Window]:
    """Draws windows; without a zoom the whole picture."""

    def draw(rng: Random) -> Window:
        if rng.random() >= config.probability:
            return WHOLE
        return Window(rng.uniform(config.min_zoom, config.max_zoom), rng.random(), rng.random())

    return draw
