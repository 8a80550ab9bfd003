"""Sources of samples: where rows lie, what is wrong with which, and how long each will be.

A source is read once from end to end before training: rows that can never be shown (no answer, a missing picture) are
counted by reason and are not part of it. What is then kept in memory is a few numbers for each row.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError, TrainingError
from spaceland.exchange.dataset import MAX_STILLS, check_row
from spaceland.exchange.folder import safe_path
from spaceland.exchange.markers import named_marks
from spaceland.exchange.mix import matches, parse_weight
from spaceland.exchange.spar7m_read import QaFile, SparRow, find_files, parse_line
from spaceland.questions.marks import Mark
from spaceland.training.chat_rows import chat_sample
from spaceland.training.config import DataConfig
from spaceland.training.row_file import RowFile
from spaceland.training.samples import Clip, Sample, Still, Turn, check_media

_Read = Callable[[int], Sample | str]


@dataclass(frozen=True, eq=False)
class Source:
    """Samples of one source. `parts` maps (task, format) to numbers of samples and how often an epoch shows them."""

    name: str
    group: str
    augment: bool
    parts: Mapping[tuple[str, str], tuple[array[int], float]]
    num_pictures: array[int]
    num_chars: array[int]
    left_out: Mapping[str, int]
    num_rows: int
    _read: _Read = field(repr=False)

    def __len__(self) -> int:
        return sum(len(numbers) for numbers, _ in self.parts.values())

    def sample(self, number: int) -> Sample:
        """A sample by its number.

        Raises:
            SceneError: the file changed since it was read first.
        """
        found = self._read(number)
        if isinstance(found, str):
            raise SceneError(f"{self.name}, row {number + 1}: {found}; did the file change?")
        return found


def open_source(data: DataConfig, root: Path) -> Source:
    """Read a source from end to end.

    Args:
        data: Which one.
        root: Folder that its paths are relative to.

    Raises:
        TrainingError: nothing in it can be used, or a filter or weight means nothing in it.
        SceneError: a file is missing or no file of its kind.
    """
    path = root / data.path
    name = data.name or path.stem
    if data.kind == "spar7m":
        count, read = _spar_reader(path, data, name)
    elif data.kind == "rows":
        count, read = _row_reader(path, data, name)
    elif data.kind in ("chat", "scanalign"):
        file = _scanalign_file(path) if data.kind == "scanalign" else path
        rows, media = RowFile(file), root / data.media if data.media else file.parent
        count = len(rows)

        def read(number: int) -> Sample | str:
            return chat_sample(rows[number], number, data, name, media)
    else:
        raise TrainingError(f"{name}: rows of sample rooms are generated before they are read")
    return _index(data, name, count if data.limit is None else min(count, data.limit), read)


def _index(data: DataConfig, name: str, count: int, read: _Read) -> Source:
    pictures, chars = array("I", bytes(4 * count)), array("I", bytes(4 * count))
    numbers: dict[tuple[str, str], array[int]] = {}
    left_out: Counter[str] = Counter()
    exists: dict[Path, bool] = {}
    for number in range(count):
        try:
            sample = read(number)
        except SceneError:
            sample = "no JSON, or a path that leads elsewhere"
        problem = sample if isinstance(sample, str) else check_media(sample, exists)
        if problem is not None or isinstance(sample, str):
            left_out[str(problem)] += 1
            continue
        reference = sample.reference or {}
        key = str(reference.get("task", "chat")), str(reference.get("format", "chat"))
        if (data.tasks and key[0] not in data.tasks) or (data.formats and key[1] not in data.formats):
            left_out["another task or format than asked for"] += 1
            continue
        pictures[number] = sum(medium.frames if isinstance(medium, Clip) else 1 for medium in sample.media)
        chars[number] = sum(len(part) for turn in sample.turns for part in turn.parts if isinstance(part, str))
        numbers.setdefault(key, array("q")).append(number)
    if not numbers:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in left_out.most_common(5)) or "it is empty"
        raise TrainingError(f"none of the {count} rows of {name} ({data.path}) can be used: {reasons}")
    rules = [parse_weight(text) for text in data.weights]
    for fields, _ in rules:
        if not any(matches(fields, name, *key) for key in numbers):
            raise TrainingError(
                f"weight '{'/'.join(fields)}' of {name} matches no rows; tasks and formats are {numbers}"
            )
    parts = {}
    for key in sorted(numbers):
        weight = data.weight
        for fields, factor in rules:
            weight *= factor if matches(fields, name, *key) else 1.0
        parts[key] = (numbers[key], weight)
    return Source(name, data.group, data.augment, parts, pictures, chars, dict(left_out), count, read)


def _row_reader(folder: Path, data: DataConfig, name: str) -> tuple[int, _Read]:
    if not (folder / "rows.jsonl").is_file():
        raise SceneError(
            f"{folder} has no rows.jsonl; give a folder that `spaceland generate`, `import` or `mix` wrote"
        )
    rows = RowFile(folder / "rows.jsonl")

    def read(number: int) -> Sample | str:
        row = rows[number]
        try:
            check_row(row, f"{name}, row {number + 1}")
        except (SceneError, AttributeError, TypeError):
            return "no row of ours"
        return row_sample(row, folder, data, name)

    return len(rows), read


def row_sample(row: Mapping[str, Any], folder: Path, data: DataConfig, name: str) -> Sample:
    """A checked row of ours as a sample: pictures with their marks, the question, the answer."""
    marks = [Mark.from_json(mark) for mark in row.get("marks", [])]
    cameras = (row.get("facts") or {}).get("cameras") or []
    fovs = [camera.get("horizontal_fov_deg") if isinstance(camera, Mapping) else None for camera in cameras]
    if len(fovs) != len(row["images"]):
        fovs = [None] * len(row["images"])
    stills = tuple(
        Still(
            folder / safe_path(path, f"row {row['id']}"),
            tuple(mark for mark in marks if mark.image_index == k),
            horizontal_fov_deg=fov if isinstance(fov, int | float) else None,
        )
        for k, (path, fov) in enumerate(zip(row["images"], fovs, strict=True))
    )
    return _question_sample(row["id"], row["question"], row["answer"], stills, data, name, dict(row))


def _spar_reader(folder: Path, data: DataConfig, name: str) -> tuple[int, _Read]:
    files, _ = find_files(folder)
    train = [file for file in files if file.split == "train"]
    if not train:
        raise TrainingError(f"{folder} holds rows of the validation split alone; they are not for training")
    counted: list[tuple[QaFile, RowFile, int]] = []
    total = 0
    for file in train:
        rows = RowFile(file.path)
        counted.append((file, rows, total))
        total += len(rows)

    def read(number: int) -> Sample | str:
        file, rows, before = next(entry for entry in reversed(counted) if entry[2] <= number)
        row = parse_line(file, number - before + 1, json.dumps(rows[number - before]).encode())
        try:
            return row if isinstance(row, str) else spar_sample(row, data, name)
        except ValueError as reason:
            return f"marks: {reason}"

    return total, read


def spar_sample(row: SparRow, data: DataConfig, name: str) -> Sample:
    """A released row as a sample; pictures lie in `images` beside `qa_jsonl`."""
    images = next(parent.parent for parent in row.file.path.parents if parent.name == "qa_jsonl") / "images"
    names = dict(named_marks(row.task, row.marks)) if row.marks else {}
    stills = []
    for k, path in enumerate(row.images):
        marks = tuple(mark for mark in row.marks if mark.image_index == k)
        stills.append(Still(images / path, marks, names=tuple(names.get(mark, "") for mark in marks)))
    reference: dict[str, object] = {
        "id": row.id,
        "task": row.task,
        "format": row.format,
        "question": row.question,
        "answer": row.answer,
    }
    return _question_sample(row.id, row.question, row.answer, tuple(stills), data, name, reference)


def _question_sample(
    id: str,
    question: str,
    answer: str,
    stills: tuple[Still, ...],
    data: DataConfig,
    name: str,
    reference: dict[str, object],
) -> Sample:
    """Pictures, then the question; frames of a video are called Frame-1, Frame-2, ..., as texts call them."""
    parts: list[str | int] = []
    for k in range(len(stills)):
        if len(stills) > MAX_STILLS:
            parts.append(f"Frame-{k + 1}: ")
        parts.append(k)
    turns = (Turn("user", (*parts, question)), Turn("assistant", (answer.strip(),)))
    if data.system is not None:
        turns = (Turn("system", (data.system,)), *turns)
    return Sample(f"{name}:{id}", name, data.group, turns, stills, reference)


def _scanalign_file(folder: Path) -> Path:
    """The training file in a folder of `spaceland scanalign`."""
    found = sorted(folder.glob("sharegpt_data_scanalign_*.json"))
    if len(found) != 1:
        what = f"{len(found)} files" if found else "no file"
        raise TrainingError(
            f"{folder} holds {what} sharegpt_data_scanalign_*.json; give a folder that `spaceland scanalign` wrote "
            'for training, or name one file with kind = "chat"'
        )
    return found[0]
