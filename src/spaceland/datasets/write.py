"""Joins the staging files of all scenes to `rows.jsonl`, `rows.parquet` and `info.json`, in the order of the scenes;
and a card, so that `datasets.load_dataset(FOLDER)` opens the rows and not the images."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spaceland.datasets.card import dataset_card
from spaceland.datasets.rows import COLUMNS
from spaceland.datasets.stage import MAX_EXAMPLES, staging_path
from spaceland.files import atomic_path, write_json, write_text
from spaceland.version import __version__

_ABOUT = (
    "Questions with checked answers, made from scenes. `images` are paths in this folder; pictures are stored without "
    "marks, which `marks` describes. `marks` and `facts` are JSON text in rows.parquet, JSON in rows.jsonl; info.json "
    "has the settings."
)
_GROUP = 5000  # rows held in memory, and in one Parquet row group


def write_dataset(
    out: Path,
    scene_ids: Sequence[str],
    config: dict[str, Any],
    failed: Sequence[str],
    selection: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the files from finished staging files; returns what is in `info.json`.

    `selection` says which scenes were left out on purpose and why (see `splits`).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    strings = pa.list_(pa.string())
    types = {"images": strings, "options": strings, "seed": pa.int64()}
    schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in COLUMNS])
    counts: dict[str, Counter[str]] = {}
    letters: Counter[str] = Counter()
    rejections: dict[str, Counter[str]] = {}
    examples: dict[str, dict[str, list[dict[str, Any]]]] = {}
    scenes: dict[str, Any] = {}
    digest = hashlib.sha256()
    waiting: list[dict[str, Any]] = []
    with (
        atomic_path(out / "rows.jsonl") as jsonl_path,
        atomic_path(out / "rows.parquet") as parquet_path,
        jsonl_path.open("w", encoding="utf-8", newline="\n") as jsonl,
        pq.ParquetWriter(parquet_path, schema, compression="zstd") as parquet,
    ):
        for scene_id in scene_ids:
            with staging_path(out, scene_id).open(encoding="utf-8") as lines:
                head = json.loads(next(lines))
                scenes[head.pop("scene")] = head
                _add_examples(examples, scene_id, head.pop("rejection_examples", {}))
                for task, reasons in head.pop("rejections").items():
                    rejections.setdefault(task, Counter()).update(reasons)
                for line in lines:
                    row = json.loads(line)
                    jsonl.write(line)
                    digest.update(line.encode())
                    counts.setdefault(row["task"], Counter())[row["format"]] += 1
                    if row["format"] == "select":
                        letters[row["answer"]] += 1
                    waiting.append(_parquet_row(row))
                    if len(waiting) == _GROUP:
                        parquet.write_table(pa.Table.from_pylist(waiting, schema))
                        waiting = []
        if waiting or not counts:
            parquet.write_table(pa.Table.from_pylist(waiting, schema))
    info = {
        "version": __version__,
        "sources": config["sources"],
        "rows": sum(sum(c.values()) for c in counts.values()),
        "rows_sha256": digest.hexdigest(),
        "tasks": {task: dict(sorted(formats.items())) for task, formats in counts.items()},
        "letters": dict(sorted(letters.items())),
        "rejections": {task: dict(c.most_common()) for task, c in rejections.items()},
        "rejection_examples": {
            task: {reason: found[:MAX_EXAMPLES] for reason, found in sorted(reasons.items())}
            for task, reasons in examples.items()
        },
        "failed_scenes": list(failed),
        "selection": dict(selection or {}),
        "columns": COLUMNS,
        "config": config,
        "scenes": scenes,
    }
    card = dataset_card(
        title="Spatial questions",  # not the folder's name: the same settings give the same bytes anywhere
        text=[_ABOUT],
        rows=info["tasks"],
        configs={"default": ["rows.parquet"]},
        sources=config["sources"],
    )
    write_text(out / "README.md", card)
    write_json(out / "info.json", info)
    return info


def _add_examples(
    examples: dict[str, dict[str, list[dict[str, Any]]]], scene_id: str, found: dict[str, dict[str, list[Any]]]
) -> None:
    """Add a scene's examples of rejections; those with pictures come before those without."""
    for task, reasons in found.items():
        for reason, entries in reasons.items():
            kept = examples.setdefault(task, {}).setdefault(reason, [])
            if sum(example["pictured"] for example in kept) < MAX_EXAMPLES:
                kept += [{"scene": scene_id, **example} for example in entries]
                kept.sort(key=lambda example: not example["pictured"])
                del kept[MAX_EXAMPLES:]


def _parquet_row(row: dict[str, Any]) -> dict[str, Any]:
    """Nested columns become JSON text: their keys differ by task."""
    nested = {name: json.dumps(row[name], ensure_ascii=False) for name in ("marks", "facts")}
    return {**row, **nested}
