"""One scene's part of a dataset: its images and a staging file.

The staging file is written last and at once, so its existence means that the scene is finished. Its first line
describes the scene, the others are rows. It depends on nothing but the scene and the settings, whoever makes it.
"""

from __future__ import annotations

import contextlib
import gc
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.datasets.config import GenerateConfig, portable_spec
from spaceland.datasets.rows import dump_row, image_path, row_problem, to_row
from spaceland.errors import SceneError
from spaceland.files import encode_jpeg, write_bytes, write_text
from spaceland.questions.ask import ask
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_source
from spaceland.visibility import scene_visibility

MAX_EXAMPLES = 2
"""Examples of a reason for rejection that a scene, and a dataset, keeps."""


@dataclass(frozen=True)
class SceneJob:
    """What a worker needs to make one scene's part; small and picklable."""

    spec: str
    scene_id: str
    out: Path
    config: GenerateConfig
    cache_dir: Path | None


def staging_path(out: Path, scene_id: str) -> Path:
    return out / "staging" / f"{scene_id}.jsonl"


def stage_scene(job: SceneJob) -> int:
    """Make one scene's images and staging file; the number of rows."""
    check_name(job.scene_id)
    return write_staged(open_source(job.spec).open(job.scene_id), job.spec, job.out, job.config, job.cache_dir)


@contextlib.contextmanager
def _without_cycle_search() -> Iterator[None]:
    """Rows are many small containers that all stay: searching them for cycles again and again finds nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_cycle_search()
def write_staged(scene: Scene, spec: str, out: Path, config: GenerateConfig, cache_dir: Path | None) -> int:
    """Ask about a scene and write its part of the dataset; the number of rows."""
    rows, head = scene_rows(scene, spec, config, cache_dir)
    used = {frame_id for row in rows for frame_id in row["facts"]["frames"]}
    for frame in scene.frames:
        if frame.id in used:
            _write_image(out / image_path(scene.id, frame.id), frame)
    lines = [json.dumps(head, ensure_ascii=False, allow_nan=False), *(dump_row(row) for row in rows)]
    write_text(staging_path(out, scene.id), "".join(line + "\n" for line in lines))
    return len(rows)


def scene_rows(
    scene: Scene, spec: str, config: GenerateConfig, cache_dir: Path | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Checked rows of a scene, and the line that describes it."""
    for frame in scene.frames:
        check_name(frame.id)
    visibility = scene_visibility(scene, config.visibility, cache_dir)
    asked = ask(
        scene,
        config.tasks,
        per_scene=config.per_scene,
        seed=config.seed,
        policy=config.policy,
        conventions=config.conventions,
        visibility=visibility,
    )
    rows, broken = [], Counter[str]()
    for question in asked.questions:
        row = to_row(question)
        problem = row_problem(row)
        if problem:
            broken[problem] += 1
        else:
            rows.append(row)
    rejections = dict(asked.rejections)
    if broken:
        rejections["check"] = dict(sorted(broken.items()))
    used = {frame_id for row in rows for frame_id in row["facts"]["frames"]}
    examples = {
        task: {reason: _choose_examples(found, used) for reason, found in reasons.items()}
        for task, reasons in asked.rejection_examples.items()
        if reasons
    }
    return rows, {
        **_describe(scene, spec, len(rows)),
        "rejections": rejections,
        "rejection_examples": examples,
    }


def _choose_examples(found: list[dict[str, Any]], used: set[str]) -> list[dict[str, Any]]:
    """The examples of a reason that the dataset keeps; first those whose frames it holds as pictures anyway."""
    told = [{**e, "pictured": bool(e["frames"]) and used.issuperset(e["frames"])} for e in found]
    return sorted(told, key=lambda example: not example["pictured"])[:MAX_EXAMPLES]


def _describe(scene: Scene, spec: str, num_rows: int) -> dict[str, Any]:
    room = scene.room
    return {
        "scene": scene.id,
        "room_id": scene.room_id,
        "source": portable_spec(spec),
        "rows": num_rows,
        "frames": len(scene.frames),
        "objects": [
            [
                *(round(float(v), 3) + 0.0 for v in thing.box.center[:2]),
                thing.label,
                *(round(float(v), 3) for v in thing.box.size[:2]),
                round(float(np.degrees(np.arctan2(thing.box.rotation[1, 0], thing.box.rotation[0, 0]))), 1) + 0.0,
            ]
            for thing in scene.objects
        ],
        "floor": None if room is None else [[round(float(v), 3) + 0.0 for v in point] for point in room.floor_polygon],
        "geometry": scene.geometry,
        "provenance": dict(scene.provenance),
        "skipped": dict(scene.skipped),
    }


def _write_image(path: Path, frame: Frame) -> None:
    """A JPEG of the frame: the source's own bytes where they are JPEG already."""
    if frame.color_path is not None and frame.color_path.suffix.lower() in (".jpg", ".jpeg"):
        try:
            write_bytes(path, frame.color_path.read_bytes())
        except FileNotFoundError:
            raise SceneError(f"missing file: {frame.color_path}") from None
    else:
        write_bytes(path, encode_jpeg(frame.color()))


def check_name(name: str) -> None:
    """Refuse scene and frame ids that would leave the dataset folder when used as a file name."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0:") or not name.isprintable():
        raise SceneError(
            f"'{name}' cannot be a file name; scene and frame ids must not contain / \\ : or start with a dot"
        )
