"""Made-up ScanRefer rows with boxes, proposals and cameras, and replies that are right under every protocol."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from spaceland.geometry.box9 import euler_from_rotation
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, rotation_z

NAMES = ("chair", "office_chair", "table", "cabinet", "lamp", "trash_can")
CLASSES = {"chair": 2, "office_chair": 2, "table": 4, "cabinet": 0, "lamp": 17, "trash_can": 17}
IMAGE_SIZE = (640, 480)
CAM2IMG = [[500.0, 0, 320, 0], [0, 500, 240, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
# Level, looking along world y: turns about one axis only are the same numbers in every order.
LEVEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    """`num` descriptions of the objects of made-up scenes, four a scene, each of another object."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    while len(rows) < num:
        rows += _scene(f"scene{len(rows):04}_00", rng)
    return rows[:num]


def _scene(scene: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    count = 4
    # Objects stand in cells of their own, so none overlaps another.
    cells = rng.permutation(16)[:count]
    centers = np.stack([cells % 4 * 1.2 - 2, cells // 4 * 1.2 + 1, rng.uniform(0.5, 1, count)], 1).round(3)
    sizes = rng.uniform(0.4, 1.0, (count, 3)).round(3)
    boxes = np.concatenate([centers, sizes], 1)
    others = np.concatenate([rng.uniform(-3, 6, (4, 3)), rng.uniform(0.3, 1, (4, 3))], 1).round(3)
    order = rng.permutation(count + 4)
    proposals = np.concatenate([boxes, others])[order]
    align = from_rotation_translation(rotation_z(rng.uniform(-3, 3)), rng.uniform(-1, 1, 3))
    world = [from_rotation_translation(LEVEL, np.array([x, -4.0, 1.2])) for x in (-1.0, 0.0, 1.0)]
    common = {
        "proposals": proposals.tolist(),
        "axis_align_matrix": align.tolist(),
        "cam2global": [(invert_rigid(align) @ pose).tolist() for pose in world],
        "cam2img": CAM2IMG,
        "image_size": list(IMAGE_SIZE),
    }
    names = [NAMES[k] for k in rng.integers(0, len(NAMES), count)]
    return [
        {
            "scene_id": scene,
            "object_id": str(k),
            "object_name": names[k],
            "ann_id": "0",
            "description": f"the {names[k].replace('_', ' ')} of number {k}.",
            "token": ["the", names[k], "of", "number", str(k), "."],
            "gt_bbox": [*boxes[k].tolist(), 0.0, 0.0, 0.0],
            "class_18": CLASSES[names[k]],
            **common,
        }
        for k in range(count)
    ]


def gold(row: dict[str, Any]) -> str:
    """The right object in all the forms that protocols read, one on a line."""
    box = np.array(row["gt_bbox"][:6])
    frame = 1
    pose = np.array(row["axis_align_matrix"]) @ np.array(row["cam2global"][frame])
    center = pose[:3, :3].T @ (box[:3] - pose[:3, 3])
    angles = euler_from_rotation(pose[:3, :3].T)
    frame_box = {"frame": frame, "bbox_3d": [float(v) for v in (*center, *box[3:], *angles)]}
    matrix = np.array(row["cam2img"])
    u, v = (matrix[k, k] * center[k] / center[2] + matrix[k, 2] for k in (0, 1))
    width, height = row["image_size"]
    chosen = int(np.abs(np.array(row["proposals"]) - box).sum(1).argmin())
    places = " ".join(f"<LOC{int(value * 100 + 500.5):03}>" for value in box)
    pixels = f"Frame-{frame + 1},({u / width * 1000:.4f},{v / height * 1000:.4f}),{center[2]:.4f}"
    sizes = f"({box[3]:.3f},{box[5]:.3f},{box[4]:.3f})"
    return "\n".join(
        ["```json", json.dumps(frame_box), json.dumps({"bbox": box.tolist()}), "```", f"<OBJ{chosen:03}>", places]
        + [f"{pixels},{sizes}"]
    )
