"""Verdicts on rows: a journal that survives a crash, and acceptance with an interval.

    review.jsonl     {"id": "...", "row": "5f0c...", "verdict": "reject", "reason": "wrong answer"}

Lines are only ever added, each in one write that is on the disk before the page hears of it; the last line about a row
counts, and a verdict of null takes the one before back. A line that a power failure cut in half is left out. `row` is a
hash of what was shown: a verdict on a row that has changed since does not count.

>>> wilson_interval(19, 20)
(0.7638628295166706, 0.9911157709794636)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import OutputError, SceneError

REASONS = (
    "wrong answer",
    "unclear which object is meant",
    "object hidden or hard to see",
    "several answers possible",
    "question hard to understand",
    "bad picture or mark",
    "other",
)
"""Why a row is rejected, in the order of the number keys 1 to 7."""
Ruling = Literal["accept", "reject"]
_Z = 1.959963984540054  # 95 %


@dataclass(frozen=True)
class Verdict:
    """What was said about a row; `reason` is one of `REASONS` for rejections, else empty."""

    ruling: Ruling
    reason: str = ""


def row_hash(row: Mapping[str, Any]) -> str:
    """Hash of what a reviewer sees of a row; no options and an empty list of them are the same."""
    shown = [row.get(key) or None for key in ("id", "question", "answer", "options", "images", "marks")]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Journal:
    """Verdicts of a dataset folder. Safe to use from several threads."""

    path: Path
    entries: dict[str, tuple[str, Verdict]] = field(default_factory=dict)
    """(row hash, verdict) by row id."""
    num_unreadable: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal with everything that was written before.

        Raises:
            SceneError: the file is there and cannot be read.
        """
        journal = cls(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return journal
        except OSError as error:
            raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
        for line in data.splitlines():
            if line.strip() and not journal._apply(line):
                journal.num_unreadable += 1
        return journal

    def _apply(self, line: bytes) -> bool:
        try:
            entry = json.loads(line)
            row_id, row, ruling = str(entry["id"]), str(entry["row"]), entry["verdict"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        if ruling is None:
            self.entries.pop(row_id, None)
        elif ruling in ("accept", "reject"):
            self.entries[row_id] = row, Verdict(ruling, str(entry.get("reason") or ""))
        else:
            return False
        return True

    def verdict(self, row: Mapping[str, Any]) -> Verdict | None:
        """The verdict on a row as it is now; None when there is none."""
        found = self.entries.get(str(row["id"]))
        return found[1] if found is not None and found[0] == row_hash(row) else None

    def record(self, row: Mapping[str, Any], verdict: Verdict | None) -> None:
        """Write a verdict, or take the last one back with None. When this returns, it is on the disk.

        Raises:
            OutputError: it could not be written.
        """
        entry: dict[str, Any] = {"id": row["id"], "row": row_hash(row), "verdict": verdict and verdict.ruling}
        if verdict is not None and verdict.reason:
            entry["reason"] = verdict.reason
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            self._append(line)
            self._apply(line)

    def _append(self, line: bytes) -> None:
        try:
            is_new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                size = os.fstat(handle).st_size
                # After a line that was cut off, ours starts on a line of its own.
                cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                data = b"\n" + line if cut else line
                if os.write(handle, data) != len(data):
                    raise OSError("the disk is full")
                os.fsync(handle)
            finally:
                os.close(handle)
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Acceptance:
    """What people said about a task's rows. `low` and `high`: 95 % Wilson interval of the accepted share."""

    task: str
    accepted: int
    rejected: int
    low: float
    high: float
    reasons: tuple[tuple[str, int], ...]

    @property
    def reviewed(self) -> int:
        return self.accepted + self.rejected

    @property
    def share(self) -> float:
        return self.accepted / self.reviewed


def acceptance(journal: Journal, rows: Iterable[Mapping[str, Any]]) -> list[Acceptance]:
    """Acceptance of each task with at least one verdict, in the order of the rows, and of all together ("all")."""
    counts: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    for row in rows:
        if str(row.get("id")) not in journal.entries:
            continue
        verdict = journal.verdict(row)
        if verdict is None:
            continue
        for name in (str(row.get("task")), "all"):
            counts.setdefault(name, Counter())[verdict.ruling] += 1
            if verdict.reason:
                reasons.setdefault(name, Counter())[verdict.reason] += 1
    order = [name for name in counts if name != "all"] + [name for name in ("all",) if name in counts]
    return [_acceptance(name, counts[name], reasons.get(name, Counter())) for name in order]


def _acceptance(name: str, counts: Counter[str], reasons: Counter[str]) -> Acceptance:
    low, high = wilson_interval(counts["accept"], counts.total())
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Acceptance(name, counts["accept"], counts["reject"], low, high, tuple(ordered))


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """95 % interval of a share; it stays within 0 and 1 and is honest for few or all successes (Wilson, 1927)."""
    if total == 0:
        return 0.0, 1.0
    share, z2 = successes / total, _Z * _Z
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low = 0.0 if successes == 0 else center - half
    return max(0.0, low), 1.0 if successes == total else min(1.0, center + half)
