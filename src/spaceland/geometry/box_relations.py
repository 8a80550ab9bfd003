"""Distance and overlap of boxes: exact, and batched over pairs.

Oriented boxes are given as `Boxes`: centres [n, 3], full sizes [n, 3], rotations [n, 3, 3] (columns = box axes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.boxes import OrientedBox

_SIGNS = np.array([[(k >> axis & 1) * 2.0 - 1.0 for axis in range(3)] for k in range(8)])
_EDGES = np.array([(a, a | 1 << axis) for axis in range(3) for a in range(8) if not a >> axis & 1])
# Corners of the face on side s of axis a, in order around it: index 2a + s.
_FACES = np.array(
    [
        [base, base | 1 << (a + 1) % 3, base | 1 << (a + 1) % 3 | 1 << (a + 2) % 3, base | 1 << (a + 2) % 3]
        for a in range(3)
        for base in (0, 1 << a)
    ]
)

_HAIR = 1e-11
"""Share of the extent of two boxes by which one is grown before they are intersected."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """n oriented boxes."""

    center: Float[np.ndarray, "n 3"]
    size: Float[np.ndarray, "n 3"]
    rotation: Float[np.ndarray, "n 3 3"]

    @classmethod
    def stack(cls, boxes: Sequence[OrientedBox]) -> Boxes:
        """From single boxes."""
        return cls(
            np.array([box.center for box in boxes]).reshape(-1, 3),
            np.array([box.size for box in boxes]).reshape(-1, 3),
            np.array([box.rotation for box in boxes]).reshape(-1, 3, 3),
        )

    def __getitem__(self, index: np.ndarray) -> Boxes:
        """Boxes at an array of places."""
        return Boxes(self.center[index], self.size[index], self.rotation[index])

    def corners(self) -> Float[np.ndarray, "n 8 3"]:
        """Numbered as in `OrientedBox.corners`."""
        return self.center[:, None] + np.einsum("nij,nkj->nki", self.rotation, _SIGNS * self.size[:, None] / 2)

    def volume(self) -> Float[np.ndarray, "n"]:
        return self.size.prod(-1)


def boxes_overlap(a: Boxes, b: Boxes) -> Bool[np.ndarray, "n"]:
    """Whether the solids of pair i share a point, by the separating axis theorem (touching counts as sharing)."""
    between = b.center - a.center
    crossed = np.cross(a.rotation[:, :, :, None], b.rotation[:, :, None, :], axis=1)  # [n, 3, 3a, 3b]
    axes = np.concatenate([a.rotation, b.rotation, crossed.reshape(-1, 3, 9)], -1)  # [n, 3, 15]
    reach = sum(
        (np.abs(np.einsum("nij,nik->nkj", box.rotation, axes)) * box.size[:, None] / 2).sum(-1) for box in (a, b)
    )
    return (np.abs(np.einsum("ni,nik->nk", between, axes)) <= reach + 1e-12).all(-1)


def box_distance(a: Boxes, b: Boxes) -> Float[np.ndarray, "n"]:
    """Least distance between the solids of pair i, in metres; 0 where they overlap.

    Two separate convex solids are nearest at a corner of one of them or between two edges, so trying all is exact.
    """
    corners_a, corners_b = a.corners(), b.corners()
    best = np.minimum(_to_box(corners_a, b).min(1), _to_box(corners_b, a).min(1))
    starts, ends = _EDGES.T
    edge_distance = _segment_distance(
        corners_a[:, starts, None], corners_a[:, ends, None], corners_b[:, None, starts], corners_b[:, None, ends]
    )
    best = np.minimum(best, edge_distance.reshape(len(best), -1).min(1))
    return np.where(boxes_overlap(a, b), 0.0, best)


def _to_box(points: Float[np.ndarray, "n k 3"], box: Boxes) -> Float[np.ndarray, "n k"]:
    """Distance from points to the solid box of the same row."""
    local = np.einsum("nki,nij->nkj", points - box.center[:, None], box.rotation)
    return np.linalg.norm(np.maximum(np.abs(local) - box.size[:, None] / 2, 0), axis=-1)


def _segment_distance(p0: np.ndarray, p1: np.ndarray, q0: np.ndarray, q1: np.ndarray) -> np.ndarray:
    """Distance between segments p and q, broadcast; degenerate segments (points) are fine."""
    d, e, r = p1 - p0, q1 - q0, p0 - q0
    a, c = (d * d).sum(-1), (e * e).sum(-1)
    b, f, g = (d * e).sum(-1), (e * r).sum(-1), (d * r).sum(-1)
    det = a * c - b * b
    s = np.clip(np.where(det > 1e-15, (b * f - g * c) / np.where(det > 1e-15, det, 1), 0), 0, 1)
    t = np.where(c > 0, (b * s + f) / np.where(c > 0, c, 1), 0)
    # Where the other end of q is nearer, s must be chosen anew for it.
    clipped = np.clip(t, 0, 1)
    s = np.where(a > 0, np.clip((b * clipped - g) / np.where(a > 0, a, 1), 0, 1), 0)
    return np.linalg.norm(r + s[..., None] * d - clipped[..., None] * e, axis=-1)


def box_iou(a: Boxes, b: Boxes) -> Float[np.ndarray, "n"]:
    """Intersection over union of the solids of pair i, by exact clipping; 0 for empty boxes."""
    shared = np.zeros(len(a.center))
    near = boxes_overlap(a, b)
    if near.any():
        pair = [Boxes(box.center[near], box.size[near], box.rotation[near]) for box in (a, b)]
        shared[near] = _intersection_volume(*pair)
    total = a.volume() + b.volume() - shared
    return np.where(total > 0, np.clip(shared / np.where(total > 0, total, 1), 0, 1), 0.0)


def _intersection_volume(a: Boxes, b: Boxes) -> Float[np.ndarray, "n"]:
    """Volume by the divergence theorem: a third of the sum over all faces of area times distance from `a`'s centre.

    Every face of the intersection lies in a face of one box and inside the other. Where faces of both coincide,
    rounding would decide whether one of them, both or none counts, so `b` is grown by a hair: far more than the noise
    of the coordinates, far less than matters.
    """
    extent = np.linalg.norm(a.size, axis=1) + np.linalg.norm(b.size, axis=1)
    grown = Boxes(b.center, b.size + 2 * _HAIR * extent[:, None], b.rotation)
    between = b.center - a.center
    volume = _faces_inside(a, grown, -between, np.zeros_like(between)) + _faces_inside(grown, a, between, between)
    return np.maximum(volume, 0)


def _faces_inside(
    box: Boxes, other: Boxes, offset: Float[np.ndarray, "n 3"], place: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n"]:
    """Share of the volume that the faces of `box` inside `other` contribute.

    offset: from the centre of `other` to that of `box`. place: from the common origin to the centre of `box`. Both are
    given as differences, so that boxes far away from the world's origin are as exact as near ones.
    """
    # In the other box's frame the clipping planes are |x_i| <= size_i / 2.
    normals = np.einsum("nji,njk->nik", other.rotation, box.rotation)  # columns: axes of box in the other's frame
    middle = np.einsum("ni,nij->nj", offset, other.rotation)
    corners = middle[:, None] + np.einsum("nij,nkj->nki", normals, _SIGNS * box.size[:, None] / 2)
    reach = np.einsum("ni,nij->nj", place, box.rotation)  # of the centre, along the box's own axes
    half = other.size / 2
    volume = np.zeros(len(box.center))
    for face, around in enumerate(_FACES):
        axis, side = face // 2, 1.0 if face % 2 else -1.0
        polygon, count = corners[:, around], np.full(len(volume), 4)
        for plane in range(3):
            for towards in (1.0, -1.0):
                polygon, count = _clip(polygon, count, plane, towards, half[:, plane])
        height = side * reach[:, axis] + box.size[:, axis] / 2
        volume += height * _double_area(polygon, count, normals[:, :, axis]) / 6
    return volume


def _clip(
    polygon: np.ndarray, count: np.ndarray, axis: int, side: float, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the part of each polygon with side * x[axis] <= limit (Sutherland-Hodgman on all polygons at once).

    polygon: [n, k, 3] of which the first `count` [n] vertices are used.
    """
    n, k = polygon.shape[:2]
    index = np.arange(k)
    used = index < count[:, None]
    following = np.where(index + 1 < count[:, None], index + 1, 0)
    after = np.take_along_axis(polygon, following[..., None], 1)
    d0 = limit[:, None] - side * polygon[..., axis]
    d1 = limit[:, None] - side * after[..., axis]
    inside0, inside1 = d0 >= 0, d1 >= 0
    crossing = used & (inside0 != inside1)
    t = np.where(crossing, d0 / np.where(crossing, d0 - d1, 1), 0)
    cut = polygon + t[..., None] * (after - polygon)
    # Each edge gives its start (if inside) and its cut (if it crosses), in this order.
    emitted = np.stack([polygon, cut], 2).reshape(n, 2 * k, 3)
    keep = np.stack([used & inside0, crossing], 2).reshape(n, 2 * k)
    new_count = keep.sum(1)
    width = max(int(new_count.max(initial=0)), 1)
    order = np.argsort(~keep, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(emitted, order[..., None], 1), new_count


def _double_area(polygon: np.ndarray, count: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Twice the area of planar polygons, by a fan of triangles around their first vertex."""
    k = polygon.shape[1]
    if k < 3:
        return np.zeros(len(polygon))
    spokes = polygon - polygon[:, :1]
    triangles = np.cross(spokes[:, 1:-1], spokes[:, 2:])
    used = np.arange(2, k) < count[:, None]
    return np.abs(np.einsum("nki,ni->nk", triangles, normal) * used).sum(1)


def rectangle_iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """IoU of axis-aligned rectangles x0, y0, x1, y1 of pair i; 0 where both are empty."""
    shared = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None).prod(1)
    total = sum(np.clip(r[:, 2:] - r[:, :2], 0, None).prod(1) for r in (a, b)) - shared
    return np.where(total > 0, shared / np.where(total > 0, total, 1), 0.0)
