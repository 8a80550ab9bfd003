"""Overlap of boxes as released scorers compute it, and exactly.

Three rules are in use for axis-aligned boxes (centre and size, metres). They differ in the last digits, which decides
for boxes whose overlap is exactly a threshold:

    ScanRefer, Chat-Scene   intersection / (union + 1e-8), 64 bits: a box against its own half is 0.49999999
    M3DRef-CLIP             intersection / (union + 1.19e-7), 32 bits
    exact                   intersection / union

Oriented boxes are compared exactly (`geometry.box_relations.box_iou`), in batches. PyTorch3D, which VG LLM and
EmbodiedScan use, refuses boxes that have a face below 2 cm2: `torch3d_iou` gives 0 for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.box9 import EulerConvention, rotation_from_euler
from spaceland.geometry.box_relations import Boxes, box_iou

SCANREFER_EPS = 1e-8
M3DREF_EPS = np.finfo(np.float32).eps
THIN_FACE_M2 = 2e-4
"""PyTorch3D's limit: 1e-4 for each of the two triangles of a face."""
_LEAST_EDGE_M, _TINY_M3 = 1e-3, 1e-8
_FAR_M = 1e6
"""Nothing that is larger or farther away than this overlaps a room."""
_CHUNK = 8192


def aligned_iou(
    a: Float[np.ndarray, "n 6"], b: Float[np.ndarray, "m 6"], eps: float = 0.0, dtype: Any = np.float64
) -> Float[np.ndarray, "n m"]:
    """IoU of all pairs of axis-aligned boxes (centre, size); the sign of a size does not matter. NaN gives 0."""
    with np.errstate(all="ignore"):
        low_a, high_a = _bounds(a, dtype)
        low_b, high_b = _bounds(b, dtype)
        edges = np.minimum(high_a[:, None], high_b) - np.maximum(low_a[:, None], low_b)
        edges = np.maximum(edges, dtype(0))
        # Multiplied one after the other, as the released codes do.
        shared = edges[..., 0] * edges[..., 1] * edges[..., 2]
        volume_a, volume_b = _volume(low_a, high_a), _volume(low_b, high_b)
        iou = shared / (volume_a[:, None] + volume_b - shared + dtype(eps))
    return np.where(np.isfinite(iou), iou, dtype(0))


def aligned_giou(a: Float[np.ndarray, "n 6"], b: Float[np.ndarray, "m 6"]) -> Float[np.ndarray, "n m"]:
    """Generalised IoU of all pairs of axis-aligned boxes: IoU less the share of the enclosing box that neither fills.

    1 for equal boxes, towards -1 for small boxes far apart. (Rezatofighi et al., 2019, algorithm 1.) NaN gives -1.
    """
    iou = aligned_iou(a, b)
    with np.errstate(all="ignore"):
        union = (_volumes(a)[:, None] + _volumes(b)) / (1 + iou)
        found = iou - (1 - union / _around(a, b))
    return np.where(np.isfinite(found), found, -1.0)


def scan2cap_giou(a: Float[np.ndarray, "n 6"], b: Float[np.ndarray, "m 6"]) -> Float[np.ndarray, "n m"]:
    """What the script of the Scan2Cap benchmark takes for generalised IoU: (volume a + volume b) / enclosing box - 1.

    It was written for boxes whose second axis is the height. Here the third one is, so the rectangles that it cuts have
    no extent and every overlap is 0. Edges below 1 mm count as 1 mm, volumes below 1e-8 as that; tiny pairs give 0.
    """
    volumes = [np.maximum(_volumes(boxes, _LEAST_EDGE_M), _TINY_M3) for boxes in (a, b)]
    both, around = volumes[0][:, None] + volumes[1], _around(a, b)
    with np.errstate(all="ignore"):
        return np.where((around > 2 * _TINY_M3) & (both > 4 * _TINY_M3), both / around - 1, 0.0)


def _around(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Volume of the box around each pair."""
    low_a, high_a = _bounds(a, np.float64)
    low_b, high_b = _bounds(b, np.float64)
    return (np.maximum(high_a[:, None], high_b) - np.minimum(low_a[:, None], low_b)).prod(-1)


def _volumes(boxes: np.ndarray, least_m: float = 0.0) -> np.ndarray:
    return np.maximum(np.abs(np.asarray(boxes, dtype=np.float64).reshape(-1, 6)[:, 3:]), least_m).prod(-1)


def _bounds(boxes: np.ndarray, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner. 64 bits until they are known: what a released file stores in 32 bits are the corners."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 6)
    half = np.abs(boxes[:, 3:]) / 2
    return (-half + boxes[:, :3]).astype(dtype), (half + boxes[:, :3]).astype(dtype)


def _volume(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    size = high - low
    return size[:, 0] * size[:, 1] * size[:, 2]


def boxes_of(values: Sequence[Sequence[float]] | np.ndarray, convention: EulerConvention = "ZXY") -> Boxes:
    """Boxes from nine numbers each (or six: no turn). A negative size means the same solid, turned inside out."""
    table = np.asarray(values, dtype=np.float64)
    if table.size == 0:
        return Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3, 3)))
    turns = np.array([rotation_from_euler(row[6:], convention) if row[6:].any() else np.eye(3) for row in table])
    return Boxes(table[:, :3], np.abs(table[:, 3:6]), turns)


def joined(parts: Sequence[Boxes]) -> Boxes:
    """Several batches as one."""
    if not parts:
        return boxes_of([])
    return Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("center", "size", "rotation")))


def pair_iou(a: Boxes, b: Boxes) -> Float[np.ndarray, "n"]:
    """Exact IoU of pair i to nine decimals; 0 where a number is not finite or beyond 1,000 km. Memory stays flat.

    Rounded, so that an overlap of exactly a threshold is found to be one.
    """
    with np.errstate(all="ignore"):
        usable = _usable(a) & _usable(b)
        gap = np.abs(np.where(usable[:, None], a.center - b.center, 0))
        reach = np.where(usable, np.linalg.norm(np.where(usable[:, None], a.size, 0), axis=1), 0)
        reach = reach + np.where(usable, np.linalg.norm(np.where(usable[:, None], b.size, 0), axis=1), 0)
    near = np.flatnonzero(usable & (np.linalg.norm(gap, axis=1) <= reach / 2))
    found = np.zeros(len(a.center))
    for start in range(0, len(near), _CHUNK):
        part = near[start : start + _CHUNK]
        found[part] = box_iou(a[part], b[part])
    return found.round(9)


def torch3d_iou(a: Boxes, b: Boxes) -> Float[np.ndarray, "n"]:
    """`pair_iou`, but 0 where PyTorch3D's `box3d_overlap` raises: a face of one of the boxes is too small."""
    thick = ~(is_thin(a.size) | is_thin(b.size))
    found = np.zeros(len(a.center))
    found[thick] = pair_iou(a[thick], b[thick])
    return found


def is_thin(size: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Whether a box has a face of less than 2 cm2."""
    with np.errstate(all="ignore"):
        faces = np.abs(size[:, [0, 0, 1]] * size[:, [1, 2, 2]])
    return ~np.all(faces >= THIN_FACE_M2, axis=1)  # NaN is thin, too


def refined(predicted: Boxes, proposals: Sequence[np.ndarray]) -> Boxes:
    """Each predicted box replaced by the proposal that overlaps it most; kept where none overlaps it at all.

    proposals: for each box its scene's axis-aligned proposals [k, 6]; of equal ones the first is taken.
    """
    count = np.array([len(table) for table in proposals], dtype=int)
    if count.sum() == 0:
        return predicted
    owner = np.repeat(np.arange(len(count)), count)
    center, size, rotation = predicted.center.copy(), predicted.size.copy(), predicted.rotation.copy()
    table = np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1, 6) for part in proposals])
    turns = np.broadcast_to(np.eye(3), (len(table), 3, 3))
    candidates = Boxes(table[:, :3], np.abs(table[:, 3:]), turns)
    iou = np.zeros(len(table))
    for start in range(0, len(table), 16 * _CHUNK):
        part = np.arange(start, min(start + 16 * _CHUNK, len(table)))
        iou[part] = torch3d_iou(predicted[owner[part]], candidates[part])
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    for index, (start, number) in enumerate(zip(starts, count, strict=True)):
        if number == 0:
            continue
        best = start + int(np.argmax(iou[start : start + number]))
        if iou[best] > 0:
            center[index], size[index], rotation[index] = table[best, :3], np.abs(table[best, 3:]), np.eye(3)
    return Boxes(center, size, rotation)


def _usable(boxes: Boxes) -> Bool[np.ndarray, "n"]:
    numbers = np.concatenate([boxes.center, boxes.size, boxes.rotation.reshape(-1, 9)], axis=1)
    return np.all(np.abs(numbers) <= _FAR_M, axis=1)  # which no NaN is
