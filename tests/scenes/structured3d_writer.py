"""Writes a `Scene` in Structured3D's layout: one room of a flat, its pictures, boxes of all objects, structure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from spaceland.files import encode_png
from spaceland.scenes.scene import Frame, Scene

ROOM = "485142"
SCENE_ID = f"scene_00042_room_{ROOM}"
# What the tests call things; all others become 40 (otherprop).
NUMBERS = {
    "door": 8,
    "window": 9,
    "bed": 4,
    "nightstand": 32,
    "lamp": 35,
    "wardrobe": 39,
    "bookshelf": 10,
    "picture": 11,
}


def write_structured3d(scene: Scene, root: Path, *, config: str = "full", light: str = "rawlight") -> Path:
    """Write `root/scene_00042` and return it. Object k becomes instance k + 7, so that 0 means nothing special."""
    folder = root / "scene_00042"
    perspective = folder / "2D_rendering" / ROOM / "perspective" / config
    for number, frame in enumerate(scene.frames):
        write_position(scene, frame, perspective / str(number), light)
    boxes = []
    for thing in scene.objects:
        axes = thing.box.rotation * (1 if thing.id % 2 else -1)  # the dataset has left-handed ones too
        boxes.append(
            {
                "ID": thing.id + 7,
                "basis": axes.T.tolist(),
                "coeffs": (thing.box.size * 500).tolist(),
                "centroid": (thing.box.center * 1000).tolist(),
            }
        )
    (folder / "bbox_3d.json").write_text(json.dumps(boxes))
    (folder / "annotation_3d.json").write_text(json.dumps(annotation(scene)))
    return folder


def write_position(scene: Scene, frame: Frame, folder: Path, light: str) -> None:
    """One picture with everything that belongs to it."""
    assert frame.depth is not None and frame.object_ids is not None
    folder.mkdir(parents=True)
    opaque = np.full((frame.camera.height, frame.camera.width, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([frame.color(), opaque], -1)).save(folder / f"rgb_{light}.png")
    (folder / "depth.png").write_bytes(encode_png(np.rint(frame.depth() * 1000).astype(np.uint16)))
    ids = frame.object_ids()
    (folder / "instance.png").write_bytes(encode_png(np.where(ids < 0, 65535, ids + 7).astype(np.uint16)))
    numbers = np.array([NUMBERS.get(thing.label, 40) for thing in scene.objects] + [1], np.uint8)
    semantic = Image.fromarray(numbers[ids]).convert("P")
    semantic.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    semantic.putdata(numbers[ids].ravel().tolist())
    semantic.save(folder / "semantic.png")
    camera, T = frame.camera, frame.T_world_cam
    half = [np.arctan(camera.width / 2 / camera.fx), np.arctan(camera.height / 2 / camera.fy)]
    numbers = [*(T[:3, 3] * 1000), *T[:3, 2], *-T[:3, 1], *half, 1]
    (folder / "camera_pose.txt").write_text(" ".join(repr(float(value)) for value in numbers))


def annotation(scene: Scene) -> dict[str, object]:
    """Floor and ceiling of the room as planes of lines between junctions, after those of another room."""
    assert scene.room is not None and scene.room.height_m is not None
    outline = scene.room.floor_polygon
    k = len(outline)
    low, high = scene.room.floor_z_m, scene.room.floor_z_m + scene.room.height_m
    points = [[*xy, z] for z in (low, high) for xy in outline]
    points += [[x, y, low] for x, y in ((20.0, 20.0), (21.0, 20.0), (20.0, 21.0))]
    ends = [(base + (j + 1) % k, base + j) for base in (0, k) for j in range(k)]
    ends += [(2 * k, 2 * k + 1), (2 * k + 1, 2 * k + 2), (2 * k + 2, 2 * k)]
    order = np.random.default_rng(1).permutation(len(ends))  # lines come in no particular order
    lines = [ends[j] for j in order]
    owner = np.array([0] * k + [1] * k + [2] * 3)[order]
    planes = [("floor", [0, 0, 1]), ("ceiling", [0, 0, -1]), ("floor", [0, 0, 1])]
    return {
        "junctions": [{"ID": j, "coordinate": (np.array(p) * 1000).tolist()} for j, p in enumerate(points)],
        "lines": [{"ID": j} for j in range(len(lines))],
        "planes": [{"ID": j, "type": kind, "normal": normal, "offset": 0} for j, (kind, normal) in enumerate(planes)],
        "semantics": [
            {"ID": 1, "type": "kitchen", "planeID": [2]},
            {"ID": int(ROOM), "type": "bedroom", "planeID": [0, 1]},
        ],
        "planeLineMatrix": [(owner == plane).astype(int).tolist() for plane in range(3)],
        "lineJunctionMatrix": [[int(j in pair) for j in range(len(points))] for pair in lines],
        "cuboids": [],
        "manhattan": [],
    }
