"""Rows of a JSONL file or a JSON array by number, without holding them as objects.

A worker process that touches a list of a million dictionaries copies them; a table of offsets stays shared.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError


class RowFile:
    """JSON rows of a file. A file that begins with "[" is one array, anything else has one row on each line."""

    def __init__(self, path: Path) -> None:
        """Find where rows begin; each is read when it is asked for.

        Raises:
            SceneError: the file is missing or is no JSON.
        """
        self.path = path
        self._text: str | None = None
        try:
            with path.open("rb") as file:
                begin = file.read(64).lstrip()
            if begin.startswith(b"["):
                self._text = path.read_text("utf-8")
                self._starts = _array_starts(self._text, path)
            else:
                self._starts = _line_starts(path)
        except FileNotFoundError:
            raise SceneError(f"missing file: {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SceneError(f"cannot read {path}: {error}") from error

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: int) -> Any:
        """A row.

        Raises:
            SceneError: the line is no JSON.
        """
        start = self._starts[index]
        try:
            if self._text is not None:
                return json.JSONDecoder().raw_decode(self._text, start)[0]
            with self.path.open("rb") as file:
                file.seek(start)
                return json.loads(file.readline())
        except (ValueError, RecursionError) as error:
            raise SceneError(
                f"{self.path}, row {index + 1}: not valid JSON ({error}); is the file truncated?"
            ) from error
        except OSError as error:
            raise SceneError(f"cannot read {self.path}: {error.strerror or error}") from error


def _line_starts(path: Path) -> array[int]:
    starts, offset = array("q"), 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                starts.append(offset)
            offset += len(line)
    return starts


def _array_starts(text: str, path: Path) -> array[int]:
    """Where the elements of a JSON array begin."""
    starts, decoder, at = array("q"), json.JSONDecoder(), text.index("[") + 1
    try:
        while True:
            at = _skip(text, at, " \t\r\n,")
            if text[at] == "]":
                return starts
            starts.append(at)
            at = decoder.raw_decode(text, at)[1]
    except (ValueError, IndexError, RecursionError) as error:
        raise SceneError(f"{path}: row {len(starts)} is not valid JSON ({error}); is the file truncated?") from error


def _skip(text: str, at: int, blanks: str) -> int:
    while text[at] in blanks:
        at += 1
    return at
