"""A released SPAR-7M folder as a dataset folder of ours.

    out/rows.jsonl, rows.parquet rows with our columns; facts tell file, line and id of the release
    out/images/<dataset>/...     images that rows use, where the release has them, as hard links where possible
    out/info.json, README.md     counts, what was left out and why; a card

Objects, centres and thresholds are unknown to the release, so such rows can be shown, mixed, scored, exported and cut,
but not verified; `recompute` derives their answers from the scans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.benchmarks.sparbench import answer_kind
from spaceland.exchange.dataset import Progress, Tally
from spaceland.exchange.folder import link_or_copy, new_folder, plain_name
from spaceland.exchange.rows_out import RowsOut
from spaceland.exchange.spar7m_read import QaFile, SparRow, rows_of
from spaceland.version import __version__


@dataclass
class Adopted:
    """Counts of rows, and remarks on files. `missing_images` counts images of rows that the release folder lacks."""

    tally: Tally = field(default_factory=Tally)
    notes: list[str] = field(default_factory=list)
    missing_images: int = 0


def adopt(
    files: Sequence[QaFile],
    out: Path,
    *,
    limit: int | None = None,
    with_images: bool = True,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Adopted:
    """Write the rows of a release as a dataset folder.

    Args:
        files: From `find_files`.
        out: New or empty folder.
        limit: At most so many rows of each file.
        with_images: Place the images that rows use.
        notes: Remarks to keep in info.json.
        progress: Called with (rows done, file).

    Raises:
        SceneError: a line is not JSON, or an image path leads out of its folder.
        OutputError: `out` is not empty or cannot be written.
    """
    result = Adopted(notes=list(notes))
    with new_folder(out) as temporary, RowsOut(temporary) as rows:
        result.tally = rows.tally
        for file in files:
            num_rows = 0
            for row in rows_of(file):
                if limit is not None and num_rows >= limit:
                    break
                num_rows += 1
                if isinstance(row, str):
                    result.tally.leave_out(f"{file.task}/{file.format}: {row}")
                    continue
                rows.add(to_our_row(row))
                if with_images:
                    result.missing_images += _place_images(row, temporary)
                if progress:
                    progress(1, f"{file.task}/{file.format}")
            if limit is None and num_rows != file.num_stated:
                name = f"{file.dataset}/{file.split}/{file.task}/{file.format}/{file.path.name}"
                result.notes.append(f"{name} holds {num_rows} rows; was it cut off?")
        rows.finish(
            title=plain_name(out.resolve().name),
            text=["Rows of a SPAR-7M release, read by `spaceland import`."],
            sources=[f"spar7m:{name}" for name in sorted({file.dataset for file in files})],
            more={"left_out": dict(sorted(result.tally.left_out.items())), "notes": result.notes},
        )
    return result


def dataset_root(file: QaFile) -> Path:
    """The folder that holds qa_jsonl and images of a file's dataset."""
    return next(parent.parent for parent in file.path.parents if parent.name == "qa_jsonl")


def _place_images(row: SparRow, out: Path) -> int:
    """Put a row's images where its new paths say; how many of them are not there."""
    missing = 0
    for path in row.images:
        source, target = dataset_root(row.file) / "images" / path, out / "images" / row.file.dataset / path
        if target.exists():
            continue
        if source.is_file():
            link_or_copy(source, target)
        else:
            missing += 1
    return missing


def to_our_row(row: SparRow) -> dict[str, Any]:
    """A released row with our columns."""
    ours: dict[str, Any] = {
        "id": row.id,
        "task": row.task,
        "format": row.format,
        "scene": row.scene,
        "images": [f"images/{row.file.dataset}/{path}" for path in row.images],
        "question": row.question,
        "answer": row.answer,
        "options": list(row.options) if row.options else None,
        "marks": [mark.to_json() for mark in row.marks],
    }
    kind, value = _typed(ours)
    ours["facts"] = {
        "kind": kind,
        "value": value,
        "frames": list(row.frames),
        "objects": {},
        "labels": {},
        "release": {
            "dataset": row.file.dataset,
            "split": row.file.split,
            "file": f"{row.file.task}/{row.file.format}/{row.file.path.name}",
            "line": row.line,
            "id": row.source_id,
        },
    }
    return {**ours, "seed": 0, "version": __version__}


def _typed(row: dict[str, Any]) -> tuple[str, Any]:
    """Kind and value of an answer, as far as its text tells."""
    if row["format"] == "fill" and answer_kind(row) == "number":
        return "number", float(row["answer"])
    return "text", row["answer"]
