"""A benchmark in the manner of SPAR-Bench, cut from a held-out dataset.

    BENCH/rows.jsonl                              SPAR-Bench's columns; `image` holds paths
    BENCH/images/<row>_<k>.jpg                    with the marks drawn
    BENCH/data/test-00000-of-00001.parquet        the same with the images inside
    BENCH/README.md                               a card, so that `datasets.load_dataset` opens it

Every task has the same number of rows, in the format in which SPAR-Bench asks it. Within a task letters are balanced
first, then scenes, and no fact is asked twice. `spaceland score sparbench --rows BENCH/rows.jsonl` scores it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from spaceland.benchmarks import sparbench
from spaceland.datasets.card import dataset_card, source_names
from spaceland.errors import SceneError, SourceError
from spaceland.exchange.dataset import MAX_STILLS, Dataset, Progress, Row, Tally, dump
from spaceland.exchange.folder import new_folder, plain_name
from spaceland.exchange.parquet import Shards, schema
from spaceland.exchange.pick import row_at, rows_with_offsets
from spaceland.files import read_json, write_text

_COLUMNS = ("id", "question", "answer", "task", "img_type", "format_type", "source", "scene")
_PREFERRED = ("select", "fill", "judge")


@dataclass(frozen=True)
class Candidate:
    """A row that may be cut: where it is, what its answer is (for the balance), and a hash of its fact."""

    offset: int
    scene: str
    answer: str
    fact: bytes


def native_format(task: str, formats: Sequence[str]) -> str | None:
    """The format in which SPAR-Bench asks a task; of other tasks the first that scorers can read."""
    if task in sparbench.TASKS:
        native = "fill" if task in sparbench.LOW or task == "view_change_infer" else "select"
        return native if native in formats else None
    return next((format for format in _PREFERRED if format in formats), None)


class Cut:
    """A benchmark that is chosen but not yet written.

    `short` tells tasks that have fewer rows than asked for, `unscored` those without a format that scorers read.

    Args:
        folder: Dataset folder; nothing in it should have been trained on.
        per_task: Rows of each task.
        tasks: Only these tasks; by default all that scorers can read.
        seed: Of the choice.

    Raises:
        SceneError: the dataset is broken, or holds nothing that can be scored.
        SourceError: a task that the dataset does not have.
    """

    def __init__(self, folder: Path, *, per_task: int = 50, tasks: Sequence[str] | None = None, seed: int = 0) -> None:
        self._dataset = Dataset(folder)
        self._dataset.count()
        if per_task < 1:
            raise SourceError(f"--per-task is {per_task}; a benchmark has at least one row of each task")
        self.short: dict[str, int] = {}
        self.unscored: list[str] = []
        self._chosen: list[tuple[str, int]] = []
        found = _candidates(self._dataset)
        unknown = [task for task in tasks or () if task not in found]
        if unknown:
            raise SourceError(f"{folder} has no task {', '.join(unknown)}; it has {', '.join(found)}")
        for task in [task for task in found if tasks is None or task in tasks]:
            format = native_format(task, list(found[task]))
            if format is None:
                self.unscored.append(task)
                continue
            picked = balanced(found[task][format], per_task, Random(f"{seed}:{task}"))
            if len(picked) < per_task:
                self.short[task] = len(picked)
            self._chosen += [(task, candidate.offset) for candidate in picked]
        if not self._chosen:
            raise SceneError(f"{folder} holds no rows that can be scored; sentences are not")

    @property
    def num_rows(self) -> int:
        return len(self._chosen)

    def write(self, out: Path, *, name: str | None = None, progress: Progress | None = None) -> Tally:
        """Write the benchmark; rows by task and format.

        Args:
            out: New or empty folder.
            name: Of the benchmark; by default that of its folder.
            progress: Called with (rows done, task).
        """
        source, tally = name or plain_name(out.resolve().name), Tally()
        info = self._dataset.folder / "info.json"
        with new_folder(out) as temporary, self._dataset.rows_path.open("rb") as lines:
            table = schema(_COLUMNS, images="image", more=())
            shards = Shards(temporary / "data", table, split="test", images="image")
            (temporary / "images").mkdir()
            with (temporary / "rows.jsonl").open("wb") as written:
                for number, (task, offset) in enumerate(self._chosen):
                    row = row_at(lines, offset)
                    bench, images = _bench_row(self._dataset, row, number, source)
                    for path, data in zip(bench["image"], images, strict=True):
                        (temporary / path).write_bytes(data)
                    written.write((dump(bench) + "\n").encode())
                    pictures = [{"bytes": d, "path": Path(p).name} for p, d in zip(bench["image"], images, strict=True)]
                    shards.add({**{key: bench[key] for key in (*_COLUMNS, "options")}, "image": pictures})
                    tally.add(row)
                    if progress:
                        progress(1, task)
            shards.close()
            card = dataset_card(
                title=source,
                text=[
                    "A benchmark of spatial questions in the manner of SPAR-Bench: balanced by task, marks drawn.",
                    "Score replies with `spaceland score sparbench --rows rows.jsonl --predictions FILE`.",
                ],
                rows=tally.rows,
                configs={"default": ["data/test-*.parquet"]},
                sources=source_names(read_json(info)) if info.exists() else [],
                split="test",
            )
            write_text(temporary / "README.md", card)
        return tally


def _candidates(dataset: Dataset) -> dict[str, dict[str, list[Candidate]]]:
    """All rows by task and format, small enough to hold."""
    found: dict[str, dict[str, list[Candidate]]] = {}
    scenes: dict[str, str] = {}
    for offset, row in rows_with_offsets(dataset.rows_path):
        if row["format"] == "sentence":
            found.setdefault(row["task"], {})
            continue
        told = [row["images"], [[m["color"], m["image_index"], m["xy"]] for m in row.get("marks", [])], _object(row)]
        fact = hashlib.blake2b(json.dumps(told).encode(), digest_size=8).digest()
        answer = row["answer"] if row["format"] in ("select", "judge") else ""
        scene = scenes.setdefault(row["scene"], row["scene"])
        found.setdefault(row["task"], {}).setdefault(row["format"], []).append(Candidate(offset, scene, answer, fact))
    return found


def _object(row: Row) -> Any:
    """What tells facts without marks apart: objects, or else the question."""
    facts = row.get("facts")
    objects = facts.get("objects") if isinstance(facts, dict) else None
    return objects or ("" if row.get("marks") else row["question"])


def balanced(candidates: Sequence[Candidate], count: int, rng: Random) -> list[Candidate]:
    """Up to `count` candidates: answers in turn, within an answer the scene that was asked about least."""
    waiting: dict[str, dict[str, list[Candidate]]] = {}
    order = list(candidates)
    rng.shuffle(order)
    for candidate in order:
        waiting.setdefault(candidate.answer, {}).setdefault(candidate.scene, []).append(candidate)
    answers, scenes, facts = Counter[str](), Counter[str](), set[bytes]()
    chosen: list[Candidate] = []
    while len(chosen) < count and waiting:
        answer = min(waiting, key=lambda a: (answers[a], a))
        scene = min(waiting[answer], key=lambda s: (scenes[s], s))
        candidate = waiting[answer][scene].pop()
        if not waiting[answer][scene]:
            del waiting[answer][scene]
            if not waiting[answer]:
                del waiting[answer]
        if candidate.fact in facts:
            continue
        facts.add(candidate.fact)
        answers[answer] += 1
        scenes[scene] += 1
        chosen.append(candidate)
    return sorted(chosen, key=lambda candidate: candidate.offset)


def _bench_row(dataset: Dataset, row: Row, number: int, source: str) -> tuple[dict[str, Any], list[bytes]]:
    """A row with SPAR-Bench's columns, and its images with marks."""
    count = len(row["images"])
    images = [dataset.drawn_bytes(row, k) for k in range(count)]
    bench = {
        "id": row["id"],
        "image": [f"images/{number:06d}_{k}.jpg" for k in range(count)],
        "question": row["question"],
        "answer": row["answer"],
        "task": row["task"],
        "img_type": "single_view" if count == 1 else "multi_view" if count <= MAX_STILLS else "video",
        "format_type": row["format"],
        "source": source,
        "scene": row["scene"],
        "options": row.get("options"),
    }
    return bench, images
