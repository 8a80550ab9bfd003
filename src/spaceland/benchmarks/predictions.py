"""Files of rows and predictions: JSONL or a JSON list; predictions have `id` and `prediction`."""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spaceland.benchmarks.known import ScoreError
from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError
from spaceland.files import read_json


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file, or of a JSON file that holds a list of objects.

    Raises:
        SceneError: the file is missing, not JSON or JSONL, or holds something else.
    """
    try:
        with path.open("rb") as file:
            is_list = file.read(4096).removeprefix(BOM_UTF8).lstrip()[:1] == b"["
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    if not is_list:
        return list(read_rows(path))
    table = read_json(path)
    for number, row in enumerate(table, 1):
        if not isinstance(row, dict):
            raise SceneError(f"{path}, entry {number}: a row must be a JSON object, found {type(row).__name__}")
    return table


def read_predictions(path: Path) -> dict[str, str]:
    """Reply text by row id. A prediction that is no text (a number, a list) is taken as JSON; null is missing.

    Raises:
        ScoreError: a line without `id` or `prediction`, or an id that occurs twice.
        SceneError: the file is missing or neither JSON nor JSONL.
    """
    return predictions_of(read_table(path), str(path))


def predictions_of(table: Iterable[dict[str, Any]], source: str) -> dict[str, str]:
    """The same from rows in memory; `source` is named in errors."""
    predictions: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in enumerate(table, 1):
        if "id" not in row or "prediction" not in row:
            raise ScoreError(
                f"{source}, prediction {number}: needs 'id' and 'prediction', found {', '.join(map(str, row))}"
            )
        row_id, value = str(row["id"]), row["prediction"]
        if row_id in seen:
            raise ScoreError(f"{source}: two predictions for '{row_id}'; keep one")
        seen.add(row_id)
        if value is not None:
            predictions[row_id] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return predictions


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, for the provenance of a result."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
