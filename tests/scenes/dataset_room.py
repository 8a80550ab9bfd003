"""What the tests of dataset layouts share: a sample room, pictures of it through any lens, and what must come back.

The room stands at an angle to the axes and has furniture turned in several ways, so that a box or pose that is
transposed, inverted or read with other axes cannot pass.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import minimum_filter

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.points import depth_camera
from spaceland.scenes.scene import Scene, SceneObject
from spaceland.scenes.sources import open_scene

CAMERA = PinholeCamera(160, 120, 134.0, 133.0, 81.0, 58.5)
NUM_FRAMES = 8


@cache
def sample_room() -> Scene:
    return open_scene("rooms:2?width=160&height=120&frames=32")


@cache
def poses() -> tuple[np.ndarray, ...]:
    """`T_world_cam` of 8 frames."""
    return tuple(frame.T_world_cam for frame in sample_room().frames[:: 32 // NUM_FRAMES])


@cache
def _caster() -> RayCaster:
    surface = sample_room().surface
    assert surface is not None and surface.faces is not None
    return RayCaster(surface.vertices, surface.faces)


def look(T_world_cam: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours uint8 and depth in metres along rays (x, y, 1) of a camera; every face has one colour."""
    surface = sample_room().surface
    assert surface is not None and surface.faces is not None and surface.colors is not None
    directions = np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], -1) @ T_world_cam[:3, :3].T
    hits = _caster().cast(T_world_cam[:3, 3], directions)
    return surface.colors[surface.faces[hits.face][..., 0]], hits.distance


@cache
def picture(index: int, camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray]:
    """Colour and depth of frame `index` through a camera."""
    return look(poses()[index], camera.pixel_rays()[..., :2])


def millimetres(depth: np.ndarray) -> np.ndarray:
    return np.rint(depth * 1000).astype(np.uint16)


def obb(thing: SceneObject) -> dict[str, list[float]]:
    """The annotation of an object's box, its axes in another order and every second time left-handed."""
    order = [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)][thing.id % 4]
    axes = thing.box.rotation.T[list(order)]
    axes[0] *= -1 if thing.id % 2 else 1
    return {
        "centroid": thing.box.center.tolist(),
        "axesLengths": thing.box.size[list(order)].tolist(),
        "normalizedAxes": axes.ravel().tolist(),
    }


def assert_pictures(
    scene: Scene, camera: PinholeCamera, depth_size: tuple[int, int] | None, color_error: float
) -> None:
    """All 8 frames are there with their pose, camera, colours and, to the millimetre, their depth."""
    assert len(scene.frames) == NUM_FRAMES
    for k, frame in enumerate(scene.frames):
        assert np.allclose(frame.T_world_cam, poses()[k], atol=1e-5)
        assert np.allclose(frame.camera.K, camera.K, atol=1e-3)
        assert (frame.camera.width, frame.camera.height) == (camera.width, camera.height)
        color, _ = picture(k, camera)
        assert frame.color().shape == color.shape
        assert np.abs(frame.color().astype(int) - color).mean() < color_error
        if depth_size is None:
            assert frame.depth is None and frame.depth_camera is None
            continue
        small = camera.scaled(*depth_size)
        assert frame.depth is not None and frame.depth_camera is not None
        assert np.allclose(frame.depth_camera.K, small.K, atol=1e-3)
        want = (millimetres(picture(k, small)[1]) / 1000).astype(np.float32)
        assert np.abs(frame.depth() - want).max() < 0.0011


def assert_boxes(scene: Scene, wanted: list[SceneObject]) -> None:
    """Ids, labels and boxes: the same eight corners, whatever the axes are called."""
    assert [(thing.id, thing.raw_label) for thing in scene.objects] == [(o.id, o.raw_label) for o in wanted]
    for got, want in zip(scene.objects, wanted, strict=True):
        gaps = np.linalg.norm(got.box.corners()[:, None] - want.box.corners()[None], axis=-1)
        assert gaps.min(0).max() < 2e-3 and gaps.min(1).max() < 2e-3
        assert np.isclose(np.linalg.det(got.box.rotation), 1.0)


def assert_points(scene: Scene) -> None:
    """Each object has exactly the vertices that are its own, with the triangles between them."""
    surface = sample_room().surface
    assert surface is not None and surface.object_ids is not None and surface.faces is not None
    for got, want in zip(scene.objects, sample_room().objects, strict=True):
        mine = surface.object_ids == want.id
        assert np.allclose(got.points, surface.vertices[mine], atol=1e-5)
        assert got.faces is not None and len(got.faces) == mine[surface.faces].all(1).sum() > 0


def assert_seen_where_they_are(scene: Scene) -> None:
    """Object points project onto their depth: none stands before what the frame sees, and most things are seen."""
    before, inside, seen = 0, 0, set()
    for frame in scene.frames:
        camera = depth_camera(frame)
        assert frame.depth is not None
        # A point on an outline may fall into a pixel that sees past it, so the nearest of nine pixels counts.
        depth, nearest = frame.depth(), minimum_filter(frame.depth(), 3)
        for thing in scene.objects:
            local = (thing.points - frame.T_world_cam[:3, 3]) @ frame.T_world_cam[:3, :3]
            pixels, z = camera.project(local)
            good = camera.contains(pixels)
            column, row = pixels[good].astype(int).T
            measured = depth[row, column]
            gap = (z[good] - measured)[measured > 0]
            inside += good.sum()
            before += int((z[good] < nearest[row, column] - 0.05).sum())
            if (np.abs(gap) < 0.03).sum() > 20:
                seen.add(thing.id)
    assert inside > 1000 and before < 0.002 * inside
    assert len(seen) >= 0.7 * len(scene.objects)
