"""Rows of a benchmark, its pictures and gold replies, and the documents that lmms-eval would load."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spaceland.benchmarks import find_benchmark
from spaceland.lmmseval import prepared

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("benchmarks", "chat", "evaluation")]

from evaluation_help import write_frames as write_frames


@dataclass(frozen=True)
class Case:
    """A benchmark with `rows` in the file `path`, pictures in `media`, and `gold` replies by id."""

    name: str
    path: Path
    media: Path
    rows: list[dict[str, Any]]
    gold: dict[str, str]

    def documents(self) -> list[dict[str, str]]:
        """What lmms-eval loads from the index."""
        index = prepared.folder() / f"{self.name}.jsonl"
        return [json.loads(line) for line in index.read_text().splitlines()]


def make_case(folder: Path, name: str, num: int = 24) -> Case:
    """Write rows and pictures of a benchmark into a folder."""
    module = importlib.import_module(f"rows_{name.replace('-', '_')}")
    rows = module.make_rows(num, 7)
    media = folder / "media"
    for number, row in enumerate(rows):
        for image in row.get("images") or [f"{row['scene_id']}/{k}.jpg" for k in range(3)]:
            (media / image).parent.mkdir(parents=True, exist_ok=True)
            if not (media / image).exists():
                Image.fromarray(np.full((36, 48, 3), 5 * number % 250, np.uint8)).save(media / image)
    path = folder / f"{name}.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    benchmark = find_benchmark(name)
    ids = [benchmark.row_id(benchmark.adapt(row) if benchmark.adapt else row) for row in rows]
    return Case(name, path, media, rows, {row_id: module.gold(row) for row_id, row in zip(ids, rows, strict=True)})
