"""Scenes moved as a whole, or seen in a mirror: what questions say about them is known in advance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation, rotation_z, transform_points
from spaceland.scenes.scene import Frame, Scene, SceneObject

_FLIP = np.diag([-1.0, 1.0, 1.0])


def turned(scene: Scene, yaw_rad: float, shift: tuple[float, float, float]) -> Scene:
    """The same room after a turn about the vertical and a shift of the world; pictures stay as they are."""
    T = from_rotation_translation(rotation_z(yaw_rad), np.array(shift))
    room = scene.room
    assert scene.surface is not None and room is not None
    corners = np.concatenate([room.floor_polygon, np.full((len(room.floor_polygon), 1), room.floor_z_m)], 1)
    return replace(
        scene,
        frames=tuple(replace(f, T_world_cam=T @ f.T_world_cam) for f in scene.frames),
        objects=tuple(_moved(thing, T) for thing in scene.objects),
        surface=replace(scene.surface, vertices=transform_points(T, scene.surface.vertices)),
        room=replace(room, floor_polygon=transform_points(T, corners)[:, :2], floor_z_m=room.floor_z_m + shift[2]),
    )


def _moved(thing: SceneObject, T: np.ndarray) -> SceneObject:
    box = OrientedBox(transform_points(T, thing.box.center), thing.box.size, T[:3, :3] @ thing.box.rotation)
    return replace(thing, points=transform_points(T, thing.points), box=box)


def mirrored(scene: Scene) -> Scene:
    """The room in a mirror (world x becomes -x), with cameras that take mirrored pictures of it."""
    surface, room = scene.surface, scene.room
    assert surface is not None and surface.faces is not None and room is not None
    return replace(
        scene,
        frames=tuple(_mirrored_frame(frame) for frame in scene.frames),
        objects=tuple(_mirrored_object(thing) for thing in scene.objects),
        surface=replace(surface, vertices=surface.vertices @ _FLIP, faces=surface.faces[:, ::-1]),
        room=replace(room, floor_polygon=room.floor_polygon * [-1, 1]),
    )


def _mirrored_object(thing: SceneObject) -> SceneObject:
    box = OrientedBox(_FLIP @ thing.box.center, thing.box.size, _FLIP @ thing.box.rotation @ _FLIP)
    faces = None if thing.faces is None else thing.faces[:, ::-1]
    return replace(thing, points=thing.points @ _FLIP, box=box, faces=faces)


def _mirrored_frame(frame: Frame) -> Frame:
    c = frame.camera
    camera = PinholeCamera(c.width, c.height, c.fx, c.fy, c.width - c.cx, c.cy)
    T = np.eye(4)
    T[:3, :3] = _FLIP @ frame.T_world_cam[:3, :3] @ _FLIP
    T[:3, 3] = _FLIP @ frame.T_world_cam[:3, 3]
    depth, ids = frame.depth, frame.object_ids
    assert depth is not None and ids is not None
    return replace(
        frame,
        camera=camera,
        depth_camera=camera,
        T_world_cam=T,
        color=lambda: frame.color()[:, ::-1],
        depth=lambda: depth()[:, ::-1],
        object_ids=lambda: ids()[:, ::-1],
    )
