"""Verifies a dataset folder against the scenes it was made from.

`rows.jsonl` is read twice: once to note where the rows of each scene begin, once scene by scene, so that every scene is
opened once whatever the order of the rows and memory does not grow with their number. Within a scene rows are taken in
the order of their frames, so that few depth images are held at a time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError, SourceError, SpacelandError
from spaceland.files import read_json
from spaceland.scenes.sources import Source, iterate_scenes
from spaceland.verify.checker import SceneChecker
from spaceland.verify.rows import shown


@dataclass(frozen=True)
class VerifyReport:
    """What verification found.

    `failures` pairs row ids with reasons, in the order of the file. `skipped` counts by reason single tests that were
    not possible (the rest of the row was tested). `notes` are remarks on the folder that concern no single row.
    """

    total: int
    failures: list[tuple[str, str]] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def verified(self) -> int:
        return self.total - len(self.failures)

    @property
    def ok(self) -> bool:
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "verified": self.verified,
            "failures": [{"id": row_id, "reason": reason} for row_id, reason in self.failures],
            "skipped": self.skipped,
            "notes": self.notes,
        }


@dataclass
class _Index:
    """Byte offsets and line numbers of the rows of each scene, and what is wrong with lines that are no rows."""

    rows: dict[str, list[tuple[int, int, tuple[str, ...]]]] = field(default_factory=dict)
    broken: dict[int, tuple[str, str]] = field(default_factory=dict)
    first_ids: dict[str, str] = field(default_factory=dict)
    total: int = 0


def verify_dataset(
    directory: Path, sources: Sequence[str], *, progress: Callable[[int, str], None] | None = None
) -> VerifyReport:
    """Derive every answer of a dataset folder anew.

    Args:
        directory: Folder with rows.jsonl and images.
        sources: Specifications of the sources that hold the scenes, such as "rooms:1-4".
        progress: Called with (number of rows just done, scene id); `count_rows` tells how many there are.

    Raises:
        SceneError: the folder or its rows.jsonl is missing or unreadable.
        SourceError: a source cannot be opened, or rows name a scene that no source has.
    """
    path = directory / "rows.jsonl"
    index = _read_index(directory, path)
    info = _read_info(directory / "info.json")
    places: dict[str, Source] = {scene_id: source for _, scene_id, source in iterate_scenes(sources)}
    missing = [scene_id for scene_id in index.rows if scene_id not in places]
    known = info.get("scenes") if isinstance(info.get("scenes"), dict) else {}
    if any(not known or scene_id in known for scene_id in missing):
        raise SourceError(
            f"{path} has rows of scene {', '.join(missing[:5])} (first row {index.first_ids[missing[0]]}), which is in "
            f"none of the sources {', '.join(sources) or '(none)'}; give all sources the dataset was made from"
        )
    wrong = dict(index.broken)
    skipped: Counter[str] = Counter()
    if progress and wrong:
        progress(len(wrong), "unreadable rows")
    for scene_id, rows in index.rows.items():
        if scene_id in places:
            wrong |= _verify_scene(path, directory, scene_id, rows, places[scene_id], info.get("config"), skipped)
        else:
            reason = f"scene {shown(scene_id)} is in none of the sources, nor in info.json"
            wrong |= {number: (_row_id(row, number), reason) for number, row in _read_rows(path, rows)}
        if progress:
            progress(len(rows), scene_id)
    notes = []
    if info.get("rows") not in (None, index.total):
        notes.append(f"info.json says {shown(info['rows'])} rows, rows.jsonl has {index.total}")
    if not isinstance(info.get("config"), dict):
        notes.append("no info.json with settings, so the rows' thresholds are taken as they state them")
    failures = [wrong[number] for number in sorted(wrong)]
    return VerifyReport(index.total, failures, dict(sorted(skipped.items())), notes)


def _verify_scene(
    path: Path,
    directory: Path,
    scene_id: str,
    rows: list[tuple[int, int, tuple[str, ...]]],
    source: Source,
    config: Any,
    skipped: Counter[str],
) -> dict[int, tuple[str, str]]:
    """Line number -> (row id, reason) of the rows of one scene that do not hold."""
    try:
        checker = SceneChecker(source.open(scene_id), directory, config if isinstance(config, dict) else None)
    except SpacelandError as error:
        reason = f"scene {scene_id} cannot be opened: {error}"
        return {number: (_row_id(row, number), reason) for number, row in _read_rows(path, rows)}
    wrong = {}
    for number, row in _read_rows(path, sorted(rows, key=lambda place: place[2])):
        problems = checker.problems(row)
        if problems:
            wrong[number] = (_row_id(row, number), "; ".join(problems))
    skipped.update(checker.skipped)
    return wrong


def count_rows(directory: Path) -> int:
    """Number of rows of a dataset folder; 0 where there is no readable rows.jsonl (`verify_dataset` says why)."""
    try:
        with (directory / "rows.jsonl").open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except OSError:
        return 0


def _read_index(directory: Path, path: Path) -> _Index:
    if not directory.is_dir():
        raise SceneError(f"{directory} is not a folder; give the folder that `spaceland generate` wrote")
    index, ids = _Index(), set()
    try:
        with path.open("rb") as lines:
            offset = 0
            for number, line in enumerate(lines, 1):
                start, offset = offset, offset + len(line)
                if not line.strip():
                    continue
                index.total += 1
                row = _parse(line)
                row_id = _row_id(row, number)
                if not isinstance(row, dict):
                    index.broken[number] = row_id, "not a JSON object; the file may be truncated"
                elif not isinstance(row.get("id"), str) or not isinstance(row.get("scene"), str):
                    index.broken[number] = row_id, "id or scene is not text"
                elif row_id in ids:
                    index.broken[number] = row_id, f"the id occurs before line {number} already"
                else:
                    ids.add(row_id)
                    index.first_ids.setdefault(row["scene"], row_id)
                    index.rows.setdefault(row["scene"], []).append((number, start, _frames(row)))
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}; give the folder that `spaceland generate` wrote") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    return index


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        return None


def _frames(row: dict[str, Any]) -> tuple[str, ...]:
    facts = row.get("facts")
    frames = facts.get("frames") if isinstance(facts, dict) else None
    return tuple(str(f) for f in frames[:2]) if isinstance(frames, list) else ()


def _read_rows(path: Path, places: list[tuple[int, int, tuple[str, ...]]]) -> Any:
    """(line number, row) of the given lines."""
    with path.open("rb") as lines:
        for number, start, _ in places:
            lines.seek(start)
            yield number, _parse(lines.readline())


def _row_id(row: object, number: int) -> str:
    row_id = row.get("id") if isinstance(row, dict) else None
    return row_id if isinstance(row_id, str) and row_id else f"line {number}"


def _read_info(path: Path) -> dict[str, Any]:
    """info.json, or nothing where there is none."""
    if not path.exists():
        return {}
    info = read_json(path)
    return info if isinstance(info, dict) else {}
