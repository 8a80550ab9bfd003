"""The five annotation files, as they are released, read into one small shape.

ScanQA         [{"scene_id", "question_id", "question", "answers": [...], "object_ids", ...}]
SQA3D          {"questions": [{"scene_id", "question_id", "situation", "alternative_situation": [...], "question"}]}
               with {"annotations": [{"question_id", "answers": [{"answer"}], ...}]}; joined on question_id
ScanRefer      [{"scene_id", "object_id", "object_name", "ann_id", "description", ...}]; Scan2Cap uses it, too
Multi3DRefer   [{"scene_id", "object_ids": [...], "object_name", "ann_id", "description", "eval_type"}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.errors import SourceError
from spaceland.files import read_json


@dataclass(frozen=True)
class Annotation:
    """One annotated text of a scene. What a source does not have is empty.

    `texts` are a question (with its situations before it, for SQA3D: situations, then the question last) or a
    description; `answers` are strings; `object_ids` are the scene's ids of the objects that are meant.
    """

    id: str
    scene: str
    texts: tuple[str, ...]
    answers: tuple[str, ...] = ()
    object_ids: tuple[int, ...] = ()
    kind: str = ""


def read_scanqa(path: Path) -> list[Annotation]:
    """ScanQA rows.

    Raises:
        SourceError: the file is not ScanQA's; the message names the row and what it lacks.
    """

    def one(row: Mapping[str, Any]) -> Annotation:
        answers = tuple(str(answer) for answer in row.get("answers", ()))
        ids = tuple(int(k) for k in row.get("object_ids", ()))
        return Annotation(str(row["question_id"]), str(row["scene_id"]), (str(row["question"]),), answers, ids)

    return _rows(path, "ScanQA", read_json(path), one)


def read_sqa3d(questions: Path, annotations: Path | None) -> list[Annotation]:
    """SQA3D rows; without the annotations file (the test split of some copies) there are no answers.

    Raises:
        SourceError: a file is not SQA3D's, or questions lack their annotation.
    """
    known: dict[str, tuple[str, ...]] = {}
    if annotations is not None:

        def answer(row: Mapping[str, Any]) -> Annotation:
            known[str(row["question_id"])] = tuple(str(entry["answer"]) for entry in row["answers"])
            return Annotation("", "", ())

        _rows(annotations, "SQA3D annotations", _inside(annotations, "annotations"), answer)

    def one(row: Mapping[str, Any]) -> Annotation:
        situations = [str(row["situation"]), *map(str, row.get("alternative_situation", ()))]
        key = str(row["question_id"])
        if annotations is not None and key not in known:
            raise KeyError(f"question_id {key} in {annotations.name}")
        texts = (*situations, str(row["question"]))
        return Annotation(key, str(row["scene_id"]), texts, known.get(key, ()))

    return _rows(questions, "SQA3D questions", _inside(questions, "questions"), one)


def read_scanrefer(path: Path) -> list[Annotation]:
    """ScanRefer rows: a description of one object each.

    Raises:
        SourceError: the file is not ScanRefer's.
    """

    def one(row: Mapping[str, Any]) -> Annotation:
        object_id = int(row["object_id"])
        key = f"{row['scene_id']}|{object_id}|{row['ann_id']}"
        return Annotation(key, str(row["scene_id"]), (str(row["description"]),), (), (object_id,))

    return _rows(path, "ScanRefer", read_json(path), one)


def read_multi3drefer(path: Path) -> list[Annotation]:
    """Multi3DRefer rows: a description of any number of objects, none included.

    Raises:
        SourceError: the file is not Multi3DRefer's.
    """

    def one(row: Mapping[str, Any]) -> Annotation:
        ids = tuple(sorted(int(k) for k in row["object_ids"]))
        key = f"{row['scene_id']}|{row.get('object_name', '')}|{row['ann_id']}"
        return Annotation(key, str(row["scene_id"]), (str(row["description"]),), (), ids, str(row.get("eval_type", "")))

    return _rows(path, "Multi3DRefer", read_json(path), one)


def _inside(path: Path, name: str) -> Any:
    data = read_json(path)
    return data[name] if isinstance(data, dict) and name in data else data


def _rows(path: Path, what: str, data: Any, one: Any) -> list[Annotation]:
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise SourceError(f"{path}: expected the list of {what}, found {type(data).__name__}")
    found = []
    for number, row in enumerate(data):
        try:
            found.append(one(row))
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path}: row {number} is not of {what} ({type(error).__name__}: {error})") from error
    return found
