"""Verifies a dataset folder against the scenes it was made from.

`rows.jsonl` is read twice: once to note where the rows of each scene begin, once scene by scene, so that every scene is
opened once whatever the order of the rows (once for each part of a mixture) and memory does not grow with their number.
Within a scene rows are taken in the order of their frames, so that few depth images are held at a time. Scenes are
independent; worker processes give the same report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from spaceland.errors import SceneError, SourceError, SpacelandError
from spaceland.processes import in_processes
from spaceland.scenes import sources as scene_sources
from spaceland.verify.checker import SceneChecker
from spaceland.verify.rows import shown
from spaceland.verify.settings import Config, DatasetInfo, read_info


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


class _Place(NamedTuple):
    """Where a row stands in rows.jsonl, and its first two frames."""

    line: int
    offset: int
    frames: tuple[str, ...]


@dataclass
class _Index:
    """Places of the rows of each part and scene, and what is wrong with lines that are no rows."""

    rows: dict[tuple[str, str], list[_Place]] = field(default_factory=dict)
    broken: dict[int, tuple[str, str]] = field(default_factory=dict)
    first_ids: dict[str, str] = field(default_factory=dict)
    total: int = 0


@dataclass(frozen=True)
class _Job:
    """The rows of one scene in one part, small enough to send to a worker. `spec` is None for a scene that no source
    has."""

    directory: Path
    spec: str | None
    scene_id: str
    part: str
    rows: list[_Place]
    config: Config | None


@dataclass
class _Found:
    """Line number -> (row id, reason) of rows that do not hold, and counts of what could not be tested."""

    wrong: dict[int, tuple[str, str]]
    skipped: Mapping[str, int]


def verify_dataset(
    directory: str | Path,
    sources: Sequence[str],
    *,
    workers: int = 1,
    progress: Callable[[int, str], None] | None = None,
) -> VerifyReport:
    """Derive every answer of a dataset folder anew.

    Args:
        directory: Folder with rows.jsonl and images.
        sources: Specifications of the sources that hold the scenes, such as "rooms:1-4".
        workers: Processes; more than one for each scene are not used.
        progress: Called with (number of rows just done, scene id); `count_rows` tells how many there are.

    Raises:
        SceneError: the folder or its rows.jsonl is missing or unreadable.
        SourceError: a source cannot be opened, or rows name a scene that no source has.
    """
    directory = Path(directory)
    info = read_info(directory / "info.json")
    index = _read_index(directory, info)
    places = {scene_id: spec for spec, scene_id, _ in scene_sources.iterate_scenes(sources)}
    missing = [scene_id for scene_id in index.first_ids if scene_id not in places]
    if any(not info.scenes or scene_id in info.scenes for scene_id in missing):
        raise SourceError(
            f"{directory} has rows of scene {', '.join(missing[:5])} (first row {index.first_ids[missing[0]]}), which "
            f"is in none of the sources {', '.join(sources) or '(none)'}; give all sources the dataset was made from"
        )
    jobs = [
        _Job(directory, places.get(scene_id), scene_id, part, rows, info.configs[part])
        for (part, scene_id), rows in index.rows.items()
    ]
    wrong = dict(index.broken)
    skipped: Counter[str] = Counter()
    if progress and wrong:
        progress(len(wrong), "unreadable rows")
    for job, found in in_processes(_verify_scene, jobs, workers):
        wrong |= found.wrong
        skipped.update(found.skipped)
        if progress:
            progress(len(job.rows), job.scene_id)
    notes = []
    if info.rows not in (None, index.total):
        notes.append(f"info.json says {shown(info.rows)} rows, rows.jsonl has {index.total}")
    for part in sorted({job.part for job in jobs if job.config is None}):
        what = f"info.json has no settings of the part {shown(part)}" if part else "no info.json with settings"
        notes.append(f"{what}, so the rows' thresholds are taken as they state them")
    failures = [wrong[number] for number in sorted(wrong)]
    return VerifyReport(index.total, failures, dict(sorted(skipped.items())), notes)


def _verify_scene(job: _Job) -> _Found:
    """Check the rows of one scene, in the order of their frames."""
    places = sorted(job.rows, key=lambda place: place.frames)
    try:
        if job.spec is None:
            raise SceneError("it is in none of the sources, nor in info.json")
        scene = scene_sources.open_source(job.spec).open(job.scene_id)
    except SpacelandError as error:
        reason = f"scene {shown(job.scene_id)} cannot be opened: {error}"
        return _Found({n: (_row_id(row, n), reason) for n, row in _read_rows(job.directory, places)}, {})
    checker = SceneChecker(scene, job.directory, job.config, job.part)
    wrong = {}
    for number, row in _read_rows(job.directory, places):
        problems = checker.problems(row)
        if problems:
            wrong[number] = (_row_id(row, number), "; ".join(problems))
    return _Found(wrong, checker.skipped)


def count_rows(directory: Path) -> int:
    """Number of rows of a dataset folder; 0 where there is no readable rows.jsonl (`verify_dataset` says why)."""
    try:
        with (directory / "rows.jsonl").open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except OSError:
        return 0


def _read_index(directory: Path, info: DatasetInfo) -> _Index:
    path = directory / "rows.jsonl"
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
                    key = info.part_of(row_id), row["scene"]
                    index.rows.setdefault(key, []).append(_Place(number, start, _frames(row)))
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


def _read_rows(directory: Path, places: Sequence[_Place]) -> Iterator[tuple[int, Any]]:
    """(line number, row) of the given places."""
    with (directory / "rows.jsonl").open("rb") as lines:
        for place in places:
            lines.seek(place.offset)
            yield place.line, _parse(lines.readline())


def _row_id(row: object, number: int) -> str:
    row_id = row.get("id") if isinstance(row, dict) else None
    return row_id if isinstance(row_id, str) and row_id else f"line {number}"
