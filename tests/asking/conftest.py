"""Marked views of a small hand-made room: a chair, a table, a lamp and a second chair."""

from __future__ import annotations

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.prompts import BevConfig, MarkConfig, mark_scene
from spaceland.prompts.marked import MarkedFolder, read_marked

BOXES = [
    ("chair", (2, 4, 0.5), (0.5, 0.5, 1)),
    ("table", (3.4, 5, 0.4), (1.2, 0.6, 0.8)),
    ("<script>lamp", (1, 6, 1), (0.3, 0.3, 1.8)),
    ("chair", (4.5, 6, 0.5), (0.5, 0.5, 1)),
]


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> MarkedFolder:
    poses = [look_at(np.array([3 + a, 1.2, 1.5]), np.array([2.8 + 0.5 * a, 4.8, 0.6])) for a in np.linspace(-1, 1, 8)]
    out = tmp_path_factory.mktemp("ask") / "marked"
    mark_scene(
        box_scene(BOXES, poses, with_ids=True, id="room"), out, MarkConfig(num_frames=4, bev=BevConfig(size_px=400))
    )
    return read_marked(out)
