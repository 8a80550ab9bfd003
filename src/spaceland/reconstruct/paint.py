"""Colours for a mesh from posed pictures: each vertex takes the mean of the pictures that see it.

Depth and picture may come from cameras that differ (RedKitchen's do), but they share their place. So a vertex is looked
up in the depth image first, where something nearer hides it or not, and then in the picture. The two fit each other to
some pixels only: beside a depth edge a picture may show what lies behind, so it hardly counts there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from scipy.spatial import cKDTree

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.depth_views import DepthView, read_depth_view
from spaceland.reconstruct.fuse_sizes import CELL_M, Sizes
from spaceland.reconstruct.types import Progress
from spaceland.scenes.points import depth_edges

_EDGE_PX = 4
_EDGE_WEIGHT = 0.02
_GREY = 128


def paint(
    vertices: Float[np.ndarray, "n 3"],
    faces: np.ndarray,
    views: Sequence[DepthView],
    sizes: Sizes,
    skipped: Counter[str],
    progress: Progress | None,
) -> tuple[UInt8[np.ndarray, "n 3"], float]:
    """Colours of the vertices and the share that some picture shows."""
    if not views:
        return np.full((len(vertices), 3), _GREY, dtype=np.uint8), 0.0
    middle = vertices.mean(0)
    points = (vertices - middle).astype(np.float32)
    normals = vertex_normals(points, faces)
    total, weight = np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32)
    for view in views:
        try:
            index, color, share = _look(points, normals, middle, view, sizes)
            total[index] += color * share[:, None]
            weight[index] += share
        except SceneError:
            skipped["picture: cannot be read"] += 1
        if progress is not None:
            progress(1, view.id)
    seen = weight > 0
    if not seen.any():
        return np.full((len(vertices), 3), _GREY, dtype=np.uint8), 0.0
    colors = np.zeros((len(points), 3), np.uint8)
    colors[seen] = np.clip(np.rint(total[seen] / weight[seen, None]), 0, 255)
    if not seen.all():
        _, nearest = cKDTree(points[seen]).query(points[~seen])
        colors[~seen] = colors[seen][nearest]
    return colors, float(seen.mean())


def _look(
    points: np.ndarray, normals: np.ndarray, middle: np.ndarray, view: DepthView, sizes: Sizes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which points a view shows, their colours [k, 3] there and how well it sees them (near and head-on: well)."""
    assert view.color is not None
    R = view.T_world_cam[:3, :3].astype(np.float32)
    eye = (view.T_world_cam[:3, 3] - middle).astype(np.float32)
    z = (points - eye) @ R[:, 2]
    index = np.flatnonzero((z > 1e-6) & (z < sizes.max_depth))
    local = (points[index] - eye) @ R
    depth, depth_camera = read_depth_view(view)
    row, column, inside = _pixels(local, depth_camera)
    index, local = index[inside], local[inside]
    seen = depth[row, column]
    z = local[:, 2]
    in_front = (seen > 0) & (np.abs(seen - z) < 1.5 * sizes.voxel_size + 2 * sizes.noise + 0.01 * z)
    index, local, row, column = index[in_front], local[in_front], row[in_front], column[in_front]
    image = view.color()
    u, v, inside = _pixels(local, view.camera.scaled(image.shape[1], image.shape[0]))
    index, local, row, column = index[inside], local[inside], row[inside], column[inside]
    # The two cameras fit each other to some pixels only: beside an edge the picture may show what lies behind it.
    beside = _near_edge(depth, sizes)[row, column]
    rays = local / np.linalg.norm(local, axis=1, keepdims=True)
    facing = np.clip(-np.einsum("ij,ij->i", normals[index] @ R, rays), 0.05, 1.0)
    share = facing / local[:, 2] ** 2 * sizes.extent**2 * np.where(beside, _EDGE_WEIGHT, 1.0)
    return index, image[u, v].astype(np.float32), share.astype(np.float32)


def _pixels(local: np.ndarray, camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray, Bool[np.ndarray, "n"]]:
    """Rows and columns of the points inside the image, and which these are."""
    u = local[:, 0] / local[:, 2] * np.float32(camera.fx) + np.float32(camera.cx)
    v = local[:, 1] / local[:, 2] * np.float32(camera.fy) + np.float32(camera.cy)
    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    return v[inside].astype(np.int32), u[inside].astype(np.int32), inside


def _near_edge(depth: np.ndarray, sizes: Sizes) -> Bool[np.ndarray, "h w"]:
    edges = depth_edges(depth * np.float32(CELL_M / sizes.voxel_size))
    return ndimage.maximum_filter(edges, 2 * _EDGE_PX + 1)


def vertex_normals(vertices: Float[np.ndarray, "n 3"], faces: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """Unit normals of the vertices: the mean of those of their triangles, by area; zero where there are none."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    total = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], -1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.where(length > 0, length, 1.0)).astype(vertices.dtype)
