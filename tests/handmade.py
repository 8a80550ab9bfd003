"""Hand-made rooms of boxes: every answer can be worked out with a pencil.

`box_scene` puts axis-aligned cuboids into an empty room and renders exact depth and object ids by ray casting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.scene import NO_OBJECT, Frame, Room, Scene, SceneObject, Surface, make_scene

CAMERA = PinholeCamera(320, 240, 260.0, 260.0, 160.0, 120.0)

# Two triangles per side, outward normals, for corners numbered as in OrientedBox.corners.
CUBOID_FACES = np.array(
    [
        [0, 2, 1],
        [1, 2, 3],
        [4, 5, 6],
        [5, 7, 6],
        [0, 1, 4],
        [1, 5, 4],
        [2, 6, 3],
        [3, 6, 7],
        [0, 4, 2],
        [2, 4, 6],
        [1, 3, 5],
        [3, 7, 5],
    ]
)


def cuboid_mesh(center: Sequence[float], size: Sequence[float], cells: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of an axis-aligned cuboid, each side split into cells x cells squares."""
    lo, span = np.asarray(center, float) - np.asarray(size, float) / 2, np.asarray(size, float)
    vertices, faces = [], []
    steps = np.linspace(0, 1, cells + 1)
    a, b = np.meshgrid(steps, steps, indexing="ij")
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    for axis in range(3):
        for side in (0.0, 1.0):
            unit = np.empty((cells + 1, cells + 1, 3))
            unit[..., axis], unit[..., (axis + 1) % 3], unit[..., (axis + 2) % 3] = side, a, b
            faces.append(triangles[:, :: 1 if side else -1] + sum(map(len, vertices)))
            vertices.append(lo + unit.reshape(-1, 3) * span)
    return np.concatenate(vertices), np.concatenate(faces)


def box_scene(
    boxes: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    poses: Sequence[np.ndarray],
    *,
    camera: PinholeCamera = CAMERA,
    room_size: Sequence[float] = (6.0, 8.0, 3.0),
    with_depth: bool = True,
    with_ids: bool = False,
    id: str = "handmade",
) -> Scene:
    """A room [0, x] x [0, y] x [0, z] with cuboids (label, center, size); object ids are 0, 1, ... in order."""
    parts = [cuboid_mesh(center, size) for _, center, size in boxes]
    room_mesh = cuboid_mesh(np.asarray(room_size) / 2, room_size, cells=40)
    all_parts = [*parts, room_mesh]
    offsets = np.cumsum([0] + [len(v) for v, _ in all_parts])
    vertices = np.concatenate([v for v, _ in all_parts])
    faces = np.concatenate([f + o for (_, f), o in zip(all_parts, offsets[:-1], strict=True)])
    vertex_ids = np.concatenate(
        [np.full(len(v), k if k < len(parts) else NO_OBJECT) for k, (v, _) in enumerate(all_parts)]
    )
    face_ids = vertex_ids[faces[:, 0]]
    caster = RayCaster(vertices, faces)
    objects = [
        SceneObject(k, label, label, parts[k][0], AxisAlignedBox.from_points(parts[k][0]).oriented(), parts[k][1])
        for k, (label, _, _) in enumerate(boxes)
    ]
    palette = np.random.default_rng(0).integers(60, 230, (len(boxes) + 1, 3)).astype(np.uint8)

    def frame(number: int, pose: np.ndarray) -> Frame:
        def ids() -> np.ndarray:
            face = caster.cast_camera(camera, pose).face
            return np.where(face >= 0, face_ids[face], NO_OBJECT).astype(np.int32)

        return Frame(
            id=f"{number:06d}",
            camera=camera,
            T_world_cam=pose,
            color=lambda: palette[ids()],
            content_key=lambda: f"{id}-{number}-{boxes!r}",
            depth=(lambda: caster.cast_camera(camera, pose).distance) if with_depth else None,
            depth_camera=camera if with_depth else None,
            object_ids=ids if with_ids else None,
            timestamp_s=number / 10,
        )

    x, y, z = room_size
    return make_scene(
        id=id,
        frames=[frame(k, pose) for k, pose in enumerate(poses)],
        objects=objects,
        surface=Surface(vertices, palette[vertex_ids], faces, vertex_ids),
        room=Room(np.array([[0.0, 0.0], [x, 0.0], [x, y], [0.0, y]]), 0.0, z, x * y),
        geometry="generated",
        provenance={"kind": "handmade"},
    )
