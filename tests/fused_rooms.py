"""Sample rooms as a depth camera sees them, for tests of reconstruction: rendered once for all tests of a run.

`views(seed)` are small exact depth images, `moved(views, T, factor)` the same in another world and unit, `fused(seed)`
the mesh made of them. `box_mesh` and `quad` build simple worlds by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from spaceland.geometry.transforms import from_rotation_translation, transform_points
from spaceland.reconstruct.depth_views import DepthView, views_of_scene
from spaceland.reconstruct.fuse import Fused, fuse
from spaceland.scenes.scene import Scene, Surface
from spaceland.scenes.sources import open_scene

L_SHAPED = 5
PLAIN = 7


@lru_cache
def room(seed: int) -> Scene:
    return open_scene(f"rooms:{seed}?width=320&height=240")


def _same(array: np.ndarray) -> np.ndarray:
    return array


@lru_cache
def views(seed: int) -> tuple[DepthView, ...]:
    """Depth in memory, no colours."""
    found = []
    for view in views_of_scene(room(seed)):
        assert view.depth is not None
        found.append(replace(view, depth=partial(_same, view.depth()), color=None))
    return tuple(found)


@lru_cache
def fused(seed: int) -> Fused:
    return fuse(views(seed), "generated", metric=True)


def moved_poses(poses: Sequence[np.ndarray], T: np.ndarray, factor: float) -> list[np.ndarray]:
    """Poses in a world that is moved by the rigid T first and made larger by `factor` then."""
    result = [T @ pose for pose in poses]
    for pose in result:
        pose[:3, 3] *= factor
    return result


def moved(seen: Sequence[DepthView], T: np.ndarray, factor: float) -> list[DepthView]:
    """Views in another world, as `moved_poses` has it."""
    poses = moved_poses([view.T_world_cam for view in seen], T, factor)
    result = []
    for view, pose in zip(seen, poses, strict=True):
        assert view.depth is not None
        result.append(replace(view, T_world_cam=pose, depth=partial(_same, view.depth() * factor)))
    return result


def moved_surface(surface: Surface, T: np.ndarray, factor: float) -> Surface:
    return replace(surface, vertices=transform_points(T, surface.vertices) * factor)


def random_motion(seed: int, far_m: float = 3.0) -> np.ndarray:
    """A rigid transform with any rotation."""
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return from_rotation_translation(q, rng.uniform(-far_m, far_m, 3))


def quad(origin: list[float], a: list[float], b: list[float], cell_m: float = 0.05) -> Surface:
    """The parallelogram origin + s a + t b in small triangles that face a x b."""
    na, nb = (max(1, round(float(np.linalg.norm(v)) / cell_m)) for v in (a, b))
    s, t = np.meshgrid(np.linspace(0, 1, na + 1), np.linspace(0, 1, nb + 1), indexing="ij")
    vertices = np.array(origin) + s.reshape(-1, 1) * np.array(a) + t.reshape(-1, 1) * np.array(b)
    i = np.arange((na + 1) * (nb + 1)).reshape(na + 1, nb + 1)
    quads = np.stack([i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]], -1).reshape(-1, 4)
    return Surface(vertices, None, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))


def joined(*parts: Surface) -> Surface:
    faces, start = [], 0
    for part in parts:
        assert part.faces is not None
        faces.append(part.faces + start)
        start += len(part.vertices)
    return Surface(np.concatenate([part.vertices for part in parts]), None, np.concatenate(faces))


def walls(width: float, depth: float, height: float, lean: float = 0.0) -> Surface:
    """Four walls around [0, width] x [0, depth] that face inwards; `lean` metres off the vertical towards +x."""
    up = [lean, 0.0, height]
    return joined(
        quad([0, 0, 0], [0, depth, 0], up),
        quad([width, depth, 0], [0, -depth, 0], up),
        quad([width, 0, 0], [-width, 0, 0], up),
        quad([0, depth, 0], [width, 0, 0], up),
    )
