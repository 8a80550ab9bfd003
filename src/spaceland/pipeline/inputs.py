"""What a source is: plain pictures that have to be reconstructed first, or scenes that some reader opens.

room.mp4, video:room.mp4       a video file
photos/, images:photos/        a folder of pictures in which no reader recognises a dataset
rgbd:kitchen, rooms:7, ...     scenes, as everywhere
"""

from __future__ import annotations

import importlib
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.files import PICTURE_SUFFIXES
from spaceland.scenes.sources import KINDS

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".3gp")
_PREFIXES = ("video:", "images:")


def capture_path(source: str) -> Path | None:
    """The video file or folder of pictures that a source names; None when it names scenes.

    Raises:
        SourceError: it is a folder that these programs wrote and that holds no pictures of a room to start from.
    """
    for prefix in _PREFIXES:
        if source.startswith(prefix):
            return Path(source.removeprefix(prefix)).expanduser()
    path = Path(source).expanduser()
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        return path
    if path.is_dir() and _has_pictures(path):
        known = any(importlib.import_module(module).recognise(path) for module in KINDS.values())
        if not known:
            _refuse_own(path)
        return None if known else path
    return None


def _refuse_own(path: Path) -> None:
    if any((path / stage / "stage.json").is_file() for stage in ("keyframes", "poses", "depth")):
        raise SourceError(
            f"{path} is a work folder whose scene is not finished; run the command that made it again: what is there "
            "is kept"
        )
    if (path / "objects.json").is_file() and (path / "prompt.json").is_file():
        raise SourceError(f"{path} holds marked views, no pictures to reconstruct; give the source they were made from")


def _has_pictures(folder: Path) -> bool:
    return any(file.suffix.lower() in PICTURE_SUFFIXES for file in folder.iterdir())
