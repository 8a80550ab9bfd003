"""The result of a run as one JSON object: figures under several protocols side by side, and what they were made from.

docs/evaluate.md describes every key. Results of `spaceland rescore` have the same form.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.score import ScoreResult, find_protocol, prepare_rows, score_benchmark
from spaceland.benchmarks.types import Benchmark, Row
from spaceland.version import __version__

FORMAT = "spaceland-evaluation/1"


def build_result(
    benchmark: Benchmark,
    protocol: str,
    rows: Mapping[str, Row],
    records: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Any],
    *,
    protocols: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Score records and put everything together.

    Args:
        benchmark: Whose rules.
        protocol: The one whose figure comes first.
        rows: Rows that were evaluated, as they were read, by id.
        records: What a run or a log says about them, by id: `prediction`, and any of the keys of predictions.jsonl.
        facts: What is known about model, rows, prompt, frames, generation and failures.
        protocols: Protocols to score under; by default the given one, the benchmark's first, and strict.
        seed: Of the bootstrap.

    Raises:
        ScoreError: the first protocol cannot be scored; others that cannot are named in `not_scored`.
    """
    known = [rule.name for rule in benchmark.protocols]
    names = list(dict.fromkeys([protocol, *(protocols or (known[0], *(n for n in known if n == "strict")))]))
    predictions = {row_id: record["prediction"] for row_id, record in records.items() if row_id in rows}
    table = list(rows.values())
    scored: dict[str, ScoreResult] = {}
    refused: dict[str, str] = {}
    for name in names:
        try:
            scored[name] = score_benchmark(benchmark, table, predictions, name, seed=seed)
        except ScoreError as error:
            if name == protocol:
                raise
            refused[name] = str(error)
    first = scored[protocol]
    return {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "protocol": protocol,
        "overall": first.overall,
        "overall_interval": first.overall_interval,
        "protocols": {name: _figures(result) for name, result in scored.items()},
        "not_scored": refused,
        "model": facts.get("model"),
        "rows": {
            **(facts.get("rows") or {}),
            "published": dict(benchmark.expected_rows),
            "sha256": first.provenance["rows_sha256"],
        },
        "prompt": facts.get("prompt"),
        "frames": _frames(facts.get("frames"), records),
        "generation": facts.get("generation"),
        "replies": _replies(records),
        "failures": dict(facts.get("failures") or {}),
        "time": _times(records),
        "versions": {
            "spaceland": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "source": facts.get("source"),
        "per_sample": _samples(benchmark, rows, records, scored),
    }


def _figures(result: ScoreResult) -> dict[str, Any]:
    """A protocol's figures; single rows are kept once for all protocols."""
    found = result.to_json()
    for key in ("per_sample", "benchmark", "protocol"):
        found.pop(key)
    return found


def _frames(policy: Mapping[str, Any] | None, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The policy, and the indices of every video or folder."""
    if policy is None:
        return None
    indices = {
        str(record["media"]): record["frames"]
        for record in records.values()
        if record.get("media") and record.get("frames") and "|" not in str(record["media"])
    }
    return {**policy, "indices": dict(sorted(indices.items()))}


def _replies(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Counts: replies, those cut at the limit of tokens, tokens."""
    usage: dict[str, int] = {}
    for record in records.values():
        for name, count in (record.get("usage") or {}).items():
            usage[name] = usage.get(name, 0) + count
    cut = sum(record.get("finish") == "length" for record in records.values())
    return {"count": len(records), "cut_off": cut, "usage": usage}


def _times(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """First and last reply in UTC, and the sum of the seconds that replies took."""
    ends = [record["time"] for record in records.values() if record.get("time")]

    def utc(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

    seconds = [record["seconds"] for record in records.values() if record.get("seconds") is not None]
    return {
        "first_reply": utc(min(ends)) if ends else None,
        "last_reply": utc(max(ends)) if ends else None,
        "seconds_asking": round(sum(seconds), 3) if seconds else None,
        "median_seconds": round(float(np.median(seconds)), 3) if seconds else None,
    }


def _samples(
    benchmark: Benchmark,
    rows: Mapping[str, Row],
    records: Mapping[str, Mapping[str, Any]],
    scored: Mapping[str, ScoreResult],
) -> list[dict[str, Any]]:
    """A row each: reply and scores by protocol.

    `cells` name the part of the row in protocols whose figures are means of means; with them alone, figures and paired
    intervals can be had again without the rows.
    """
    prepared = prepare_rows(benchmark, list(rows.values()))
    by_id = {name: {sample.id: sample for sample in result.samples} for name, result in scored.items()}
    rules = {name: find_protocol(benchmark, name).summarise for name in scored}
    means = {name: rule for name, rule in rules.items() if type(rule) is TaskMeans}
    found = []
    for row_id in prepared:
        present = {name: samples[row_id] for name, samples in by_id.items() if row_id in samples}
        if not present:
            continue
        record = records.get(row_id)
        sample: dict[str, Any] = {
            "id": row_id,
            "task": next(iter(present.values())).task,
            "prediction": None if record is None else record["prediction"],
            "scores": {name: one.score for name, one in present.items()},
        }
        cells = {name: rule.cell_of(prepared[row_id]) for name, rule in means.items() if name in present}
        if cells:
            same = set(cells.values())
            sample["cells"] = same.pop() if len(same) == 1 and len(cells) == len(present) else cells
        metrics = {name: dict(one.metrics) for name, one in present.items() if one.metrics}
        if metrics:
            sample["metrics"] = metrics
        if record is not None and record.get("finish") == "length":
            sample["cut_off"] = True
        found.append(sample)
    return found
