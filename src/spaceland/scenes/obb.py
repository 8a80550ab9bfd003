"""Oriented boxes and instances as several scan datasets annotate them (ScanNet++, ARKitScenes, 3RScan).

    "obb": {"centroid": [x, y, z], "axesLengths": [a, b, c], "normalizedAxes": [9 numbers]}

Lengths are full lengths. `normalizedAxes` lists the three axes one after the other, so they are the *rows* of
reshape(3, 3) and the columns of the rotation. The three may form a left-handed system; the last one is then turned
round, which is the same box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.box_objects import box_from_axes
from spaceland.scenes.scene import NO_OBJECT, SceneObject, normalise_label


@dataclass(frozen=True, eq=False)
class Instance:
    """An annotated thing before it is built: sorted vertex indices, and the annotation's own box where it is good."""

    id: int
    raw_label: str
    vertices: Int[np.ndarray, "k"]
    box: OrientedBox | None


def read_obb(obb: Any, skipped: Counter[str] | None = None) -> OrientedBox | None:
    """The box of an `obb` entry; None, and counted, when it is missing or is no box."""
    try:
        center, size = (np.array([float(v) for v in obb[key]]) for key in ("centroid", "axesLengths"))
        axes = np.array([float(v) for v in obb["normalizedAxes"]]).reshape(3, 3)
        box = box_from_axes(center, axes.T, size) if center.shape == size.shape == (3,) else None
        if box is None:
            raise ValueError
        return box
    except (KeyError, TypeError, ValueError):
        if skipped is not None:
            skipped["object box: missing or damaged"] += 1
        return None


def moved_box(T_a_b: Float[np.ndarray, "4 4"], box: OrientedBox) -> OrientedBox:
    """The box in another frame."""
    return OrientedBox(transform_points(T_a_b, box.center), box.size, T_a_b[:3, :3] @ box.rotation)


def vertices_by_value(values: Int[np.ndarray, "n"]) -> dict[int, Int[np.ndarray, "k"]]:
    """The indices at which each value stands, ascending."""
    if len(values) == 0:
        return {}
    order = np.argsort(values, kind="stable")
    unique, starts = np.unique(values[order], return_index=True)
    return dict(zip(unique.tolist(), np.split(order, starts[1:]), strict=True))


def build_objects(
    instances: Sequence[Instance],
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"] | None,
    skipped: Counter[str],
) -> tuple[list[SceneObject], Int[np.ndarray, "n"]]:
    """Objects, and the object id of each vertex; a vertex in two belongs to the first of them."""
    owner = np.full(len(vertices), NO_OBJECT, dtype=np.int32)
    local = np.full(len(vertices), -1, dtype=np.int32)
    objects = []
    for thing in instances:
        index = thing.vertices
        free = owner[index] == NO_OBJECT
        if not free.all():
            skipped["vertex: in two objects, counted for the first"] += int((~free).sum())
        owner[index[free]] = thing.id
        own_faces = None
        if faces is not None and len(index):
            local[index] = np.arange(len(index), dtype=np.int32)
            candidates = local[faces]
            own_faces = candidates[(candidates >= 0).all(1)]
            local[index] = -1
        points = vertices[index]
        box = thing.box
        if box is None:
            empty = OrientedBox(np.zeros(3), np.zeros(3), np.eye(3))
            box = OrientedBox.upright_from_points(points) if len(points) else empty
        label = normalise_label(thing.raw_label)
        objects.append(SceneObject(thing.id, label, thing.raw_label, points, box, own_faces))
    return objects, owner


def inside_boxes(
    boxes: Mapping[int, OrientedBox], points: Float[np.ndarray, "n 3"], margin_m: float
) -> dict[int, Int[np.ndarray, "k"]]:
    """Which points lie in each box grown by a margin; a point in several belongs to the smallest box."""
    owner = np.full(len(points), NO_OBJECT, dtype=np.int64)
    for key in sorted(boxes, key=lambda k: -boxes[k].volume_m3):
        box = boxes[key]
        reach = float(np.linalg.norm(box.size)) / 2 + 2 * margin_m
        near = np.flatnonzero((np.abs(points - box.center) <= reach).all(1))
        owner[near[box.contains(points[near], margin_m)]] = key
    found = vertices_by_value(owner)
    return {key: found.get(key, np.zeros(0, dtype=int)) for key in boxes}
