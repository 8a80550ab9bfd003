"""An audit of released answers: each is derived anew from the user's own scans, and the agreement is told per task.

SPAR-7M stores no objects, poses or coordinates, so a row is traced back: its scene is opened, its marks are matched to
objects by pixel and label (`locate`), the answer is worked out (`solve`) and compared. Rows that cannot be traced are
counted by reason. Scenes are opened one at a time; of the files only places of rows are kept.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np

from spaceland.errors import SpacelandError
from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import Case, Reading, Verdict
from spaceland.exchange.dataset import MAX_STILLS, Progress
from spaceland.exchange.locate import Locator
from spaceland.exchange.solve import SOLVERS
from spaceland.exchange.spar7m_read import QaFile, SparRow, lines_of, parse_line, row_at
from spaceland.scenes.sources import iterate_scenes

_EXAMPLES = 5


@dataclass
class TaskAudit:
    """Counts of one task. `disagree` holds (row id, what it says, what was derived) of a few."""

    rows: int = 0
    recomputed: int = 0
    agree: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    disagree: list[tuple[str, str, str]] = field(default_factory=list)
    errors: array[float] = field(default_factory=lambda: array("f"))

    @property
    def agreement(self) -> float | None:
        """Share of the recomputed rows that agree, in percent."""
        return 100 * self.agree / self.recomputed if self.recomputed else None

    @property
    def median_error(self) -> float | None:
        """Of numbers in metres, of boxes 1 - IoU."""
        return float(np.median(self.errors)) if self.errors else None

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "recomputed": self.recomputed,
            "agree": self.agree,
            "agreement": self.agreement,
            "median_error": self.median_error,
            "not_recomputed": dict(self.reasons.most_common()),
            "disagree": [{"id": i, "says": said, "derived": derived} for i, said, derived in self.disagree],
        }


@dataclass
class Audit:
    """What was found, by task. `failed_scenes` maps scenes that could not be opened to the reason."""

    reading: Reading
    tasks: dict[str, TaskAudit] = field(default_factory=dict)
    failed_scenes: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """No recomputed row disagrees."""
        return all(task.agree == task.recomputed for task in self.tasks.values())

    @property
    def recomputed(self) -> int:
        return sum(task.recomputed for task in self.tasks.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "reading": asdict(self.reading),
            "tasks": {name: self.tasks[name].to_json() for name in sorted(self.tasks)},
            "failed_scenes": self.failed_scenes,
        }


class _Places:
    """Where the rows of one scene are: file, line, offset; and a number for the frame that they look at first."""

    def __init__(self) -> None:
        self.files, self.lines, self.offsets, self.views = array("H"), array("q"), array("q"), array("L")

    def add(self, file: int, line: int, offset: int, view: int) -> None:
        self.files.append(file)
        self.lines.append(line)
        self.offsets.append(offset)
        self.views.append(view)

    def by_view(self) -> Iterator[tuple[int, int, int]]:
        """File, line and offset, rows about the same frame together: frames are costly to look at, and few are kept."""
        for k in sorted(range(len(self.files)), key=lambda k: (self.views[k], self.files[k], self.lines[k])):
            yield self.files[k], self.lines[k], self.offsets[k]


def recompute(
    files: Sequence[QaFile],
    sources: Sequence[str],
    reading: Reading | None = None,
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Derive the answers of a release anew.

    Args:
        files: From `find_files`.
        sources: Specifications of the scans, such as "scannet:/data/scans".
        reading: What the numbers are taken to mean.
        limit: At most so many rows of each file.
        progress: Called with (rows done, scene).

    Raises:
        SceneError: a line is not JSON, or an image path leads out of its folder.
        SourceError: a source cannot be opened.
    """
    reading = reading or Reading()
    audit = Audit(reading)
    scans = {scene_id: source for _, scene_id, source in iterate_scenes(sources)}
    places = _index(files, audit, limit)
    opened: dict[int, BinaryIO] = {}
    try:
        for scene_id in sorted(places):
            found = places.pop(scene_id)
            locator: Locator | None = None
            reason = "the scene is in none of the sources"
            if scene_id in scans:
                try:
                    locator = Locator(scans[scene_id].open(scene_id))
                except SpacelandError as error:
                    audit.failed_scenes[scene_id] = str(error)
                    reason = "the scene cannot be opened"
            for file, line, offset in found.by_view():
                if file not in opened:
                    opened[file] = files[file].path.open("rb")
                row = row_at(files[file], opened[file], line, offset)
                assert isinstance(row, SparRow)
                _judge(audit.tasks[row.task], row, locator, reading, reason)
                if progress:
                    progress(1, scene_id)
    finally:
        for lines in opened.values():
            lines.close()
    return audit


def _index(files: Sequence[QaFile], audit: Audit, limit: int | None) -> dict[str, _Places]:
    """Rows by scene; rows that are no good are counted at once."""
    places: dict[str, _Places] = {}
    for k, file in enumerate(files):
        task = audit.tasks.setdefault(file.task, TaskAudit())
        with file.path.open("rb") as lines:
            for done, (line, offset) in enumerate(lines_of(file)):
                if limit is not None and done >= limit:
                    break
                lines.seek(offset)
                row = parse_line(file, line, lines.readline())
                task.rows += 1
                if isinstance(row, str):
                    task.reasons[row] += 1
                else:
                    places.setdefault(row.scene, _Places()).add(k, line, offset, _view(row))
    return places


def _view(row: SparRow) -> int:
    """A number for the frame of the first mark; 0 for videos, which all show the same frames."""
    if len(row.frames) > MAX_STILLS:
        return 0
    return crc32(row.frames[row.marks[0].image_index if row.marks else 0].encode())


def _judge(task: TaskAudit, row: SparRow, locator: Locator | None, reading: Reading, reason: str) -> None:
    try:
        if row.task not in SOLVERS:
            raise UnreadableError("the task is not one of SPAR-7M")
        if locator is None:
            raise UnreadableError(reason)
        verdict: Verdict = SOLVERS[row.task](Case(row, locator, reading))
    except UnreadableError as why:
        task.reasons[str(why)] += 1
        return
    except SpacelandError as error:
        task.reasons[f"the scan is broken there: {str(error)[:120]}"] += 1
        return
    task.recomputed += 1
    task.agree += verdict.agrees
    if verdict.error is not None:
        task.errors.append(verdict.error)
    if not verdict.agrees and len(task.disagree) < _EXAMPLES:
        said = row.answer
        if row.options and row.answer[:1] in "ABCD" and "ABCD".index(row.answer[:1]) < len(row.options):
            said = f"{row.answer} ({row.options['ABCD'.index(row.answer[:1])]})"
        task.disagree.append((row.id, said, verdict.derived))


def count_rows(files: Sequence[QaFile], limit: int | None = None) -> int:
    """Rows that file names promise."""
    return sum(file.num_stated if limit is None else min(file.num_stated, limit) for file in files)
