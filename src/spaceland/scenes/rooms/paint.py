"""Pictures painted with numbers: floors, walls, views out of the window, framed pictures, screens.

All are uint8 RGB with sides that are powers of two. Floors and walls repeat without a seam and cover `TILE_M` metres.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8
from scipy import fft

from spaceland.scenes.rooms.mesh import LazyPicture

TILE_M = 2.4
_SIDE = 512

Picture = UInt8[np.ndarray, "h w 3"]
Color = tuple[int, int, int]


def later(rng: np.random.Generator, painter: Callable[..., Picture], *args: object) -> LazyPicture:
    """The picture that `painter(rng, *args)` will paint, with random numbers of its own."""
    seed = int(rng.integers(2**62))
    return LazyPicture(lambda: painter(np.random.default_rng(seed), *args))


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]
) -> Float[np.ndarray, "h w"]:
    """Noise with unit variance that repeats at the edges; `sigma` in pixels down and across."""
    waves = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    y, x = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
    waves *= np.exp(-2 * np.pi**2 * ((sigma[0] * y) ** 2 + (sigma[1] * x) ** 2)).astype(np.float32)
    noise = fft.irfft2(waves, shape)
    return (noise - noise.mean()) / (noise.std() + 1e-9)


def _finish(image: Float[np.ndarray, "h w 3"]) -> Picture:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def planks(rng: np.random.Generator, color: Color) -> Picture:
    """Wooden boards that run from left to right, in rows of 0.15 m, with offset ends, grain and dark joints."""
    rows = 16
    height = _SIDE // rows
    grain = _smooth_noise(rng, (_SIDE, _SIDE), (0.8, 26.0)) * 0.035
    grain += _smooth_noise(rng, (_SIDE, _SIDE), (3.0, 60.0)) * 0.025
    value = 1.0 + grain
    for row in range(rows):
        band = slice(row * height, (row + 1) * height)
        start = int(rng.integers(0, _SIDE))
        cuts = (start + np.array([0, int(rng.integers(200, 312))])) % _SIDE
        for k in range(2):
            first, last = int(cuts[k]), int(cuts[(k + 1) % 2])
            columns = np.arange(first, last if last > first else last + _SIDE) % _SIDE
            value[band, columns] *= 1.0 + rng.uniform(-0.11, 0.11)
        value[band, cuts] *= 0.62
        value[band.start] *= 0.66
    return _finish(value[..., None] * np.array(color, float))


def tiles(rng: np.random.Generator, color: Color, second: Color | None = None, count: int = 6) -> Picture:
    """Square tiles with light joints; with a second colour, a chequered pattern."""
    size = _SIDE / count
    row, column = np.meshgrid(np.arange(_SIDE), np.arange(_SIDE), indexing="ij")
    i, j = (row // size).astype(int) % count, (column // size).astype(int) % count
    tint = 1.0 + rng.uniform(-0.045, 0.045, (count, count))[i, j]
    base = np.broadcast_to(np.array(color, float), (_SIDE, _SIDE, 3)).copy()
    if second is not None:
        base[(i + j) % 2 == 1] = second
    image = base * (tint + 0.008 * _smooth_noise(rng, (_SIDE, _SIDE), (5.0, 5.0)))[..., None]
    joint = (row % size < 2.2) | (column % size < 2.2)
    image[joint] = np.array(color, float) * 0.72 + 25
    return _finish(image)


def carpet(rng: np.random.Generator, color: Color) -> Picture:
    """Short pile: fine speckle with soft, wide variation."""
    value = (
        1.0
        + 0.06 * _smooth_noise(rng, (_SIDE, _SIDE), (1.0, 1.0))
        + 0.03 * _smooth_noise(rng, (_SIDE, _SIDE), (14.0, 14.0))
    )
    return _finish(value[..., None] * np.array(color, float))


def plaster(rng: np.random.Generator, color: Color) -> Picture:
    """Painted wall: hardly visible clouds and grain."""
    value = (
        1.0
        + 0.004 * _smooth_noise(rng, (_SIDE, _SIDE), (18.0, 18.0))
        + 0.006 * _smooth_noise(rng, (_SIDE, _SIDE), (1.2, 1.2))
    )
    return _finish(value[..., None] * np.array(color, float))


def stripes(rng: np.random.Generator, color: Color, count: int = 16) -> Picture:
    """Wallpaper with upright stripes of two near tones."""
    image = plaster(rng, color).astype(float)
    column = np.arange(_SIDE) * count * 2 // _SIDE
    image[:, column % 2 == 1] *= 0.93
    return _finish(image)


def dots(rng: np.random.Generator, color: Color, count: int = 12) -> Picture:
    """Wallpaper with small lozenges in a staggered grid."""
    image = plaster(rng, color).astype(float)
    step = _SIDE / count
    row, column = np.meshgrid(np.arange(_SIDE) + 0.5, np.arange(_SIDE) + 0.5, indexing="ij")
    shift = (row // step).astype(int) % 2 * step / 2
    distance = np.abs(row % step - step / 2) + np.abs((column + shift) % step - step / 2) * 1.5
    image[distance < step * 0.2] *= 0.86
    return _finish(image)


def wall_tiles(rng: np.random.Generator, color: Color) -> Picture:
    """Bathroom tiles, 0.2 m wide and 0.1 m high, in a bond."""
    high, wide = _SIDE / 24, _SIDE / 12
    row, column = np.meshgrid(np.arange(_SIDE), np.arange(_SIDE), indexing="ij")
    i = (row // high).astype(int)
    shifted = (column + (i % 2) * wide / 2) % _SIDE
    j = (shifted // wide).astype(int) % 12
    tint = 1.0 + rng.uniform(-0.03, 0.03, (24, 12))[i % 24, j]
    image = np.array(color, float) * tint[..., None]
    image[(row % high < 1.6) | (shifted % wide < 1.6)] *= 0.86
    return _finish(image)


def rug(rng: np.random.Generator, color: Color, second: Color) -> Picture:
    """A rug with a border and lozenges."""
    side = 256
    y, x = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    image = np.broadcast_to(np.array(color, float), (side, side, 3)).copy()
    edge = np.maximum(np.abs(x), np.abs(y))
    diamond = (np.abs(x * 3 % 2 - 1) + np.abs(y * 3 % 2 - 1)) % 1.0
    image[(diamond < 0.22) & (edge < 0.78)] = second
    image[(edge > 0.82) & (edge < 0.92)] = second
    return _finish(image * (1.0 + 0.06 * rng.standard_normal((side, side, 1))))


def outdoors(rng: np.random.Generator) -> Picture:
    """A view out of a window: sky with clouds, far hills, trees, grass."""
    side = 512
    y = np.linspace(0, 1, side)[:, None, None]
    sky = np.array([120, 176, 232.0]) * (1 - y) + np.array([226, 238, 248.0]) * y
    cloud = np.clip(_smooth_noise(rng, (side, side), (16.0, 48.0)) - 0.2, 0, 1.2)[..., None] * (1 - y) * 0.8
    image = np.broadcast_to(sky, (side, side, 3)) * (1 - cloud) + 252.0 * cloud
    lines = [(0.56, 0.05, 34.0, (136, 160, 172)), (0.66, 0.06, 26.0, (84, 124, 78)), (0.80, 0.02, 70.0, (128, 160, 92))]
    for level, swing, sigma, color in lines:
        ridge = level + swing * _smooth_noise(rng, (1, side), (0.0, sigma))[0]
        below = np.linspace(0, 1, side)[:, None] > ridge
        shade = 1.0 + 0.08 * _smooth_noise(rng, (side, side), (2.0, 3.0))
        image = np.where(below[..., None], np.array(color, float) * shade[..., None], image)
    return _finish(image)


def artwork(rng: np.random.Generator, kind: int) -> Picture:
    """What hangs in a frame: a landscape, shapes, waves, or fields of colour, within a white mount."""
    side = 256
    palette = _palettes()[int(rng.integers(len(_palettes())))]
    y, x = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    image = np.broadcast_to(palette[0], (side, side, 3)).copy()
    if kind == 0:
        image = outdoors(rng)[::2, ::2].astype(float) * 0.55 + palette[1] * 0.45
        sun = (x - rng.uniform(0.25, 0.75)) ** 2 + (y - 0.3) ** 2 < 0.008
        image[sun] = palette[3]
    elif kind == 1:
        for k in range(9):
            cx, cy, radius = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.06, 0.24)
            inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
            if k % 3 == 1:
                inside = (np.abs(x - cx) < radius) & (np.abs(y - cy) < radius * rng.uniform(0.3, 1.0))
            image[inside] = palette[1 + k % 3]
    elif kind == 2:
        for k in range(7):
            ridge = 0.15 + 0.13 * k + 0.05 * np.sin(x * rng.uniform(5, 12) + rng.uniform(0, 6))
            image[y > ridge] = palette[(k + 1) % 4] * (1.0 - 0.04 * k)
    else:
        cuts_x, cuts_y = np.sort(rng.uniform(0.1, 0.9, 3)), np.sort(rng.uniform(0.1, 0.9, 3))
        cell = np.searchsorted(cuts_x, x) * 3 + np.searchsorted(cuts_y, y) * 5
        image = palette[cell % 4].copy()
        lines = np.minimum(np.abs(x[..., None] - cuts_x).min(-1), np.abs(y[..., None] - cuts_y).min(-1))
        image[lines < 0.012] = 25
    image *= 1.0 + 0.03 * rng.standard_normal((side, side, 1))
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < 0.09
    image[border] = (244, 242, 236)
    return _finish(image)


def screen(rng: np.random.Generator) -> Picture:
    """A computer screen: coloured ground, a bar, windows with lines of text."""
    side = 256
    y, x = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    palette = _palettes()[int(rng.integers(len(_palettes())))]
    image = palette[1] * (1 - y[..., None]) * 0.8 + palette[2] * y[..., None] * 0.8
    for _ in range(2):
        left, top = rng.uniform(0.05, 0.45), rng.uniform(0.1, 0.35)
        width, height = rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.55)
        window = (x > left) & (x < left + width) & (y > top) & (y < top + height)
        image[window] = (240, 242, 245)
        image[window & (y < top + 0.05)] = (70, 90, 120)
        line = np.floor((y - top) / 0.035).astype(int)
        text = window & (y > top + 0.09) & ((y - top) % 0.035 < 0.013) & (x > left + 0.03)
        image[text & (x < left + width * (0.55 + 0.3 * np.sin(line * 7.0)))] = (110, 115, 125)
    image[y > 0.94] = (38, 42, 52)
    return _finish(image)


def keyboard(rng: np.random.Generator) -> Picture:
    """Keys in rows above a touch pad."""
    side = 128
    y, x = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    image = np.full((side, side, 3), 178.0)
    keys = (y > 0.1) & (y < 0.58) & (x > 0.06) & (x < 0.94)
    image[keys] = 120
    image[keys & ((x * 14) % 1 > 0.16) & ((y * 11) % 1 > 0.18)] = 34
    image[(np.abs(x - 0.5) < 0.14) & (y > 0.66) & (y < 0.93)] = 160
    return _finish(image)


def _palettes() -> Float[np.ndarray, "k 4 3"]:
    """Colours of pictures and screens; all muted, so that nothing painted looks like a mark of a question."""
    return np.array(
        [
            [[236, 226, 204], [38, 70, 83], [42, 157, 143], [206, 128, 104]],
            [[230, 236, 240], [29, 53, 87], [69, 123, 157], [232, 176, 150]],
            [[245, 235, 224], [96, 108, 56], [164, 112, 74], [221, 161, 94]],
            [[240, 230, 240], [74, 48, 109], [152, 124, 160], [246, 189, 96]],
            [[222, 232, 226], [40, 84, 82], [120, 170, 130], [240, 214, 122]],
            [[250, 240, 230], [120, 40, 50], [200, 120, 110], [240, 190, 140]],
        ],
        dtype=float,
    )
