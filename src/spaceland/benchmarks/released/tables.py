"""Files that hold rows or logs, in whatever table format they are released: JSONL, JSON, Parquet, TSV, CSV, XLSX.

    read_rows_files([Path("test.jsonl")])
    read_rows_files([Path("vsibench/test-00000-of-00001.parquet")])
    read_rows_files([Path("v1_balanced_questions_test.json"), Path("v1_balanced_sqa_annotations_test.json")])

Pictures inside Parquet files stay there until they are looked at (`StoredPicture`), so memory does not grow with them.
Cells of text tables that look like lists are read as JSON, or as plain Python literals up to a length and depth.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.predictions import read_table
from spaceland.errors import DependencyError, SceneError
from spaceland.files import read_json

SUFFIXES = (".jsonl", ".json", ".parquet", ".tsv", ".csv", ".xlsx")
_MAX_LITERAL = 20_000
_MAX_DEPTH = 4
_READING = threading.Lock()
"""Rows are asked about from several threads, and a Parquet reader that two use at a time crashes the process."""
_SPLIT = re.compile(r"(?<![a-z])(train|val|test)(?![a-z])")


@dataclass(frozen=True)
class StoredPicture:
    """A picture in a Parquet file: `column` of row `row`, entry `index` where the column is a list."""

    path: Path
    row: int
    column: str
    index: int | None = None

    def read(self) -> bytes:
        """The encoded picture.

        Raises:
            SceneError: the cell holds none.
        """
        with _READING:
            group, inside = _place(self.path, self.row)
            cell = _group_column(self.path, group, self.column)[inside].as_py()
        if self.index is not None:
            cell = cell[self.index]
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes):
            raise SceneError(f"{self} holds no picture; load the data set with its pictures embedded")
        return data

    def __str__(self) -> str:
        """Without the file: hashes of rows must not depend on where they lie."""
        return f"picture {self.column}{'' if self.index is None else f'[{self.index}]'} of row {self.row}"


def read_rows_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of one file, of several one after the other, or of all tables of a folder in the order of their names.

    Two JSON files with the lists `questions` and `annotations` (SQA3D) are joined on `question_id`, and get the `split`
    that the files' names tell.

    Raises:
        ScoreError: no file, or none that is a table.
        SceneError: a file is missing or broken.
        DependencyError: an XLSX file without openpyxl.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise ScoreError(f"{path} holds no table; expected files that end in {', '.join(SUFFIXES)}")
        files += inside
    if not files:
        raise ScoreError("give a file of rows")
    if len(files) == 2 and all(file.suffix == ".json" for file in files):
        joined = _joined(files)
        if joined is not None:
            return joined
    return [row for file in files for row in read_any_table(file)]


def read_any_table(path: Path) -> list[dict[str, Any]]:
    """Rows of one file; see `read_rows_files`."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (".tsv", ".csv"):
        return _text_table(path, "\t" if suffix == ".tsv" else ",")
    if suffix == ".xlsx":
        return _xlsx(path)
    if suffix == ".json":
        return _only_list(path, read_json(path))
    return read_table(path)


def _only_list(path: Path, data: Any) -> list[dict[str, Any]]:
    """The rows of a JSON file: a list, or the only list of objects in an object."""
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(lists) != 1:
            raise SceneError(f"{path}: expected a list of rows, or an object with one such list, found {len(lists)}")
        data = lists[0]
    if not isinstance(data, list):
        raise SceneError(f"{path}: expected a list of rows, found {type(data).__name__}")
    for number, row in enumerate(data, 1):
        if not isinstance(row, dict):
            raise SceneError(f"{path}, entry {number}: a row must be a JSON object, found {type(row).__name__}")
    return data


def _joined(files: Sequence[Path]) -> list[dict[str, Any]] | None:
    """Rows of SQA3D's two files with the split that their names tell; None where they are something else."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        data = read_json(file)
        if isinstance(data, dict):
            parts |= {key: data[key] for key in ("questions", "annotations") if isinstance(data.get(key), list)}
    if len(parts) < 2:
        return None
    from spaceland.benchmarks.sqa3d import join_rows

    splits = sorted({split for file in files for split in _SPLIT.findall(file.stem.lower())})
    if len(splits) > 1:
        raise SceneError(f"{files[0]} and {files[1]} are of different splits ({' and '.join(splits)}); give one split")
    try:
        rows = join_rows(parts["questions"], parts["annotations"], splits[0] if splits else None)
    except (KeyError, TypeError):
        raise SceneError(f"{files[0]} and {files[1]}: every question and annotation needs a question_id") from None
    return [dict(row) for row in rows]


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa

    schema = _parquet_file(path).schema_arrow
    pictures = {field.name: _picture_kind(field.type) for field in schema}
    plain = [name for name, kind in pictures.items() if kind is None]
    try:
        rows: list[dict[str, Any]] = _parquet_file(path).read(columns=plain).to_pylist()
        if not plain:
            rows = [{} for _ in range(_parquet_file(path).metadata.num_rows)]
        for name, kind in pictures.items():
            if kind == "one":
                for number, there in enumerate(_present(path, name)):
                    rows[number][name] = StoredPicture(path, number, name) if there else None
            elif kind == "list":
                for number, count in enumerate(_list_lengths(path, name)):
                    rows[number][name] = [StoredPicture(path, number, name, k) for k in range(count)]
    except (pa.ArrowException, OSError) as error:
        raise SceneError(f"{path} cannot be read ({error}); the file may be truncated, copy it again") from error
    return rows


def _picture_kind(kind: Any) -> str | None:
    """Whether a column holds a picture, a list of them, or neither (None)."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list" if _picture_kind(kind.value_type) == "one" else None
    if pa.types.is_struct(kind):
        return "one" if any(kind.field(k).name == "bytes" for k in range(kind.num_fields)) else None
    return "one" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else None


def _present(path: Path, column: str) -> Iterator[bool]:
    """Which cells of a picture column hold one (BLINK's image_2 to image_4 often do not), by its smallest leaf."""
    file = _parquet_file(path)
    kind = file.schema_arrow.field(column).type
    leaves = [kind.field(k).name for k in range(kind.num_fields)]
    leaf = f"{column}.path" if "path" in leaves else column
    for group in range(file.num_row_groups):
        yield from file.read_row_group(group, columns=[leaf])[column].is_valid().to_pylist()


def _list_lengths(path: Path, column: str) -> Iterator[int]:
    """Lengths of a list column, one row group in memory at a time."""
    file = _parquet_file(path)
    for group in range(file.num_row_groups):
        for cell in file.read_row_group(group, columns=[column])[column].chunks:
            yield from (length or 0 for length in cell.value_lengths().to_pylist())


@lru_cache(maxsize=16)
def _parquet_file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (pa.ArrowException, OSError) as error:
        raise SceneError(f"{path} is no readable Parquet file ({error}); copy it again") from error


def _place(path: Path, row: int) -> tuple[int, int]:
    """Row group and place in it."""
    metadata = _parquet_file(path).metadata
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < count:
            return group, row
        row -= count
    raise SceneError(f"{path} has no row {row}")


@lru_cache(maxsize=2)
def _group_column(path: Path, group: int, column: str) -> Any:
    return _parquet_file(path).read_row_group(group, columns=[column])[column]


def _text_table(path: Path, delimiter: str) -> list[dict[str, Any]]:
    # Pictures in base64 make cells far longer than the default allows.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SceneError(f"{path} is no readable table ({error})") from error
    for number, row in enumerate(rows, 1):
        if None in row:
            raise SceneError(f"{path}, row {number}: more cells than the table has columns")
    return [{key: cell_value(value) for key, value in row.items() if value not in (None, "")} for row in rows]


def _xlsx(path: Path) -> list[dict[str, Any]]:
    try:
        import openpyxl
    except ImportError:
        raise DependencyError(
            f"{path.name} is a spreadsheet and needs openpyxl: pip install openpyxl; or save the table as TSV"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except Exception as error:  # openpyxl documents none of what it raises for a broken file
        raise SceneError(f"{path} is no readable spreadsheet ({error}); copy it again") from error
    lines = book.worksheets[0].iter_rows(values_only=True)
    head = [None if name is None else str(name) for name in next(lines, ())]
    return [
        {name: cell_value(value) for name, value in zip(head, line, strict=False) if name and value is not None}
        for line in lines
        if any(value is not None for value in line)
    ]


def cell_value(value: Any) -> Any:
    """A cell of a text table: lists and objects as such, anything else as it stands.

    >>> cell_value("['A. bed', 'B. door']"), cell_value('["a"]'), cell_value("[4 chairs]"), cell_value("4")
    (['A. bed', 'B. door'], ['a'], '[4 chairs]', '4')
    """
    if (
        not isinstance(value, str)
        or value[:1] not in ("[", "{")
        or len(value) > _MAX_LITERAL
        or _depth(value) > _MAX_DEPTH
    ):
        return value
    import json

    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return value


def _depth(text: str) -> int:
    """How deep brackets nest at most, counting those inside quotes as well."""
    depth = most = 0
    for character in text:
        if character in "([{":
            depth += 1
            most = max(most, depth)
        elif character in ")]}":
            depth -= 1
    return most
