"""A generated room as a `Scene`: objects, surface, and frames that are rendered when asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.rooms.furniture import Model
from spaceland.scenes.rooms.generate import GENERATOR, Room3D
from spaceland.scenes.rooms.mesh import Mesh, join
from spaceland.scenes.rooms.placement import Placement
from spaceland.scenes.rooms.render import Renderer
from spaceland.scenes.rooms.texels import MipTexture
from spaceland.scenes.scene import (
    NO_OBJECT,
    Frame,
    Room,
    Scene,
    SceneObject,
    Surface,
    make_scene,
    normalise_label,
)  # fmt: skip

WALK_S = 30.0
"""How long the walk takes; frames are spread evenly over it, so 300 frames are a video with 10 frames a second."""
_SURFACE_SPACING_M = 0.05
_SHADING_SPACING_M = 0.06


class _Pictures:
    """The renderer of a room, built when the first picture is asked for and shared by all frames."""

    def __init__(self, room: Room3D) -> None:
        self._room = room

    @cached_property
    def renderer(self) -> Renderer:
        room = self._room
        shell = room.shell.mesh(_SHADING_SPACING_M)
        parts = [shell] + [t.model.fine.moved(t.rotation, t.position) for t in room.placements]
        owners = [np.full(len(shell.faces), NO_OBJECT)]
        owners += [np.full(len(part.faces), k) for k, part in enumerate(parts[1:])]
        return Renderer(join(parts), np.concatenate(owners), room.plan.height_m, room.shell.lights)


def scene_of(room: Room3D, scene_id: str, num_frames: int, width: int, height: int) -> Scene:
    """The scene of a generated room."""
    camera = PinholeCamera.from_fov(width, height, room.fov_deg)
    pictures = _Pictures(room)
    key = f"rooms generator {GENERATOR} seed {room.seed} {width}x{height} frame"
    spacing_s = WALK_S / num_frames
    frames = [
        _frame(pictures, camera, room.T_world_room, pose, number, f"{key} {number} of {num_frames}", spacing_s)
        for number, pose in enumerate(room.walk.poses(num_frames))
    ]
    T = room.T_world_room
    plan = room.plan
    outline = np.column_stack([plan.polygon, np.zeros(len(plan.polygon))])
    return make_scene(
        id=scene_id,
        frames=frames,
        objects=[_object(thing, k, T) for k, thing in enumerate(room.placements)],
        surface=_surface(room),
        room=Room(transform_points(T, outline)[:, :2], 0.0, plan.height_m, plan.area_m2),
        geometry="generated",
        provenance={
            "source": "rooms",
            "generator": GENERATOR,
            "seed": room.seed,
            "kind": room.kind,
            "frames": num_frames,
            "furniture": "Blend Swap CC-0 models (CC0-1.0)",
        },
    )


def _frame(
    pictures: _Pictures,
    camera: PinholeCamera,
    T_world_room: np.ndarray,
    T_room_cam: np.ndarray,
    number: int,
    key: str,
    spacing_s: float,
) -> Frame:
    return Frame(
        id=f"{number:06d}",
        camera=camera,
        T_world_cam=T_world_room @ T_room_cam,
        color=lambda: pictures.renderer.color(camera, T_room_cam),
        content_key=lambda: key,
        depth=lambda: pictures.renderer.view(camera, T_room_cam).depth.copy(),
        depth_camera=camera,
        object_ids=lambda: pictures.renderer.view(camera, T_room_cam).object_ids.copy(),
        timestamp_s=round(number * spacing_s, 4),
    )


def _object(thing: Placement, number: int, T_world_room: np.ndarray) -> SceneObject:
    model = thing.model
    rotation = T_world_room[:3, :3] @ thing.rotation
    points = np.concatenate([model.vertices, model.samples]) @ thing.rotation.T + thing.position
    front = rotation @ np.array([0.0, -1.0, 0.0]) if model.has_front else None
    return SceneObject(
        id=number,
        label=normalise_label(model.label),
        raw_label=model.label,
        points=transform_points(T_world_room, points),
        box=OrientedBox(transform_points(T_world_room, thing.center), model.size, rotation),
        faces=model.faces,
        front_world=front,
    )


def _surface(room: Room3D) -> Surface:
    shell = room.shell.mesh(_SURFACE_SPACING_M)
    vertices, colors, faces = [shell.vertices], [_painted(shell)], [shell.faces]
    owners, start = [np.full(len(shell.vertices), NO_OBJECT)], len(shell.vertices)
    for k, thing in enumerate(room.placements):
        points, color, triangles = _colored(thing.model)
        vertices.append(points @ thing.rotation.T + thing.position)
        colors.append(color)
        faces.append(triangles + start)
        owners.append(np.full(len(points), k))
        start += len(points)
    return Surface(
        transform_points(room.T_world_room, np.concatenate(vertices)),
        np.concatenate(colors),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(owners).astype(np.int32),
    )


def _colored(model: Model) -> tuple[Float[np.ndarray, "n 3"], UInt8[np.ndarray, "n 3"], np.ndarray]:
    """Vertices with a colour each: one for every colour that meets there. Own shapes keep their pictures."""
    if model.finished is not None:  # its colours have no vertices in common
        return model.finished.vertices, _painted(model.finished), model.finished.faces
    paint = model.colors.astype(np.int64) @ [65536, 256, 1]
    key = model.faces.reshape(-1) * np.int64(1 << 24) + np.repeat(paint, 3)
    unique, index = np.unique(key, return_inverse=True)
    vertex, code = unique >> 24, unique & 0xFFFFFF
    color = np.stack([code >> 16, code >> 8 & 255, code & 255], -1).astype(np.uint8)
    points = model.vertices[vertex]
    return points, color, index.reshape(-1, 3)


def _painted(mesh: Mesh) -> UInt8[np.ndarray, "n 3"]:
    """A colour for each vertex, from its faces or from the picture on them."""
    colors = np.zeros((len(mesh.vertices), 3), np.uint8)
    for k in range(3):
        colors[mesh.faces[:, k]] = mesh.colors
    for k, texture in enumerate(mesh.textures):
        own = np.unique(mesh.faces[mesh.texture == k])
        size_m = np.full(len(own), _SURFACE_SPACING_M, np.float32)
        texel = MipTexture(texture).sample(mesh.vertices[own].astype(np.float32), size_m)
        colors[own] = np.clip(np.round(255 * texel ** (1 / 2.2)), 0, 255).astype(np.uint8)
    return colors
