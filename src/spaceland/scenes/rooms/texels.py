"""Looking up pictures: a `MipTexture` holds a `Texture` in several sizes, so that far away it becomes smooth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spaceland.scenes.rooms.mesh import Texture

_PAPER = np.float32(0.95)  # no paint gives back all light
_SHARPNESS = np.float32(1.3)


def linear(color: np.ndarray) -> Float[np.ndarray, "*n"]:
    """sRGB 0..255 to linear light 0..1 (by the power of 2.2)."""
    return (np.asarray(color, np.float32) / np.float32(255.0)) ** np.float32(2.2)


class MipTexture:
    """A picture as linear light, each size half of the one before, all in one array."""

    def __init__(self, texture: Texture) -> None:
        self.source = texture
        level = linear(texture.picture.image) * _PAPER
        self.mean = level.reshape(-1, 3).mean(0)
        sizes, rows = [], []
        while True:
            sizes.append(level.shape[:2])
            rows.append(level.reshape(-1, 3))
            if min(level.shape[:2]) <= 4:
                break
            h, w = level.shape[:2]
            level = level.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3))
        self._texels = np.concatenate(rows)
        self._height, self._width = np.array(sizes, np.int32).T
        self._start = np.cumsum([0] + [len(r) for r in rows[:-1]]).astype(np.int32)
        texel_m = 1.0 / (float(np.linalg.norm(texture.u_axis)) * sizes[0][1])
        self._per_texel = _SHARPNESS / np.float32(texel_m)
        self._axes = np.stack([texture.u_axis, texture.v_axis], -1).astype(np.float32)
        self._offset = (texture.origin @ np.stack([texture.u_axis, texture.v_axis], -1)).astype(np.float32)

    def sample(self, points: Float[np.ndarray, "p 3"], footprint_m: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p 3"]:
        """Linear colour at points of its plane, for pixels that cover `footprint_m`; between texels it is mixed."""
        uv = points @ self._axes - self._offset
        if self.source.repeat:
            uv -= np.floor(uv)
        else:
            np.clip(uv, 0, 1, out=uv)
        level = np.log2(np.maximum(footprint_m * self._per_texel, np.float32(1.0))) + np.float32(0.5)
        level = np.minimum(level.astype(np.int32), len(self._start) - 1)
        w, h, start = self._width.take(level), self._height.take(level), self._start.take(level)
        x, y = uv[:, 0] * w.astype(np.float32), uv[:, 1] * h.astype(np.float32)
        # The middle of texel 0 is at 0.5; one is added so that truncation rounds down.
        x, y = x + np.float32(0.5), y + np.float32(0.5)
        xb, yb = x.astype(np.int32), y.astype(np.int32)
        fx, fy = (x - xb)[:, None], (y - yb)[:, None]
        xa, ya = xb - 1, yb - 1
        if self.source.repeat:  # sides are powers of two
            xa, xb, ya, yb = xa & (w - 1), xb & (w - 1), ya & (h - 1), yb & (h - 1)
        else:
            xa, xb = np.maximum(xa, 0), np.minimum(xb, w - 1)
            ya, yb = np.maximum(ya, 0), np.minimum(yb, h - 1)
        ya, yb = start + ya * w, start + yb * w
        a, b = self._texels.take(ya + xa, axis=0), self._texels.take(ya + xb, axis=0)
        c, d = self._texels.take(yb + xa, axis=0), self._texels.take(yb + xb, axis=0)
        a += fx * (b - a)
        c += fx * (d - c)
        a += fy * (c - a)
        return a
