"""What one scores without looking: gold answers, chance, and the most common answer.

oracle: the answer. random: any of the choices, or the answer of another row of the same pool, by seed and row id.
frequency: the most common answer of the pool; where part of the score can be had (`gain`), the answer that scores best
over all rows of the pool.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from spaceland.benchmarks.known import ScoreError, find_benchmark
from spaceland.benchmarks.types import Benchmark, Row

BASELINES = ("oracle", "random", "frequency")
_MAX_CANDIDATES = 100


@dataclass(frozen=True)
class Baselines:
    """The baselines of a benchmark; call it with a name, rows and a seed.

    Args:
        gold: The answer of a row, as a reply.
        pool_of: Rows of a pool share what can be known without looking: usually the task.
        choices: What a row can be answered with; None for open questions.
        gain: What a constant reply earns on a row, 0 to 1; None where only the equal answer does.
    """

    gold: Callable[[Row], str]
    pool_of: Callable[[Row], Hashable]
    choices: Callable[[Row], Sequence[str] | None] = lambda row: None
    gain: Callable[[str, Row], float | None] = lambda reply, row: None

    def __call__(self, name: str, rows: Mapping[str, Row], seed: int) -> dict[str, str]:
        """Replies by row id."""
        if name == "oracle":
            return {row_id: self.gold(row) for row_id, row in rows.items()}
        pools: dict[Hashable, dict[str, Row]] = {}
        for row_id, row in rows.items():
            pools.setdefault(self.pool_of(row), {})[row_id] = row
        replies: dict[str, str] = {}
        for pool in pools.values():
            if name == "frequency":
                replies |= dict.fromkeys(pool, self._most_common(list(pool.values())))
                continue
            answers = sorted(self.gold(row) for row in pool.values())
            replies |= {row_id: self._random(row, answers, Random(f"{seed}:{row_id}")) for row_id, row in pool.items()}
        return replies

    def _random(self, row: Row, answers: Sequence[str], rng: Random) -> str:
        choices = self.choices(row)
        if choices:
            return rng.choice(choices)
        if len(answers) == 1:
            return answers[0]
        # Any answer but one that equals the row's own: the others keep their places.
        drawn = rng.randrange(len(answers) - 1)
        return answers[drawn if drawn < bisect_left(answers, self.gold(row)) else drawn + 1]

    def _most_common(self, pool: Sequence[Row]) -> str:
        counts = Counter(self.gold(row) for row in pool)
        example = {self.gold(row): row for row in pool}
        if self.gain(self.gold(pool[0]), pool[0]) is None:
            return min(counts, key=lambda answer: (-counts[answer], answer))

        def total(candidate: str) -> float:
            return sum(n * (self.gain(candidate, example[answer]) or 0.0) for answer, n in counts.items())

        candidates = sorted(counts)
        step = max(1, len(candidates) // _MAX_CANDIDATES)
        return max(candidates[::step], key=lambda candidate: (total(candidate), candidate))


def baseline_predictions(
    benchmark: Benchmark | str, name: str, rows: Sequence[Row], seed: int = 0, *, subset: str | None = None
) -> dict[str, str]:
    """Predictions of a baseline for every row that is scored, by id.

    Raises:
        ScoreError: unknown benchmark or baseline, broken rows, or a benchmark without baselines.
    """
    from spaceland.benchmarks.score import scored_rows

    benchmark = find_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    if name not in BASELINES:
        raise ScoreError(f"unknown baseline '{name}'; known are {', '.join(BASELINES)}")
    if benchmark.baseline is None:
        raise ScoreError(f"{benchmark.name} has no baselines; give predictions")
    return benchmark.baseline(name, scored_rows(benchmark, rows, subset), seed)


def mean_chance(rows: Sequence[Row], num_options: Callable[[Row], int | None]) -> float | None:
    """Expected percentage of a random choice; None when a row has nothing to choose from."""
    counts = [num_options(row) for row in rows]
    return 100 * sum(1 / count for count in counts if count) / len(counts) if counts and all(counts) else None
