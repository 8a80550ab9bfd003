"""The folder of a run: what was asked, and every reply as soon as it is there.

    config.json         what decides the replies; a run with another one is refused
    predictions.jsonl   one reply a line, only appended to; a batch is on the disk before the next one
    failures.json       rows without an answer, and why
    result.json         the scores

A process that is killed leaves at most a torn last line, which is cut off when the run goes on. Where a row was asked
again (because its prompt had changed), the last line counts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spaceland.errors import OutputError, SceneError
from spaceland.files import read_json, write_json

_WHO = "id", "prompt_sha256"


class PredictionStore:
    """The replies of a run. Use as a context manager; only one process at a time may hold it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "predictions.jsonl"
        self._file: int | None = None
        self._known: dict[str, dict[str, Any]] = {}
        self.torn_bytes = 0

    def __enter__(self) -> Self:
        """Open for appending.

        Raises:
            OutputError: the folder cannot be written, or another run holds it.
            SceneError: a line other than the last is broken.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            _lock(self._file, self.folder)
            self.torn_bytes = _cut_torn_line(self._file)
            _sync_folder(self.folder)
        except OSError as error:
            self._close()
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}; choose another --out") from error
        except OutputError:
            self._close()
            raise
        self._known = {record["id"]: record for record in read_records(self.path)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def records(self) -> Mapping[str, dict[str, Any]]:
        """The last record of every row, by id."""
        return self._known

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records; they are on the disk when this returns.

        Raises:
            OutputError: the disk is full.
        """
        if not records or self._file is None:
            return
        lines = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
        # A reply may hold half of a surrogate pair, which is no UTF-8.
        rest = memoryview(lines.encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; free some space and run the same command again"
            ) from error
        self._known |= {record["id"]: dict(record) for record in records}


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a predictions file in their order; a torn last line is left out.

    Raises:
        SceneError: the file is missing, or another line is broken.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or any(not isinstance(record.get(key), str) for key in (*_WHO, "prediction")):
            raise SceneError(f"{path}, line {number} is no prediction; remove it, and its row is asked again")
        yield record


def check_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep a run's config, or see that it is the one of the replies that are there.

    Raises:
        OutputError: the folder holds replies of another config; the message shows where they differ.
    """
    path = folder / "config.json"
    wanted = json.loads(json.dumps(config))
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, wanted)
        return
    there = read_json(path)
    differences = list(config_difference(there, wanted))
    if differences:
        raise OutputError(
            f"{folder} holds replies to another run, so it cannot go on:\n  "
            + "\n  ".join(differences)
            + "\nGive the same options as before, or another --out."
        )


def config_difference(there: Any, now: Any, where: str = "") -> Iterator[str]:
    """Lines such as "frames.num: 32 there, 16 now"."""
    if isinstance(there, dict) and isinstance(now, dict):
        for key in sorted(there.keys() | now.keys()):
            yield from config_difference(there.get(key), now.get(key), f"{where}.{key}" if where else key)
    elif there != now:
        yield f"{where}: {json.dumps(there)} there, {json.dumps(now)} now"


def _lock(file: int, folder: Path) -> None:
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(
                f"another run is writing to {folder}; wait for it to end, or choose another --out"
            ) from None


def _cut_torn_line(file: int) -> int:
    """Cut off what follows the last newline, go to the end; the number of bytes cut."""
    size = os.lseek(file, 0, os.SEEK_END)
    keep, block = size, 1 << 16
    while keep:
        start = max(0, keep - block)
        os.lseek(file, start, os.SEEK_SET)
        last = os.read(file, keep - start).rfind(b"\n")
        keep = start if last < 0 else start + last + 1
        if last >= 0:
            break
    if keep < size:
        os.ftruncate(file, keep)
    os.lseek(file, 0, os.SEEK_END)
    return size - keep


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
