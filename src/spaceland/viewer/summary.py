"""One pass over the rows: what is counted, and which rows are shown.

Rows are read as a stream and only counters and a few candidates are kept, so a dataset of any size fits. A sample is
the rows with the smallest hash of (seed, row id): the same rows for the same dataset and seed, whatever the order. One
fact gives a row in each format of its task; numbers, words and labels are counted once for each fact.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spaceland.errors import SceneError
from spaceland.questions.phrasing import FORMATS
from spaceland.viewer.plan import numbers

_NEEDED = {"id": str, "task": str, "format": str, "scene": str, "images": list, "question": str, "answer": str}
HEAT_CELLS = 10


@dataclass
class TaskSummary:
    """What a task's rows answer. Each kind of answer fills its own field; `unit` belongs to `numbers`."""

    formats: Counter[str] = field(default_factory=Counter)
    facts: int = 0
    kind: str = ""
    unit: str = ""
    numbers: list[float] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    slots: list[Counter[str]] = field(default_factory=lambda: [Counter(), Counter(), Counter()])
    motions: list[tuple[float, ...]] = field(default_factory=list)
    heat: list[list[int]] = field(default_factory=lambda: [[0] * HEAT_CELLS for _ in range(HEAT_CELLS)])
    letters: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)


@dataclass
class Summary:
    """All counts, and the rows to show: {task: [row, ...]} in the order of the page."""

    rows: int = 0
    tasks: dict[str, TaskSummary] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    scenes: Counter[str] = field(default_factory=Counter)
    images: int = 0
    seeds: set[str] = field(default_factory=set)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def summarise(rows: Iterable[dict[str, Any]], *, per_task: int, seed: int) -> Summary:
    """Count the rows and choose `per_task` of each task to show.

    Raises:
        SceneError: a row lacks a column that the page needs.
    """
    summary = Summary()
    candidates: dict[tuple[str, str], list[tuple[bytes, dict[str, Any]]]] = {}
    seen_facts: set[bytes] = set()
    seen_images: set[bytes] = set()
    for index, row in enumerate(rows, 1):
        _check(row, index)
        task = summary.tasks.setdefault(row["task"], TaskSummary())
        summary.rows += 1
        summary.scenes[row["scene"]] += 1
        summary.seeds.add(str(row.get("seed", "")))
        seen_images.update(_digest(name) for name in row["images"])
        task.formats[row["format"]] += 1
        if row["format"] == "select":
            task.letters[row["answer"]] += 1
        elif row["format"] == "judge":
            task.verdicts[row["answer"]] += 1
        fact = _fact_key(row)
        if fact not in seen_facts:
            seen_facts.add(fact)
            _count_fact(task, summary.labels, row["facts"])
        pool = candidates.setdefault((row["task"], row["format"]), [])
        pool.append((_digest(f"{seed}:{row['id']}"), row))
        if len(pool) > 64 + 8 * per_task:
            pool.sort(key=lambda item: item[0])
            del pool[4 * per_task :]
    summary.images = len(seen_images)
    for name in summary.tasks:
        pools = {
            format: sorted(pool, key=lambda c: c[0]) for (task, format), pool in candidates.items() if task == name
        }
        summary.samples[name] = _choose(pools, per_task)
    return summary


def _choose(pools: Mapping[str, list[tuple[bytes, dict[str, Any]]]], count: int) -> list[dict[str, Any]]:
    """Formats in turn; a fact, then a scene, that is shown already comes last. Ordered by format."""
    waiting = {format: [row for _, row in pool] for format, pool in pools.items()}
    chosen: list[dict[str, Any]] = []
    facts: Counter[bytes] = Counter()
    scenes: Counter[str] = Counter()
    while len(chosen) < count and any(waiting.values()):
        for format in sorted(waiting, key=format_place):
            if waiting[format] and len(chosen) < count:
                row = min(waiting[format], key=lambda r: (facts[_fact_key(r)], scenes[r["scene"]]))
                waiting[format].remove(row)
                facts[_fact_key(row)] += 1
                scenes[row["scene"]] += 1
                chosen.append(row)
    return sorted(chosen, key=lambda row: format_place(row["format"]))


def format_place(format: str) -> tuple[int, str]:
    """Sorting key: formats in their standing order, unknown ones after them."""
    return (FORMATS.index(format) if format in FORMATS else len(FORMATS), format)


def _check(row: dict[str, Any], index: int) -> None:
    for key, kind in _NEEDED.items():
        if not isinstance(row.get(key), kind):
            found = "nothing" if key not in row else type(row[key]).__name__
            raise SceneError(
                f"row {index} ({row.get('id')}): '{key}' should be a {kind.__name__}, found {found}; is this a "
                "rows.jsonl that `spaceland generate` wrote?"
            )
    if not all(isinstance(name, str) for name in row["images"]):
        raise SceneError(f"row {index} ({row['id']}): 'images' should hold paths")
    # What follows is not needed for a page; of a wrong type it is treated as missing.
    for key in ("options", "marks"):
        if not isinstance(row.get(key), list):
            row[key] = []
    facts = row.get("facts")
    row["facts"] = facts if isinstance(facts, dict) else {}
    for key in ("objects", "labels", "values", "params", "centers_world_m"):
        if not isinstance(row["facts"].get(key), dict):
            row["facts"][key] = {}
    if not isinstance(row["facts"].get("frames"), list):
        row["facts"]["frames"] = []


def _fact_key(row: Mapping[str, Any]) -> bytes:
    facts = row["facts"]
    return _digest(json.dumps([row["task"], row["scene"], row["images"], facts["objects"]]))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


def _count_fact(task: TaskSummary, labels: Counter[str], facts: Mapping[str, Any]) -> None:
    task.facts += 1
    labels.update(str(label) for label in facts["labels"].values())
    kind, value = facts.get("kind"), facts.get("value")
    task.kind = task.kind or str(kind or "")
    task.unit = task.unit or str(facts.get("unit") or "")
    if kind == "number" and (number := numbers([value], 1)):
        task.numbers.append(number[0])
    elif kind == "count" and isinstance(value, int):
        task.counts[value] += 1
    elif kind == "relation" and isinstance(value, list):
        for slot, word in zip(task.slots, value, strict=False):
            slot[str(word)] += 1
    elif kind == "motion" and (motion := numbers(value, 5)):
        task.motions.append(motion)
    elif kind == "box" and (box := numbers(value, 4)):
        column, row = (min(HEAT_CELLS - 1, max(0, int(c / 1000 * HEAT_CELLS))) for c in _middle(box))
        task.heat[row][column] += 1


def _middle(box: tuple[float, ...]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
