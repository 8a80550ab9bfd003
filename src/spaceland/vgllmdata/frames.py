"""Which frames of a scan a row shows: evenly spread from a random moment on, wrapping around.

The list of frames is turned by a random shift, then every n-th is taken: the first picture is a random moment, and the
sequence jumps once from the end of the video to its beginning. This is VG LLM's rule, not a bug of it. For grounding
the object must be seen: up to 20 more draws, then the last frame makes place for one that shows it.

>>> from random import Random
>>> circular(10, 4, Random(3))
[3, 5, 7, 9]
>>> circular(10, 4, Random(1))
[2, 4, 6, 8]
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.vgllmdata.infos import Sample, View

MAX_DRAWS = 20


def circular(num_frames: int, wanted: int, rng: Random) -> list[int]:
    """Indices of `wanted` frames; all of them, turned, where there are fewer."""
    if num_frames == 0:
        return []
    shift = rng.randrange(num_frames)
    step = max(1, num_frames // wanted)
    return [(shift + k) % num_frames for k in range(0, num_frames, step)][:wanted]


def showing(visible: Sequence[bool], wanted: int, rng: Random) -> list[int]:
    """Indices of frames of which at least one shows the object; as they are drawn where no frame at all shows it.

    visible: whether each frame of the scan shows it. Where no draw has one, the last frame is given up for the first
    one that does, and the frames are put in the order of the video.
    """
    places = circular(len(visible), wanted, rng)
    for _ in range(MAX_DRAWS):
        if any(visible[k] for k in places):
            return places
        places = circular(len(visible), wanted, rng)
    if any(visible[k] for k in places) or not any(visible):
        return places
    return sorted([*places[:-1], list(visible).index(True)])


def best_view(sample: Sample, places: Sequence[int], instance: int) -> int | None:
    """Of frames that list an instance as visible the one in which its projected box is largest; as a place in
    `places`. None where none lists it, or its box is nowhere in the picture."""
    best, largest = None, 0.0
    box = sample.instances[instance].box
    for k, place in enumerate(places):
        view = sample.views[place]
        if instance in view.visible:
            area = projected_area_px2(sample, view, box)
            if area > largest:
                best, largest = k, area
    return best


def projected_area_px2(sample: Sample, view: View, box: OrientedBox) -> float:
    """Area of the convex hull of a box's corners in the picture, those outside moved to its border.

    Corners behind the camera are left out. A camera inside the box counts 0, and so does a box all of whose corners
    are on the left and right border, or on the upper and lower one: it is beside the picture, or fills it.
    """
    if box.contains(view.T_world_cam[:3, 3]):
        return 0.0
    camera = sample.camera
    pixels, depth = camera.project(transform_points(invert_rigid(view.T_world_cam), box.corners()))
    pixels = np.clip(pixels[depth > 0], 0, (camera.width, camera.height))
    on_border = (pixels == 0) | (pixels == (camera.width, camera.height))
    if len(pixels) < 3 or on_border.all(0).any():
        return 0.0
    try:
        return float(ConvexHull(pixels).volume)  # of a plane hull the volume is its area
    except QhullError:
        return 0.0
