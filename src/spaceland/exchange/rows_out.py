"""Writes a dataset folder row by row, for rows that no scene was asked for: imported ones and mixtures.

The files are those of `spaceland generate`: rows.jsonl, rows.parquet (marks and facts as JSON text), info.json; and a
card, so that `datasets.load_dataset(FOLDER)` opens it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from spaceland.datasets.card import dataset_card
from spaceland.datasets.rows import COLUMNS, dump_row
from spaceland.exchange.dataset import Tally
from spaceland.files import write_json, write_text
from spaceland.version import __version__

_GROUP = 5000  # rows held in memory, and in one Parquet row group
_NESTED = ("marks", "facts")


class RowsOut:
    """Rows go in one at a time; `finish` writes what describes them."""

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        strings = pa.list_(pa.string())
        types = {"images": strings, "options": strings, "seed": pa.int64()}
        self._schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in COLUMNS])
        self._folder = folder
        self._lines = (folder / "rows.jsonl").open("wb")
        self._parquet = pq.ParquetWriter(folder / "rows.parquet", self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []
        self._digest = hashlib.sha256()
        self._letters: dict[str, int] = {}
        self._scenes: dict[str, dict[str, int]] = {}
        self.tally = Tally()

    def __enter__(self) -> RowsOut:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._lines.close()
        self._parquet.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one row; columns beyond ours go to rows.jsonl only."""
        line = (dump_row(row) + "\n").encode()
        self._lines.write(line)
        self._digest.update(line)
        self.tally.add(row)
        if row["format"] == "select":
            self._letters[row["answer"]] = self._letters.get(row["answer"], 0) + 1
        scene = self._scenes.setdefault(row["scene"], {"rows": 0})
        scene["rows"] += 1
        flat = {name: row.get(name) for name in COLUMNS}
        self._waiting.append(flat | {name: json.dumps(row.get(name), ensure_ascii=False) for name in _NESTED})
        if len(self._waiting) == _GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._parquet.write_table(pa.Table.from_pylist(self._waiting, self._schema))
        self._waiting = []

    def finish(self, *, title: str, text: Sequence[str], sources: Sequence[str], more: Mapping[str, Any]) -> None:
        """Write the rest: `more` goes into info.json, title and text into the card."""
        self._flush()
        counts = {task: dict(sorted(self.tally.rows[task].items())) for task in sorted(self.tally.rows)}
        info = {
            "version": __version__,
            "sources": list(sources),
            "rows": self.tally.total,
            "rows_sha256": self._digest.hexdigest(),
            "tasks": counts,
            "letters": dict(sorted(self._letters.items())),
            **more,
            "columns": COLUMNS,
            "scenes": dict(sorted(self._scenes.items())),
        }
        write_json(self._folder / "info.json", info)
        card = dataset_card(title=title, text=text, rows=counts, configs={"default": ["rows.parquet"]}, sources=sources)
        write_text(self._folder / "README.md", card)
