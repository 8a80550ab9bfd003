"""A sample room that is written in a dataset's layout, and what must hold when it is read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from spaceland.geometry.transforms import transform_points
from spaceland.scenes.points import depth_camera
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_scene


@lru_cache(maxsize=1)
def sample_room() -> Scene:
    """A furnished room that stands askew in its world, eight pictures of it, each rendered once."""
    scene = open_scene("rooms:2?width=160&height=120&frames=32")
    return replace(scene, frames=tuple(_kept(frame) for frame in scene.frames[::4]))


@lru_cache(maxsize=1)
def off_center_room() -> Scene:
    """The same with pictures cut at the top and on the left, so that the principal point is far from the middle."""
    return replace(sample_room(), frames=tuple(_cut(frame) for frame in sample_room().frames))


def _cut(frame: Frame) -> Frame:
    assert frame.depth is not None and frame.object_ids is not None
    color, depth, ids = (image[24:, 10:] for image in (frame.color(), frame.depth(), frame.object_ids()))
    camera = frame.camera.cropped(10, 24, 150, 96)
    return replace(
        frame, camera=camera, depth_camera=camera, color=_same(color), depth=_same(depth), object_ids=_same(ids)
    )


def _kept(frame: Frame) -> Frame:
    assert frame.depth is not None and frame.object_ids is not None
    color, depth, ids = frame.color(), frame.depth(), frame.object_ids()
    return replace(frame, color=_same(color), depth=_same(depth), object_ids=_same(ids))


def _same(array: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: array


def assert_frames(read: Scene, room: Scene, *, depth_step_m: float, color_atol: float, order: list[int]) -> None:
    """Colour, depth to half a step, intrinsics and poses are those of the room's frames, in this order."""
    assert len(read.frames) == len(order)
    for got, number in zip(read.frames, order, strict=True):
        want = room.frames[number]
        assert np.allclose(got.T_world_cam, want.T_world_cam, atol=1e-9)
        assert (got.camera.width, got.camera.height) == (want.camera.width, want.camera.height)
        assert np.allclose(got.camera.K, want.camera.K, atol=1e-9)
        assert np.abs(got.color().astype(int) - want.color()).mean() <= color_atol
        assert got.depth is not None and want.depth is not None and got.depth_camera is not None
        step = want.camera.width // got.depth_camera.width
        assert np.abs(got.depth() - want.depth()[::step, ::step]).max() <= depth_step_m / 2 + 1e-6
    assert len({frame.content_key() for frame in read.frames}) == len(read.frames)


def assert_boxes(read: Scene, room: Scene, id_of: Mapping[int, int], atol: float = 1e-6) -> None:
    """Object `id_of[k]` has the corners of the room's object k, whatever the order of its axes."""
    assert {thing.id for thing in read.objects} == set(id_of.values())
    for k, object_id in id_of.items():
        got, want = read.objects_by_id[object_id].box, room.objects_by_id[k].box
        assert np.isclose(np.linalg.det(got.rotation), 1.0)
        distance = np.linalg.norm(got.corners()[:, None] - want.corners()[None], axis=-1)
        assert distance.min(0).max() < atol and distance.min(1).max() < atol


def assert_objects_on_their_depth(read: Scene, room: Scene, id_of: Mapping[int, int], order: list[int]) -> None:
    """Depth pixels of an object, taken to the world by what was read, lie in its box, as its points do."""
    checked = 0
    for got, number in zip(read.frames, order, strict=True):
        want = room.frames[number]
        assert got.depth is not None and want.object_ids is not None
        camera, depth = depth_camera(got), got.depth().astype(float)
        points = transform_points(got.T_world_cam, camera.unproject(camera.pixel_centers(), depth))
        step = want.camera.width // camera.width
        ids = want.object_ids()[::step, ::step]
        for k, object_id in id_of.items():
            mine = ids == k
            if mine.sum() < 30:
                continue
            thing = read.objects_by_id[object_id]
            assert thing.box.contains(points[mine], 0.04).mean() > 0.97
            assert thing.box.contains(thing.points, 0.06).mean() > 0.97
            checked += 1
    assert checked >= 10
