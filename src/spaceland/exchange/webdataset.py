"""WebDataset: plain tar files that are read from front to end.

    images-01/000000.tar     000000000.json  000000000.0.jpg
    images-03/000000.tar     000000001.json  000000001.0.jpg  000000001.1.jpg  000000001.2.jpg
    images-32/000000.tar     ...

Rows with the same number of images share a folder, since readers expect every sample of a set to have the same parts.
Tar headers hold no time, user or host: the same dataset gives the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from spaceland.exchange.dataset import Dataset, Progress, Row, Tally, dump

SHARD_BYTES = 400_000_000


class _Tars:
    """Growing tar files of one folder."""

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._tar: tarfile.TarFile | None = None
        self._num_bytes = self._num_shards = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, files: list[tuple[str, bytes]]) -> None:
        """The files of one sample, which stay together."""
        if self._tar is None:
            path = self._folder / f"{self._num_shards:06d}.tar"
            self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            self._num_shards += 1
        for name, data in files:
            info = tarfile.TarInfo(name)  # time 0, user 0, mode 644
            info.size = len(data)
            self._tar.addfile(info, io.BytesIO(data))
            self._num_bytes += len(data)
        if self._num_bytes >= self._shard_bytes:
            self.close()

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
        self._tar, self._num_bytes = None, 0


def sample_json(row: Row, drawn: bool) -> dict[str, Any]:
    """What the JSON part of a sample holds: texts only, so that all samples have one type."""
    names = ("id", "task", "format", "scene", "question", "answer")
    marks = [] if drawn else row.get("marks", [])
    return {**{name: row[name] for name in names}, "options": dump(row.get("options")), "marks": dump(marks)}


def write_webdataset(
    dataset: Dataset, out: Path, *, drawn: bool, shard_bytes: int = SHARD_BYTES, progress: Progress | None = None
) -> Tally:
    """images-NN/*.tar."""
    tally, tars = Tally(), dict[int, _Tars]()
    read = dataset.drawn_bytes if drawn else dataset.image_bytes
    try:
        for number, row in enumerate(dataset.rows()):
            count = len(row["images"])
            if count not in tars:
                tars[count] = _Tars(out / f"images-{count:02d}", shard_bytes)
            key = f"{number:09d}"
            files = [(f"{key}.json", dump(sample_json(row, drawn)).encode())]
            files += [(f"{key}.{k}.jpg", read(row, k)) for k in range(count)]
            tars[count].add(files)
            tally.add(row)
            if progress:
                progress(1, row["scene"])
    finally:
        for growing in tars.values():
            growing.close()
    return tally
