"""How fast scoring is, and how much memory it takes beyond rows and predictions.

    python bench/bench_scores.py [--rows 100000]

Target: 100,000 VSI-Bench rows in 2 s of processor time, figures, intervals and hashes included; memory that does not
grow with the number of resamples.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "benchmarks"))

from spaceland.benchmarks import score_benchmark


def main(rows: int = 100_000) -> None:
    import rows_sparbench
    import rows_vsibench

    for name, module, protocols in (
        ("vsibench", rows_vsibench, ("official", "lmms-eval", "vlmevalkit", "strict")),
        ("sparbench", rows_sparbench, ("official", "vlmevalkit", "strict")),
    ):
        table = module.make_rows(rows, 0)
        rng = random.Random(1)
        talk = ("{}", "{}.", "The answer is {}", "**{}**", "about {} or so")
        replies = {str(row["id"]): rng.choice(talk).format(module.gold(row)) for row in table}
        for protocol in protocols:
            started = time.process_time()
            result = score_benchmark(name, table, replies, protocol)
            seconds = time.process_time() - started
            print(f"{name:<10} {protocol:<11} {rows} rows  {seconds:5.2f} s  overall {result.overall:.2f}")
    for resamples in (100, 4000):
        tracemalloc.start()
        score_benchmark(name, table, replies, resamples=resamples)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"{name:<10} official    {resamples} resamples  peak {peak:.0f} MB")


if __name__ == "__main__":
    tyro.cli(main)
