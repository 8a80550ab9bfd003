"""A hand-made room, its rows, and ways to spoil them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from handmade import box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.files import encode_jpeg, write_bytes, write_text
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.scenes.scene import Scene
from spaceland.visibility import SceneVisibility, scene_visibility

Row = dict[str, Any]
CAMERA = PinholeCamera(200, 150, 162.5, 162.5, 100.0, 75.0)
BOXES = [
    ("chair", (2, 4, 0.5), (0.5, 0.5, 1)),
    ("table", (3.4, 5, 0.4), (1.2, 0.6, 0.8)),
    ("cup", (3.6, 4.8, 0.85), (0.1, 0.1, 0.1)),
    ("box", (4.5, 3.0, 0.4), (0.6, 0.6, 0.6)),
    ("lamp", (1, 6, 1), (0.3, 0.3, 1.8)),
    ("chair", (4.5, 6, 0.5), (0.5, 0.5, 1)),
    ("shelf", (5.6, 5.0, 0.9), (0.4, 0.9, 1.8)),
    ("plant", (0.7, 4.2, 0.6), (0.4, 0.4, 1.2)),
]
HOSTILE = (
    "left door", "chair (red box)", "a;b front", "<b>above</b>", "{0} [1, 2, 3, 4]", "2", "object 3.5 m", "closer .+ m",
)  # fmt: skip


def poses(count: int = 32) -> list[np.ndarray]:
    """A camera that looks round, so that one thing after another comes into view, and then swings past them."""
    eye = np.array([3 - 1.5 * np.sin(1), 1.1, 1.4])
    looks = np.radians([-44.0] * 4 + [-35.0] * 4 + [-18.0] * 4 + [4.5] * 4 + [70.0] * 2)
    return [look_at(eye, eye + [np.sin(a), np.cos(a), -0.05]) for a in looks] + [
        look_at(
            np.array([3 + 1.5 * np.sin(a), 1.2 + 0.1 * a, 1.5 + 0.2 * np.cos(3 * a)]),
            np.array([3 + 2.4 * np.sin(5 * a), 5.0, 0.6]),
        )
        for a in np.linspace(-1, 1, count)
    ]


@cache
def room(kind: str = "ids", labels: tuple[str, ...] = (), moved: int = -1) -> Scene:
    """The room as an "ids", "depth", "mesh", "bare mesh" or "points" scene; `moved` names a thing half a metre away."""
    boxes = [
        (labels[k] if k < len(labels) else label, (center[0] + (0.5 if k == moved else 0), *center[1:]), size)
        for k, (label, center, size) in enumerate(BOXES)
    ]
    scene = box_scene(boxes, poses(), with_ids=kind == "ids", with_depth=kind in ("ids", "depth"), camera=CAMERA)
    assert scene.surface is not None
    if kind == "bare mesh":
        return replace(scene, surface=replace(scene.surface, object_ids=None))
    if kind == "points":
        return replace(scene, surface=replace(scene.surface, faces=None))
    return scene


@cache
def _visibility(kind: str) -> SceneVisibility:
    return scene_visibility(room(kind))


@cache
def _lines(kind: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    # What is seen does not depend on labels where the scene has an id map.
    seen = _visibility("ids" if labels else kind)
    return tuple(json.dumps(to_row(q)) for q in ask(room(kind, labels), per_scene=12, visibility=seen).questions)


@cache
def _lines_by_kind() -> dict[tuple[str, str], list[str]]:
    """The lines of each task and format."""
    found: dict[tuple[str, str], list[str]] = {}
    for line, row in zip(_lines("ids", ()), rows(), strict=True):
        found.setdefault((row["task"], row["format"]), []).append(line)
    return found


def rows(kind: str = "ids", labels: tuple[str, ...] = ()) -> list[Row]:
    """Fresh rows of the room, as they come out of a file."""
    return [json.loads(line) for line in _lines(kind, labels)]


def rows_of(task: str, format: str) -> list[Row]:
    """Fresh rows of a task and format."""
    return [json.loads(line) for line in _lines_by_kind()[task, format]]


def one(task: str, format: str) -> Row:
    """A row of a task and format."""
    return rows_of(task, format)[0]


def kinds_of_rows() -> list[Row]:
    """One row for each task and format."""
    return [one(task, format) for task, format in _lines_by_kind()]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of everything in a JSON value that is no list and no object."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def changed(row: Any, path: Sequence[Any], value: Any) -> Any:
    """A row with another value in one place; what is beside that place is shared with the old row."""
    if not path:
        return value
    new = row.copy()
    new[path[0]] = changed(row[path[0]] if len(path) > 1 else None, path[1:], value)
    return new


def write_folder(folder: Path, lines: Sequence[Row], scene: Scene) -> Path:
    """A dataset folder with rows and images, without info.json."""
    write_text(folder / "rows.jsonl", "".join(dump_row(row) + "\n" for row in lines))
    picture = encode_jpeg(scene.frames[0].color())
    for name in {name for row in lines for name in row["images"]}:
        write_bytes(folder / name, picture)
    return folder


class Rooms:
    """A source of ready scenes, in the place of `spaceland.scenes.sources.open_source`."""

    kind = "test"

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = {scene.id: scene for scene in scenes}
        self.opened: list[str] = []

    def ids(self) -> list[str]:
        return list(self.scenes)

    def open(self, scene_id: str) -> Scene:
        self.opened.append(scene_id)
        return self.scenes[scene_id]
