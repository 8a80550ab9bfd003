"""What one scores without looking: gold answers, chance, and the most common answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from spaceland.benchmarks.scoring import ScoreError, answer_kind, row_format
from spaceland.benchmarks.sparbench import official_motion, official_number

BASELINES = ("oracle", "random", "frequency")
_MAX_CANDIDATES = 100


def baseline_predictions(name: str, rows: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, str]:
    """Predictions of a baseline for every row that is scored, by id.

    oracle: the answer. random: any option, Yes or No, or the answer of another row of the same task and format; chosen
    by seed and row id. frequency: the most common answer of the task and format; for numbers and motions the answer
    that scores best over all its rows.

    Raises:
        ScoreError: unknown baseline.
    """
    if name not in BASELINES:
        raise ScoreError(f"unknown baseline '{name}'; known are {', '.join(BASELINES)}")
    scored = [row for row in rows if answer_kind(row) is not None]
    if name == "oracle":
        return {str(row["id"]): str(row["answer"]) for row in scored}
    pools: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in scored:
        pools.setdefault((str(row["task"]), row_format(row)), []).append(row)
    predictions = {}
    for pool in pools.values():
        if name == "frequency":
            answer = _most_common(pool)
            predictions.update({str(row["id"]): answer for row in pool})
            continue
        answers = sorted(str(row["answer"]) for row in pool)
        for row in pool:
            predictions[str(row["id"])] = _random_reply(row, answers, Random(f"{seed}:{row['id']}"))
    return predictions


def chance(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Expected percentage of a random choice over rows with options or verdicts; None for other rows."""
    shares = []
    for row in rows:
        format = row_format(row)
        if format not in ("select", "judge"):
            return None
        shares.append(1 / _num_options(row) if format == "select" else 0.5)
    return 100 * sum(shares) / len(shares) if shares else None


def _num_options(row: Mapping[str, Any]) -> int:
    """Number of options; released rows hold them in the question text, one on a line."""
    if row.get("options"):
        return len(row["options"])
    text = str(row.get("question", ""))
    return sum(f"\n{letter}." in text for letter in "ABCD") or 4


def _random_reply(row: Mapping[str, Any], answers: Sequence[str], rng: Random) -> str:
    format = row_format(row)
    if format == "select":
        return "ABCD"[rng.randrange(_num_options(row))]
    if format == "judge":
        return rng.choice(["Yes", "No"])
    others = list(answers)
    others.remove(str(row["answer"]))
    return rng.choice(others or list(answers))


def _most_common(pool: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(str(row["answer"]) for row in pool)
    kind = answer_kind(pool[0])
    if kind not in ("number", "motion"):
        return min(counts, key=lambda answer: (-counts[answer], answer))
    task = str(pool[0]["task"])

    def total(candidate: str) -> float:
        if kind == "motion":
            return sum(n * official_motion(candidate, answer) for answer, n in counts.items())
        return sum(n * official_number(candidate, answer, task) for answer, n in counts.items())

    candidates = sorted(counts)
    step = max(1, len(candidates) // _MAX_CANDIDATES)
    return max(candidates[::step], key=lambda candidate: (total(candidate), candidate))
