"""Parquet with the images inside: one file is all that a reader needs, and the Hugging Face viewer shows it.

    data/train-00000-of-00003.parquet    images: list of {bytes, path}; marks and facts as JSON text

The schema carries the feature description of Hugging Face `datasets`, so that `images` decode to pictures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spaceland.exchange.dataset import Dataset, Progress, Row, Tally

GROUP_BYTES = 32_000_000
"""Encoded images held in memory, and in one row group."""
SHARD_BYTES = 400_000_000
_TEXT = ("id", "task", "format", "scene", "question", "answer")


def schema(
    texts: tuple[str, ...] = _TEXT, *, images: str = "images", more: tuple[str, ...] = ("marks", "facts")
) -> Any:
    """Arrow schema with Hugging Face features: texts, the column of images, `options`, more texts."""
    import pyarrow as pa

    image = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    fields = [pa.field(name, pa.string()) for name in texts]
    fields += [pa.field(images, pa.list_(image)), pa.field("options", pa.list_(pa.string()))]
    fields += [pa.field(name, pa.string()) for name in more]
    string = {"dtype": "string", "_type": "Value"}
    features: dict[str, Any] = dict.fromkeys((*texts, *more), string)
    features[images] = {"feature": {"_type": "Image"}, "_type": "Sequence"}
    features["options"] = {"feature": string, "_type": "Sequence"}
    ordered = {field.name: features[field.name] for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": ordered}})})


class Shards:
    """Writes rows to numbered files of bounded size; `close` gives them their final names."""

    def __init__(
        self, folder: Path, table: Any, *, split: str = "train", images: str = "images", shard_bytes: int = SHARD_BYTES
    ) -> None:
        self._folder, self._schema, self._split, self._shard_bytes = folder, table, split, shard_bytes
        self._images = images
        self._writer: Any = None
        self._rows: list[dict[str, Any]] = []
        self._waiting = self._written = self._num_shards = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: dict[str, Any]) -> None:
        """One row; its images are {"bytes", "path"}."""
        self._rows.append(row)
        self._waiting += sum(len(image["bytes"]) for image in row[self._images]) + 4000
        if self._waiting >= min(GROUP_BYTES, self._shard_bytes):
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._folder / f"{self._num_shards:05d}.tmp", self._schema)
            self._num_shards += 1
        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._written += self._waiting
        self._rows, self._waiting = [], 0
        if self._written >= self._shard_bytes:
            self._end_shard()

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._written = None, 0

    def close(self) -> list[str]:
        """Finish; the names of the files."""
        if self._rows or not self._num_shards:
            self._flush()
        self._end_shard()
        names = [f"{self._split}-{k:05d}-of-{self._num_shards:05d}.parquet" for k in range(self._num_shards)]
        for k, name in enumerate(names):
            (self._folder / f"{k:05d}.tmp").rename(self._folder / name)
        return names


def embedded(dataset: Dataset, row: Row, drawn: bool) -> list[dict[str, Any]]:
    """The images of a row with their bytes."""
    read = dataset.drawn_bytes if drawn else dataset.image_bytes
    return [{"bytes": read(row, k), "path": Path(path).name} for k, path in enumerate(row["images"])]


def parquet_row(dataset: Dataset, row: Row, drawn: bool) -> dict[str, Any]:
    """A row with images; marks that are drawn already are not data any more."""
    marks = [] if drawn else row.get("marks", [])
    return {
        **{name: row[name] for name in _TEXT},
        "images": embedded(dataset, row, drawn),
        "options": row.get("options"),
        "marks": json.dumps(marks, ensure_ascii=False),
        "facts": json.dumps(row.get("facts") or {}, ensure_ascii=False),
    }


def write_parquet(
    dataset: Dataset, out: Path, *, drawn: bool, shard_bytes: int = SHARD_BYTES, progress: Progress | None = None
) -> Tally:
    """data/train-*.parquet."""
    tally = Tally()
    shards = Shards(out / "data", schema(), shard_bytes=shard_bytes)
    for row in dataset.rows():
        shards.add(parquet_row(dataset, row, drawn))
        tally.add(row)
        if progress:
            progress(1, row["scene"])
    shards.close()
    return tally
