"""Conversations as others store them: LLaVA, ShareGPT, messages, and VG LLM's own sets, which are LLaVA with extras.

    {"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\\nWhat is it?"}, {"from": "gpt", ...}]}
    {"images": ["a.jpg", "b.jpg"], "messages": [{"role": "user", "content": "<image><image>..."}, ...]}
    {"video": "folder_of_frames", "conversations": [{"from": "human", "value": "<video>\\nWhat happens?"}, ...]}

Pictures take the places of <image> and <video> in order; without any place they come before the first question. A video
is a file or a folder of frames. `spar_info` (marks to be drawn, as text) and `cam2img` (intrinsics) are VG LLM's,
`marks` are those of our own rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError
from spaceland.exchange.folder import safe_path
from spaceland.exchange.markers import from_fields
from spaceland.questions.marks import Mark
from spaceland.training.config import DataConfig
from spaceland.training.samples import Clip, Sample, Still, Turn, split_places

_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant",
    "system": "system",
}  # fmt: skip


def chat_sample(row: Any, number: int, data: DataConfig, name: str, media: Path) -> Sample | str:
    """A row as a sample, or in words why it is none.

    Args:
        row: Whatever the file held.
        number: Of the row, from 0.
        data: Of the source; `frames` and `system` are used.
        name: Of the source.
        media: Folder of pictures and videos.
    """
    if not isinstance(row, Mapping):
        return "not a JSON object"
    talk = row.get("conversations", row.get("messages"))
    if not isinstance(talk, list) or not talk:
        return "no conversation"
    turns: list[Turn] = []
    kinds: list[str] = []
    for entry in talk:
        if not isinstance(entry, Mapping):
            return "a turn that is none"
        role = _ROLES.get(str(entry.get("from", entry.get("role"))))
        text = _text(entry.get("value", entry.get("content")))
        if role is None or text is None:
            return "a turn without a role or text"
        # What begins or ends an answer in blanks would melt into the template's own line breaks.
        parts, places = split_places(text.strip() if role == "assistant" else text, len(kinds))
        if role == "assistant" and places:
            return "a picture in an answer"
        kinds += places
        turns.append(Turn(role, parts))
    problem = _order_problem(turns)
    if problem:
        return problem
    try:
        found = _media(row, data, media, f"{name}, row {number + 1}")
    except (SceneError, ValueError, TypeError, KeyError, RecursionError):
        return "paths or marks that cannot be used"
    if not kinds and found:
        first = next(k for k, turn in enumerate(turns) if turn.role == "user")
        turns[first] = Turn("user", (*range(len(found)), *turns[first].parts))
    elif len(kinds) != len(found):
        return "another number of places than of pictures"
    if data.system is not None and turns[0].role != "system":
        turns.insert(0, Turn("system", (data.system,)))
    return Sample(f"{name}:{row.get('id', number)}", name, data.group, tuple(turns), found)


def _text(value: Any) -> str | None:
    """A text, or typed parts as one text with places."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Sequence):
        return None
    words = []
    for part in value:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("image", "image_url", "video"):
            words.append("<video>" if kind == "video" else "<image>")
        elif kind == "text" and isinstance(part.get("text"), str):
            words.append(part["text"])
        else:
            return None
    return "".join(words)


def _order_problem(turns: list[Turn]) -> str | None:
    roles = [turn.role for turn in turns]
    if roles[0] == "system":
        roles = roles[1:]
    if not roles or len(roles) % 2 or any(role != ("user", "assistant")[k % 2] for k, role in enumerate(roles)):
        return "turns that do not alternate between question and answer"
    if any(not "".join(map(str, turn.parts)).strip() for turn in turns if turn.role == "assistant"):
        return "an empty answer"
    return None


def _media(row: Mapping[str, Any], data: DataConfig, folder: Path, where: str) -> tuple[Still | Clip, ...]:
    """What the places stand for: pictures or videos."""
    videos = row.get("video", row.get("videos"))
    if videos:
        videos = [videos] if isinstance(videos, str) else videos
        # Places <image> with a list of frames are pictures; a video is named by one path.
        return tuple(Clip(folder / safe_path(path, where), data.frames) for path in videos)
    images = row.get("image", row.get("images")) or []
    images = [images] if isinstance(images, str) else images
    marks = _marks(row, len(images))
    K = _intrinsics(row.get("cam2img"))
    return tuple(
        Still(folder / safe_path(path, where), tuple(m for m in marks if m.image_index == k), K=K)
        for k, path in enumerate(images)
    )


def _marks(row: Mapping[str, Any], num_images: int) -> list[Any]:
    if row.get("marks"):
        return [Mark.from_json(mark) for mark in row["marks"]]
    info = row.get("spar_info")
    info = json.loads(info) if isinstance(info, str) and info else info
    if not isinstance(info, Mapping):
        return []
    return from_fields(str(info.get("type", "")), info, num_images)


def _intrinsics(matrix: Any) -> tuple[float, float, float, float] | None:
    """fx, fy, cx, cy with pixel centres at +0.5, from a calibration matrix that counts centres at whole numbers."""
    if not isinstance(matrix, list) or len(matrix) < 2:
        return None
    return float(matrix[0][0]), float(matrix[1][1]), float(matrix[0][2]) + 0.5, float(matrix[1][2]) + 0.5
