"""How fast boxes are compared and benchmarks about boxes are scored, on one core.

    OMP_NUM_THREADS=1 python bench/bench_boxes.py

Pairs of oriented boxes are drawn at random, so close that about half of them overlap; the target is 10,000 in 1 s.
Rows of benchmarks are made up, as many as the released validation split has, with right replies; times are processor
time, without bootstrap.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "benchmarks"))

import rows_embodiedscan_det
import rows_multi3drefer
import rows_scanrefer

from spaceland.benchmarks import embodiedscan_det, multi3drefer, scanrefer
from spaceland.benchmarks.box_text import values_in
from spaceland.geometry.box_relations import Boxes, box_iou


def random_boxes(num: int, seed: int) -> Boxes:
    rng = np.random.default_rng(seed)
    turns = Rotation.random(num, rng=rng).as_matrix()
    return Boxes(rng.normal(0, 0.65, (num, 3)), rng.uniform(0.2, 2, (num, 3)), turns)


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=0, help="rows of each benchmark; 0 for as many as were released")
    args = parser.parse_args()
    a, b = random_boxes(args.pairs, 0), random_boxes(args.pairs, 1)
    overlapping = float((box_iou(a, b) > 0).mean())
    best = min(seconds(lambda: box_iou(a, b)) for _ in range(3))
    print(f"{args.pairs} pairs of oriented boxes, {overlapping:.0%} overlapping: {best:.2f} s")
    text = "[" + '{"label": "chair", "bbox_3d": [0.1, 0.2, 0.3, 1, 1, 1, 0, 0, 0]}, ' * 1000
    print(f"{len(text)} characters of boxes, cut off: {seconds(lambda: values_in(text)):.2f} s")
    for benchmark, rows_module, released in (
        (scanrefer.BENCHMARK, rows_scanrefer, 9508),
        (multi3drefer.BENCHMARK, rows_multi3drefer, 11120),
        (embodiedscan_det.BENCHMARK, rows_embodiedscan_det, 2430),
    ):
        rows = rows_module.make_rows(args.rows or released, 0)
        replies = [rows_module.gold(row) for row in rows]
        for protocol in benchmark.protocols:
            took = seconds(lambda: protocol.summarise(rows, protocol.score(rows, replies)))  # noqa: B023
            print(f"{benchmark.name + ' ' + protocol.name:<36}{len(rows):>7} rows {took:>7.2f} s")


if __name__ == "__main__":
    main()
