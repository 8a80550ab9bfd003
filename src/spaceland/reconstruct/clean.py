"""Taking out of a mesh what is no surface: specks, strays and slivers. Every removal is counted.

    small pieces    connected pieces with less area than 100 cells (at 2 cm: 0.04 m2, a hand): noise in mid-air
    stray vertices  much farther from their neighbours than vertices usually are
    thin triangles  long and thin ones, which span gaps between things

Thresholds are in cells of the grid that the mesh comes from, so they hold in any unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

_NEIGHBOURS = 8


@dataclass(frozen=True, kw_only=True)
class CleanSettings:
    """What counts as noise; each rule is off at 0."""

    min_piece_cells: float = 100.0
    """Least area of a connected piece, in cells squared."""
    stray_deviations: float = 8.0
    """Vertices whose mean distance to their neighbours is this many deviations above the median are strays."""
    thin_ratio: float = 12.0
    """Triangles with a longest side of this many times their height, and longer than `thin_cells`, are slivers."""
    thin_cells: float = 3.0


@dataclass(frozen=True)
class CleanReport:
    """Counts of what was taken out. `removed_area_share` is their share of the whole area."""

    num_small_pieces: int = 0
    num_small_piece_faces: int = 0
    num_stray_vertices: int = 0
    num_thin_faces: int = 0
    removed_area_share: float = 0.0


def clean_mesh(
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"],
    cell: float,
    settings: CleanSettings | None = None,
) -> tuple[Float[np.ndarray, "k 3"], Int[np.ndarray, "j 3"], CleanReport]:
    """The mesh without noise; vertices and faces that stay keep their order.

    Args:
        vertices: In any unit.
        faces: Vertex numbers.
        cell: Size of the cells that the mesh was made with, in the same unit: the typical length of an edge.
    """
    settings = settings or CleanSettings()
    total = float(areas(vertices, faces).sum())
    thin = _thin(vertices, faces, cell, settings)
    faces = faces[~thin]
    stray = _stray(vertices, faces, settings)
    faces = faces[~stray[faces].any(1)]
    small, num_pieces = _small(vertices, faces, cell, settings)
    kept = faces[~small]
    used = np.zeros(len(vertices), dtype=bool)
    used[kept] = True
    left = float(areas(vertices, kept).sum())
    report = CleanReport(
        num_pieces, int(small.sum()), int(stray.sum()), int(thin.sum()), 1 - left / total if total > 0 else 0.0
    )
    return vertices[used], (np.cumsum(used) - 1)[kept].astype(faces.dtype), report


def areas(vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"]) -> Float[np.ndarray, "m"]:
    """Area of each triangle."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def _thin(vertices: np.ndarray, faces: np.ndarray, cell: float, settings: CleanSettings) -> Bool[np.ndarray, "m"]:
    """Long slivers; degenerate triangles (no area at all) count too."""
    corners = vertices[faces]
    longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(1)
    area = areas(vertices, faces)
    if settings.thin_ratio <= 0:
        return area <= 0
    height = 2 * area / np.where(longest > 0, longest, 1.0)
    return (area <= 0) | ((longest > settings.thin_cells * cell) & (longest > settings.thin_ratio * height))


def _stray(vertices: np.ndarray, faces: np.ndarray, settings: CleanSettings) -> Bool[np.ndarray, "n"]:
    stray = np.zeros(len(vertices), dtype=bool)
    used = np.unique(faces)
    if settings.stray_deviations <= 0 or len(used) <= _NEIGHBOURS:
        return stray
    distance, _ = cKDTree(vertices[used]).query(vertices[used], k=_NEIGHBOURS + 1, workers=-1)
    mean = distance[:, 1:].mean(1)
    middle = float(np.median(mean))
    deviation = 1.4826 * float(np.median(np.abs(mean - middle)))
    # On a regular grid distances hardly deviate at all: a tenth of the median is the least that says anything.
    stray[used] = mean > middle + settings.stray_deviations * max(deviation, 0.1 * middle)
    return stray


def _small(
    vertices: np.ndarray, faces: np.ndarray, cell: float, settings: CleanSettings
) -> tuple[Bool[np.ndarray, "m"], int]:
    """Faces of small pieces, and how many pieces these are."""
    if settings.min_piece_cells <= 0 or len(faces) == 0:
        return np.zeros(len(faces), dtype=bool), 0
    rows = np.concatenate([faces[:, 0], faces[:, 1]])
    columns = np.concatenate([faces[:, 1], faces[:, 2]])
    links = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(len(vertices),) * 2)
    _, piece = connected_components(links, directed=False)
    of_face = piece[faces[:, 0]]
    area = np.bincount(of_face, areas(vertices, faces))
    small = area < settings.min_piece_cells * cell * cell
    return small[of_face], int((small & (area > 0)).sum())
