"""Posed depth images to one triangle mesh, coloured from the pictures.

1. Sizes are chosen from a sample of the depth (`fuse_sizes.py`): how far the scene reaches, and how far two views
   disagree about the same place.
2. Every view is averaged into a grid of signed distances to the surface (Open3D's `VoxelBlockGrid`). Only cells near a
   surface exist, and one view is held at a time, so memory grows with the surface and not with the video.
3. The mesh is read out, cleaned (`clean.py`) and thinned if it is too large.
4. Vertices take their colours from the pictures that see them (`paint.py`).

All lengths are in the unit of the views, which need not be metres.

Worked example. 200 RGB-D frames of a kitchen: cells of 2 cm, a band of 4 cells on both sides of the surface, and only
cells that at least 3 frames saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError, SceneError, require
from spaceland.geometry.transforms import invert_rigid, pose_problem
from spaceland.reconstruct.clean import CleanReport, clean_mesh
from spaceland.reconstruct.depth_views import DepthView, read_depth_view, views_of_estimate, views_of_scene
from spaceland.reconstruct.fuse_sizes import CELL_M, FuseSettings, Sizes, choose_sizes
from spaceland.reconstruct.paint import paint
from spaceland.reconstruct.types import CaptureImage, Estimate, Progress
from spaceland.scenes.points import depth_edges
from spaceland.scenes.scene import GeometryKind, Scene, Surface

_BLOCK = 16


@dataclass(frozen=True)
class FuseReport:
    """What went in and what came out. `skipped` counts views by reason, `first_problem` is one of them in full.
    `colored_share` is the share of vertices that some picture shows; the others take the colour of the nearest one."""

    num_views: int
    num_color_views: int
    skipped: Mapping[str, int]
    first_problem: str
    sizes: Sizes
    min_views: int
    num_vertices: int
    num_faces: int
    num_vertices_before_limit: int
    colored_share: float
    clean: CleanReport = field(default_factory=CleanReport)


@dataclass(frozen=True, eq=False)
class Fused:
    """A mesh in the world of the views (float64 vertices, colours, triangles that face where they were seen from)."""

    surface: Surface
    report: FuseReport


def fuse_scene(scene: Scene, settings: FuseSettings | None = None, progress: Progress | None = None) -> Fused:
    """The mesh of a scene's depth frames; see `fuse`."""
    return fuse(views_of_scene(scene), scene.geometry, metric=True, settings=settings, progress=progress)


def fuse_estimate(
    estimate: Estimate,
    images: Sequence[CaptureImage] = (),
    settings: FuseSettings | None = None,
    progress: Progress | None = None,
) -> Fused:
    """The mesh of an estimate's views; see `fuse`."""
    settings = settings or FuseSettings()
    views = views_of_estimate(estimate, images, settings.min_confidence)
    return fuse(views, "estimated", metric=estimate.metric, settings=settings, progress=progress)


def fuse(
    views: Sequence[DepthView],
    geometry: GeometryKind,
    *,
    metric: bool,
    settings: FuseSettings | None = None,
    progress: Progress | None = None,
) -> Fused:
    """Fuse posed depth into a coloured mesh. The same views give the same mesh, bit for bit.

    Args:
        views: In any unit; views with a broken image or pose are skipped and counted.
        geometry: How far the depth can be trusted; sensors get smaller cells than estimates.
        metric: Whether the unit is a metre.
        progress: Called once a view, and once for each view that colours are taken from.

    Raises:
        ReconstructionError: no usable depth, or it agrees on no surface.
        DependencyError: Open3D is missing.
    """
    require("open3d", "recon")
    settings = settings or FuseSettings()
    usable, skipped, problem = _usable(views)
    if not usable:
        raise ReconstructionError(
            f"there is nothing to fuse: {len(views)} views, none of them with a pose and depth"
            + (f" ({problem})" if problem else "")
            + "; give posed depth images, or let a depth estimator fill them in first"
        )
    sizes = choose_sizes(usable, geometry, metric=metric, settings=settings)
    grid = _Grid(usable, sizes)
    fused: list[DepthView] = []
    for view in usable:
        try:
            grid.add(view)
            fused.append(view)
        except SceneError as error:
            skipped["view: depth image cannot be read"] += 1
            problem = problem or str(error)
        if progress is not None:
            progress(1, view.id)
    if not fused:
        raise ReconstructionError(f"none of {len(usable)} depth images can be read ({problem}); copy them again")
    wanted = settings.min_views or (3 if len(fused) >= 12 else 2 if len(fused) >= 6 else 1)
    vertices, faces = grid.mesh(min(wanted, len(fused)))
    if len(faces) == 0:
        raise ReconstructionError(
            f"{len(fused)} depth images agree on no surface with cells of {sizes.voxel_size:.3g} and at least "
            f"{wanted} views a cell; check poses and depth scale, or allow fewer views"
        )
    vertices, faces, cleaned = clean_mesh(vertices, faces, sizes.voxel_size, settings.clean)
    if len(faces) == 0:
        raise ReconstructionError(
            f"nothing is left of the fused surface after cleaning ({cleaned.num_small_pieces} small pieces); "
            "the depth images do not agree: check poses and depth scale"
        )
    before = len(vertices)
    vertices, faces = _limit(vertices, faces, settings.max_vertices)
    with_color = [view for view in fused if view.color is not None]
    chosen = with_color[:: _color_step(len(with_color), settings)]
    colors, share = paint(vertices, faces, chosen, sizes, skipped, progress)
    report = FuseReport(
        len(fused), len(chosen), dict(sorted(skipped.items())), problem, sizes, min(wanted, len(fused)),
        len(vertices), len(faces), before, share, cleaned,
    )  # fmt: skip
    return Fused(Surface(vertices, colors, faces), report)


def progress_steps(num_views: int, settings: FuseSettings | None = None) -> int:
    """How often `fuse` calls `progress` when every view can be used."""
    return num_views + len(range(0, num_views, _color_step(num_views, settings or FuseSettings())))


def _color_step(num_views: int, settings: FuseSettings) -> int:
    return max(1, -(-num_views // settings.max_color_views))


def _usable(views: Sequence[DepthView]) -> tuple[list[DepthView], Counter[str], str]:
    good, skipped, first = [], Counter[str](), ""
    for view in views:
        problem = pose_problem(np.asarray(view.T_world_cam))
        if view.depth is None:
            skipped["view: no depth"] += 1
        elif problem:
            skipped[f"view: {problem.split('(')[0].strip()}"] += 1
            first = first or f"{view.id}: {problem}"
        else:
            good.append(view)
    return good, skipped, first


class _Grid:
    """Open3D's grid of signed distances around the middle of the cameras.

    A cell is 2 cm there whatever the unit of the views: Open3D's own limits are made for rooms in metres.
    """

    def __init__(self, views: Sequence[DepthView], sizes: Sizes) -> None:
        import open3d as o3d

        self._o3d = o3d
        self._sizes = sizes
        self._scale = CELL_M / sizes.voxel_size
        # Open3D computes in single precision: far from the origin that would be too coarse.
        self._origin = np.mean([view.T_world_cam[:3, 3] for view in views], axis=0)
        number = o3d.core.float32
        self._blocks = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight"), (number, number), ((1), (1)), CELL_M, _BLOCK, 1000, o3d.core.Device("CPU:0")
        )

    def add(self, view: DepthView) -> None:
        depth, camera = read_depth_view(view)
        depth = depth * np.float32(self._scale)
        # Sensors put pixels on edges in mid-air between near and far.
        depth[depth_edges(depth)] = 0.0
        depth[depth > self._sizes.max_depth * self._scale] = 0.0
        if not depth.any():
            return
        core = self._o3d.core
        image = self._o3d.t.geometry.Image(core.Tensor(np.ascontiguousarray(depth)))
        # Open3D rounds a projection down to its pixel, so its intrinsics are those of our convention; with centres at
        # whole numbers, as its documents have it, a floor sinks by 2 mm.
        K = core.Tensor(camera.K)
        T_world_cam = np.array(view.T_world_cam, dtype=float)
        T_world_cam[:3, 3] = (T_world_cam[:3, 3] - self._origin) * self._scale
        extrinsic = core.Tensor(invert_rigid(T_world_cam))
        band = self._sizes.truncation / self._sizes.voxel_size
        limit = float(self._sizes.max_depth * self._scale)
        near = self._blocks.compute_unique_block_coordinates(image, K, extrinsic, 1.0, limit, band)
        self._blocks.integrate(near, image, K, extrinsic, 1.0, limit, band)

    def mesh(self, min_views: int) -> tuple[Float[np.ndarray, "n 3"], np.ndarray]:
        """Vertices in the unit of the views and triangles; ordered by place, as threads leave them in any order."""
        if self._blocks.hashmap().size() == 0:
            return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)
        try:
            mesh = self._blocks.extract_triangle_mesh(float(min_views) - 0.5)
        except RuntimeError as error:
            if "shape {0}" not in str(error):
                raise
            return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)  # Open3D stumbles over a mesh without vertices
        if "indices" not in mesh.triangle or len(mesh.triangle.indices) == 0:
            return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)
        vertices, faces = mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy().astype(np.int64)
        order = np.lexsort(vertices.T)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        faces = rank[faces]
        first = faces.argmin(1)
        faces = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
        faces = faces[np.lexsort(faces.T[::-1])].astype(np.int32)
        return vertices[order].astype(float) / self._scale + self._origin, faces


def _limit(vertices: np.ndarray, faces: np.ndarray, max_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge triangles where the surface is flat until there are few enough vertices."""
    if len(vertices) <= max_vertices:
        return vertices, faces
    import open3d as o3d

    middle = vertices.mean(0)
    mesh = o3d.t.geometry.TriangleMesh(
        o3d.core.Tensor((vertices - middle).astype(np.float32)), o3d.core.Tensor(faces.astype(np.int64))
    )
    share = 1.0
    for _ in range(8):
        # Open3D counts triangles; the rims of an open surface have more vertices to the triangle.
        share *= 0.97 * max_vertices / len(vertices)
        less = mesh.simplify_quadric_decimation(1.0 - share)
        vertices, faces = less.vertex.positions.numpy().astype(float) + middle, less.triangle.indices.numpy()
        if len(vertices) <= max_vertices:
            break
    return vertices, faces.astype(np.int32)
