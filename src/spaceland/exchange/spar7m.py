"""Writes the layout of SPAR-7M, for the loaders that people have.

    OUT/spar/<name>/images/<scene>/image_color/120.jpg           images of one to ten views
                                  /video_color/frame3_120.jpg    the i-th frame of the video, and its number in the scan
                                  /video_idx.txt                 those numbers, one on a line
    OUT/spar/<name>/qa_jsonl/train/<task>/<format>/<format>_<N>.jsonl    N rows
    OUT/data_jsons/<name>.json        every file once
    OUT/data_jsons/<name>_mix.json    sentences once, other formats with a repeat factor of 0.1, as SPAR mixes them
    OUT/data_jsons/<name>_other.json  tasks that SPAR-7M does not have (its drawing functions refuse them)

Paths in the index are relative to OUT, so loaders are started there. A repeat factor below 1 makes the released loader
keep the *first* lines of a file; rows are therefore shuffled within each file, so that they are a random sample.
Marks stay data (`red_point`, `bbox_img_idx`, ...), since these loaders draw them. See `markers`.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, BinaryIO

from spaceland.errors import OutputError
from spaceland.exchange.dataset import MAX_STILLS, Dataset, Progress, Row, Tally, dump, row_marks
from spaceland.exchange.folder import plain_name, safe_path
from spaceland.exchange.markers import MARKERS, rename_marks, task_type, to_fields
from spaceland.files import write_json, write_text

MIX_REPEAT = {"sentence": 1}
OTHER_REPEAT = 0.1
_MAX_TWINS = 100
_REMEMBERED = 200_000


def write_spar7m(
    dataset: Dataset, out: Path, *, name: str, split: str = "train", seed: int = 0, progress: Progress | None = None
) -> Tally:
    """Write a dataset into an empty folder.

    Args:
        dataset: What to write.
        out: Folder that exists and is empty.
        name: Stands where SPAR-7M has scannet, scannetpp or structured3d.
        split: train or val; the index lists train, as SPAR's does.
        seed: Of the order of rows within a file.
        progress: Called with (rows done, scene).
    """
    name = plain_name(name)
    tally = Tally()
    images = _Images(dataset, out / "spar" / name / "images")
    with _Files(out / "spar" / name / "qa_jsonl" / split) as files:
        for row in dataset.rows():
            try:
                fields = to_fields(row["task"], row_marks(row), len(row["images"]))
            except ValueError as reason:
                tally.leave_out(f"{row['task']}: {reason}")
                continue
            task, format = plain_name(row["task"]), plain_name(row["format"])
            number = files.count(task, format)
            files.write(task, format, spar_row(row, fields, images.place(row), number))
            tally.add(row)
            if progress:
                progress(1, row["scene"])
        index = files.finish(name, out, seed)
    images.finish()
    known = {key: entry for key, (task, _, entry) in index.items() if task in MARKERS}
    other = {key: entry for key, (task, _, entry) in index.items() if task not in MARKERS}
    mix = {
        key: _repeated(entry, MIX_REPEAT.get(format, OTHER_REPEAT))
        for key, (task, format, entry) in index.items()
        if task in MARKERS
    }
    write_json(out / "data_jsons" / f"{name}.json", known)
    write_json(out / "data_jsons" / f"{name}_mix.json", mix)
    if other:
        write_json(out / "data_jsons" / f"{name}_other.json", other)
    return tally


def spar_row(row: Row, fields: dict[str, Any], images: list[str], number: int) -> dict[str, Any]:
    """A row in SPAR-7M's shape."""
    marks, count = row_marks(row), len(images)

    def text(column: str) -> str:
        return rename_marks(row[column], row["task"], marks, count)

    return {
        "id": f"{row['scene']}_{number}",
        "conversations": [
            {"from": "human", "value": text("question")},
            {"from": "gpt", "value": text("answer")},
        ],
        "image": images,
        "type": task_type(row["task"]),
        **fields,
    }


def _repeated(entry: dict[str, Any], repeat: float) -> dict[str, Any]:
    return {**entry, "repeat_time": repeat, "length_with_repeat": int(entry["length"] * repeat)}


def frame_number(frame_id: str) -> int | None:
    """The number at the end of a frame id.

    >>> frame_number("000120"), frame_number("frame-000120"), frame_number("left")
    (120, 120, None)
    """
    found = re.search(r"[0-9]{1,9}$", frame_id)
    return int(found[0]) if found else None


def still_name(frame_id: str) -> str:
    """A view's file name: the frame's number as ScanNet's export has it, else the frame's id.

    >>> still_name("000120"), still_name("frame-000120")
    ('120.jpg', 'frame-000120.jpg')
    """
    return f"{int(frame_id)}.jpg" if re.fullmatch("[0-9]{6}", frame_id) else f"{frame_id}.jpg"


@dataclass
class _Images:
    """Copies images to where SPAR-7M has them. `_sources` remembers what was put where, for a while."""

    dataset: Dataset
    root: Path
    _sources: dict[str, str] = field(default_factory=dict)

    def place(self, row: Row) -> list[str]:
        """Paths of a row's images, relative to `images/`.

        A mixture may hold two datasets with the same scene and frame names but other pictures; then the folder of the
        scene gets a number.
        """
        is_video = len(row["images"]) > MAX_STILLS
        sources = [safe_path(path, f"row {row['id']}") for path in row["images"]]
        numbers = [_number(source, k) for k, source in enumerate(sources)]
        names = [
            f"video_color/frame{k}_{numbers[k]}.jpg" if is_video else f"image_color/{still_name(source.stem)}"
            for k, source in enumerate(sources)
        ]
        scene, placed = "", list[str]()
        for attempt in range(1, _MAX_TWINS):
            scene = plain_name(row["scene"]) + (f"-{attempt}" if attempt > 1 else "")
            placed = [f"{scene}/{name}" for name in names]
            if all(self._fits(row, k, path) for k, path in enumerate(placed)):
                break
        else:
            raise OutputError(f"row {row['id']}: more than {_MAX_TWINS} different pictures would be {names[0]}")
        for k, path in enumerate(placed):
            target = self.root / path
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.dataset.image_bytes(row, k))
            if len(self._sources) >= _REMEMBERED:
                self._sources.clear()
            self._sources[path] = row["images"][k]
        listing = self.root / scene / "video_idx.txt"
        if is_video and not listing.exists():
            write_text(listing, "".join(f"{number}\n" for number in numbers))
        return placed

    def _fits(self, row: Row, index: int, path: str) -> bool:
        """Whether an image can have a path: nothing is there, or the same picture."""
        target = self.root / path
        if self._sources.get(path) == row["images"][index] or not target.exists():
            return True
        return target.read_bytes() == self.dataset.image_bytes(row, index)

    def finish(self) -> None:
        """Loaders join this folder with what rows name, so it must exist even when there is no row."""
        self.root.mkdir(parents=True, exist_ok=True)


def _number(source: PurePosixPath, index: int) -> int:
    """The number of a frame in its scan; its place in the video where its id has none."""
    number = frame_number(source.stem)
    return index if number is None else number


class _Files:
    """One growing file for each task and format; shuffled and named by its number of rows at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[tuple[str, str], tuple[BinaryIO, array[int]]] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        for file, _offsets in self._open.values():
            file.close()

    def count(self, task: str, format: str) -> int:
        """Rows so far."""
        return len(self._open[task, format][1]) if (task, format) in self._open else 0

    def write(self, task: str, format: str, row: dict[str, Any]) -> None:
        if (task, format) not in self._open:
            folder = self._root / task / format
            folder.mkdir(parents=True, exist_ok=True)
            self._open[task, format] = (folder / "growing.tmp").open("w+b"), array("q")
        file, offsets = self._open[task, format]
        offsets.append(file.tell())
        file.write((dump(row) + "\n").encode())

    def finish(self, name: str, out: Path, seed: int) -> dict[str, tuple[str, str, dict[str, Any]]]:
        """Shuffle and rename; index entries by key, with task and format."""
        index = {}
        for (task, format), (file, offsets) in sorted(self._open.items(), key=lambda item: item[0]):
            folder = self._root / task / format
            path = folder / f"{format}_{len(offsets)}.jsonl"
            order = list(range(len(offsets)))
            Random(f"{seed}:{task}:{format}").shuffle(order)
            with path.open("wb") as lines:
                for k in order:
                    file.seek(offsets[k])
                    lines.write(file.readline())
            file.close()
            (folder / "growing.tmp").unlink()
            entry = {
                "root": f"spar/{name}/images/",
                "annotation": path.relative_to(out).as_posix(),
                "repeat_time": 1,
                "length": len(offsets),
            }
            index[f"{name}_{task}_{format}"] = (task, format, entry)
        self._open = {}
        return index
