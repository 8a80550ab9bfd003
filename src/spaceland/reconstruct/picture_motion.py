"""How a picture differs from the one before: how sharp it is, how the view moved, and what that adds up to.

Steps from picture to picture are chained, so trembling cancels out and standing still adds nothing. The change between
two pictures is

    change = 1 - overlap + 4 * parallax

with `overlap` the share of the first picture's area that the second still shows, and `parallax` the sum of the steps'
median deviation from the common motion, in picture widths: a camera that walks around a table and keeps it in the
middle shows parallax only. Where tracking fails (a cut, or photos taken far apart) the change is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

_NUM_CORNERS = 300
_MIN_TRACKS = 12
_PLAIN_GREY = 1.0
"""Detail, in grey levels, below which a picture counts as plain; noise of a dark room leaves about 0.5."""
_PARALLAX_WEIGHT = 4.0
_TRACKING_NOISE_PX = 0.15
"""Median deviation of tracks that a small picture shows without any parallax."""


@dataclass(frozen=True)
class Step:
    """How the picture moved from one looked-at picture to the next, lengths as shares of its width.

    A point p of the first picture (from its middle) goes to `scale * R(turn_rad) @ p + (dx, dy)`. `survival` is the
    share of corners that could be followed there and back. `followed` is False where that was too few to tell.
    """

    dx: float
    dy: float
    scale: float
    turn_rad: float
    parallax: float
    survival: float
    followed: bool

    @property
    def displacement(self) -> float:
        """How far the middle of the picture moved."""
        return float(np.hypot(self.dx, self.dy))


_NOT_FOLLOWED = Step(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, False)


def change(steps: Sequence[Step]) -> float:
    """Change of the view over a chain of steps: 0 for none, 1 and more where nothing is shared."""
    return float(changes_after(steps)[-1]) if steps else 0.0


def changes_after(steps: Sequence[Step]) -> Float[np.ndarray, "n"]:
    """Change after each step of the chain."""
    turns, offsets = np.empty((len(steps), 2, 2)), np.empty((len(steps), 2))
    turn, offset = np.eye(2), np.zeros(2)
    for k, step in enumerate(steps):
        cos, sin = step.scale * math.cos(step.turn_rad), step.scale * math.sin(step.turn_rad)
        matrix = np.array([[cos, -sin], [sin, cos]])
        turn, offset = matrix @ turn, matrix @ offset + (step.dx, step.dy)
        turns[k], offsets[k] = turn, offset
    parallax = np.cumsum([step.parallax for step in steps])
    lost = np.logical_or.accumulate([not step.followed for step in steps])
    return np.where(lost, 1.0, 1.0 - _shared_area(turns, offsets) + _PARALLAX_WEIGHT * parallax)


_HALF = np.array([0.5, 0.375])
_CELL = 2 * _HALF / (12, 9)
_GRID = np.stack(
    np.meshgrid(*(np.linspace(-h + c / 2, h - c / 2, n) for h, c, n in zip(_HALF, _CELL, (12, 9), strict=True))), -1
)


def _shared_area(turns: Float[np.ndarray, "n 2 2"], offsets: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Share of a 4:3 picture that stays in view, the smaller of there and back, from a grid of cells."""
    cells = _GRID.reshape(-1, 2)
    there = np.einsum("nij,kj->nki", turns, cells) + offsets[:, None]
    back = np.einsum("nij,nkj->nki", np.linalg.inv(turns), cells[None] - offsets[:, None])
    # How much of a cell is inside; exact for shifts.
    inside = [np.clip((_HALF + _CELL / 2 - np.abs(p)) / _CELL, 0.0, 1.0).prod(2).mean(1) for p in (there, back)]
    return np.minimum(*inside)


def sharpness_of(grey: UInt8[np.ndarray, "h w"]) -> float:
    """How much of a picture's detail is fine detail, 0 to 1: the same for a wall and a shelf seen through one lens.

    Variance of the Laplacian against that of the slightly blurred picture. Contrast and brightness cancel out; blur
    takes the fine part away. Two grey levels of noise count as coarse, so that an empty wall is not taken as sharp.
    """
    import cv2

    fine = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    coarse = float(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_32F).var())
    # Blurring by 1.5 px takes a Laplacian of white noise to about 1/80, of a smooth picture to about 1.
    return fine / (fine + 20.0 * coarse + 4.0)


def step_between(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> Step:
    """How the picture moved, from corners followed there and back; from its brightness where it has too few."""
    import cv2

    height, width = before.shape
    if before.shape != after.shape:
        return _NOT_FOLLOWED
    corners = cv2.goodFeaturesToTrack(before, _NUM_CORNERS, 0.01, 6)
    if corners is None or len(corners) < _MIN_TRACKS or (_is_plain(before) and _is_plain(after)):
        return _shift(before, after)
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, winSize=(15, 15), maxLevel=3)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, winSize=(15, 15), maxLevel=3)
    a, b = corners.reshape(-1, 2), there.reshape(-1, 2)
    good = (found.ravel() == 1) & (returned.ravel() == 1)
    good &= np.linalg.norm(back.reshape(-1, 2) - a, axis=1) < 1.0
    good &= (b >= 0).all(1) & (b[:, 0] < width) & (b[:, 1] < height)
    survival = float(good.mean())
    if good.sum() < max(_MIN_TRACKS, 0.15 * len(a)):
        return _NOT_FOLLOWED
    middle = np.array([width, height]) / 2
    cv2.setRNGSeed(0)
    matrix, _ = cv2.estimateAffinePartial2D(a[good] - middle, b[good] - middle, ransacReprojThreshold=3.0)
    if matrix is None:
        return _NOT_FOLLOWED
    off = np.linalg.norm((a[good] - middle) @ matrix[:, :2].T + matrix[:, 2] + middle - b[good], axis=1)
    return Step(
        dx=float(matrix[0, 2] / width),
        dy=float(matrix[1, 2] / width),
        scale=float(np.hypot(matrix[0, 0], matrix[1, 0])),
        turn_rad=float(np.arctan2(matrix[1, 0], matrix[0, 0])),
        parallax=max(0.0, float(np.median(off)) - _TRACKING_NOISE_PX) / width,
        survival=survival,
        followed=True,
    )


def _is_plain(grey: np.ndarray) -> bool:
    """Whether a picture has nothing to follow but noise, such as a wall: corners found there are none."""
    import cv2

    detail = cv2.GaussianBlur(grey, (0, 0), 1.5).astype(np.float32) - cv2.GaussianBlur(grey, (0, 0), 6.0)
    return float(detail.std()) < _PLAIN_GREY


def _shift(before: np.ndarray, after: np.ndarray) -> Step:
    """The common shift of two pictures with few corners (blank walls), by phase correlation."""
    import cv2

    (dx, dy), response = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32))
    width = before.shape[1]
    # Without any structure the answer is arbitrary and its peak low: then the picture counts as unmoved.
    if not np.isfinite(response) or response < 0.1:
        return Step(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, True)
    return Step(dx / width, dy / width, 1.0, 0.0, 0.0, 0.0, True)
