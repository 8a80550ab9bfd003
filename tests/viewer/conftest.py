"""A small dataset folder from two hand-made rooms, made once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.rows import dump_row, image_path
from spaceland.datasets.stage import scene_rows, staging_path
from spaceland.datasets.write import write_dataset
from spaceland.files import encode_jpeg, write_bytes, write_text
from spaceland.geometry.transforms import look_at

BOXES = [
    ("chair", (2, 4, 0.5), (0.5, 0.5, 1)),
    ("table", (3.4, 5, 0.4), (1.2, 0.6, 0.8)),
    ("lamp", (1, 6, 1), (0.3, 0.3, 1.8)),
    ("chair", (4.5, 6, 0.5), (0.5, 0.5, 1)),
    ("sofa", (2.6, 7.3, 0.4), (2, 0.9, 0.8)),
    ("crate", (4.5, 3, 0.4), (0.6, 0.6, 0.6)),
]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rooms, every task, 34 frames each."""
    out = tmp_path_factory.mktemp("viewer") / "dataset"
    poses = [
        look_at(np.array([3 + 1.5 * np.sin(a), 1.2 + 0.1 * a, 1.5]), np.array([2.5 + 0.3 * a, 4.5, 0.6]))
        for a in np.linspace(-1, 1, 34)
    ]
    mirrored = [(label, (6 - x, y, z), size) for label, (x, y, z), size in BOXES]
    config, ids = GenerateConfig(per_scene=3), ["roomA", "roomB"]
    for scene_id, boxes in zip(ids, (BOXES, mirrored), strict=True):
        scene = box_scene(boxes, poses, with_ids=True, id=scene_id)
        rows, head = scene_rows(scene, "rooms:1-2", config, None)
        used = {frame for row in rows for frame in row["facts"]["frames"]}
        for frame in scene.frames:
            if frame.id in used:
                write_bytes(out / image_path(scene_id, frame.id), encode_jpeg(frame.color()))
        write_text(
            staging_path(out, scene_id), "".join(line + "\n" for line in [json.dumps(head), *map(dump_row, rows)])
        )
    write_dataset(out, ids, config.to_json(["rooms:1-2"]), [])
    return out
