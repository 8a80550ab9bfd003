"""The folders that runs learn from and are asked about: pictures, conversations for training, rows for scoring.

    FOLDER/config.json           which rooms; the oracle finds the truth through it
    FOLDER/images/SCENE/*.jpg    frames without marks, and the bird's-eye view where one is wanted
    FOLDER/chats.json            a clip and several questions each, for training; marks are data
    FOLDER/blind.json            the same without pictures
    FOLDER/rows.jsonl            one question each, for scoring
    FOLDER/staging/SCENE.json    one finished room

A room is made from its seed and its clips from the seed and the room, so any part can be made again alone.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from bench.learning.questions import TASKS, Shot, one_of_each, pick_points, questions_of, to_row

from spaceland.errors import TrainingError
from spaceland.files import encode_jpeg, read_json, write_bytes, write_json, write_text
from spaceland.progress import progress_bar
from spaceland.prompts import BevConfig
from spaceland.prompts.bev import render_bev
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import iterate_scenes
from spaceland.training.tables import differences, to_table
from spaceland.training.truth import keep_depth

_FARTHEST = 5
"""Frames of a walk of 32 that two views of a clip may be apart."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """One folder: rooms ("1-120"), clips of a room, tasks (one question of each about a clip), what pictures show."""

    rooms: str
    clips: int
    tasks: tuple[str, ...] = TASKS
    width: int = 168
    height: int = 112
    marks: bool = True
    bev: bool = False
    seed: int = 0

    @property
    def source(self) -> str:
        """As `spaceland` names scenes."""
        return f"rooms:{self.rooms}?width={self.width}&height={self.height}"


def make_data(spec: DataSpec, folder: Path, workers: int = 1) -> Path:
    """Make a folder, unless it is there; the same spec gives the same bytes.

    Raises:
        TrainingError: the folder was made with another spec.
    """
    settings = {"sources": [spec.source], "data": to_table(spec)}
    if (folder / "config.json").is_file():
        changed = differences(read_json(folder / "config.json"), settings)
        if changed:
            raise TrainingError(f"{folder} was made otherwise ({'; '.join(changed)}); choose another --out")
        return folder
    scenes = [scene_id for _, scene_id, _ in iterate_scenes([spec.source])]
    chats: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with progress_bar(f"rooms {spec.rooms}", len(scenes)) as advance, ProcessPoolExecutor(workers) as pool:
        job = partial(_room, spec, folder)
        made = map(job, scenes) if workers == 1 else pool.map(job, scenes)
        for scene_id, (own_chats, own_rows) in zip(scenes, made, strict=True):
            chats += own_chats
            rows += own_rows
            advance(1, scene_id)
    write_json(folder / "chats.json", chats)
    write_json(folder / "blind.json", [_without_pictures(chat) for chat in chats])
    write_text(folder / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_json(folder / "config.json", settings)  # last: it says that the folder is whole
    return folder


def _room(spec: DataSpec, folder: Path, scene_id: str) -> Any:
    """Conversations and rows of a room, made or as they were staged."""
    staged = folder / "staging" / f"{scene_id}.json"
    if not staged.is_file():
        source = next(source for _, found, source in iterate_scenes([spec.source]) if found == scene_id)
        write_json(staged, room_clips(source.open(scene_id), spec, folder))
    return read_json(staged)


def room_clips(scene: Scene, spec: DataSpec, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Conversations and rows of one room; its pictures are written."""
    rng = Random(f"{spec.seed}:{scene.id}")
    shots: dict[int, Shot] = {}
    extra = [_bev(scene, folder)] if spec.bev else []
    chats, rows = [], []
    for number in range(spec.clips):
        for _ in range(50):
            first = rng.randrange(len(scene.frames))
            second = first + rng.choice([-1, 1]) * rng.randint(1, _FARTHEST)
            if not 0 <= second < len(scene.frames):
                continue
            clip = [_shot(scene, k, shots, spec, folder) for k in (first, second)]
            points = pick_points(clip, rng)
            if points is not None:
                break
        else:
            continue
        asked = one_of_each(questions_of(clip, points, rng, drawn=spec.marks), spec.tasks, rng)
        if not asked:
            continue
        name = f"{scene.id}-{number}"
        images = [f"images/{scene.id}/{shot.id}.jpg" for shot in clip] + extra
        marks = [point.mark() for point in points] if spec.marks else []
        chats.append(_chat(name, images, marks, asked))
        rows += [
            to_row(q, id=f"{name}-{k}", scene=scene.id, images=images, marks=marks, frames=[s.id for s in clip])
            for k, q in enumerate(asked)
        ]
    return chats, rows


def _shot(scene: Scene, number: int, known: dict[int, Shot], spec: DataSpec, folder: Path) -> Shot:
    if number not in known:
        frame = scene.frames[number]
        truth = keep_depth(frame, spec.source, scene.id)
        known[number] = Shot(frame.id, truth.depth_m, truth.camera, truth.T_world_cam)
        path = folder / f"images/{scene.id}/{frame.id}.jpg"
        if not path.is_file():
            write_bytes(path, encode_jpeg(frame.color()))
    return known[number]


def _bev(scene: Scene, folder: Path) -> str:
    path = f"images/{scene.id}/bev.jpg"
    if not (folder / path).is_file():
        image = render_bev(scene, BevConfig(size_px=168, camera_path=True)).image
        write_bytes(folder / path, encode_jpeg(np.ascontiguousarray(image)))
    return path


def _chat(name: str, images: list[str], marks: list[Any], asked: list[Any]) -> dict[str, Any]:
    turns = []
    for question in asked:
        turns.append({"from": "human", "value": question.text})
        turns.append({"from": "gpt", "value": question.answer})
    return {"id": name, "images": images, "marks": [mark.to_json() for mark in marks], "conversations": turns}


def _without_pictures(chat: dict[str, Any]) -> dict[str, Any]:
    return {"id": chat["id"], "conversations": chat["conversations"]}
