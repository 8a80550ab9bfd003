"""Maps of one frame, and those that are kept on disk.

Some tasks look at pixels long after visibility was measured. So that they need not decode and label depth again, all of
them go through the frames in one order (`close_up_order`), and the maps of the first `CLOSE_UPS` frames are stored with
the visibility: depth in steps of 0.25 mm, ids packed. Tasks see every map as it would come back from there, so that
what they find does not depend on what was stored.
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

CLOSE_UPS = 40
"""Frames of a scene whose maps are stored; of 320 x 240 pixels they take 6 MB."""
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


def close_up_order(scene: Scene) -> list[Frame]:
    """All frames of a scene in a shuffled order that depends on nothing but its id."""
    order = list(scene.frames)
    Random(f"close-ups of {scene.id}").shuffle(order)
    return order


def as_stored(maps: FrameMaps) -> FrameMaps:
    """Maps as they come back from disk: without quarters of pixels, and depth in steps up to 16 m (0 beyond)."""
    depth = _steps(maps.depth).astype(np.float32) / np.float32(_STEPS_PER_M)
    return FrameMaps(maps.camera, depth, maps.object_ids, contradicted=maps.contradicted)


def to_arrays(maps: FrameMaps) -> dict[str, np.ndarray]:
    """What has to be written to get `as_stored(maps)` back."""
    packed = np.frombuffer(zlib.compress(maps.object_ids.astype("<i4").tobytes(), 1), dtype=np.uint8)
    found = {"depth": _steps(maps.depth), "ids": packed}
    if maps.contradicted is not None:
        found["contradicted"] = np.packbits(maps.contradicted, axis=1)
    return found


def from_arrays(camera: PinholeCamera, arrays: Mapping[str, np.ndarray]) -> FrameMaps:
    """Maps from what `to_arrays` gave."""
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
