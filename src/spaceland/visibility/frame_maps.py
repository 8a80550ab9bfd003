"""Maps of one frame, and those that are kept on disk.

Some tasks look at pixels long after visibility was measured. So that they need not decode and label depth again, all of
them keep to the same few frames (`close_up_frames`), whose maps are stored with the visibility: depth in steps of
0.25 mm, ids packed. Tasks see every map as it would come back from there, so that what they find does not depend on
what was stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility.types import VisibilityConfig

_STEPS_PER_M = 4000.0
_MOST_STEPS = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """`depth` float32 [h, w] metres (0: unknown) and `object_ids` int32 [h, w] (`NO_OBJECT`: none), of `camera`.

    `edge_pixels` [e] are flat indices of pixels beside a pixel with another id, and `edge_ids` [e, 4] what their four
    quarters show; both are empty where the maps are as large as the picture. `contradicted` [h, w] marks pixels whose
    colour in the picture is not that of the surface; None where depth or ids prove what is seen, or nothing has
    colours.
    """

    camera: PinholeCamera
    depth: Float[np.ndarray, "h w"]
    object_ids: Int[np.ndarray, "h w"]
    edge_pixels: Int[np.ndarray, "e"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    edge_ids: Int[np.ndarray, "e 4"] = field(default_factory=lambda: np.zeros((0, 4), dtype=np.int32))
    contradicted: Bool[np.ndarray, "h w"] | None = None


def spread_frames(count: int, most: int = 400) -> range:
    """Every n-th of `count` frames, so that there are at most `most`: of longer captures only these are combined."""
    return range(0, count, max(1, -(-count // most)))


def close_up_frames(scene: Scene, config: VisibilityConfig) -> list[Frame]:
    """The frames of which tasks may look at single pixels, in a random order that depends on nothing but the scene."""
    frames = [scene.frames[k] for k in spread_frames(len(scene.frames))]
    Random(f"close-ups of {scene.id}").shuffle(frames)
    return frames[: config.num_close_ups]


def to_arrays(maps: FrameMaps) -> dict[str, np.ndarray]:
    """What is stored of maps: no quarters of pixels, and depth in steps up to 16 m (0 beyond)."""
    packed = np.frombuffer(zlib.compress(maps.object_ids.astype("<i4").tobytes(), 1), dtype=np.uint8)
    found = {"depth": _steps(maps.depth), "ids": packed}
    if maps.contradicted is not None:
        found["contradicted"] = np.packbits(maps.contradicted, axis=1)
    return found


def from_arrays(camera: PinholeCamera, arrays: Mapping[str, np.ndarray]) -> FrameMaps:
    """Maps from what `to_arrays` gave, so nearly the same."""
    shape = arrays["depth"].shape
    ids = np.frombuffer(zlib.decompress(arrays["ids"].tobytes()), dtype="<i4").reshape(shape).astype(np.int32)
    contradicted = None
    if "contradicted" in arrays:
        contradicted = np.unpackbits(arrays["contradicted"], axis=1, count=shape[1]).astype(bool)
    depth = arrays["depth"].astype(np.float32) / np.float32(_STEPS_PER_M)
    return FrameMaps(camera, depth, ids, contradicted=contradicted)


def _steps(depth: Float[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    steps = np.rint(depth * np.float32(_STEPS_PER_M))
    return np.where(steps <= _MOST_STEPS, steps, 0).astype(np.uint16)
