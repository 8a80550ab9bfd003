"""ScanNet's annotation: segments of vertices, grouped into labelled objects.

`<mesh>.0.010000.segs.json` gives each vertex a segment; `<scan>.aggregation.json` lists objects with a label and their
segments. An object's points are the vertices of its segments. A few labels that annotators run together or misspell
are written as everybody else writes them: the "garbagebin" of one scan is the "garbage bin" of the next.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.scene import NO_OBJECT, SceneObject, normalise_label

_SPELLED = {"garbagebin": "garbage bin", "refridgerator": "refrigerator", "trashcan": "trash can"}
"""Labels of annotators as the rest of the annotation spells them; `raw_label` keeps what they wrote."""


def read_annotation(
    path: Path,
    mesh_path: Path,
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"] | None,
    skipped: Counter[str],
) -> tuple[list[SceneObject], Int[np.ndarray, "n"] | None]:
    """Objects of a scan, and the object id of each vertex (None without annotation).

    Vertices are in the aligned world (metres). What is missing is counted in `skipped`.

    Raises:
        SceneError: the files are damaged or belong to another mesh.
    """
    segments_path = _first(path, f"{mesh_path.stem}.*segs.json")
    groups_path = _first(
        path, f"{path.resolve().name}.aggregation.json", "*_vh_clean.aggregation.json", "*.aggregation.json"
    )
    if segments_path is None or groups_path is None:
        missing = "segs.json" if segments_path is None else "aggregation.json"
        skipped[f"objects: no {missing}"] += 1
        return [], None
    segments = _segments(segments_path, len(vertices))
    order = np.argsort(segments, kind="stable")
    starts = np.searchsorted(segments[order], np.unique(segments))
    members = dict(zip(np.unique(segments).tolist(), np.split(order, starts[1:]), strict=True))
    owner = np.full(len(vertices), NO_OBJECT, dtype=np.int32)
    objects = []
    for object_id, raw_label, wanted in _groups(groups_path):
        unknown = sum(segment not in members for segment in wanted)
        if unknown:
            skipped["segment: not in the mesh"] += unknown
        parts = [members[segment] for segment in dict.fromkeys(wanted) if segment in members]
        index = np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=int)
        free = owner[index] == NO_OBJECT
        if not free.all():
            skipped["vertex: in two objects, counted for the first"] += int((~free).sum())
        owner[index[free]] = object_id
        objects.append(_object(object_id, raw_label, vertices, faces, index))
    return objects, owner


def _first(path: Path, *names: str) -> Path | None:
    return next((found for name in names for found in sorted(path.glob(name))), None)


def _segments(path: Path, num_vertices: int) -> Int[np.ndarray, "n"]:
    try:
        segments = np.array(read_json(path)["segIndices"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise SceneError(
            f"{path}: 'segIndices' is missing or not a list of whole numbers; copy the file again"
        ) from None
    if segments.shape != (num_vertices,):
        raise SceneError(
            f"{path} has segments for {segments.size} vertices, but the mesh has {num_vertices}; "
            "both must come from the same export (_vh_clean_2)"
        )
    return segments


def _groups(path: Path) -> list[tuple[int, str, list[int]]]:
    """(object id, label, segments) of every group."""
    try:
        groups = read_json(path)["segGroups"]
        return [(int(g["objectId"]), str(g["label"]), [int(s) for s in g["segments"]]) for g in groups]
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{path}: 'segGroups' needs objectId, label and segments in each group ({type(error).__name__}: {error})"
        ) from error


def _object(
    object_id: int, raw_label: str, vertices: np.ndarray, faces: np.ndarray | None, index: Int[np.ndarray, "k"]
) -> SceneObject:
    points = vertices[index]
    own_faces = None
    if faces is not None and len(index):
        new = np.full(len(vertices), -1, dtype=np.int32)
        new[index] = np.arange(len(index), dtype=np.int32)
        candidates = new[faces]
        own_faces = candidates[(candidates >= 0).all(1)]
    empty = OrientedBox(np.zeros(3), np.zeros(3), np.eye(3))
    box = OrientedBox.upright_from_points(points) if len(points) else empty
    label = normalise_label(raw_label)
    return SceneObject(object_id, _SPELLED.get(label, label), raw_label, points, box, own_faces)
