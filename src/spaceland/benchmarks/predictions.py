"""Prediction files: JSONL with `id` and `prediction` on each line."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spaceland.benchmarks.scoring import ScoreError
from spaceland.datasets.rows import read_rows


def read_predictions(path: Path) -> dict[str, str]:
    """Reply text by row id. A prediction that is no text (a number, say) is taken as printed; null is missing.

    Raises:
        ScoreError: a line without `id` or `prediction`, or an id that occurs twice.
        SceneError: the file is missing or not JSONL.
    """
    predictions: dict[str, str] = {}
    for number, row in enumerate(read_rows(path), 1):
        if "id" not in row or "prediction" not in row:
            raise ScoreError(
                f"{path}, prediction {number}: needs 'id' and 'prediction', found {', '.join(map(str, row))}"
            )
        row_id, value = str(row["id"]), row["prediction"]
        if row_id in predictions:
            raise ScoreError(f"{path}: two predictions for '{row_id}'; keep one")
        if value is not None:
            predictions[row_id] = value if isinstance(value, str) else str(value)
    return predictions


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, for the provenance of a result."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
