"""One pass over the rows of a dataset: priors, duplicates, labels and images, and a sample of rows for the baselines.

Only counters, a few bytes for each row and fact, and the sample are kept, so a dataset of any size fits. The sample of
a task and format is the rows with the smallest hash of (seed, id): the same whatever the order.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spaceland.errors import SceneError

_NEEDED = {"id": str, "task": str, "format": str, "scene": str, "images": list, "question": str, "answer": str}
Key = tuple[str, str]


@dataclass
class Pool:
    """Rows of one task and format. `answers` counts what is said: texts of right options, words, numbers as written."""

    rows: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    exact_duplicates: int = 0
    near_duplicates: int = 0
    sample: list[tuple[bytes, dict[str, Any]]] = field(default_factory=list)


@dataclass
class Collected:
    """Everything that is counted; `facts_per_image` and `labels` count each fact once."""

    pools: dict[Key, Pool] = field(default_factory=dict)
    rows: int = 0
    facts: int = 0
    scenes: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    facts_per_image: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    """(kind, id, id of the row it repeats) of the first duplicates."""


def collect(rows: Iterable[dict[str, Any]], *, sample: int, seed: int) -> Collected:
    """Count the rows, and keep `sample` of each task and format.

    Raises:
        SceneError: a row lacks a column.
    """
    found = Collected()
    exact: dict[bytes, str] = {}
    near: dict[bytes, str] = {}
    facts: set[bytes] = set()
    for number, row in enumerate(rows, 1):
        _check(row, number)
        pool = found.pools.setdefault((row["task"], row["format"]), Pool())
        found.rows += 1
        pool.rows += 1
        found.scenes[row["scene"]] += 1
        said = said_answer(row)
        pool.answers[said] += 1
        if row["format"] in ("select", "judge"):
            pool.letters[row["answer"]] += 1
        same, alike = _digest(exact_key(row)), _digest(near_key(row))
        if same in exact:
            pool.exact_duplicates += 1
            _note(found, "exact", row["id"], exact[same])
        elif alike in near:
            pool.near_duplicates += 1
            _note(found, "near", row["id"], near[alike])
        exact.setdefault(same, row["id"])
        near.setdefault(alike, row["id"])
        fact = _digest(json.dumps([row["task"], row["scene"], row["images"], _objects(row)]))
        if fact not in facts:
            facts.add(fact)
            found.labels.update(set(_labels(row)))
            found.facts_per_image.update(set(row["images"]))
        pool.sample.append((_digest(f"{seed}:{row['id']}"), row))
        if len(pool.sample) >= 2 * sample + 64:
            _cut(pool, sample)
    for pool in found.pools.values():
        _cut(pool, sample)
    found.facts = len(facts)
    return found


def said_answer(row: Mapping[str, Any]) -> str:
    """What a row's answer says: the right option's text for a letter, else the answer.

    A sentence says its fact's value, since its words are varied on purpose.
    """
    options, answer = row.get("options"), row["answer"]
    if (
        row["format"] == "select"
        and isinstance(options, list)
        and answer in "ABCD"
        and len(options) > "ABCD".find(answer)
    ):
        return str(options["ABCD".index(answer)])
    if row["format"] == "sentence":
        return json.dumps((row.get("facts") or {}).get("value"), ensure_ascii=False)
    return str(answer)


def exact_key(row: Mapping[str, Any]) -> str:
    """Same for rows that show the same images and read the same."""
    return json.dumps([row["images"], " ".join(row["question"].lower().split()), row["answer"]], ensure_ascii=False)


def near_key(row: Mapping[str, Any]) -> str:
    """Same for rows that ask the same of the same objects in the same views, in other words or another order.

    Two objects exchanged leave a number as it is (their distance), so that is the same question again. Words and
    letters of an answer speak of roles: with the roles exchanged, equal words are an answer to another question.
    """
    facts = row["facts"]
    objects = _objects(row)
    numeric = facts.get("kind") in ("number", "count")
    who = sorted(map(str, objects.values())) if numeric else sorted((str(k), str(v)) for k, v in objects.items())
    asked = facts.get("value", row["answer"])
    # Questions without objects differ by their numbers only.
    values = None if objects else facts.get("values")
    return json.dumps([row["task"], row["format"], row["scene"], sorted(row["images"]), who, asked, values])


def _objects(row: Mapping[str, Any]) -> Mapping[str, Any]:
    objects = (row.get("facts") or {}).get("objects")
    return objects if isinstance(objects, dict) else {}


def _labels(row: Mapping[str, Any]) -> list[str]:
    labels = (row.get("facts") or {}).get("labels")
    return [str(label) for label in labels.values()] if isinstance(labels, dict) else []


def _note(found: Collected, kind: str, row_id: str, first: str) -> None:
    if len(found.examples) < 20:
        found.examples.append((kind, row_id, first))


def _cut(pool: Pool, count: int) -> None:
    pool.sample.sort(key=lambda item: item[0])
    del pool.sample[count:]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


def _check(row: dict[str, Any], number: int) -> None:
    for key, kind in _NEEDED.items():
        if not isinstance(row.get(key), kind):
            raise SceneError(
                f"row {number} ({row.get('id')}): '{key}' should be a {kind.__name__}; is this a rows.jsonl that "
                "`spaceland generate` wrote?"
            )
    if not isinstance(row.get("facts"), dict):
        row["facts"] = {}
