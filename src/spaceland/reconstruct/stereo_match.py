"""Dense depth of a keyframe from one neighbour: rectify, match along rows, check both ways, map back.

OpenCV's semi-global matcher compares windows along the rows of the rectified pair and prefers smooth surfaces. A pixel
stays only if the pixel it found finds it back, which removes what the neighbour cannot see (left-right check, on the
matcher's own costs: matching again with the roles swapped takes twice the time, and on real frames the support of other
keyframes removed the same errors). Every pixel of the keyframe then looks up its disparity in the rectified picture
(the exact homography, so nothing is splatted and no holes open) and gets its depth along the keyframe's own axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import require
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.rectify import RectifiedPair

_HALF = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, kw_only=True)
class MatchConfig:
    """Settings of the matcher. Windows and speckles in pixels of the rectified picture."""

    window_px: int = 5
    # Penalty, per pixel of the window, of a disparity step of 1 and of more between neighbouring pixels.
    small_step: int = 8
    large_step: int = 32
    # The best match must beat all others by this much.
    uniqueness_percent: int = 5
    # Left and right disparity may differ by this much.
    left_right_px: int = 1
    # Islands of at most this many pixels, cut off by steps of over 2 px, are dropped.
    speckle_px: int = 120


def gray_of(color: UInt8[np.ndarray, "h w 3"], width: int, height: int) -> UInt8[np.ndarray, "h2 w2"]:
    """The picture in gray at the working size, shrunk by area."""
    require("cv2", "recon")
    import cv2

    gray = cv2.cvtColor(np.ascontiguousarray(color), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)


def match_pair(
    key_gray: UInt8[np.ndarray, "h w"],
    key: PinholeCamera,
    other_gray: UInt8[np.ndarray, "ho wo"],
    other: PinholeCamera,
    pair: RectifiedPair,
    config: MatchConfig | None = None,
) -> Float[np.ndarray, "h w"]:
    """Depth of the keyframe's pixels along its axis, 0 where the match is missing, ambiguous or not found back."""
    config = config or MatchConfig()
    left, left_known = _warped(key_gray, pair.homography(key), pair.camera)
    right, right_known = _warped(other_gray, pair.homography(other, other=True), pair.camera)
    disparity = np.where(left_known, _disparity(left, right, pair, config), 0.0)
    disparity = np.where(_lands_on(disparity, right_known), disparity, 0.0)
    return _on_keyframe(disparity, key, pair)


def _disparity(left: np.ndarray, right: np.ndarray, pair: RectifiedPair, config: MatchConfig) -> np.ndarray:
    import cv2

    per_window = config.window_px**2
    matcher = cv2.StereoSGBM_create(
        minDisparity=pair.min_disparity_px,
        numDisparities=pair.num_disparities_px,
        blockSize=config.window_px,
        P1=config.small_step * per_window,
        P2=config.large_step * per_window,
        disp12MaxDiff=config.left_right_px,
        preFilterCap=31,
        uniquenessRatio=config.uniqueness_percent,
        speckleWindowSize=config.speckle_px,
        speckleRange=2,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    sixteenths = matcher.compute(np.ascontiguousarray(left), np.ascontiguousarray(right))
    # OpenCV marks what it does not know with one step below the smallest disparity.
    known = sixteenths >= max(pair.min_disparity_px * 16, 1)
    return np.where(known, sixteenths / 16.0, 0.0).astype(np.float32)


def _lands_on(disparity: np.ndarray, right_known: np.ndarray) -> np.ndarray:
    """Whether column - disparity is a pixel that the neighbour's picture really has (its edge is repeated outwards)."""
    target = np.arange(disparity.shape[1]) - np.rint(disparity).astype(int)
    inside = (target >= 0) & (target < disparity.shape[1])
    return inside & np.take_along_axis(right_known, np.where(inside, target, 0), 1)


def _warped(gray: np.ndarray, homography: np.ndarray, camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray]:
    import cv2

    H = in_opencv(homography)
    size = (camera.width, camera.height)
    # The edge is repeated outwards: a black frame would be an edge that both pictures seem to share.
    picture = cv2.warpPerspective(gray, H, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.warpPerspective(np.ones_like(gray), H, size, flags=cv2.INTER_NEAREST) > 0
    return picture, known


def _on_keyframe(disparity: np.ndarray, key: PinholeCamera, pair: RectifiedPair) -> np.ndarray:
    import cv2

    H, size = in_opencv(pair.homography(key)), (key.width, key.height)
    inverse = cv2.WARP_INVERSE_MAP

    def looked_up(picture: np.ndarray, how: int) -> np.ndarray:
        return cv2.warpPerspective(picture.astype(np.float32), H, size, flags=how | inverse)

    nearest = looked_up(disparity, cv2.INTER_NEAREST)
    share = looked_up(disparity > 0, cv2.INTER_LINEAR)
    smooth = looked_up(disparity, cv2.INTER_LINEAR) / np.maximum(share, 1e-6)
    # Between rows of a slanted surface the disparity is interpolated, across a step in depth it is not.
    found = np.where((nearest > 0) & (np.abs(smooth - nearest) < 1.0), smooth, nearest)
    # Z of the rectified frame = depth * third component of the keyframe's ray (z = 1) turned into that frame.
    toward = key.pixel_rays() @ pair.R_rect_key[2]
    return np.where((found > 0) & (toward > 0.2), pair.depth_of(found) / np.maximum(toward, 0.2), 0.0)


def in_opencv(homography: np.ndarray) -> np.ndarray:
    """The same map for OpenCV, whose pixel centres are whole numbers."""
    return np.linalg.inv(_HALF) @ homography @ _HALF
