"""Stages with their results on disk: resumed when nothing changed, remade when something did, left alone when yours.

Each stage owns a folder of the work folder. `stage.json` is written last, so a folder that has it is complete:

    {"stage": "poses", "key": "5f0c...", "made_by": "spaceland", "version": "0.1.0", "seconds": 24.1,
     "settings": {...}, "report": {...}, "files": {"estimate.json": 20113, ...}}

The key is a digest of the settings and of the keys of the stages before it: change the number of keyframes and all
that follows is remade. `files` are the sizes of what was made, so that a stage that lost a file is noticed and not
built upon. To put a result of your own in the place of a stage, change its files and set `made_by` to anything else
than "spaceland": such a stage is never remade, and those after it follow when its files change.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.errors import OutputError, SceneError
from spaceland.files import read_json, write_json
from spaceland.version import __version__

_OURS = "spaceland"


@dataclass(frozen=True)
class StageResult:
    """A finished stage: its folder, the digest that later stages build on, what it says of itself, and whether it was
    made just now."""

    name: str
    folder: Path
    key: str
    report: Mapping[str, Any]
    seconds: float
    made_now: bool


def run_stage(
    work: Path,
    name: str,
    settings: Mapping[str, Any],
    before: tuple[StageResult, ...],
    make: Callable[[Path], Mapping[str, Any]],
    *,
    redo: bool = False,
) -> StageResult:
    """The result of a stage: the one on disk when it still holds, else a new one.

    Args:
        work: The work folder; the stage owns `work / name`.
        name: A plain file name.
        settings: What decides the result, as JSON values.
        before: The stages it builds on.
        make: Fills the folder and returns the stage's report (JSON values).
        redo: Make it anew whatever is there (but not what you put there yourself).

    Raises:
        OutputError: the folder cannot be written.
        SceneError: files of a stage that would be kept are missing or have another size.
    """
    folder = work / name
    key = _digest([name, __version__, settings, [stage.key for stage in before]])
    known = _read(folder)
    if known is not None and known.get("made_by") != _OURS:
        return StageResult(name, folder, _digest([name, _files_state(folder)]), known.get("report", {}), 0.0, False)
    if known is not None and known.get("key") == key and not redo:
        _check_files(name, folder, known.get("files"))
        return StageResult(name, folder, key, known.get("report", {}), float(known.get("seconds", 0.0)), False)
    try:
        (folder / "stage.json").unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; choose another --out") from error
    started = time.monotonic()
    report = dict(make(folder))
    seconds = round(time.monotonic() - started, 2)
    write_json(
        folder / "stage.json",
        {
            "stage": name,
            "key": key,
            "made_by": _OURS,
            "version": __version__,
            "seconds": seconds,
            "settings": dict(settings),
            "report": report,
            "files": {path: size for path, size, _ in _files_state(folder)},
        },
    )
    return StageResult(name, folder, key, report, seconds, True)


def forget(work: Path, names: Iterable[str]) -> None:
    """Take stages for unfinished, because what they were made from is no longer there; the user's own stay."""
    for name in names:
        known = _read(work / name)
        if known is not None and known.get("made_by") == _OURS:
            (work / name / "stage.json").unlink(missing_ok=True)


def _check_files(name: str, folder: Path, files: Any) -> None:
    """Whether the files of a stage still have the sizes that they were written with."""
    if not isinstance(files, dict):
        return
    now = {path: size for path, size, _ in _files_state(folder)}
    other = [path for path, size in files.items() if now.get(path) != size]
    if other:
        raise SceneError(
            f"{folder}: {len(other)} of {len(files)} files of the stage '{name}' are missing or changed "
            f"({', '.join(other[:3])}); delete {folder} to make the stage anew, or, if the change is yours, set "
            "made_by in its stage.json to your name"
        )


def _read(folder: Path) -> dict[str, Any] | None:
    """The `stage.json` of a complete stage; None where there is none, or one that nobody can read."""
    try:
        known = read_json(folder / "stage.json")
    except SceneError:
        return None
    return known if isinstance(known, dict) and isinstance(known.get("report", {}), dict) else None


def _files_state(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files of a stage: changes when somebody changes one."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
