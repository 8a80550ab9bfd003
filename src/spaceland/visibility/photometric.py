"""Does the picture show what the surface says? For scans that have no depth image.

A scan's surface may lack what the camera saw: a chair that was moved, a person. Where sensor depth is missing, only the
colours can tell. The surface's vertex colours are rendered, fitted to the picture by a gain and an offset for each
channel (exposure and white balance differ between frames), and compared. A pixel contradicts the surface when no
rendered colour nearby comes close to it: small errors of pose and of mesh are thus forgiven, a black chair before a
brown desk is not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

_WORK_PX = 280
"""Maps much wider than this are compared at half the size, or less."""
_BLUR_PX = 2.0
_REACH_PX = 5  # how far pose and mesh errors may shift a colour, in pixels of a map 320 wide
_STEP_PX = 1
_LIMIT = 30.0  # distance of colours, 0..255 for each channel
_FIT_ROUNDS = 8
_BORDER_PX = 4  # rectified images have dark rims


def contradicted_pixels(
    picture: Shaped[np.ndarray, "h w 3"], rendered: Shaped[np.ndarray, "h w 3"], covered: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels in which the picture contradicts the rendered surface.

    Args:
        picture: The frame's image, 0..255, reduced to the size of the maps.
        rendered: Colour of the surface in each pixel, 0..255.
        covered: Where there is a surface.
    """
    step = max(1, round(covered.shape[1] / _WORK_PX))
    if step > 1:
        # Colours are blurred before they are compared, so larger maps tell nothing more.
        small = contradicted_pixels(_reduced(picture, step), _reduced(rendered, step), _reduced(covered, step) > 0.5)
        rows, columns = (
            np.minimum(np.arange(n) // step, m - 1) for n, m in zip(covered.shape, small.shape, strict=True)
        )
        return small[np.ix_(rows, columns)] & covered
    if covered.sum() < 100:
        return np.zeros_like(covered)
    seen = _blurred(picture.astype(np.float32), np.ones_like(covered))
    expected = _blurred(rendered.astype(np.float32), covered)
    expected = _fit_exposure(seen, expected, covered)
    expected[~covered] = 1e6  # nothing there that could explain a colour
    height, width = covered.shape
    reach = max(1, round(_REACH_PX * width / 320))
    padded = np.pad(expected, ((reach, reach), (reach, reach), (0, 0)), constant_values=1e6)
    best = np.full(covered.shape, np.inf, dtype=np.float32)
    for dy in range(0, 2 * reach + 1, _STEP_PX):
        for dx in range(0, 2 * reach + 1, _STEP_PX):
            difference = seen - padded[dy : dy + height, dx : dx + width]
            np.minimum(best, np.einsum("hwc,hwc->hw", difference, difference), out=best)
    bad = (best > _LIMIT**2) & covered
    bad[:_BORDER_PX] = bad[-_BORDER_PX:] = False
    bad[:, :_BORDER_PX] = bad[:, -_BORDER_PX:] = False
    return ndimage.binary_opening(bad)


def _reduced(image: Shaped[np.ndarray, "h w ..."], step: int) -> Float[np.ndarray, "hs ws ..."]:
    """Means of blocks of `step` x `step` pixels; what does not fill a block is cut off."""
    height, width = (n // step for n in image.shape[:2])
    blocks = image[: height * step, : width * step].reshape(height, step, width, step, *image.shape[2:])
    return blocks.mean((1, 3), dtype=np.float32)


def _blurred(image: Float[np.ndarray, "h w 3"], weight: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Gaussian blur that ignores pixels without weight."""
    share = ndimage.gaussian_filter(weight.astype(np.float32), _BLUR_PX)
    blurred = ndimage.gaussian_filter(image * weight[..., None], (_BLUR_PX, _BLUR_PX, 0))
    return blurred / np.maximum(share, 1e-3)[..., None]


def _fit_exposure(
    seen: Float[np.ndarray, "h w 3"], expected: Float[np.ndarray, "h w 3"], covered: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """Gain and offset of each channel by least squares over the pixels that agree best so far."""
    trusted, fitted = covered, expected
    for _ in range(_FIT_ROUNDS):
        fitted = np.empty_like(expected)
        for channel in range(3):
            x, y = expected[trusted][:, channel], seen[trusted][:, channel]
            spread = float(np.var(x))
            # A plain surface says nothing about gain: keep it and fit the offset.
            gain = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 25.0 else 1.0
            gain = float(np.clip(gain, 0.4, 2.5))
            fitted[..., channel] = expected[..., channel] * gain + (float(y.mean()) - gain * float(x.mean()))
        error = np.linalg.norm(seen - fitted, axis=-1)
        trusted = covered & (error < 2.5 * np.median(error[covered]) + 1.0)
    return fitted
