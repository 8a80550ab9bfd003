"""Places of rows in files, so that any row can be read again without holding them all."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from spaceland.errors import SceneError
from spaceland.exchange.dataset import Dataset, Row, check_row


def index_rows(dataset: Dataset, key: Callable[[Row], Hashable]) -> dict[Any, array[int]]:
    """Offsets of the rows of a dataset by a key, in the order of the file.

    Raises:
        SceneError: a line is no row; the message names it.
    """
    dataset.count()
    places: dict[Any, array[int]] = {}
    for offset, row in rows_with_offsets(dataset.rows_path):
        places.setdefault(key(row), array("q")).append(offset)
    return places


def rows_with_offsets(path: Path) -> Iterator[tuple[int, Row]]:
    """(offset, checked row) of every line."""
    offset = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            start, offset = offset, offset + len(line)
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SceneError(f"{path}, line {number}: not valid JSON ({error}); is the file truncated?") from error
            if not isinstance(row, dict):
                raise SceneError(f"{path}, line {number}: a row must be a JSON object, found {type(row).__name__}")
            check_row(row, f"{path}, line {number}")
            yield start, row


def row_at(lines: BinaryIO, offset: int) -> Row:
    """The row that begins at an offset."""
    lines.seek(offset)
    return json.loads(lines.readline())
