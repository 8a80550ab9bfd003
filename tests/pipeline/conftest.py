"""A sample room, and the same room as a tilted RGB-D recording with masks that a user might have."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scenes"))  # the writer of RGB-D folders
from rgbd_writer import write_rgbd

from spaceland.files import encode_png, write_bytes, write_json
from spaceland.geometry.transforms import from_rotation_translation, rotation_between
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.scenes.sources import open_scene

UP = np.array([0.1, -0.85, -0.5])
TILT = from_rotation_translation(rotation_between(np.array([0.0, 0.0, 1.0]), UP), np.array([0.3, -1.0, 2.0]))


@pytest.fixture(scope="session")
def room() -> Scene:
    scene = open_scene("rooms:3?width=160&height=120&frames=32")
    frames = []
    for frame in scene.frames:
        assert frame.depth is not None and frame.object_ids is not None
        made = (frame.color(), frame.depth(), frame.object_ids())
        color, depth, ids = ((lambda value=value: value) for value in made)
        frames.append(replace(frame, color=color, depth=depth, object_ids=ids))
    return replace(scene, frames=tuple(frames))


@pytest.fixture(scope="session")
def recording(room: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The room as a tilted RGB-D recording, and its ids as masks that a user might have."""
    pytest.importorskip("open3d", reason="fusing needs the extra recon", exc_type=ImportError)
    base = tmp_path_factory.mktemp("recording")
    written = write_rgbd(room, base / "kitchen", "open3d", T_file_world=TILT)
    for k, frame in enumerate(room.frames):
        assert frame.object_ids is not None
        ids = frame.object_ids()
        write_bytes(base / f"masks/{k:06d}.png", encode_png(np.where(ids == NO_OBJECT, 0, ids + 1).astype(np.uint16)))
    write_json(base / "masks/labels.json", {str(thing.id + 1): thing.label for thing in room.objects})
    yield str(written.folder), base / "masks"
