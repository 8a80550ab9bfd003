"""A dataset folder as a stream of rows with their pictures, which is all that exporters need.

Rows may come from `spaceland generate`, `import` or `mix`, or from a stranger; nothing in them is believed untyped, and
no image path leads out of the folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError
from spaceland.exchange.folder import safe_path
from spaceland.files import encode_jpeg, read_image
from spaceland.questions.marks import COLORS, Mark, draw_marks

Row = dict[str, Any]
Progress = Callable[[int, str], None]
MAX_STILLS = 10
"""Up to so many images are views; more are the frames of a video (the rule of SPAR's loader)."""
_TEXTS = ("id", "task", "format", "scene", "question", "answer")


@dataclass(frozen=True)
class Dataset:
    """A folder with rows.jsonl and the images that its rows name."""

    folder: Path
    limit: int | None = None
    """Only the first so many rows."""

    @property
    def rows_path(self) -> Path:
        return self.folder / "rows.jsonl"

    def count(self) -> int:
        """Number of rows, as far as lines tell."""
        try:
            with self.rows_path.open("rb") as lines:
                found = sum(1 for line in lines if line.strip())
        except OSError:
            raise SceneError(
                f"{self.folder} has no rows.jsonl; give a folder that `spaceland generate`, `import` or `mix` wrote"
            ) from None
        return found if self.limit is None else min(found, self.limit)

    def rows(self) -> Iterator[Row]:
        """Checked rows, one at a time.

        Raises:
            SceneError: a row lacks what every row has; the message counts rows from 1.
        """
        for number, row in enumerate(read_rows(self.rows_path), 1):
            if self.limit is not None and number > self.limit:
                return
            check_row(row, f"{self.rows_path}, row {number}")
            yield row

    def image_path(self, row: Row, index: int) -> Path:
        """Where one image of a row lies."""
        return self.folder / safe_path(row["images"][index], f"row {row['id']}")

    def image_bytes(self, row: Row, index: int) -> bytes:
        """An image as it is stored."""
        path = self.image_path(row, index)
        try:
            return path.read_bytes()
        except OSError as error:
            raise SceneError(
                f"row {row['id']}: cannot read {path} ({error.strerror or error}); is the folder complete?"
            ) from error

    def drawn_bytes(self, row: Row, index: int) -> bytes:
        """An image with its marks; as it is stored where it has none."""
        marks = marks_on(row, index)
        if not marks:
            return self.image_bytes(row, index)
        return encode_jpeg(draw_marks(read_image(self.image_path(row, index)), marks))


def check_row(row: Mapping[str, Any], where: str) -> None:
    """Raise SceneError when a row is not one: exporters may then use its columns without asking."""
    for name in _TEXTS:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise SceneError(f"{where}: column '{name}' is missing or no text; is this a file of ours?")
    images, marks = row.get("images"), row.get("marks", [])
    if not isinstance(images, list) or not images:
        raise SceneError(f"{where}: column 'images' is no list of paths")
    for path in images:
        safe_path(path, where)
    if not isinstance(marks, list) or not all(_is_mark(mark, len(images)) for mark in marks):
        raise SceneError(f"{where}: column 'marks' is damaged")


def _is_mark(mark: object, num_images: int) -> bool:
    if not isinstance(mark, dict) or mark.get("color") not in COLORS or mark.get("shape") not in ("point", "bbox"):
        return False
    xy, image = mark.get("xy"), mark.get("image_index")
    return (
        isinstance(xy, list)
        and len(xy) == (2 if mark["shape"] == "point" else 4)
        and all(isinstance(v, int) and 0 <= v <= 1000 for v in xy)
        and isinstance(image, int)
        and 0 <= image < num_images
        and isinstance(mark.get("size"), int | float)
        and isinstance(mark.get("object_id"), int)
    )


def row_marks(row: Row) -> list[Mark]:
    """All marks of a row."""
    return [Mark.from_json(mark) for mark in row.get("marks", [])]


def marks_on(row: Row, index: int) -> list[Mark]:
    """The marks of one of its images."""
    return [mark for mark in row_marks(row) if mark.image_index == index]


def image_prefix(num_images: int) -> str:
    """Placeholders in front of a question: one for each image, with the frame's name in a video, as texts call it."""
    if num_images <= MAX_STILLS:
        return "<image>\n" * num_images
    return "".join(f"Frame-{k + 1}: <image>\n" for k in range(num_images))


@dataclass
class Pictures:
    """Puts images into an output folder, each of them once, and tells their paths there.

    Plain images are copied byte by byte to `images/`. With `drawn`, an image with marks becomes a picture of its own in
    `marked/`, named by what is drawn, so that all formats of a question share it.
    """

    dataset: Dataset
    out: Path
    drawn: bool

    def place(self, row: Row, index: int) -> str:
        """Path, relative to the output folder, of one image of a row."""
        source = safe_path(row["images"][index], f"row {row['id']}")
        marks = marks_on(row, index) if self.drawn else []
        if marks:
            told = json.dumps([str(source), [mark.to_json() for mark in marks]])
            name = hashlib.sha256(told.encode()).hexdigest()[:16]
            path = f"marked/{source.parent.name}/{source.stem}-{name}.jpg"
        else:
            path = str(source) if source.parts[0] == "images" else f"images/{source}"
        target = self.out / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.dataset.drawn_bytes(row, index) if marks else self.dataset.image_bytes(row, index))
        return path

    def place_all(self, row: Row) -> list[str]:
        return [self.place(row, index) for index in range(len(row["images"]))]


@dataclass
class Tally:
    """What went out: rows by task and format, and rows left out by reason."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        formats = self.rows.setdefault(row["task"], {})
        formats[row["format"]] = formats.get(row["format"], 0) + 1

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    @property
    def total(self) -> int:
        return sum(sum(formats.values()) for formats in self.rows.values())


def dump(value: object) -> str:
    """One line of JSON; the same value gives the same bytes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
