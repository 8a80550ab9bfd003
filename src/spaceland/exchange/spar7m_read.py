"""Reads released SPAR-7M folders, with their quirks.

    spar/scannet/qa_jsonl/train/depth_prediction_oc/fill/fill_105066.jsonl
    spar/scannet/images/scene0261_00/image_color/120.jpg

What differs between copies of the release, and is taken as it comes:
- the folder given may be the one above `spar`, `spar` itself or one dataset such as `spar/scannet`;
- image paths may begin at the scene or at `spar/<dataset>/images/`; images may be missing (the release has none now);
- marks may lie in fields of the row or in `spar_info` (JSON text), with or without the outer list;
- questions may or may not begin with `<image>` or `Frame-1: <image>`;
- one archive holds all tasks again below `view_change_infer`: files count only where their folders are task and format,
  and of several copies the innermost one;
- the type of rows in `nav_video` is `nav`.
A file name ends in the number of its rows: a different number means that it was cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from spaceland.errors import SceneError
from spaceland.exchange.folder import safe_path
from spaceland.exchange.markers import NAV_TYPE, from_fields
from spaceland.questions.marks import Mark
from spaceland.questions.phrasing import FORMATS

_FILE = re.compile(r"([a-z]+)_(\d+)\.jsonl")
_PLACEHOLDER = re.compile(r"^(?:\s*(?:Frame-\d+:\s*)?<image>\s*)+")
_OPTION = re.compile(r"(?:^|\s)([A-D])\.(?=\s|$)")
_VIDEO_FRAME = re.compile(r"frame\d+_(\d+)")


@dataclass(frozen=True)
class QaFile:
    """One jsonl file. `num_stated` is the number of rows in its name."""

    dataset: str
    split: str
    task: str
    format: str
    path: Path
    num_stated: int


@dataclass(frozen=True)
class SparRow:
    """A released row. `images` are relative to the dataset's `images/`; `frames` are frame numbers or ids as text."""

    file: QaFile
    line: int
    source_id: str
    task: str
    scene: str
    question: str
    answer: str
    options: tuple[str, ...] | None
    images: tuple[PurePosixPath, ...]
    frames: tuple[str, ...]
    marks: tuple[Mark, ...]

    @property
    def format(self) -> str:
        return self.file.format

    @property
    def id(self) -> str:
        """Unique over all files, which the release's own ids are not."""
        file = self.file
        split = "" if file.split == "train" else f"{file.split}-"
        return f"{file.dataset}-{split}{self.task}-{file.format}-{self.line:07d}"


def find_files(folder: Path) -> tuple[list[QaFile], list[str]]:
    """The files of a release, in a fixed order, and remarks on what was passed over.

    Raises:
        SceneError: the folder does not look like a release.
    """
    if not folder.is_dir():
        raise SceneError(f"{folder} is not a folder; give the one that holds 'spar', or one of its datasets")
    roots = [folder] if (folder / "qa_jsonl").is_dir() else []
    roots = roots or sorted(path.parent for path in folder.glob("*/qa_jsonl"))
    roots = roots or sorted(path.parent for path in folder.glob("spar/*/qa_jsonl"))
    if not roots:
        raise SceneError(
            f"{folder} has no <dataset>/qa_jsonl below it; SPAR-7M has spar/scannet/qa_jsonl/train/<task>/<format>/"
        )
    files: list[QaFile] = []
    notes: list[str] = []
    for root in roots:
        for split in ("train", "val"):
            found, passed_over = _split_files(root, split)
            files += found
            if passed_over:
                notes.append(
                    f"{root.name}/{split}: passed over {passed_over} copies of files in folders of other tasks"
                )
    if not files:
        raise SceneError(f"{folder}: no <task>/<format>/<format>_<N>.jsonl below qa_jsonl/train or qa_jsonl/val")
    return files, notes


def _split_files(root: Path, split: str) -> tuple[list[QaFile], int]:
    base = root / "qa_jsonl" / split
    chosen: dict[tuple[str, str], QaFile] = {}
    num_found = 0
    for path in sorted(base.glob("*/**/*.jsonl")):
        named = _FILE.fullmatch(path.name)
        if named is None or named[1] not in FORMATS:
            continue
        num_found += 1
        task, format = path.parent.parent.name, path.parent.name
        top = path.relative_to(base).parts[0]
        if format != named[1] or task != top:
            continue
        known = chosen.get((task, format))
        if known is None or len(path.parts) > len(known.path.parts):
            chosen[task, format] = QaFile(root.name, split, task, format, path, int(named[2]))
    return [chosen[key] for key in sorted(chosen)], num_found - len(chosen)


def lines_of(file: QaFile) -> Iterator[tuple[int, int]]:
    """(line number from 1, offset) of every line that is not blank.

    Raises:
        SceneError: the file cannot be read.
    """
    try:
        with file.path.open("rb") as lines:
            offset = 0
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, offset
                offset += len(line)
    except OSError as error:
        raise SceneError(f"cannot read {file.path}: {error.strerror or error}") from error


def rows_of(file: QaFile) -> Iterator[SparRow | str]:
    """Rows of a file; in place of a row that is no good the reason, in words.

    Raises:
        SceneError: a line is not JSON (the message names it), or an image path would leave its folder.
    """
    try:
        with file.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield parse_line(file, number, line)
    except OSError as error:
        raise SceneError(f"cannot read {file.path}: {error.strerror or error}") from error


def row_at(file: QaFile, lines: BinaryIO, line: int, offset: int) -> SparRow | str:
    """The row at an offset of an open file."""
    lines.seek(offset)
    return parse_line(file, line, lines.readline())


def parse_line(file: QaFile, number: int, line: bytes) -> SparRow | str:
    """One line as a row, or what is wrong with it."""
    where = f"{file.path}, line {number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{where}: not valid JSON ({error}); is the file truncated? Download it again") from error
    if not isinstance(row, dict):
        raise SceneError(f"{where}: a row must be a JSON object, found {type(row).__name__}")
    images = row.get("image") or row.get("images")
    images = [images] if isinstance(images, str) else images
    if not isinstance(images, list) or not images:
        return "no images"
    paths = [_below_images(safe_path(path, where)) for path in images]
    talk = row.get("conversations")
    if not isinstance(talk, list) or len(talk) < 2 or not all(isinstance(turn, dict) for turn in talk[:2]):
        return "no question and answer in 'conversations'"
    question, answer = talk[0].get("value"), talk[1].get("value")
    if not isinstance(question, str) or not isinstance(answer, str) or not question.strip() or not answer.strip():
        return "no question and answer in 'conversations'"
    task = row.get("type") or file.task
    if task == NAV_TYPE:
        task = "nav_video"
    if not isinstance(task, str) or task != file.task:
        return f"type is not that of the folder ({str(task)[:60]} in {file.task})"
    try:
        fields = {**_spar_info(row), **row}
        marks = from_fields(task, fields, len(paths))
    except (ValueError, RecursionError) as error:
        return f"marks: {error}"
    # A blank at the end may be the empty slot of an option: "D. right, above, ".
    question = _PLACEHOLDER.sub("", question).replace("<video>\n", "").lstrip().rstrip("\r\n")
    answer = answer.strip()
    options = read_options(question) if file.format == "select" else None
    return SparRow(
        file=file,
        line=number,
        source_id=str(row.get("id", "")),
        task=task,
        scene=paths[0].parts[0],
        question=question,
        answer=answer,
        options=options,
        images=tuple(paths),
        frames=tuple(frame_name(path) for path in paths),
        marks=tuple(marks),
    )


def _spar_info(row: dict[str, Any]) -> dict[str, Any]:
    """Marks that a converted copy keeps as JSON text."""
    info = row.get("spar_info")
    if isinstance(info, str):
        info = json.loads(info)
    return info if isinstance(info, dict) else {}


def _below_images(path: PurePosixPath) -> PurePosixPath:
    """`spar/scannet/images/<scene>/...` and `<scene>/...` alike as `<scene>/...`."""
    parts = path.parts
    return PurePosixPath(*parts[parts.index("images") + 1 :]) if "images" in parts[:-1] else path


def frame_name(path: PurePosixPath) -> str:
    """Which frame of the scan an image is: the number in a video frame's name, else the file's stem.

    >>> frame_name(PurePosixPath("s/video_color/frame3_120.jpg")), frame_name(PurePosixPath("s/image_color/120.jpg"))
    ('120', '120')
    """
    found = _VIDEO_FRAME.fullmatch(path.stem) if path.parent.name == "video_color" else None
    return found[1] if found else path.stem


def read_options(question: str) -> tuple[str, ...] | None:
    """Options A to D at the end of a question, on one line or on several; None where there are none.

    >>> read_options("How far? A. 0.6 B. 1.0\\nC. 1.3\\nD. 2.1\\nYour answer can only include one of options A, B.")
    ('0.6', '1.0', '1.3', '2.1')
    """
    question = question.split("Your answer can only")[0]
    found = list(_OPTION.finditer(question))
    runs = [_run(found[k:]) for k, match in enumerate(found) if match[1] == "A"]
    run = next((run for run in reversed(runs) if len(run) > 1), None)
    if run is None:
        return None
    ends = [match.start() for match in run[1:]] + [len(question)]
    texts = [question[match.end() : end].strip() for match, end in zip(run, ends, strict=True)]
    texts[-1] = texts[-1].split("\n")[0].strip()
    return tuple(texts)


def _run(found: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The letters A, B, ... that follow each other from the first match on."""
    run: list[re.Match[str]] = []
    for match in found:
        if len(run) < 4 and match[1] == "ABCD"[len(run)]:
            run.append(match)
    return run
