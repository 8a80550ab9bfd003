"""EmbodiedScan's instances: nine numbers, a label and an id each, and the depth pixels that lie in their boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.box_objects import box_object
from spaceland.scenes.images import pick
from spaceland.scenes.points import depth_camera, frame_points
from spaceland.scenes.scene import Frame, SceneObject

EULER_ORDER = "ZXY"
_POINTS_PER_FRAME = 12000
_BOTTOM_M = 0.03
_LOW_BOX_M = 0.15


@dataclass(frozen=True, eq=False)
class Instance:
    """One entry of `instances`; `place` is its index there."""

    place: int
    id: int
    label: str
    box: OrientedBox


def box_from_nine(values: Sequence[float]) -> OrientedBox:
    """The box of centre, full size and three "ZXY" angles.

    Raises:
        ValueError: not nine finite numbers, or a negative size.
    """
    nine = np.asarray(values, dtype=float)
    if nine.shape != (9,) or not np.isfinite(nine).all():
        raise ValueError(f"a box needs nine finite numbers, found {nine.tolist()}")
    return OrientedBox(nine[:3], nine[3:6], Rotation.from_euler(EULER_ORDER, nine[6:]).as_matrix())


def read_instances(entries: Sequence[Any], names: dict[int, str], skipped: Counter[str]) -> list[Instance]:
    """Usable instances; the others are counted. Ids are the places where a `bbox_id` is missing or not unique.

    Raises:
        KeyError, TypeError, ValueError: an entry is not in the layout.
    """
    ids = [int(entry.get("bbox_id", -1)) for entry in entries]
    if len(set(ids)) < len(ids) or min(ids, default=0) < 0:
        ids = list(range(len(ids)))
    instances = []
    for place, entry in enumerate(entries):
        number, nine = int(entry["bbox_label_3d"]), entry["bbox_3d"]
        try:
            box = box_from_nine(nine)
        except ValueError:
            skipped["object: its box is not nine finite numbers with a positive size"] += 1
            continue
        if number not in names:
            skipped["object: unknown label number"] += 1
        else:
            instances.append(Instance(place, ids[place], names[number], box))
    return instances


def instance_objects(
    instances: Sequence[Instance],
    frames: Sequence[Frame],
    visible: Sequence[set[int] | None],
    depth_frames: int,
    skipped: Counter[str],
) -> list[SceneObject]:
    """Objects with points from depth; `visible` are the places of the instances that each frame sees (None: not said).

    With `depth_frames` 0 no image is decoded, and boxes stand for all shapes.
    """
    clouds = _depth_clouds(instances, frames, visible, depth_frames) if depth_frames else {}
    counts = skipped if depth_frames else Counter()
    return [
        box_object(thing.id, thing.label, thing.box, clouds.get(thing.place, np.zeros((0, 3))), counts)
        for thing in instances
    ]


def _depth_clouds(
    instances: Sequence[Instance], frames: Sequence[Frame], visible: Sequence[set[int] | None], limit: int
) -> dict[int, Float[np.ndarray, "n 3"]]:
    """World points of depth pixels in each box, by place; a pixel in several boxes belongs to the smallest."""
    parts: dict[int, list[np.ndarray]] = {thing.place: [np.zeros((0, 3))] for thing in instances}
    by_size = sorted(instances, key=lambda thing: thing.box.volume_m3)
    bottoms = {thing.place: _bottom(thing.box) for thing in instances}
    usable = [k for k, frame in enumerate(frames) if frame.depth is not None and np.isfinite(frame.T_world_cam).all()]
    for k in pick(usable, 1, limit):
        view, seen = depth_camera(frames[k]), visible[k]
        rest = frame_points(frames[k], max(1, int(np.sqrt(view.width * view.height / _POINTS_PER_FRAME))))
        for thing in by_size:
            if seen is None or thing.place in seen:
                inside = thing.box.contains(rest)
                cloud, rest = rest[inside], rest[~inside]
                parts[thing.place].append(cloud[cloud[:, 2] >= bottoms[thing.place]])
    return {place: np.concatenate(clouds) for place, clouds in parts.items()}


def _bottom(box: OrientedBox) -> float:
    """Height under which points in the box more likely belong to what it stands on; low boxes are taken whole."""
    z = box.corners()[:, 2]
    return float(z.min()) + (_BOTTOM_M if np.ptp(z) > _LOW_BOX_M else 0.0)
