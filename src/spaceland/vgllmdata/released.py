"""Reads the JSON that VG LLM released (zd11024/VG-LLM-Data), and files of the same form.

    train/scanrefer_train_32frames.json, scan2cap_..., scannet_det_...    tasks in 3D; evaluation/* has cameras, too
    train/spar_234k.json, spar_7m.jsonl     SPAR questions; `spar_info` is JSON text with the task and its marks, which
                                            are drawn on the pictures as they are stored, before any resizing
    train/llava_hound_64k.json              questions about a video: `video` is a folder of frames, one a second

A name may end in a share, as in VG LLM's trainer: "spar_7m.jsonl%3" is three percent of the rows, drawn by the seed
(there: anew in each run). JSON arrays are decoded row by row, JSONL is never in memory as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, Literal

import numpy as np

from spaceland.errors import SceneError, SourceError
from spaceland.exchange.folder import safe_path
from spaceland.exchange.markers import NAV_TYPE, from_fields
from spaceland.files import PICTURE_SUFFIXES
from spaceland.questions.marks import Mark
from spaceland.tasks3d.prompts import IMAGE, Form, in_form

Kind = Literal["grounding", "captioning", "detection", "spar", "video", "chat"]
VIDEO = "<video>"
_SHARE = re.compile(r"(.+)%(\d{1,3})")
_BLANK = re.compile(r"[\s,]*")
_DATASETS: dict[str, Kind] = {
    "scanrefer": "grounding",
    "scan2cap": "captioning",
    "grounding": "grounding",
    "captioning": "captioning",
    "detection": "detection",
}
_SIDES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True)
class ReleasedRow:
    """A row. `turns` are (user or assistant, text) with `<image>` and `<video>` as stored; a row of the kind "video"
    has a folder (or file) instead of images. `task` is SPAR's, "" for other kinds. `fields` is the row as it was."""

    number: int
    kind: Kind
    turns: tuple[tuple[str, str], ...]
    images: tuple[str, ...] = ()
    video: str | None = None
    task: str = ""
    marks: tuple[Mark, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def scene(self) -> str:
        """The folder of the first image in which scans lie, or the video's name."""
        if self.video is not None:
            return PurePosixPath(self.video).stem
        if not self.images:
            return "none"
        parts = PurePosixPath(self.images[0]).parts
        if "images" in parts[:-1]:
            return parts[parts.index("images") + 1]
        return parts[-2] if len(parts) > 1 else parts[0]

    def turns_in(self, form: Form, num_frames: int | None = None) -> tuple[tuple[str, str], ...]:
        """The turns as training or evaluation has them; a video's place becomes that of `num_frames` pictures."""
        turns = [
            (role, text.replace(VIDEO, IMAGE * num_frames) if num_frames is not None else text)
            for role, text in self.turns
        ]
        return tuple((role, in_form(text, form) if role == "user" else text) for role, text in turns)


def split_share(name: str) -> tuple[Path, int | None]:
    """A path and the percent behind it.

    >>> split_share("train/spar_7m.jsonl%3")[1], split_share("train/spar_234k.json")[1]
    (3, None)
    """
    found = _SHARE.fullmatch(name)
    return (Path(found[1]), int(found[2])) if found else (Path(name), None)


def read_released(
    path: Path, *, percent: int | None = None, seed: int = 0, limit: int | None = None
) -> Iterator[ReleasedRow | str]:
    """Rows of a file in its order; in place of one that is no good the reason, in words.

    Args:
        path: .json (an array) or .jsonl.
        percent: Only so many percent of the rows (rounded down), drawn.
        seed: Of the draw.
        limit: At most so many rows.

    Raises:
        SceneError: the file is missing or not JSON.
        SourceError: it is no list of rows, or percent is not one of 1 to 100.
    """
    if percent is not None and not 1 <= percent <= 100:
        raise SourceError(f"{path}%{percent}: the share must be 1 to 100 percent")
    chosen: set[int] | None = None
    if percent is not None and percent < 100:
        total = count_rows(path)
        chosen = set(Random(f"{seed}|share").sample(range(total), total * percent // 100))
    given = 0
    for number, value in enumerate(_values(path, chosen)):
        if chosen is not None and number not in chosen:
            continue
        if limit is not None and given >= limit:
            return
        given += 1
        yield parse_row(number, value, f"{path}, row {number}")


def count_rows(path: Path) -> int:
    """How many rows a file has."""
    return sum(1 for _ in _values(path, set()))


def _values(path: Path, wanted: set[int] | None) -> Iterator[Any]:
    """The rows of a file; None for lines of a JSONL that are not wanted, which are then not decoded."""
    try:
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(line for line in lines if line.strip()):
                    yield json.loads(line) if wanted is None or number in wanted else None
            return
        text = path.read_text(encoding="utf-8")
        decoder, at = json.JSONDecoder(), _BLANK.match(text).end()  # type: ignore[union-attr]
        if text[at : at + 1] != "[":
            raise SourceError(f"{path}: expected a JSON array of rows")
        at += 1
        while True:
            at = _BLANK.match(text, at).end()  # type: ignore[union-attr]
            if text[at : at + 1] == "]":
                return
            value, at = decoder.raw_decode(text, at)
            yield value
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path} is not valid JSON ({error}); the file may be truncated, copy it again") from error


def parse_row(number: int, row: Any, where: str) -> ReleasedRow | str:
    """One row, or what is wrong with it.

    Raises:
        SceneError: a path in it would leave its folder.
    """
    if not isinstance(row, dict):
        return "not an object"
    turns = _turns(row.get("conversations"))
    if turns is None:
        return "no question and answer in 'conversations'"
    images = row.get("images") or row.get("image") or []
    images = [images] if isinstance(images, str) else images
    video = row.get("video")
    video = video[0] if isinstance(video, list) and len(video) == 1 else video
    if not isinstance(images, list) or not (video is None or isinstance(video, str)):
        return "images are no list of paths, or video is no path"
    paths = tuple(str(safe_path(path, where)) for path in images)
    if video is not None:
        video = str(safe_path(video, where))
    places = sum(text.count(IMAGE) for _, text in turns)
    if video is None and places != len(paths):
        return "another number of images than of places in the text"
    task, marks = "", ()
    if row.get("spar_info") is not None:
        try:
            info = row["spar_info"]
            info = json.loads(info) if isinstance(info, str) else info
            task = str(info["type"])
            task = "nav_video" if task == NAV_TYPE else task
            marks = tuple(from_fields(task, info, len(paths)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return f"spar_info: {type(error).__name__}: {str(error)[:80]}"
    return ReleasedRow(number, _kind(row, video), turns, paths, video, task, marks, row)


def _turns(talk: Any) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(talk, list):
        return None
    turns = []
    for turn in talk:
        if not isinstance(turn, dict):
            return None
        role, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
        if role not in _SIDES or not isinstance(text, str):
            return None
        turns.append((_SIDES[role], text))
    roles = [role for role, _ in turns]
    return tuple(turns) if "user" in roles and "assistant" in roles else None


def _kind(row: Mapping[str, Any], video: str | None) -> Kind:
    metadata = row.get("metadata")
    if isinstance(metadata, Mapping):
        # Our exports name the task, the release names the dataset.
        for name in (metadata.get("task"), metadata.get("dataset")):
            if isinstance(name, str) and name in _DATASETS:
                return _DATASETS[name]
    if "boxes" in row:
        return "detection"
    if row.get("spar_info") is not None:
        return "spar"
    return "chat" if video is None else "video"


def video_frames(total: int, *, interval_s: float = 2.0, least: int = 4, most: int = 8) -> list[int]:
    """Which frames of a folder with one frame a second are shown: one every two seconds, 4 to 8, evenly spread with
    the first and the last.

    >>> video_frames(12), video_frames(3), video_frames(100)
    ([0, 2, 4, 6, 8, 11], [0, 1, 2], [0, 14, 28, 42, 56, 70, 84, 99])
    """
    wanted = min(max(round(total / interval_s), least), most)
    return sorted({int(k) for k in np.linspace(0, total - 1, wanted).astype(int)}) if total else []


def frames_of(folder: Path) -> list[Path]:
    """The frames of a video's folder that are shown, in order of their names; none where it is not there."""
    if not folder.is_dir():
        return []
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
    return [files[k] for k in video_frames(len(files))]
