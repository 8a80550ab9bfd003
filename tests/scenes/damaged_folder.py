"""The scene folder that tests of bad input damage: written once, copied for each test."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from handmade import box_scene
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.scenes.folder import write_scene
from spaceland.scenes.scene import Scene

POSES = [look_at(np.array([1.0 + k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(3)]
BOXES = [("chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3.3, 5, 0.4), (1.2, 0.6, 0.8))]
CAMERA = PinholeCamera(160, 120, 130.0, 130.0, 80.0, 60.0)


@cache
def sound_scene() -> Scene:
    """A room with a chair and a table, and three frames with id maps."""
    return box_scene(BOXES, POSES, camera=CAMERA, with_ids=True)


@cache
def sound_files() -> dict[str, bytes]:
    """What its scene folder holds, by path."""
    with TemporaryDirectory() as name:
        root = Path(name) / "room"
        write_scene(sound_scene(), root)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def lay_out(folder: Path) -> Path:
    """Write the scene folder, to be damaged."""
    for name, data in sound_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the scene.json of a scene folder."""
    content = json.loads((folder / "scene.json").read_text())
    change(content)
    (folder / "scene.json").write_text(json.dumps(content))
